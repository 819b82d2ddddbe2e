"""A start ends in the truth, and so does a command when the machine is short of something."""

import glob
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import tempfile
import types
import unittest

from cluster import BINARY, Cluster, free_port, wait_until
from load import Load

# Slot 0 serves. Slot 1 waits until slot 0 is known to serve, and does then what it is told, until there is a cure.
PROGRAM = """
import http.server, json, os, select, subprocess, sys
binary, base, cure, fault, port = sys.argv[1:]
slot = int(os.environ["URING_CLUSTER_SLOT"])
name = os.environ["URING_CLUSTER_NAME"]
def serving():
    seen = subprocess.run([binary, "describe", name, "--json", "--run-dir=" + base], capture_output=True, text=True).stdout
    return seen and [w for w in json.loads(seen)["workers"] if w["slot"] == 0 and w["state"] == "serving"]
if slot == 1 and not os.path.exists(cure):
    while not serving():
        select.select([], [], [], 0.05)
    if fault == "exits":
        print("only one of me can run", file=sys.stderr)
        sys.exit(3)
    select.select([], [], [])
http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


class Shell:
    """Verbs in one run directory, as one user; whatever still runs in the end is ended."""

    def __init__(self, test, uid=None, limits=()):
        self.base = tempfile.mkdtemp(prefix="uc-truth-")
        self.uid, self.limits = uid, limits
        if uid is not None:
            os.chown(self.base, uid, uid)
        test.addCleanup(self.close)

    def prepare(self):
        for kind, value in self.limits:
            resource.setrlimit(kind, (value, value))
        if self.uid is not None:
            os.setgroups([])
            os.setgid(self.uid)
            os.setuid(self.uid)

    def run(self, *arguments, env=None, timeout=120):
        return subprocess.run(
            [BINARY, arguments[0], "--run-dir=" + self.base, *arguments[1:]], capture_output=True, text=True, timeout=timeout,
            stdin=subprocess.DEVNULL, preexec_fn=self.prepare, env={**os.environ, **(env or {})},
        )

    def view(self, name):
        return json.loads(self.run("describe", name, "--json").stdout)

    def log(self, name):
        with open(os.path.join(self.base, name, "log")) as text:
            return text.read()

    def entries(self):
        """Of the workers' rings, as they have said themselves."""
        said = ""
        for path in glob.glob(os.path.join(self.base, ".state", "logs", "*-error-*.log")):
            with open(path) as text:
                said += text.read()
        return re.findall(r"serves \(ring: .*?, (\d+) entries", said)

    def close(self):
        for cluster in json.loads(self.run("list", "--json").stdout or "[]"):
            self.run("stop", cluster["name"], "--now")
        shutil.rmtree(self.base, ignore_errors=True)
        shutil.rmtree(self.base + "-state", ignore_errors=True)


