"""The short form of benchmarks/loss: each mode under each load, near or far, through planned changes and crashes."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../benchmarks/loss"))
import loss_matrix  # noqa: E402
from load import PLANNED_MAX  # noqa: E402
from stage import CannotRun  # noqa: E402

PLANNED = {"roll": 2, "scale": 1, "coordinator": 1}
CRASHES = {"kill": 2, "stop": 1}
# Where new connections go, a worker has at most its share of the client's 64; keep-alive ones may all be at one.
IN_FLIGHT_MAX = {"new": 16 * 3, "rate": 16 * 3, "keep-alive": 50 * 3}


class Zero(unittest.TestCase):
    def course(self, changes, mode, load, rtt):
        try:
            account = loss_matrix.run_course(changes, mode, load, rtt)
        except CannotRun as reason:
            self.skipTest(str(reason))
        self.assertEqual(account["local_error"], 0, account["failures"])
        self.assertGreater(account["ok"], 100)
        return account

    def each_load(self, mode):
        """Near or far in turn, so that all pairs occur and the whole stays short."""
        for place, load in enumerate(loss_matrix.LOADS):
            rtt = 20 * ((place + ["full", "migrate", "plain"].index(mode)) % 2)
            with self.subTest(mode=mode, load=load, rtt=rtt):
                yield load, rtt

    def planned(self, mode):
        for load, rtt in self.each_load(mode):
            account = self.course(PLANNED, mode, load, rtt)
            self.assertLessEqual(account["lost"], PLANNED_MAX[mode], account["failures"])
            self.assertEqual(account["idle_closed"], 0)

    def crashes(self, mode):
        for load, rtt in self.each_load(mode):
            account = self.course(CRASHES, mode, load, rtt)
            self.assertLessEqual(account["lost"], IN_FLIGHT_MAX[load], account["failures"])
            for kind in ("refused", "timeout_connect", "timeout_answer", "bad_answer"):
                self.assertEqual(account[kind], 0, account["failures"])

    def test_planned_changes_lose_nothing_in_mode_full(self):
        self.planned("full")

    def test_planned_changes_in_mode_migrate(self):
        self.planned("migrate")

    def test_planned_changes_lose_nothing_in_mode_plain_as_nobody(self):
        self.planned("plain")

    def test_crashes_lose_what_was_in_flight_in_mode_full(self):
        self.crashes("full")

    def test_crashes_lose_what_was_in_flight_in_mode_migrate(self):
        self.crashes("migrate")

    def test_crashes_lose_what_was_in_flight_in_mode_plain_as_nobody(self):
        self.crashes("plain")


if __name__ == "__main__":
    unittest.main()
