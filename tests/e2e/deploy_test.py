"""Deploys as their users live through them: builds that change under load, and numbers that only grow."""

import os
import shutil
import signal
import tempfile
import threading
import unittest

from cluster import Cluster, fixture, wait_until
from load import Load

GET_VERSION = b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n"


class Deploy(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="uc-deploy-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.path = os.path.join(self.directory, "libapp.so")

    def build(self, name):
        """A new file, by rename: the running workers keep the one that they have mapped."""
        shutil.copy(fixture(name), self.path + ".new")
        os.rename(self.path + ".new", self.path)

    def test_both_kinds_of_clients_get_the_new_build_and_lose_nothing(self):
        self.build("libversion1.so")
        with Cluster(self.path, "-i", "3", "--name=web") as cluster:
            fresh = Load(cluster, threads=2, fresh=True, pause=0.001, request=GET_VERSION)
            kept = Load(cluster, threads=4, fresh=False, pause=0.002, request=GET_VERSION)
            with fresh, kept:
                for load in (fresh, kept):
                    wait_until(lambda: load.bodies[b"1\n"] > 20, "answers of version 1")
                self.build("libversion2.so")
                cluster.ok("reload", "web")
                seen = fresh.bodies[b"1\n"], kept.bodies[b"1\n"]
                before = fresh.bodies[b"2\n"], kept.bodies[b"2\n"]
                for load, count in zip((fresh, kept), before):
                    wait_until(lambda: load.bodies[b"2\n"] > count + 50, "answers of version 2")
            for load, old in zip((fresh, kept), seen):
                self.assertEqual(load.lost, 0, load.failures)
                self.assertEqual(set(load.bodies), {b"1\n", b"2\n"})
                # Who asked before the roll's end may be counted after it: one answer for each client.
                self.assertLessEqual(load.bodies[b"1\n"] - old, len(load.threads))

    def test_failed_deploy_is_invisible_to_keep_alive_clients(self):
        self.build("libversion1.so")
        with Cluster(self.path, "-i", "2", "--name=web") as cluster:
            before = cluster.pids()
            with Load(cluster, threads=4, fresh=False, pause=0.002, request=GET_VERSION) as load:
                self.build("libcrashes.so")
                self.assertEqual(cluster.cli("reload", "web")[0], 1)
                answered = load.counts["ok"]
                wait_until(lambda: load.counts["ok"] > answered + 50, "answers after the abort")
            self.assertEqual((load.lost, set(load.bodies)), (0, {b"1\n"}), load.failures)
            self.assertEqual(cluster.pids(), before)

    def test_burst_of_hangups_ends_in_a_whole_cluster_of_new_workers(self):
        with Cluster("hello", "-i", "2") as cluster, Load(cluster, threads=2, fresh=True, pause=0.002) as load:
            before = set(cluster.pids())
            for _ in range(20):
                cluster.process.send_signal(signal.SIGHUP)
            cluster.wait_log("reload done")
            wait_until(lambda: not cluster.view()["rolling"], "the end of the rolls")
            after = set(cluster.pids())
            self.assertEqual((len(after), after & before), (2, set()))
            load.stop()
            self.assertEqual(load.lost, 0, load.failures)


class Numbers(unittest.TestCase):
    def test_totals_never_go_down(self):
        names = ("accepted", "closed", "requests", "bytes_in", "bytes_out")
        with Cluster("hello", "-i", "3") as cluster, Load(cluster, threads=2, fresh=True, pause=0.001):
            falls, samples, done = [], [], threading.Event()

            def watch():
                last = dict.fromkeys(names, 0)
                while not done.is_set():
                    totals = cluster.view()["totals"]
                    falls.extend((name, last[name], totals[name]) for name in names if totals[name] < last[name])
                    last = totals
                    samples.append(totals["requests"])

            watcher = threading.Thread(target=watch)
            watcher.start()
            try:
                for _ in range(20):
                    cluster.ok("reload")
                    cluster.ok("scale", "+2")
                    victim = cluster.pids()[0]
                    os.kill(victim, signal.SIGKILL)
                    wait_until(lambda: len(cluster.pids()) == 5 and victim not in cluster.pids(), "a replacement")
                    cluster.ok("scale", "3")
                    cluster.ok("restart")
                    if len(samples) > 30:  # how often a slow machine looks is not the claim
                        break
            finally:
                done.set()
                watcher.join()
            self.assertEqual(falls, [])
            self.assertGreater(len(samples), 30)
            self.assertGreater(samples[-1], samples[0])

    def test_requests_are_counted_exactly_through_a_roll(self):
        with Cluster("hello", "-i", "2") as cluster:
            for _ in range(10):
                cluster.get()
            cluster.ok("reload")
            for _ in range(10):
                cluster.get()
            self.assertEqual(cluster.view()["totals"]["requests"], 20)


if __name__ == "__main__":
    unittest.main()
