"""A cluster of real processes, as a test sees it: start it, talk to it, ask it, and never leave it behind."""

import json
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

BINARY = os.environ.get("UC_BINARY", "")
FIXTURES = os.environ.get("UC_FIXTURES", "")
READY = re.compile(r"cluster (\S+) is ready: (\d+) workers? on (.*)$")
PATIENCE = 20.0  # seconds for anything that has to happen; nothing waits for it when all is well


def fixture(name):
    return os.path.join(FIXTURES, name)


def wait_until(condition, what, patience=PATIENCE):
    """Waits for a fact about other processes that offers nothing to wait on (a scoreboard, /proc)."""
    until = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError("did not happen within %.0f s: %s" % (patience, what))
        select.select([], [], [], 0.02)


def free_ports(count=1):
    """Ports next to each other that nobody has, and that no outgoing connection of this machine can get meanwhile."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        end = int(file.read().split()[0])
    while True:
        first = random.randrange(10000, max(end, 20000) - count)
        try:
            for port in range(first, first + count):
                for family, host in ((socket.AF_INET6, "::1"), (socket.AF_INET, "")):
                    with socket.socket(family) as probe:
                        probe.bind((host, port))
            return list(range(first, first + count))
        except OSError:
            continue


def free_port():
    return free_ports()[0]


def exists(pid):
    try:
        os.kill(pid, 0)
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):  # reaped, now or between the two looks
        return False


class Cluster:
    """`uring-cluster start` in the foreground, on a free port unless the flags say otherwise."""

    def __init__(self, *arguments, listen="127.0.0.1:0", wait=True, env=None, preexec=None, base=None, binary=BINARY):
        self.base = base or tempfile.mkdtemp(prefix="uc-e2e-")
        self.own_base = base is None
        self.lines = []
        self.news = threading.Condition()
        self.ended = self.deaf = False
        self.address = None
        command = [binary, "start", "--run-dir=" + self.base]
        if listen:
            command += ["--listen=" + one for one in ([listen] if isinstance(listen, str) else listen)]
        self.process = subprocess.Popen(
            command + list(arguments),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
            preexec_fn=preexec,
        )
        self.reader = threading.Thread(target=self.read_log, daemon=True)
        self.reader.start()
        if wait:
            try:
                self.wait_ready()
            except BaseException:
                self.close()  # a constructor that fails has no __exit__
                raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- the log ---

    def read_log(self):
        """The thread that takes the log away as it comes, so that its pipe is never full."""
        for line in self.process.stderr:
            with self.news:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self.news.notify_all()
            if self.deaf:
                return
        with self.news:
            self.ended = True
            self.news.notify_all()

    def stop_reading_log(self):
        self.deaf = True

    def wait_log(self, pattern, patience=PATIENCE):
        def search():
            return next(filter(None, (re.search(pattern, line) for line in self.lines)), None)

        with self.news:
            self.news.wait_for(lambda: search() or self.ended, patience)
            found = search()
            if found is None:
                raise AssertionError("no line /%s/ in:\n%s" % (pattern, "\n".join(self.lines)))
            return found

    def wait_ready(self):
        found = self.wait_log(READY.pattern)
        self.name = found.group(1)
        self.addresses = found.group(3).split(", ")
        host, port = self.addresses[0].rsplit(":", 1)
        self.host, self.port = host.strip("[]"), int(port)
        self.url = "http://" + self.addresses[0]

    def wait_exit(self, patience=PATIENCE):
        """The exit code; the whole log is in `lines` then."""
        code = self.process.wait(patience)
        self.reader.join(patience)
        return code

    # --- the CLI ---

    def cli(self, *arguments, base=None):
        """(exit code, stdout, stderr) of a verb."""
        done = subprocess.run(
            [BINARY, *arguments, "--run-dir=" + (base or self.base)], capture_output=True, text=True, timeout=60
        )
        return done.returncode, done.stdout, done.stderr

    def ok(self, *arguments):
        code, out, err = self.cli(*arguments)
        if code != 0:
            raise AssertionError("%s: exit code %d: %s%s" % (arguments, code, out, err))
        return out

    def view(self):
        return json.loads(self.ok("describe", self.name, "--json"))

    def workers(self, state="serving"):
        return [worker for worker in self.view()["workers"] if worker["state"] == state]

    def pids(self):
        return sorted(worker["pid"] for worker in self.workers())

    def connect(self, timeout=PATIENCE):
        return socket.create_connection((self.host, self.port), timeout)

    def get(self, path="/", *curl_flags):
        """The body of one request by curl."""
        return subprocess.run(
            ["curl", "-s", "-S", "--max-time", "20", *curl_flags, self.url + path], capture_output=True, timeout=40
        ).stdout

    # --- the end ---

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.wait_exit(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in self.orphans():
            os.kill(pid, signal.SIGKILL)
        self.reader.join(5)
        self.process.stderr.close()
        if self.own_base:
            shutil.rmtree(self.base, ignore_errors=True)

    def orphans(self):
        """Workers that outlived their coordinator: only they have our run directory in their words. Not asked
        of the scoreboard, which may be gone with the directory by now. So two clusters that live at the same
        time do not share a `base`."""
        mine = ("--run-dir=" + self.base).encode()
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % entry, "rb") as words:
                    arguments = words.read().split(b"\0")
            except OSError:
                continue
            if arguments[:2] == [b"uring-cluster", b"worker"] and mine in arguments:
                found.append(int(entry))
        return found


class Background:
    """A verb that is under way."""

    def __init__(self, cluster, *words):
        self.result = None
        self.thread = threading.Thread(target=lambda: setattr(self, "result", cluster.cli(*words)), daemon=True)
        self.thread.start()

    def wait(self):
        """Its (exit code, stdout, stderr)."""
        self.thread.join(60)
        return self.result


def read_all(connection):
    data = b""
    while True:
        piece = connection.recv(65536)
        if not piece:
            return data
        data += piece


def read_response(connection, data=b""):
    """One response with Content-Length: (head, body, what came behind it)."""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise EOFError(data)
        data += piece
    head, rest = data.split(b"\r\n\r\n", 1)
    found = re.search(rb"content-length: *(\d+)", head, re.I)
    length = int(found.group(1)) if found else 0
    while len(rest) < length:
        piece = connection.recv(65536)
        if not piece:
            raise EOFError(data)
        rest += piece
    return head, rest[:length], rest[length:]


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
