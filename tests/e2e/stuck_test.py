"""A stuck worker makes nobody wait who comes new; a starved one is left alone."""

import contextlib
import os
import signal
import subprocess
import unittest

import network
from cluster import Cluster, fixture, read_response, wait_until
from load import Load

MODES = network.enter()
FIXTURE = fixture("libfixture.so")
SUSPECT = r"slot %d, generation %d: silent while work waits for it; others take its new connections meanwhile"


class Stuck(unittest.TestCase):
    def slot(self, cluster, index):
        return cluster.view()["slots"][index]

    def victim(self, cluster):
        return cluster.workers()[1]

    def steered_round(self, cluster, victim):
        cluster.wait_log(SUSPECT % (victim["slot"], victim["generation"]))
        slot = wait_until(lambda: (s := self.slot(cluster, victim["slot"]))["stand_in"] and s, "another one accepts there")
        self.assertFalse(slot["live"])
        self.assertNotEqual(slot["stand_in"], victim["generation"])

    def replaced(self, cluster, victim):
        cluster.wait_log(r"\(pid %d\) is killed: its heartbeat has stopped" % victim["pid"])
        wait_until(lambda: len(cluster.pids()) == 3 and victim["pid"] not in cluster.pids(), "a replacement")
        wait_until(lambda: self.slot(cluster, victim["slot"])["live"], "its slot is live again")
        wait_until(lambda: self.slot(cluster, victim["slot"])["stand_in"] == 0, "nobody stands in for it")

    def test_stopped_worker_is_steered_round_then_replaced(self):
        for mode in MODES:
            with self.subTest(mode):
                with Cluster("hello", "-i", "3", "--mode=" + mode, "--hang-timeout=2s") as cluster:
                    with Load(cluster, threads=4, fresh=True, patience=10) as load:
                        victim = self.victim(cluster)
                        wait_until(lambda: load.counts["ok"] > 100, "load")
                        os.kill(victim["pid"], signal.SIGSTOP)
                        self.steered_round(cluster, victim)
                        served = load.counts["ok"]
                        wait_until(lambda: load.counts["ok"] > served + 200, "the others serve")
                        self.replaced(cluster, victim)
                    # At most what it had accepted when it was stopped: each client has one request at a time.
                    self.assertLessEqual(load.lost, 4, load.failures)
                    self.assertEqual(load.counts["timeout"] + load.counts["refused"], 0, load.failures)

    def test_endless_loop_in_a_handler_is_steered_round_then_replaced(self):
        # In the best mode only: it is judged as a stopped one is, but takes as long as it waits for a CPU. By hash:
        # least-connections would pass it over by itself, and where nobody waits nobody is suspected.
        with contextlib.ExitStack() as stack:
            cluster = stack.enter_context(Cluster(FIXTURE, "-i", "3", "--mode=" + MODES[-1], "--balance=hash", "--hang-timeout=2s"))
            load = stack.enter_context(Load(cluster, threads=4, fresh=True, pause=0.001, patience=10))
            looping = stack.enter_context(cluster.connect())
            looping.sendall(b"GET /pid HTTP/1.1\r\nHost: a\r\n\r\n")
            pid = int(read_response(looping)[1].split()[0])
            victim = next(worker for worker in cluster.workers() if worker["pid"] == pid)
            looping.sendall(b"GET /spin?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n")
            self.steered_round(cluster, victim)
            self.replaced(cluster, victim)
            load.stop()
            self.assertLessEqual(load.lost, 4, load.failures)
            self.assertEqual(load.counts["timeout"] + load.counts["refused"], 0, load.failures)

    def test_one_that_goes_on_in_time_is_trusted_again(self):
        for mode in MODES:
            with self.subTest(mode):
                with Cluster("hello", "-i", "3", "--mode=" + mode) as cluster, Load(cluster, threads=4, fresh=True) as load:
                    before = cluster.pids()
                    victim = self.victim(cluster)
                    os.kill(victim["pid"], signal.SIGSTOP)
                    self.steered_round(cluster, victim)
                    os.kill(victim["pid"], signal.SIGCONT)
                    cluster.wait_log("slot %d, generation %d: answers again" % (victim["slot"], victim["generation"]))
                    wait_until(lambda: self.slot(cluster, victim["slot"])["live"], "its slot is live again")
                    wait_until(lambda: self.slot(cluster, victim["slot"])["stand_in"] == 0, "nobody stands in for it")
                    self.assertEqual(cluster.pids(), before)
                    load.stop()
                    self.assertEqual(load.lost, 0, load.failures)

    def test_roll_goes_past_a_stopped_incumbent(self):
        with Cluster("hello", "-i", "3", "--kill-timeout=1s", "--hang-timeout=1h") as cluster:
            victim = self.victim(cluster)
            os.kill(victim["pid"], signal.SIGSTOP)
            with Load(cluster, threads=2, fresh=True) as load:
                out = cluster.ok("reload", cluster.name)
            self.assertIn("1 old worker had to be killed after 1s", out)
            self.assertEqual(load.lost, 0, load.failures)
            self.assertNotIn(victim["pid"], cluster.pids())

    def test_two_of_three_are_stopped(self):
        with Cluster("hello", "-i", "3", "--hang-timeout=2s") as cluster:
            victims = cluster.workers()[1:]
            for victim in victims:
                os.kill(victim["pid"], signal.SIGSTOP)
            with Load(cluster, threads=4, fresh=True) as load:
                for victim in victims:
                    self.steered_round(cluster, victim)
                for victim in victims:
                    self.replaced(cluster, victim)
            self.assertEqual(load.lost, 0, load.failures)


class Starved(unittest.TestCase):
    def test_a_hundred_workers_on_one_busy_core_are_left_alone(self):
        core = min(os.sched_getaffinity(0))

        def pin():
            os.sched_setaffinity(0, {core})

        with contextlib.ExitStack() as stack:
            cluster = stack.enter_context(
                Cluster("hello", "-i", "100", "--listen-timeout=2m", "--hang-timeout=1s", preexec=pin, wait=False))
            cluster.wait_log(r"is ready: 100 workers", patience=60)
            cluster.wait_ready()
            before = cluster.pids()
            for _ in range(8):
                hog = subprocess.Popen(["sh", "-c", "while :; do :; done"], preexec_fn=pin)
                stack.callback(hog.wait)
                stack.callback(hog.kill)
            seconds = float(os.environ.get("UC_STARVE_SECONDS", "8"))
            with Load(cluster, threads=8, fresh=True, patience=60) as load:
                load.stopping.wait(seconds)
            self.assertEqual(load.lost, 0, load.failures)
            self.assertEqual(cluster.pids(), before)
            self.assertEqual(sum(slot["restarts"] for slot in cluster.view()["slots"]), 0)


if __name__ == "__main__":
    unittest.main()
