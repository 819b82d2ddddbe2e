#!/usr/bin/env python3
"""Holds this checkout to the house rules, and each rule to the small trees that it must refuse.

By hand, without Bazel: tests/house/house_test.py
"""

import os
import sys
import tempfile
import xml.etree.ElementTree as ET

# Bazel starts us through links: the modules and the checkout are where the real file is.
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

from rules import RULES  # pylint: disable=wrong-import-position
from tree import Tree  # pylint: disable=wrong-import-position

CHECKOUT = os.path.dirname(os.path.dirname(HERE))


def check_fixture(check, files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        return check(Tree(root))


def cases():
    """(rule, claim, complaints): no complaints = passed, None = skipped."""
    for rule, (check, refused, accepted) in RULES.items():
        for claim, files in refused.items():
            complaints = check_fixture(check, files)
            if complaints is not None:
                complaints = [] if complaints else [f"{rule} accepts {files}"]
            yield rule, f"Refuses{claim}", complaints
        for number, files in enumerate(accepted, start=1):
            yield rule, f"AcceptsGoodTree{number}", check_fixture(check, files)
        yield rule, "HoldsInThisCheckout", check(Tree(CHECKOUT))


def write_xml(path, results):
    suites = ET.Element("testsuites", name="house")
    suite = ET.SubElement(suites, "testsuite", name="house", tests=str(len(results)))
    suite.set("failures", str(sum(bool(complaints) for _, _, complaints in results)))
    for rule, claim, complaints in results:
        case = ET.SubElement(suite, "testcase", classname=rule, name=claim)
        if complaints is None:
            ET.SubElement(case, "skipped")
        elif complaints:
            ET.SubElement(case, "failure", message=complaints[0]).text = "\n".join(complaints)
    ET.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)


def main():
    if not os.path.exists(os.path.join(CHECKOUT, "WORKSPACE")):
        sys.exit(f"{CHECKOUT} is not the checkout: the test must run where its real file is")
    results = list(cases())
    if os.environ.get("XML_OUTPUT_FILE"):
        write_xml(os.environ["XML_OUTPUT_FILE"], results)
    failed = [result for result in results if result[2]]
    for rule, claim, complaints in failed:
        print(f"{rule}.{claim}")
        for complaint in complaints:
            print(f"  {complaint}")
    print(f"{len(results) - len(failed)} of {len(results)} house rule cases hold")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
