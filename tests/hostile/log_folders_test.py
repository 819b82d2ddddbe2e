"""Root writes logs where the program's user may do what it likes: nothing of root's is written, emptied or read there."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile

import hostile
from cluster import BINARY, Cluster, read_response, wait_until
from program import Program

NOBODY = pwd.getpwnam("nobody").pw_uid
SECRET = "root:x:0:0\n"

# Writes what it is asked for to its stdout, and tells what it may do with its streams.
APP = """
import http.server, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b"ok"
        if self.path == "/streams":
            body = " ".join(access(path, mode) for path in ("/dev/stdout", "/dev/stderr") for mode in "wr").encode()
        elif self.path == "/fd":
            body = " ".join(open("/proc/self/fdinfo/%d" % fd).read().split()[3][-1] for fd in (1, 2)).encode()
        print(self.path, flush=True)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

def access(path, mode):
    try:
        os.close(os.open(path, (os.O_WRONLY if mode == "w" else os.O_RDONLY) | os.O_NONBLOCK))
        return mode
    except PermissionError:
        return "-"

http.server.HTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
"""


class LogsCase(hostile.HostileCase):
    def setUp(self):
        super().setUp()
        self.base = self.folder()
        os.chmod(self.base, 0o755)
        self.app = Program(self, "app.py", APP)
        self.logs = os.path.join(self.base, "applogs")
        os.mkdir(self.logs, 0o755)
        os.chown(self.logs, NOBODY, NOBODY)
        self.secrets = self.folder()
        self.secret = os.path.join(self.secrets, "passwd")
        with open(self.secret, "w") as secret:
            secret.write(SECRET)
        os.chmod(self.secret, 0o600)

    def folder(self):
        folder = tempfile.mkdtemp(prefix="uc-hostile-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def cli(self, *arguments):
        return subprocess.run(
            [BINARY, *arguments, "--run-dir=" + self.base], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
        )

    def start(self, *flags):
        os.chmod(self.base, 0o755)
        return self.cli(
            "start", self.app.path, "--daemon", "--name=web", "-i", "1", "--user=nobody", "--listen=127.0.0.1:0",
            "--interpreter=/usr/bin/python3", "--out-file=" + self.path("out.log"), *flags,
        )

    def serve(self, *flags):
        self.addCleanup(self.cli, "stop", "--now")
        done = self.start(*flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.address = done.stdout.split()[-1]

    def refused(self, words, *flags):
        self.addCleanup(self.cli, "stop", "--now")
        done = self.start(*flags)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(words, done.stderr)

    def get(self, path):
        host, port = self.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), 20) as connection:
            connection.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path.encode())
            return read_response(connection)

    def as_nobody(self, script):
        done = hostile.run_as(NOBODY, ["/bin/sh", "-ec", script], cwd=self.logs)
        self.assertEqual(done.returncode, 0, done.stderr)

    def path(self, name):
        return os.path.join(self.logs, name)

    def text(self, path):
        try:
            with open(path) as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def log(self):
        return self.text(os.path.join(self.base, "web", "log"))

    def assert_secret_kept(self):
        self.assertEqual(self.text(self.secret), SECRET)
        self.assertEqual(os.listdir(self.secrets), ["passwd"])


class ProgramsFolderTest(LogsCase):
    def test_files_are_written_with_the_rights_of_the_folder(self):
        self.serve("--log-max-size=4K", "--log-files=1")
        for _ in range(60):
            self.get("/" + "x" * 100)
        wait_until(lambda: os.path.exists(self.path("out-0.log.1")), "rotated")
        for name in ("out-0.log", "out-0.log.1"):
            self.assertEqual(os.stat(self.path(name)).st_uid, NOBODY)

    def test_link_in_the_place_of_a_log_is_neither_followed_nor_emptied(self):
        self.serve()
        self.as_nobody("rm out-0.log; ln -s %s out-0.log" % self.secret)
        self.get("/evil")
        wait_until(lambda: "symbolic link" in self.log(), "it is said")
        flushed = self.cli("flush", "web")
        self.assertEqual(flushed.returncode, 1)
        self.assertIn("symbolic link", flushed.stderr)
        self.assertNotIn("root:x", self.cli("logs", "web").stdout)
        self.assertEqual(self.cli("reloadLogs", "web").returncode, 0)
        self.get("/evil-again")
        self.assert_secret_kept()
        self.as_nobody("rm out-0.log")
        self.get("/good")
        wait_until(lambda: "/good" in self.text(self.path("out-0.log")), "it goes on")
        self.assertIn("lines were lost here", self.text(self.path("out-0.log")))
        self.assert_secret_kept()

    def test_second_name_of_a_file_of_roots_is_no_log(self):
        self.serve()
        os.unlink(self.path("out-0.log"))
        target = os.path.join(self.base, "target")
        shutil.copy(self.secret, target)
        os.link(target, self.path("out-0.log"))
        self.get("/evil")
        wait_until(lambda: "cannot be written" in self.log(), "it is said")
        self.assertEqual(self.cli("flush", "web").returncode, 1)
        self.assertEqual(self.text(target), SECRET)

    def test_folder_that_becomes_a_link_leads_nowhere(self):
        os.mkdir(self.path("sub"))
        os.chown(self.path("sub"), NOBODY, NOBODY)
        self.serve("--error-file=" + self.path("sub/error.log"), "--out-file=" + self.path("sub/out.log"))
        self.as_nobody("mv sub moved; ln -s %s sub; rm moved/out-0.log" % self.secrets)
        self.assertEqual(self.cli("reloadLogs", "web").returncode, 0)
        self.get("/evil")
        wait_until(lambda: "cannot be written" in self.log(), "it is said")
        self.assert_secret_kept()

    def test_start_refuses_what_is_no_log_of_its_own(self):
        self.as_nobody("ln -s %s out-0.log" % self.secret)
        self.refused("symbolic link")
        self.as_nobody("rm out-0.log; mkfifo out-0.log")
        self.refused("cannot be opened")
        self.assert_secret_kept()


class CoordinatorsLogTest(LogsCase):
    def test_link_is_refused_at_the_start(self):
        self.as_nobody("ln -s %s log" % self.secret)
        self.refused("symbolic link", "--log-file=" + self.path("log"))
        self.assert_secret_kept()

    def test_link_that_comes_later_is_not_opened_again(self):
        self.serve("--log-file=" + self.path("log"))
        self.as_nobody("rm log; ln -s %s log" % self.secret)
        self.assertEqual(self.cli("reloadLogs", "web").returncode, 0)
        self.assertEqual(self.cli("scale", "web", "2").returncode, 0)
        self.assertEqual(self.cli("flush", "web").returncode, 1)
        self.assert_secret_kept()


class StreamsTest(LogsCase):
    def test_program_of_another_user_writes_its_streams_and_cannot_read_them(self):
        self.serve()
        for path in ("/streams", "/fd"):
            body = self.get(path)
            self.assertIn({"/streams": "w - w -", "/fd": "1 1"}[path], str(body))

    def test_pipe_of_a_cluster_in_the_foreground_too(self):
        with Cluster(self.app.path, "-i", "1", "--user=nobody", "--interpreter=/usr/bin/python3") as cluster:
            self.address = "%s:%d" % (cluster.host, cluster.port)
            self.assertRegex(str(self.get("/streams")), "[w-] [r-] w -")
