#!/usr/bin/env python3
"""The sum that `tools/test` ends with: what Bazel said, and what it must come to."""

import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
CHECKOUT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(CHECKOUT, "tools", "bazel"))
sys.dont_write_bytecode = True

from count_cases import count  # pylint: disable=wrong-import-position

PASS = '<testcase name="a" classname="S"/>'
FAIL = '<testcase name="b" classname="S"><failure message="no"/></testcase>'
SKIP = '<testcase name="c" classname="S"><skipped/></testcase>'
DISABLED = '<testcase name="d" classname="S" status="notrun"/>'


class CountCases(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.events = []

    def ran(self, label, status, xml=None, attempt=1, shard=1):
        result = {"status": status, "testActionOutput": []}
        if xml is not None:
            path = os.path.join(self.folder, f"{len(self.events)}.xml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"<testsuites><testsuite>{xml}</testsuite></testsuites>")
            result["testActionOutput"].append({"name": "test.xml", "uri": f"file://{path}"})
        name = {"label": label, "run": 1, "shard": shard, "attempt": attempt}
        self.events.append({"id": {"testResult": name}, "testResult": result})

    def did_not_build(self, label):
        self.events.append({"id": {"targetCompleted": {"label": label}}, "completed": {}})

    def expect(self, passed, failed, bazel_status):
        self.assertEqual(count(self.events, bazel_status), (passed, failed))

    def test_counts_cases_not_targets(self):
        self.ran("//a", "PASSED", PASS + PASS + SKIP + DISABLED)
        self.ran("//b", "FAILED", PASS + FAIL)
        self.expect(3, ["//b S.b"], 3)

    def test_target_without_cases_is_one(self):
        self.ran("//a", "PASSED")
        self.ran("//b", "FAILED")
        self.ran("//c", "TIMEOUT", "")
        self.expect(1, ["//b (failed)", "//c (timeout)"], 3)

    def test_failure_after_the_last_case_is_a_failure(self):
        self.ran("//a", "FAILED", PASS)
        self.expect(1, ["//a (failed)"], 3)

    def test_broken_xml_hides_no_failure(self):
        self.ran("//a", "FAILED", "<testcase")
        self.expect(0, ["//a (failed)"], 3)

    def test_shards_add_up(self):
        self.ran("//a", "PASSED", PASS, shard=1)
        self.ran("//a", "PASSED", PASS, shard=2)
        self.expect(2, [], 0)

    def test_last_attempt_counts(self):
        self.ran("//a", "FAILED", FAIL, attempt=1)
        self.ran("//a", "PASSED", PASS, attempt=2)
        self.expect(1, [], 0)

    def test_target_that_does_not_build_is_a_failure(self):
        self.ran("//a", "PASSED", PASS)
        self.did_not_build("//b")
        self.expect(1, ["//b (did not build)"], 1)

    def test_unreadable_package_is_a_failure(self):
        self.ran("//a", "PASSED", PASS)
        self.expect(1, ["bazel (exit status 1); its message is above"], 1)

    def test_no_test_at_all_is_a_failure(self):
        self.expect(0, ["bazel (exit status 4); its message is above"], 4)


class BazelXml(unittest.TextTestResult):
    """unittest's own runner writes no XML: Bazel would count one case."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.names = []

    def startTest(self, test):  # pylint: disable=invalid-name
        super().startTest(test)
        self.names.append(test.id())

    def write(self, path):
        broken = {test.id() for test, _ in self.failures + self.errors}
        lines = [
            f'<testcase classname="count_cases" name="{name.split(".")[-1]}">'
            + ("<failure/>" if name in broken else "")
            + "</testcase>"
            for name in self.names
        ]
        with open(path, "w", encoding="utf-8") as file:
            file.write("<testsuites><testsuite>" + "\n".join(lines) + "</testsuite></testsuites>\n")


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(CountCases)
    outcome = unittest.TextTestRunner(resultclass=BazelXml).run(suite)
    if os.environ.get("XML_OUTPUT_FILE"):
        outcome.write(os.environ["XML_OUTPUT_FILE"])
    sys.exit(0 if outcome.wasSuccessful() else 1)