class PartialStart(unittest.TestCase):
    """A program of which only one can run."""

    def setUp(self):
        self.shell = Shell(self)
        self.place = tempfile.mkdtemp(prefix="uc-single-")
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        self.path = os.path.join(self.place, "single.py")
        self.cure = os.path.join(self.place, "cure")
        with open(self.path, "w") as text:
            text.write(PROGRAM)
        self.port = free_port()

    def arguments(self, fault="exits"):
        return [BINARY, self.shell.base, self.cure, fault, str(self.port)]

    def start(self, *flags, fault="exits", env=None):
        return self.shell.run("start", self.path, "-i", "2", "--daemon", *flags, "--", *self.arguments(fault), env=env)

    def test_daemon_ends_with_the_slot_and_its_reason(self):
        done = self.start()
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertRegex(done.stderr, r"single is incomplete: 1 of 2 workers serve on 127\.0\.0\.1:%d; slot 1: .*code 3" % self.port)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("what it said is in ", done.stderr)
        view = self.shell.view("single")
        self.assertTrue(view["running"])
        with socket.create_connection(("127.0.0.1", self.port), 20) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.assertTrue(client.recv(100).startswith(b"HTTP/1.1 200"))
        self.assertIn("code 3", view["slots"][1]["last_failure"])
        self.assertEqual(view["slots"][0]["last_failure"], "")
        self.assertRegex(self.shell.run("describe", "single").stdout, r"slot 1 is not live.*last failure \d+s ago: .*code 3")
        self.assertRegex(self.shell.run("list").stdout, r"single slot 1: .*code 3")
        # It goes on trying; and says so when it is whole after all.
        with open(self.cure, "w"):
            pass
        wait_until(lambda: "cluster is whole: 2 of 2 workers serving" in self.shell.log("single"), "a recovery that is told")

    def test_what_may_be_incomplete_is_no_failure(self):
        done = self.start("--allow-partial")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1 of 2 workers serve", done.stdout)
        # And what is started again is started with the same words.
        self.assertEqual(self.shell.run("stop", "single").returncode, 0)
        again = self.shell.run("start", "single")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("1 of 2 workers serve", again.stdout)

    def test_slot_that_hangs_is_told_when_its_time_is_over(self):
        done = self.start("--listen-timeout=3s", fault="hangs")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("1 of 2 workers serve", done.stderr)
        self.assertIn("slot 1: ", done.stderr)

    def test_config_file_goes_on_with_the_next_app(self):
        path = os.path.join(self.place, "two.json")
        with open(path, "w") as text:
            json.dump({"apps": [
                {"name": "first", "script": self.path, "args": self.arguments(), "instances": 2},
                {"name": "second", "script": "hello", "listen": "127.0.0.1:0", "instances": 1},
            ]}, text)
        done = self.shell.run("start", path)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("first is incomplete: 1 of 2 workers serve", done.stderr)
        self.assertIn("1 of 2 failed: first (exit code 1)", done.stderr)
        self.assertIn("cluster second is ready: 1 worker", done.stdout)

    def test_resurrect_and_start_all_end(self):
        self.assertEqual(self.start().returncode, 1)
        self.assertEqual(self.shell.run("save").returncode, 0)
        self.assertEqual(self.shell.run("stop", "single").returncode, 0)
        for words in (("start", "all"), ("resurrect",)):
            done = self.shell.run(*words)
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
            self.assertIn("1 of 2 workers serve", done.stderr)
            self.assertEqual(self.shell.run("stop", "single").returncode, 0)

    def test_service_manager_is_told_and_the_foreground_warns(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(self.place + "/notify")
            manager.settimeout(60)
            cluster = Cluster(
                self.path, "-i", "2", "--", *self.arguments(), listen=None, wait=False,
                env={"NOTIFY_SOCKET": self.place + "/notify"}, base=self.shell.base,
            )
            with cluster:
                self.assertEqual(manager.recv(100), b"READY=1")
                cluster.wait_log(r"warn.*1 of 2 workers serve")
                self.assertIsNone(cluster.process.poll())

    def test_nobody_ever_served_is_one_line_and_leaves_nothing(self):
        broken = os.path.join(self.place, "broken.py")
        with open(broken, "w") as text:
            text.write("import sys\nsys.exit(3)\n")
        done = self.shell.run("start", broken, "-i", "2", "--daemon")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertEqual(json.loads(self.shell.run("list", "--json").stdout or "[]"), [])


@unittest.skipIf(os.geteuid() != 0, "only root can be another user")
class LockedMemory(unittest.TestCase):
    """An ordinary user and RLIMIT_MEMLOCK. The limit is shared per user: each case is a user of its own."""

    USUAL = (resource.RLIMIT_MEMLOCK, 8 << 20)

    def test_256_workers_run_under_the_usual_limit(self):
        shell = Shell(self, uid=64120, limits=[self.USUAL])
        done = shell.run("start", "hello", "-i", "256", "--daemon", "--listen=127.0.0.1:0", "--listen-timeout=2m", timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("is ready: 256 workers", done.stdout)
        wait_until(lambda: len(shell.entries()) == 256, "a line of each worker")
        if set(shell.entries()) == {"1024"}:
            self.skipTest("this kernel does not count rings")
        self.assertEqual(set(shell.entries()), {"128"})
        self.assertRegex(shell.log("hello"), r"rings of 128 entries instead of 1024: 256 workers share \d\.\d MB of locked memory")
        # Room is left for those that replace others.
        self.assertEqual(shell.run("restart", "--worker=7").returncode, 0)

    def test_few_workers_have_rings_as_large_as_ever(self):
        shell = Shell(self, uid=64121, limits=[self.USUAL])
        done = shell.run("start", "hello", "-i", "2", "--daemon", "--listen=127.0.0.1:0")
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_until(lambda: shell.entries() == ["1024", "1024"], "a line of each worker")
        refused = shell.run("scale", "900")
        if refused.returncode == 0:
            self.skipTest("this kernel does not count rings")
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertRegex(refused.stderr, r"900 workers cannot be had, at most \d+: .*12 KB.*8\.0 MB; raise the limit \(ulimit -l, LimitMEMLOCK=\)")
        self.assertEqual(shell.run("scale", "3").returncode, 0)

    def test_more_than_the_limit_carries_is_refused_before_anything_runs(self):
        shell = Shell(self, uid=64122, limits=[(resource.RLIMIT_MEMLOCK, 256 << 10)])
        done = shell.run("start", "hello", "-i", "64", "--daemon", "--listen=127.0.0.1:0")
        if done.returncode == 0:
            self.skipTest("this kernel does not count rings")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, r"64 workers and, in a roll, of 1 successor need 780 KB, .*enough for 19;")
        self.assertIn("ulimit -l, LimitMEMLOCK=", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertEqual(json.loads(shell.run("list", "--json").stdout), [])


    def test_as_many_as_start_accepts_can_be_rolled_again_and_again(self):
        shell = Shell(self, uid=64123, limits=[(resource.RLIMIT_MEMLOCK, 256 << 10)])
        refused = shell.run("start", "hello", "-i", "64", "--daemon", "--listen=127.0.0.1:0")
        if refused.returncode == 0:
            self.skipTest("this kernel does not count rings")
        fit = int(re.search(r"enough for (\d+)", refused.stderr)[1])
        refused = shell.run("start", "hello", "-i", str(fit + 1), "--daemon", "--listen=127.0.0.1:0")
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertEqual(len(refused.stderr.splitlines()), 1)
        served = types.SimpleNamespace(host="127.0.0.1", port=free_port())
        done = shell.run("start", "hello", "-i", str(fit), "--daemon", "--listen=127.0.0.1:%d" % served.port)
        self.assertEqual(done.returncode, 0, done.stderr)
        with Load(served, threads=2, pause=0.002) as load:
            for _ in range(3):
                rolled = shell.run("reload")
                self.assertEqual(rolled.returncode, 0, rolled.stderr)
            load.stop()
            self.assertEqual(load.lost, 0, load.failures)
            self.assertGreater(load.counts["ok"], 50)
        refused = shell.run("scale", "+1")
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertRegex(refused.stderr, r"cannot be had, at most %d: .*successors of a roll" % fit)
        self.assertEqual(len(refused.stderr.splitlines()), 1)

    def test_what_scale_accepts_can_be_rolled(self):
        shell = Shell(self, uid=64124, limits=[(resource.RLIMIT_MEMLOCK, 256 << 10)])
        done = shell.run("start", "hello", "-i", "2", "--daemon", "--listen=127.0.0.1:0", "--roll-width=3")
        self.assertEqual(done.returncode, 0, done.stderr)
        refused = shell.run("scale", "60")
        if refused.returncode == 0:
            self.skipTest("this kernel does not count rings")
        most = re.search(r"at most (\d+)", refused.stderr)[1]
        for words in (("scale", most), ("reload",), ("restart",), ("reload",)):
            done = shell.run(*words)
            self.assertEqual(done.returncode, 0, done.stderr)


class FewDescriptors(unittest.TestCase):
    LIMIT = (resource.RLIMIT_NOFILE, 64)

    def test_scale_beyond_the_limit_is_refused_at_once(self):
        shell = Shell(self, limits=[self.LIMIT])
        done = shell.run("start", "hello", "-i", "2", "--daemon", "--listen=127.0.0.1:0")
        self.assertEqual(done.returncode, 0, done.stderr)
        refused = shell.run("scale", "20")
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertRegex(refused.stderr, r"scale 20: 20 workers cannot be had, at most 4: .*the limit is 64; raise it \(ulimit -n")
        self.assertEqual(shell.run("ping").returncode, 0)
        scaled = shell.run("scale", "4")
        self.assertEqual(scaled.returncode, 0, scaled.stderr)
        self.assertEqual(shell.run("reload").returncode, 0)
        self.assertEqual(shell.run("stop").returncode, 0)

    def test_commands_are_answered_when_no_descriptor_is_left(self):
        with Cluster("hello", "-i", "2", preexec=lambda: resource.setrlimit(self.LIMIT[0], (64, 64))) as cluster:
            pid = cluster.process.pid
            used = {int(fd) for fd in os.listdir("/proc/%d/fd" % pid)}
            lowest_free = next(fd for fd in range(1 << 20) if fd not in used)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest_free, 64))
            for _ in range(3):
                self.assertIn("pong", cluster.ok("ping"))
            code, _, err = cluster.cli("scale", "+1")
            self.assertEqual(code, 2, err)
            self.assertIn("the limit is %d" % lowest_free, err)
            # No worker can be made for want of descriptors, and that is an answer, too.
            code, _, err = cluster.cli("restart", "--worker=1")
            self.assertEqual(code, 1, err)
            self.assertIn("slot 1 failed to start: ", err)
            self.assertIn("pong", cluster.ok("ping"))
            cluster.ok("stop")
            self.assertEqual(cluster.wait_exit(), 0)


if __name__ == "__main__":
    unittest.main()
