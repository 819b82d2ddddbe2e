"""Counts test cases, not Bazel targets: `count_cases.py EVENTS BAZEL_STATUS`.

EVENTS is what `bazel test --build_event_json_file` wrote: it names the test.xml of each test of this
very call, cached results included. The last line printed is `N passed, N failed`; the exit status is
0 only if nothing failed and Bazel itself was content.
"""

import json
import sys
import urllib.parse
import urllib.request
import xml.etree.ElementTree

# "All is well" and "all was built, some tests failed"; else something failed that is no test.
BAZEL_BUILT = (0, 3)


def read_events(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:  # Bazel was killed while it wrote the last line
                return


def last_attempts(events):
    """The result of each (label, run, shard): of a flaky test only the last attempt counts."""
    results = {}
    for event in events:
        name = event.get("id", {}).get("testResult")
        if name and "testResult" in event:
            key = (name["label"], name.get("run", 1), name.get("shard", 1))
            if name.get("attempt", 1) >= results.get(key, (0, None))[0]:
                results[key] = (name.get("attempt", 1), event["testResult"])
    return {key: result for key, (_, result) in results.items()}


def unbuilt_targets(events):
    """Labels of targets that could not be analysed or built."""
    labels = set()
    for event in events:
        name = event.get("id", {})
        if "targetCompleted" in name and not event.get("completed", {}).get("success"):
            # An aspect or a skipped target has no failure of its own.
            if event.get("aborted", {}).get("reason") not in ("SKIPPED", "NO_BUILD"):
                labels.add(name["targetCompleted"]["label"])
    return labels


def xml_path(result):
    for output in result.get("testActionOutput", []):
        if output.get("name") == "test.xml" and output.get("uri", "").startswith("file:"):
            return urllib.request.url2pathname(urllib.parse.urlparse(output["uri"]).path)
    return None


def cases(path):
    """(name, "passed" | "failed" | "skipped") of each case of a JUnit file; [] if it has none."""
    try:
        root = xml.etree.ElementTree.parse(path).getroot()
    except (OSError, TypeError, xml.etree.ElementTree.ParseError):
        return []
    found = []
    for case in root.iter("testcase"):
        children = {child.tag for child in case}
        if children & {"failure", "error"}:
            outcome = "failed"
        elif "skipped" in children or case.get("status") == "notrun":
            outcome = "skipped"
        else:
            outcome = "passed"
        found.append((".".join(filter(None, (case.get("classname"), case.get("name")))), outcome))
    return found


def count(events, bazel_status):
    """(number passed, names of the failed)."""
    passed, failed = 0, []
    results = last_attempts(events)
    for (label, _, _), result in sorted(results.items()):
        target_passed = result.get("status") == "PASSED"
        found = cases(xml_path(result))
        failures = [name for name, outcome in found if outcome == "failed"]
        passed += sum(outcome == "passed" for _, outcome in found)
        failed += [f"{label} {name}" for name in failures]
        if not found and target_passed:
            passed += 1
        elif not target_passed and not failures:
            # Crashed, timed out, or failed after its last case (a leak, a sanitizer at exit).
            failed.append(f"{label} ({result.get('status', 'no status').lower()})")
    tested = {label for label, _, _ in results}
    unbuilt = sorted(unbuilt_targets(events) - tested)
    failed += [f"{label} (did not build)" for label in unbuilt]
    if bazel_status not in BAZEL_BUILT and not unbuilt or bazel_status != 0 and not failed:
        failed.append(f"bazel (exit status {bazel_status}); its message is above")
    return passed, failed


def main():
    passed, failed = count(list(read_events(sys.argv[1])), int(sys.argv[2]))
    for name in failed:
        print(f"FAILED {name}")
    print(f"{passed} passed, {len(failed)} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
