"""Restarts as PM2's users know them: what stays down, what is recycled, what rolls by itself."""

import os
import shutil
import signal
import tempfile
import unittest

from cluster import Cluster, fixture, wait_until
from load import Load


def condition(cluster, slot=0):
    return cluster.view()["slots"][slot]["condition"]


class StayDown(unittest.TestCase):
    def test_exit_code_that_means_done_stays_down_until_it_is_asked_for(self):
        with Cluster(fixture("libfixture.so"), "-i", "2", "--stop-exit-codes=0,3") as cluster:
            cluster.get("/exit")
            cluster.wait_log(r"exited with code 3; it stays down until restart, reload or scale")
            wait_until(lambda: len(cluster.pids()) == 1, "one worker less")
            self.assertEqual(sorted(slot["condition"] for slot in cluster.view()["slots"]), ["stopped", "well"])
            self.assertIn("stopped", cluster.ok("list"))
            for _ in range(8):  # the other one serves for it
                self.assertEqual(cluster.get("/version"), b"0\n")
            cluster.ok("restart")
            self.assertEqual(len(cluster.pids()), 2)

    def test_no_autorestart_in_pm2s_spelling(self):
        with Cluster("hello", "-i", "2", "--no-autorestart") as cluster:
            os.kill(cluster.pids()[0], signal.SIGKILL)
            cluster.wait_log("it stays down")
            cluster.ok("reload")
            self.assertEqual(len(cluster.pids()), 2)

    def test_errored_slot_is_shown_tried_again_and_forgiven(self):
        with Cluster("hello", "-i", "1", "--min-uptime=1h", "--max-restarts=2") as cluster:
            for _ in range(2):
                (pid,) = wait_until(cluster.pids, "a worker")
                os.kill(pid, signal.SIGKILL)
                wait_until(lambda: cluster.pids() != [pid], "its end")
            cluster.wait_log(r"next try in 15s \(2 quick deaths, errored: --max-restarts\)")
            self.assertEqual(condition(cluster), "errored")
            cluster.ok("restart")
            self.assertEqual(condition(cluster), "well")


class Recycle(unittest.TestCase):
    def test_workers_with_enough_requests_are_replaced_one_at_a_time_and_nothing_is_lost(self):
        with Cluster("hello", "-i", "3", "--max-requests=200") as cluster, Load(cluster, threads=2, pause=0.001) as load:
            before = set(cluster.pids())
            most = 0

            def all_replaced():
                nonlocal most
                workers = [worker for worker in cluster.view()["workers"]]
                most = max(most, len(workers))
                return not before & {worker["pid"] for worker in workers}

            wait_until(all_replaced, "a new worker in every slot", patience=40)
            load.stop()
            self.assertEqual(load.lost, 0, load.failures)
            self.assertLessEqual(most, 4)  # three and one successor
            cluster.wait_log("is recycled: .* requests, --max-requests=200")

    def test_worker_that_takes_too_much_memory_is_replaced_and_nothing_is_lost(self):
        with Cluster(fixture("libfixture.so"), "-i", "1", "--max-memory-restart=150M") as cluster:
            (before,) = cluster.pids()
            with Load(cluster, threads=1, pause=0.002) as load:
                self.assertEqual(cluster.get("/hold?bytes=200000000"), b"200000000\n")
                wait_until(lambda: cluster.pids() not in ([], [before]) and len(cluster.pids()) == 1, "a replacement")
                load.stop()
                self.assertEqual(load.lost, 0, load.failures)
            cluster.wait_log(r"is recycled: \d+M of memory, --max-memory-restart=150M")


class RollsByItself(unittest.TestCase):
    def test_watch_rolls_when_the_shared_object_is_replaced(self):
        with tempfile.TemporaryDirectory() as folder:
            app = os.path.join(folder, "libapp.so")
            shutil.copy(fixture("libversion1.so"), app)
            with Cluster(app, "-i", "2", "--watch") as cluster:
                self.assertEqual(cluster.get("/version"), b"1\n")
                shutil.copy(fixture("libversion2.so"), app + ".new")
                os.rename(app + ".new", app)
                cluster.wait_log(r"--watch: libapp.so has changed: reload")
                cluster.wait_log(r"reload done: rolled 2 slots")
                self.assertEqual(cluster.get("/version"), b"2\n")

    def test_cron_restart_is_taken_and_costs_nothing_until_it_is_time(self):
        with Cluster("hello", "-i", "1", "--cron-restart=0 3 29 2 *") as cluster:
            cluster.ok("ping")
            self.assertIn("--cron-restart=0 3 29 2 *", cluster.view()["command_line"])


class BadInput(unittest.TestCase):
    def test_wrong_values_are_one_clear_line(self):
        for flag, words in {
            "--cron-restart=99 * * * *": "--cron-restart: '99' is no minute",
            "--stop-exit-codes=a": "--stop-exit-codes=a: exit codes are numbers",
            "--max-memory-restart=lots": "a size is expected",
            "--max-restarts=0": "--max-restarts=0 is out of range",
            "--watch": "--watch: hello is built in",
        }.items():
            with self.subTest(flag):
                cluster = Cluster("hello", flag, wait=False)
                try:
                    self.assertEqual(cluster.wait_exit(10), 2)
                    lines = [line for line in cluster.lines if line]
                    self.assertEqual(len(lines), 1, lines)
                    self.assertIn(words, lines[0])
                finally:
                    cluster.close()


if __name__ == "__main__":
    unittest.main()
