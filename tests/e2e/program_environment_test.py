"""What a program finds in its environment, and what of it our own processes never see."""

import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import unittest

from cluster import BINARY, Cluster
from program import Program, program_pids

PRELOADED = os.path.join(os.environ["UC_TOOLS"], "libcount_allocations.so")
# It serves its environment and its limits.
PYTHON = """
import http.server, json, os, resource

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        seen = {k.decode("latin1"): v.decode("latin1") for k, v in os.environb.items()}
        body = json.dumps({"environment": seen, "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("", 0), Handler).serve_forever()
"""


def environment_of(pid):
    with open("/proc/%d/environ" % pid, "rb") as text:
        return dict(one.split(b"=", 1) for one in text.read().split(b"\0") if b"=" in one)


def words_of(pid):
    with open("/proc/%d/cmdline" % pid, "rb") as text:
        return text.read()


def maps_of(pid):
    with open("/proc/%d/maps" % pid) as text:
        return text.read()


class InBackground(unittest.TestCase):
    """Clusters of a folder, started in the background."""

    def setUp(self):
        self.base = tempfile.mkdtemp(prefix="uc-e2e-")
        self.addCleanup(shutil.rmtree, self.base, ignore_errors=True)
        self.addCleanup(self.run_it, b"delete", b"all", b"--now")
        self.app = Program(self, "app.py", PYTHON)

    def run_it(self, *words, **options):
        return subprocess.run(
            [BINARY.encode(), *words, b"--run-dir=" + self.base.encode()],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60, **options,
        )

    def ok(self, *words, **options):
        done = self.run_it(*words, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def view(self):
        return json.loads(self.ok(b"describe", b"app", b"--json"))

    def seen(self):
        """What the program sees, as it answers."""
        address = self.view()["addresses"][0]
        done = subprocess.run(["curl", "-sS", "--max-time", "20", "http://%s/" % address], capture_output=True, timeout=40)
        return json.loads(done.stdout)

    def ours(self):
        """Pids of the cluster's own processes: all that run the binary with this run directory in their words."""
        mine = ("--run-dir=" + self.base).encode()
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = words_of(int(entry)).split(b"\0")
            except OSError:
                continue
            if words[0] == b"uring-cluster" and mine in words:
                found.append(int(entry))
        return found


class OnlyTheProgram(InBackground):
    def start_file(self, **variables):
        path = os.path.join(self.app.directory, "apps.json")
        with open(path, "w") as out:
            json.dump({"apps": [{"name": "app", "script": self.app.path, "instances": 2, "env": variables}]}, out)
        self.ok(b"start", path.encode())

    def check_ours(self, *names):
        ours = self.ours()
        self.assertGreaterEqual(len(ours), 4, "coordinator, log writer, two launchers")
        for pid in ours:
            environment = environment_of(pid)
            self.assertEqual([name for name in names if name.encode() in environment], [], words_of(pid))
            self.assertFalse(PRELOADED in maps_of(pid), words_of(pid))
            self.assertNotIn(b"word-of-mouth", words_of(pid))

    def test_environment_of_a_file_is_in_no_process_of_ours_whatever_comes(self):
        names = ["LD_PRELOAD", "GLIBC_TUNABLES", "MALLOC_ARENA_MAX", "URING_CLUSTER_RUN_DIR", "SECRET"]
        self.start_file(
            LD_PRELOAD=PRELOADED, GLIBC_TUNABLES="glibc.malloc.arena_max=1", MALLOC_ARENA_MAX="1",
            URING_CLUSTER_RUN_DIR="/nowhere", SECRET="word-of-mouth", LINES="one\ntwo", PATH=os.environ["PATH"] + ":/mine",
        )

        def check():
            self.check_ours(*names)
            seen = self.seen()["environment"]
            self.assertEqual(seen["SECRET"], "word-of-mouth")
            self.assertEqual(seen["LINES"], "one\ntwo")
            self.assertEqual(seen["URING_CLUSTER_RUN_DIR"], "/nowhere")
            self.assertTrue(seen["PATH"].endswith(":/mine"))
            self.assertFalse([name for name in seen if name.startswith("URING_CLUSTER_ENV_")])
            self.assertNotIn("URING_CLUSTER_DESCRIPTORS", seen)
            for program in [worker["program_pid"] for worker in self.view()["workers"]]:
                self.assertIn(PRELOADED, maps_of(program))

        check()
        self.ok(b"reload", b"app")
        check()
        self.ok(b"upgrade", b"app")
        self.ok(b"reload", b"app")
        check()
        self.ok(b"stop", b"app")
        self.ok(b"start", b"app")
        check()
        self.ok(b"save")
        self.ok(b"delete", b"app")
        self.ok(b"resurrect")
        check()
        self.assertIn(b"SECRET=word-of-mouth\nLINES=one two\n", self.ok(b"env", b"app"))  # a line each, for a terminal
        shown = json.loads(self.ok(b"env", b"app", b"--json"))
        self.assertEqual((shown["SECRET"], shown["LINES"]), ("word-of-mouth", "one\ntwo"))
        record = os.path.join(self.base, "app", "record")
        self.assertEqual(os.stat(record).st_mode & 0o777, 0o600)

    def test_upgraded_cluster_starts_again_from_its_record(self):
        self.start_file(SECRET="kept")
        self.ok(b"upgrade", b"app")
        self.assertNotIn(b"URING_CLUSTER_UPGRADE_FD", self.ok(b"env", b"app"))
        self.ok(b"stop", b"app")
        self.ok(b"start", b"app")
        self.assertEqual(self.seen()["environment"]["SECRET"], "kept")

    def test_interpreter_is_looked_up_in_the_programs_path(self):
        os.symlink("/usr/bin/python3", os.path.join(self.app.directory, "uc-python"))
        path = os.path.join(self.app.directory, "apps.json")
        with open(path, "w") as out:
            json.dump({"apps": [{"name": "app", "script": self.app.path, "interpreter": "uc-python",
                                 "env": {"PATH": self.app.directory}}]}, out)
        self.ok(b"start", path.encode())
        self.assertEqual(self.seen()["environment"]["PATH"], self.app.directory)


class AnyBytes(InBackground):
    def test_line_breaks_and_bytes_that_are_no_text_come_through_and_come_again(self):
        folder = os.path.join(self.app.directory.encode(), b"caf\xe9")
        os.mkdir(folder)
        self.ok(b"start", self.app.path.encode(), b"-i", b"1", b"--daemon", b"--name=app", b"--env=A=one\ntwo=2\n", b"--env",
                b"B=caf\xe9,x", cwd=folder, env={**os.environb, b"INHERITED": b"caf\xe9"})
        for _ in range(2):
            seen = self.seen()["environment"]
            self.assertEqual(seen["A"], "one\ntwo=2\n")
            self.assertEqual(seen["B"], "caf\xe9,x")
            self.assertEqual(seen["INHERITED"], "caf\xe9")
            self.assertNotIn("two", seen)
            program = self.view()["workers"][0]["program_pid"]
            self.assertEqual(os.readlink(b"/proc/%d/cwd" % program), folder)
            self.ok(b"stop", b"app")
            self.ok(b"start", b"app")


class Descriptors(unittest.TestCase):
    def limit(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    def seen(self, cluster):
        return json.loads(cluster.get())["descriptors"][0]

    def of_ours(self, pid):
        with open("/proc/%d/limits" % pid) as text:
            return next(int(line.split()[3]) for line in text if line.startswith("Max open files"))

    def test_program_has_the_soft_limit_of_start_and_we_have_more(self):
        app = Program(self, "app.py", PYTHON)
        with Cluster(app.path, "-i", "1", preexec=self.limit) as cluster:
            self.assertEqual(self.seen(cluster), 200)
            self.assertGreater(self.of_ours(cluster.pids()[0]), 200)
            cluster.ok("upgrade", cluster.name)
            cluster.ok("reload", cluster.name)
            self.assertEqual(self.seen(cluster), 200)
            cluster.process.send_signal(signal.SIGKILL)
            cluster.wait_exit()
            with Cluster(app.path, "-i", "1", preexec=self.limit, base=cluster.base) as second:
                second.ok("reload", second.name)
                self.assertEqual(self.seen(second), 200)


class Joined(unittest.TestCase):
    def test_preload_library_of_the_operator_stands_beside_ours(self):
        app = Program(self, "app.py", PYTHON)
        with Cluster(app.path, "-i", "2", "--env=LD_PRELOAD=" + PRELOADED) as cluster:
            libraries = json.loads(cluster.get())["environment"]["LD_PRELOAD"].split(":")
            self.assertIn("/preload-", libraries[0])
            self.assertEqual(libraries[1], PRELOADED)
            for pid in program_pids(cluster):
                self.assertIn(PRELOADED, maps_of(pid))

    def test_what_is_ours_to_set_stays_ours_and_start_says_so_once(self):
        app = Program(self, "app.py", PYTHON)
        flags = ["--env=" + one for one in ("UV_USE_IO_URING=1", "NOTIFY_SOCKET=/x", "URING_CLUSTER_SLOT=7")]
        with Cluster(app.path, "-i", "2", *flags) as cluster:
            said = [line for line in cluster.lines if "not passed on to the program" in line]
            self.assertEqual(len(said), 1, cluster.lines)
            for name in ("UV_USE_IO_URING", "NOTIFY_SOCKET", "URING_CLUSTER_SLOT"):
                self.assertIn(name, said[0])
            seen = json.loads(cluster.get())["environment"]
            self.assertEqual(seen["UV_USE_IO_URING"], "0")
            self.assertNotEqual(seen["NOTIFY_SOCKET"], "/x")
            self.assertIn(seen["URING_CLUSTER_SLOT"], "01")


if __name__ == "__main__":
    unittest.main()
