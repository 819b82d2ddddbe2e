"""Crashes and hangs: what dies is replaced, and the others serve."""

import os
import signal
import unittest

from cluster import Cluster, fixture, wait_until
from load import Load


class Crash(unittest.TestCase):
    def test_killed_worker_is_replaced_and_the_others_serve(self):
        with Cluster("hello", "-i", "3") as cluster, Load(cluster, threads=2, fresh=True, pause=0.002) as load:
            for _ in range(5):
                before = cluster.pids()
                os.kill(before[0], signal.SIGKILL)
                wait_until(lambda: len(cluster.pids()) == 3 and before[0] not in cluster.pids(), "a replacement")
            load.stop()
            # At most what was in flight in the dead worker: two clients, five deaths.
            self.assertLessEqual(load.lost, 5, load.failures)
            self.assertEqual(load.counts["refused"], 0)
            self.assertEqual(load.counts["timeout"], 0)

    def test_queue_of_a_single_worker_survives_its_death(self):
        with Cluster("hello", "-i", "1") as cluster:
            (pid,) = cluster.pids()
            os.kill(pid, signal.SIGSTOP)
            waiting = [cluster.connect() for _ in range(10)]
            for connection in waiting:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            os.kill(pid, signal.SIGKILL)
            for connection in waiting:
                self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 200"))
                connection.close()

    def test_restarts_are_counted_and_totals_never_go_down(self):
        with Cluster("hello", "-i", "2") as cluster:
            for _ in range(20):
                cluster.get()
            requests = cluster.view()["totals"]["requests"]
            self.assertEqual(requests, 20)
            os.kill(cluster.pids()[0], signal.SIGKILL)
            wait_until(lambda: len(cluster.pids()) == 2, "a replacement")
            view = cluster.view()
            self.assertEqual(view["totals"]["requests"], 20)
            self.assertEqual(sum(slot["restarts"] for slot in view["slots"]), 1)

    def test_crash_loop_backs_off_and_ends_by_itself(self):
        with Cluster("hello", "-i", "1", "--min-uptime=1h") as cluster:
            for deaths in range(1, 4):
                (pid,) = cluster.pids()
                os.kill(pid, signal.SIGKILL)
                wait_until(lambda: cluster.pids() not in ([], [pid]), "a replacement")
                self.assertEqual(cluster.view()["slots"][0]["quick_deaths"], deaths)
            cluster.wait_log("next try in")
            self.assertEqual(cluster.get(), b"Hello from uring-cluster\n")

    def test_crash_in_a_handler_costs_one_request(self):
        with Cluster(fixture("libfixture.so"), "-i", "2") as cluster:
            self.assertEqual(cluster.get("/crash"), b"")
            wait_until(lambda: len(cluster.pids()) == 2, "a replacement")
            self.assertEqual(cluster.get("/version"), b"0\n")
            cluster.wait_log("killed by SIGABRT")


class Hang(unittest.TestCase):
    def replaced(self, cluster, pid):
        cluster.wait_log(r"\(pid %d\) is killed: its heartbeat has stopped" % pid)
        wait_until(lambda: len(cluster.pids()) == 2 and pid not in cluster.pids(), "a replacement")

    def test_stopped_worker_is_killed_and_replaced(self):
        with Cluster("hello", "-i", "2", "--hang-timeout=800ms") as cluster:
            pid = cluster.pids()[0]
            os.kill(pid, signal.SIGSTOP)
            self.replaced(cluster, pid)

    def test_endless_loop_and_blocked_handler_are_killed_and_replaced(self):
        for path in ("/spin?ms=60000", "/block?ms=60000"):
            with self.subTest(path):
                with Cluster(fixture("libfixture.so"), "-i", "2", "--hang-timeout=800ms") as cluster:
                    connection = cluster.connect()
                    connection.sendall(b"GET /pid HTTP/1.1\r\nHost: a\r\n\r\n")
                    pid = int(connection.recv(4096).split(b"\r\n\r\n")[1].split()[0])
                    connection.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
                    self.replaced(cluster, pid)
                    connection.close()

    def test_handler_that_blocks_for_less_is_left_alone(self):
        with Cluster(fixture("libfixture.so"), "-i", "1", "--hang-timeout=3s") as cluster:
            before = cluster.pids()
            self.assertTrue(cluster.get("/block?ms=800"))
            self.assertEqual(cluster.pids(), before)


if __name__ == "__main__":
    unittest.main()
