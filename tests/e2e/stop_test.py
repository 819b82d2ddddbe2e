"""Ends: every way to stop, what is left behind (nothing), and a coordinator that dies."""

import os
import signal
import socket
import subprocess
import unittest

from cluster import GET, Cluster, exists, fixture, read_response, wait_until


class Stop(unittest.TestCase):
    def gone(self, cluster, pids):
        self.assertFalse([pid for pid in pids if exists(pid)])
        # The kernel puts a dying ring's references to the listeners some ms after the process has ended
        # (measured: up to 6 ms): `start` retries for that reason, and so do we.
        wait_until(lambda: self.bindable(cluster), "a free address", patience=1)
        self.assertFalse(os.path.exists(os.path.join(cluster.base, cluster.name)))

    @staticmethod
    def bindable(cluster):
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                free.bind((cluster.host, cluster.port))
            except OSError:
                return False
            return True

    def test_each_signal_ends_everything_with_0(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            with Cluster("hello", "-i", "2") as cluster:
                pids = cluster.pids()
                cluster.process.send_signal(number)
                self.assertEqual(cluster.wait_exit(), 0)
                self.gone(cluster, pids)

    def test_stop_waits_until_everything_has_ended(self):
        for flag in ([], ["--graceful"], ["--now"]):
            with Cluster("hello", "-i", "2") as cluster:
                pids = cluster.pids()
                cluster.ok("stop", *flag)
                self.assertEqual(cluster.wait_exit(), 0)
                self.gone(cluster, pids)

    def test_request_in_flight_finishes_and_idle_connections_do_not_hold(self):
        with Cluster(fixture("libfixture.so"), "-i", "1") as cluster:
            idle = cluster.connect()
            idle.sendall(GET)
            read_response(idle)
            slow = subprocess.Popen(["curl", "-s", "-f", cluster.url + "/defer?ms=700"], stdout=subprocess.DEVNULL)
            wait_until(lambda: cluster.workers()[0]["in_flight"] == 1, "a request in flight")
            cluster.process.send_signal(signal.SIGTERM)
            self.assertEqual(idle.recv(1), b"")
            idle.close()
            self.assertEqual(slow.wait(20), 0)
            self.assertEqual(cluster.wait_exit(), 0)

    def test_second_signal_ends_at_once(self):
        with Cluster(fixture("libfixture.so"), "-i", "1", "--kill-timeout=1h") as cluster:
            slow = subprocess.Popen(["curl", "-s", cluster.url + "/never"], stdout=subprocess.DEVNULL)
            wait_until(lambda: cluster.workers()[0]["in_flight"] == 1, "a request in flight")
            cluster.process.send_signal(signal.SIGTERM)
            cluster.wait_log("draining")
            cluster.process.send_signal(signal.SIGTERM)
            self.assertEqual(cluster.wait_exit(), 0)
            slow.wait(20)

    def test_worker_that_does_not_leave_is_killed_in_time(self):
        with Cluster(fixture("libfixture.so"), "-i", "1", "--kill-timeout=500ms") as cluster:
            slow = subprocess.Popen(["curl", "-s", cluster.url + "/never"], stdout=subprocess.DEVNULL)
            wait_until(lambda: cluster.workers()[0]["in_flight"] == 1, "a request in flight")
            cluster.process.send_signal(signal.SIGTERM)
            self.assertEqual(cluster.wait_exit(), 0)
            self.assertTrue([line for line in cluster.lines if "within --kill-timeout" in line])
            slow.wait(20)


    def test_address_can_be_taken_again_at_once(self):
        with Cluster("hello", "-i", "2") as first:
            port = first.port
            first.ok("stop", "--now")
        for _ in range(8):
            with Cluster("hello", "-i", "2", listen="127.0.0.1:%d" % port) as cluster:
                self.assertEqual(cluster.get(), b"Hello from uring-cluster\n")
                cluster.ok("stop", "--now")


class CoordinatorDies(unittest.TestCase):
    def test_workers_serve_on_and_stop_ends_them(self):
        with Cluster("hello", "-i", "2") as cluster:
            pids = cluster.pids()
            with cluster.connect() as connection:
                cluster.process.kill()
                cluster.process.wait()
                connection.sendall(GET)
                self.assertTrue(read_response(connection)[0].startswith(b"HTTP/1.1 200"))
            for _ in range(20):
                self.assertEqual(cluster.get(), b"Hello from uring-cluster\n")
            self.assertFalse(cluster.view()["running"])
            code, _, err = cluster.cli("reload", cluster.name)
            self.assertEqual(code, 1)
            self.assertIn("2 of its workers still serve", err)
            elsewhere = Cluster("hello", base=cluster.base, listen="127.0.0.1:0", wait=False)
            self.assertTrue(elsewhere.wait_log("goes on with 2 workers"))
            self.assertEqual(set(pids), set(cluster.pids()))
            elsewhere.process.kill()
            elsewhere.process.wait()
            again = Cluster("hello", base=cluster.base, listen="127.0.0.1:1", wait=False)
            self.assertEqual(again.wait_exit(), 2)
            self.assertIn("still serve", again.lines[-1])
            self.assertIn("ended 2 workers", cluster.ok("stop", cluster.name))
            self.assertFalse([pid for pid in pids if exists(pid)])
            with Cluster("hello", "-i", "1", base=cluster.base, listen="127.0.0.1:%d" % cluster.port) as next_one:
                self.assertEqual(next_one.get(), b"Hello from uring-cluster\n")


if __name__ == "__main__":
    unittest.main()
