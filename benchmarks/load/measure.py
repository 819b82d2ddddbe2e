"""Servers as the benchmark sees them: started, pinned, checked, their CPU time and memory read, stopped."""

import ctypes
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import time

from peers import BODY, PEERS, tool

PATIENCE = 20.0  # seconds for anything that has to happen
FILES = {"/1k.bin": 1 << 10, "/16k.bin": 1 << 14, "/1m.bin": 1 << 20, "/100m.bin": 100 << 20}


class Failed(Exception):
    """A server or a client did not do what it should; the text says which, and what it said."""


def pause(seconds):
    """Time that has to pass, because it is what is measured."""
    select.select([], [], [], seconds)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_files(folder, largest):
    pattern = bytes(ord("a") + i * 31 % 23 for i in range(1 << 20))
    for name, size in FILES.items():
        if size <= largest:
            with open(folder + name, "wb") as out:
                for begin in range(0, size, len(pattern)):
                    out.write(pattern[: min(len(pattern), size - begin)])
    with open(folder + "/hello.txt", "w", encoding="utf-8") as out:
        out.write(BODY)


def parents():
    """pid -> parent's pid."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, encoding="utf-8", errors="replace") as stat:
                    found[int(name)] = int(stat.read().rpartition(")")[2].split()[1])
            except OSError:
                pass  # it has ended meanwhile
    return found


def family(root):
    """The process and all below it, parents first."""
    by_pid = parents()
    pids = [root]
    for pid in pids:
        pids.extend(child for child, parent in by_pid.items() if parent == pid)
    return pids


def cpu_seconds(pids):
    """Of processes that live, to the nanosecond (clock_getcpuclockid(3) is this arithmetic)."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def status(pid, field):
    """A number of /proc/PID/status; memory in kB."""
    with open("/proc/%d/status" % pid, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise Failed("/proc/%d/status has no %s" % (pid, field))


def pin(core):
    def before_exec():
        # Nobody outlives a benchmark that was killed.
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
        if core is not None:
            os.sched_setaffinity(0, {core})
    return before_exec


class Server:
    """A competitor on a port of its own, from its first answer until close()."""

    def __init__(self, name, folder, files, workers=1, core=None, environment=None):
        self.name, self.port = name, free_port()
        self.folder = tempfile.mkdtemp(prefix=name + "-", dir=folder)
        os.chmod(self.folder, 0o755)
        self.log = open(os.path.join(self.folder, "output"), "wb")  # pylint: disable=consider-using-with
        words = PEERS[name].order(self.port, self.folder, files, workers)
        self.began = time.monotonic()
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
            words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=pin(core),
            env={**os.environ, **(environment or {})})
        try:
            self.first_answer_seconds = self.await_answer()
        except BaseException:
            self.close()
            raise

    def await_answer(self):
        while time.monotonic() < self.began + PATIENCE:
            if self.process.poll() is not None:
                raise Failed("%s has ended: %s" % (self.name, self.said()))
            try:
                with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    if connection.recv(1):
                        return time.monotonic() - self.began
            except ConnectionError:
                pause(0.0002)
        raise Failed("%s does not answer: %s" % (self.name, self.said()))

    def said(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as output:
            return output.read()[-2000:]

    def check(self, path="/", body=BODY.encode()):
        """The right answer, twice on one connection: it keeps it alive."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        for _ in range(2):
            connection.request("GET", path)
            answer = connection.getresponse()
            got = answer.read()
            if answer.status != 200 or got != body:
                raise Failed("%s %s: status %d, %d bytes: %r" % (self.name, path, answer.status, len(got), got[:80]))
        connection.close()

    def pids(self):
        return family(self.process.pid)

    def cpu(self):
        return cpu_seconds(self.pids())

    def workers(self):
        """Processes below the first one; itself, if it is alone."""
        return self.pids()[1:] or [self.process.pid]

    def close(self):
        pids = family(self.process.pid) if self.process.poll() is None else []
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def load(port, *flags, core=None):
    """The account of a run of our generator, in which nothing was lost."""
    words = [tool("tools/load/uring-cluster-load"), "--target=127.0.0.1:%d" % port, "--json", "--timeout=10s", *flags]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, preexec_fn=pin(core), check=False)
    if done.returncode == 2 or not done.stdout:
        raise Failed("%s: %s" % (" ".join(words), done.stderr.strip()))
    account = json.loads(done.stdout.splitlines()[-1])
    if account["lost"] or account["local_error"] or not account["ok"]:
        raise Failed("%s: %s" % (" ".join(words), done.stdout[:500]))
    return account


class IdleLoad:
    """Connections that have had one answer each and stay; until close()."""

    def __init__(self, port, connections, core=None):
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
            [tool("tools/load/uring-cluster-load"), "--target=127.0.0.1:%d" % port, "--mode=keep-alive",
             "--connections=%d" % connections, "--think=1h", "--until-stdin-eof", "--json", "--timeout=20s"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=pin(core))
        ready = select.select([self.process.stdout], [], [], 60)[0]
        if not ready or "running" not in self.process.stdout.readline():
            self.process.kill()
            raise Failed("%d connections did not all get an answer" % connections)

    def close(self):
        account = json.loads(self.process.communicate(timeout=PATIENCE)[0].splitlines()[-1])
        if account["lost"] or account["idle_closed"]:
            raise Failed("idle connections were lost: %s" % account)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.close()
        else:
            self.process.kill()
            self.process.communicate()
