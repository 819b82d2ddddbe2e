"""A day of an operator, also of one without privileges: background clusters, orphans, and what is left behind."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from cluster import BINARY, Cluster, exists, fixture, wait_until

NOBODY = 65534


def become_nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


class Shell:
    """Verbs in one run directory, as one user; whatever still runs in the end is ended."""

    def __init__(self, test, preexec=None):
        self.base = tempfile.mkdtemp(prefix="uc-operator-")
        self.preexec = preexec
        test.addCleanup(self.close)

    def run(self, *arguments):
        return subprocess.run(
            [BINARY, *arguments, "--run-dir=" + self.base], capture_output=True, text=True, timeout=60,
            stdin=subprocess.DEVNULL, preexec_fn=self.preexec,
        )

    def view(self, name):
        return json.loads(self.run("describe", name, "--json").stdout)

    def close(self):
        for cluster in json.loads(self.run("list", "--json").stdout or "[]"):
            self.run("stop", cluster["name"], "--now")
        shutil.rmtree(self.base, ignore_errors=True)


class Background(unittest.TestCase):
    def test_two_clusters_live_side_by_side(self):
        shell = Shell(self)
        for name in ("one", "two"):
            done = shell.run("start", "hello", "-i", "1", "--daemon", "--listen=127.0.0.1:0", "--name=" + name)
            self.assertEqual(done.returncode, 0, done.stderr)
        names = [cluster["name"] for cluster in json.loads(shell.run("list", "--json").stdout)]
        self.assertEqual(names, ["one", "two"])
        ambiguous = shell.run("reload")
        self.assertEqual(ambiguous.returncode, 2)
        self.assertIn("one, two", ambiguous.stderr)
        before = shell.view("two")["workers"][0]["pid"]
        self.assertEqual(shell.run("reload", "one").returncode, 0)
        self.assertEqual(shell.view("two")["workers"][0]["pid"], before)
        self.assertEqual(shell.run("stop", "one").returncode, 0)
        self.assertTrue(shell.view("two")["running"])

    def test_bad_app_in_the_background_says_why_and_leaves_no_cluster(self):
        shell = Shell(self)
        for build, reason in (("libotherabi.so", "ABI"), ("librefuses.so", "refuses"), ("libcrashes.so", "SIG")):
            done = shell.run("start", fixture(build), "-i", "2", "--daemon", "--listen=127.0.0.1:0")
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertEqual(len(done.stderr.strip().split("\n")), 1, done.stderr)
            self.assertIn(reason, done.stderr)
            self.assertEqual(json.loads(shell.run("list", "--json").stdout), [])

    def test_log_goes_where_it_was_told_to_go(self):
        shell = Shell(self)
        log = os.path.join(shell.base, "elsewhere.log")
        done = shell.run("start", "hello", "-i", "1", "--daemon", "--listen=127.0.0.1:0", "--log-file=" + log)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(log) as text:
            self.assertIn("is ready", text.read())
        self.assertFalse(os.path.exists(os.path.join(shell.base, "hello", "log")))

    def test_dead_coordinator_is_named_and_cleaned_up(self):
        shell = Shell(self)
        done = shell.run("start", "hello", "-i", "2", "--daemon", "--listen=127.0.0.1:0")
        self.assertEqual(done.returncode, 0, done.stderr)
        view = shell.view("hello")
        os.kill(view["coordinator_pid"], signal.SIGKILL)
        wait_until(lambda: not shell.view("hello")["running"], "the coordinator's end")
        self.assertIn("coordinator gone", shell.run("list").stdout)
        for verb in ("ping", "reload"):
            done = shell.run(verb, "hello")
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("2 of its workers still serve", done.stderr)
        self.assertEqual(shell.run("stop", "hello").returncode, 0)
        self.assertFalse([worker for worker in view["workers"] if exists(worker["pid"])])
        self.assertEqual([view["status"] for view in json.loads(shell.run("list", "--json").stdout)], ["stopped"])
        self.assertEqual(shell.run("delete", "hello").returncode, 0)
        self.assertEqual(json.loads(shell.run("list", "--json").stdout), [])


@unittest.skipUnless(os.getuid() == 0, "only root can become somebody else")
class Unprivileged(unittest.TestCase):
    def test_whole_life_of_a_cluster_without_any_privilege(self):
        shell = Shell(self, preexec=become_nobody)
        os.chown(shell.base, NOBODY, NOBODY)
        done = shell.run("start", "hello", "-i", "2", "--daemon", "--listen=127.0.0.1:0")
        self.assertEqual(done.returncode, 0, done.stderr)
        pids = [worker["pid"] for worker in shell.view("hello")["workers"]]
        for pid in pids:
            self.assertEqual(os.stat("/proc/%d" % pid).st_uid, NOBODY)
        for words in (["scale", "+2"], ["reload"], ["restart", "--worker=0"], ["scale", "1"], ["ping"]):
            done = shell.run(*words)
            self.assertEqual(done.returncode, 0, (words, done.stderr))
        done = shell.run("stop")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse([pid for pid in pids if exists(pid)])

    def test_cluster_of_somebody_else_is_out_of_reach(self):
        with Cluster("hello", "-i", "1") as cluster:  # root's, and its directory is root's alone
            before = cluster.pids()
            for words in (["reload"], ["stop"], ["scale", "+1"]):
                done = subprocess.run(
                    [BINARY, *words, "--run-dir=" + cluster.base], capture_output=True, text=True, timeout=30,
                    preexec_fn=become_nobody,
                )
                self.assertNotEqual(done.returncode, 0, words)
                self.assertEqual(len(done.stderr.strip().split("\n")), 1, done.stderr)
            self.assertEqual(cluster.pids(), before)


class UnreadLog(unittest.TestCase):
    def test_cluster_whose_log_nobody_reads_serves_heals_and_stops(self):
        with Cluster(fixture("libfixture.so"), "-i", "2") as cluster:
            cluster.stop_reading_log()
            for _ in range(20):  # far more than a pipe holds
                with open(os.path.join(cluster.base, cluster.name, "control"), "wb", buffering=0) as control:
                    control.write(b"ping\n" * 500)
                cluster.ok("ping")
            for _ in range(6):  # each makes its worker log
                self.assertEqual(cluster.get("/throw", "-o", "/dev/null", "-w", "%{http_code}"), b"500")
            victim = cluster.pids()[0]
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: len(cluster.pids()) == 2 and victim not in cluster.pids(), "a replacement")
            self.assertEqual(cluster.get("/version"), b"0\n")
            cluster.process.send_signal(signal.SIGTERM)
            self.assertEqual(cluster.process.wait(20), 0)


class LeftBehind(unittest.TestCase):
    def test_rolls_and_scalings_leak_no_descriptor_in_the_coordinator(self):
        def descriptors():
            return len(os.listdir("/proc/%d/fd" % cluster.process.pid))

        def a_day():
            cluster.ok("scale", "4")
            cluster.ok("reload")
            cluster.ok("scale", "2")
            cluster.ok("restart")

        with Cluster("hello", "-i", "2") as cluster:
            a_day()
            before = descriptors()
            for _ in range(5):
                a_day()
            # The last answer's pipe is closed just after the answer was written.
            wait_until(lambda: descriptors() <= before, "as many descriptors as before")
            self.assertEqual(os.listdir(os.path.join(cluster.base, "hello", "replies")), [])

    def test_no_dead_worker_stays_a_zombie(self):
        with Cluster("hello", "-i", "2") as cluster:
            before = cluster.pids()
            cluster.ok("reload")
            os.kill(cluster.pids()[0], signal.SIGKILL)
            wait_until(lambda: len([pid for pid in cluster.pids() if exists(pid)]) == 2, "a replacement")
            for pid in before:
                self.assertFalse(os.path.exists("/proc/%d" % pid), pid)


if __name__ == "__main__":
    unittest.main()
