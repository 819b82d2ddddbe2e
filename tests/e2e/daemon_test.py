"""Background, flag files, and what a person or a program reads about a cluster."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from cluster import BINARY, Cluster, exists, wait_until


class Daemon(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.mkdtemp(prefix="uc-daemon-")
        self.addCleanup(shutil.rmtree, self.base, ignore_errors=True)

    def run_cli(self, *arguments):
        return subprocess.run(
            [BINARY, *arguments, "--run-dir=" + self.base], capture_output=True, text=True, timeout=40,
            stdin=subprocess.DEVNULL,
        )

    def test_start_returns_when_the_cluster_serves(self):
        done = self.run_cli("start", "hello", "-i", "2", "--daemon", "--listen=127.0.0.1:0")
        try:
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("cluster hello is ready: 2 workers on 127.0.0.1:", done.stdout)
            url = "http://" + done.stdout.split()[-1]
            self.assertEqual(subprocess.run(["curl", "-s", url], capture_output=True).stdout, b"Hello from uring-cluster\n")
            view = json.loads(self.run_cli("describe", "--json").stdout)
            log = os.path.join(self.base, "hello", "log")
            os.rename(log, log + ".1")
            os.kill(view["coordinator_pid"], signal.SIGUSR1)
            wait_until(lambda: os.path.exists(log), "a new log file")
            self.assertEqual(self.run_cli("scale", "+1").returncode, 0)
            with open(log) as text:
                self.assertIn("scale +1 done", text.read())
        finally:
            stopped = self.run_cli("stop")
        self.assertEqual(stopped.returncode, 0, stopped.stderr)
        self.assertFalse(exists(view["coordinator_pid"]))

    def test_failed_start_says_why_and_exits_with_2(self):
        done = self.run_cli("start", "/nowhere/libx.so", "--daemon")
        self.assertEqual(done.returncode, 2)
        self.assertIn("/nowhere/libx.so", done.stderr)
        done = self.run_cli("start", "hello", "--daemon", "--log-file=/nowhere/log")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--log-file=/nowhere/log", done.stderr)


class Reading(unittest.TestCase):
    def test_flags_come_from_a_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".flags") as flags:
            flags.write("# a comment\n--workers=3\n\n--name=filed\n")
            flags.flush()
            with Cluster("hello", "--flagfile=" + flags.name) as cluster:
                self.assertEqual((cluster.name, len(cluster.pids())), ("filed", 3))
                flags.truncate(0)  # workers that are born later do not depend on the file
                cluster.ok("reload")
                self.assertEqual(len(cluster.pids()), 3)

    def test_list_describe_and_ping(self):
        with Cluster("hello", "-i", "2") as cluster:
            self.assertIn("serving", cluster.ok("list"))
            self.assertIn("127.0.0.1", cluster.ok("describe"))
            self.assertIn("pong", cluster.ok("ping"))
            (view,) = json.loads(cluster.ok("list", "--json"))
            self.assertEqual((view["name"], view["running"], view["workers_wanted"]), ("hello", True, 2))
            self.assertEqual(len(view["workers"]), 2)
            self.assertRegex(view["mode"], "^(full|migrate|plain)")
            self.assertEqual(json.loads(cluster.ok("ping", "--json"))["outcome"], "done")

    def test_idle_heartbeats_are_fresh(self):
        with Cluster("hello", "-i", "2") as cluster:
            self.assertTrue(all(worker["heartbeat_age_ms"] < 2000 for worker in cluster.workers()))

    def test_service_manager_is_told(self):
        import socket

        with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(directory + "/notify")
            manager.settimeout(10)
            with Cluster("hello", "-i", "1", env={"NOTIFY_SOCKET": directory + "/notify"}) as cluster:
                self.assertEqual(manager.recv(100), b"READY=1")
                cluster.ok("stop")
                self.assertEqual(manager.recv(100), b"STOPPING=1")


if __name__ == "__main__":
    unittest.main()
