"""Scaling live, by CLI, signal and control pipe."""

import json
import os
import signal
import unittest

from app import App
from cluster import Cluster, wait_until
from load import Load


class Scale(unittest.TestCase):
    def test_two_six_one_under_load(self):
        with Cluster("hello", "-i", "2") as cluster:
            with Load(cluster, threads=2, fresh=True, pause=0.002) as load:
                cluster.ok("scale", cluster.name, "6")
                self.assertEqual(len(cluster.pids()), 6)
                self.assertEqual(load.lost, 0, load.failures)
                cluster.ok("scale", cluster.name, "1")
                self.assertEqual(len(cluster.pids()), 1)
            self.assertEqual(load.lost, 0, load.failures)

    def test_scaling_down_loses_nothing_at_full_load(self):
        with Cluster("hello", "-i", "1") as cluster, Load(cluster, threads=4, fresh=True) as load:
            for _ in range(5):
                cluster.ok("scale", cluster.name, "8")
                cluster.ok("scale", cluster.name, "2")
                cluster.ok("reload", cluster.name)  # who serves the sockets of retired slots is replaced
            os.kill(cluster.pids()[0], signal.SIGTERM)
            wait_until(lambda: len(cluster.pids()) == 2, "a replacement")
            load.stop()
            self.assertEqual(load.lost, 0, load.failures)
            self.assertGreater(load.counts["ok"], 100)

    def test_scale_up_loses_nothing_at_full_load(self):
        with Cluster("hello", "-i", "1") as cluster, Load(cluster, threads=4, fresh=True) as load:
            for _ in range(5):
                cluster.ok("scale", cluster.name, "+1")
            load.stop()
            self.assertEqual(load.lost, 0, load.failures)

    def test_keep_alive_clients_survive_scaling_down(self):
        with Cluster("hello", "-i", "4") as cluster, Load(cluster, threads=8, fresh=False, pause=0.002) as load:
            cluster.ok("scale", cluster.name, "-3")
            self.assertEqual(len(cluster.pids()), 1)
            load.stop()
            self.assertEqual(load.lost, 0, load.failures)

    def test_relative_numbers(self):
        with Cluster("hello", "-i", "2") as cluster:
            cluster.ok("scale", cluster.name, "+3")
            self.assertEqual(len(cluster.pids()), 5)
            cluster.ok("scale", cluster.name, "-1")
            self.assertEqual(len(cluster.pids()), 4)
            answer = json.loads(cluster.ok("scale", "-1", "--json"))
            self.assertEqual(answer["outcome"], "done")
            self.assertEqual(len(cluster.pids()), 3)

    def test_wrong_numbers_are_the_operators_fault(self):
        with Cluster("hello", "-i", "2") as cluster:
            for words in (["+", "3"], ["0"], ["-2"], ["99999"], ["many"], ["3.5"], ["+99999999999999999999"]):
                code, _, err = cluster.cli("scale", cluster.name, *words)
                self.assertEqual(code, 2, words)
                self.assertEqual(len(err.strip().split("\n")), 1, err)
            self.assertEqual(len(cluster.pids()), 2)

    def test_signals_add_and_take_one(self):
        with Cluster("hello", "-i", "2") as cluster:
            cluster.process.send_signal(signal.SIGTTIN)
            wait_until(lambda: len(cluster.pids()) == 3, "three workers")
            cluster.process.send_signal(signal.SIGTTOU)
            wait_until(lambda: len(cluster.pids()) == 2, "two workers")

    def test_a_line_in_the_control_pipe_is_a_command(self):
        with Cluster("hello", "-i", "1") as cluster:
            with open(os.path.join(cluster.base, "hello", "control"), "w") as control:
                control.write("scale 3\n")
            cluster.wait_log("scale 3 done")
            self.assertEqual(len(cluster.pids()), 3)

    def test_new_worker_that_does_not_start_fails_the_command(self):
        app = App(self, "libversion1.so")
        with Cluster(app.path, "-i", "1", "--listen-timeout=2s") as cluster:
            app.deploy("librefuses.so")
            code, _, err = cluster.cli("scale", cluster.name, "3")
            self.assertEqual(code, 1, err)
            self.assertIn("failed to start: ", err)
            self.assertEqual(len(cluster.pids()), 1)
            self.assertEqual(cluster.get("/version"), b"1\n")

    def test_what_the_descriptors_do_not_carry_is_refused_at_once(self):
        with Cluster("hello", "-i", "1") as cluster:
            os.system("prlimit --pid %d --nofile=16:16" % cluster.process.pid)
            code, _, err = cluster.cli("scale", cluster.name, "9")
            self.assertEqual(code, 2, err)
            self.assertIn("the limit is 16", err)
            self.assertEqual(cluster.get(), b"Hello from uring-cluster\n")


if __name__ == "__main__":
    unittest.main()
