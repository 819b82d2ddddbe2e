"""Runs one test file and writes a JUnit file with every case, so that cases are counted, not files."""

import importlib
import os
import sys
import time
import traceback
import unittest
from xml.sax.saxutils import escape, quoteattr


class Recorder(unittest.TextTestResult):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.cases = []
        self.began = 0.0

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def record(self, test, kind=None, text=""):
        # What fails before any case has begun (setUpClass) has no time of its own.
        self.cases.append((test, kind, text, time.monotonic() - self.began if self.began else 0.0))

    def addSuccess(self, test):
        super().addSuccess(test)
        self.record(test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.record(test, "failure", "".join(traceback.format_exception(*error)))

    def addError(self, test, error):
        super().addError(test, error)
        self.record(test, "error", "".join(traceback.format_exception(*error)))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.record(test, "skipped", reason)

    def addSubTest(self, test, subtest, error):
        """Called for each part; unittest calls no addFailure for a case whose part has failed."""
        super().addSubTest(test, subtest, error)
        if error is not None:
            kind = "failure" if issubclass(error[0], test.failureException) else "error"
            self.record(subtest, kind, "".join(traceback.format_exception(*error)))

    def write(self, path):
        with open(path, "w", encoding="utf-8") as out:
            out.write('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites><testsuite name="e2e">\n')
            for test, kind, text, seconds in self.cases:
                suite, _, name = test.id().rpartition(".")
                out.write('<testcase name=%s classname=%s status="run" time="%.3f">' % (quoteattr(name), quoteattr(suite), seconds))
                if kind:
                    clean = "".join(c for c in text if c in "\n\t" or ord(c) >= 32)
                    out.write("<%s message=%s>%s</%s>" % (kind, quoteattr(clean[-200:]), escape(clean), kind))
                out.write("</testcase>\n")
            out.write("</testsuite></testsuites>\n")


def main():
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    suite = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(sys.argv[1]))
    if len(sys.argv) > 2:  # some cases only, by a part of their names
        chosen = unittest.TestSuite()
        for group in suite:
            for test in group:
                if any(part in test.id() for part in sys.argv[2:]):
                    chosen.addTest(test)
        suite = chosen
    result = unittest.TextTestRunner(stream=sys.stderr, verbosity=2, resultclass=Recorder).run(suite)
    if os.environ.get("XML_OUTPUT_FILE"):
        result.write(os.environ["XML_OUTPUT_FILE"])
    sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 else 1)


main()
