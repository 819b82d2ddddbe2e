"""Where a loss is looked for: two network namespaces (or one), a cluster in one, the load client in the other."""

import ctypes
import fcntl
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
NOBODY = 65534
PATIENCE = 60.0  # seconds for anything that has to happen


class CannotRun(Exception):
    """This machine cannot do that; the text says what is missing."""


def tool(name):
    """The binaries come from Bazel, or from wherever UC_TOOLS says."""
    folder = os.environ.get("UC_TOOLS")
    if folder:
        return os.path.join(folder, name)
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    places = {
        "uring-cluster": "tools/uring-cluster",
        "uring-cluster-load": "tools/load/uring-cluster-load",
        "uring-cluster-delay-line": "tools/delay_line/uring-cluster-delay-line",
    }
    return os.path.join(root, ".bazel/bin", places[name])


def wait_until(condition, what, patience=PATIENCE):
    """For facts about other processes that offer nothing to wait on."""
    until = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError("did not happen within %.0f s: %s" % (patience, what))
        select.select([], [], [], 0.02)


def leave_network():
    """Puts this process into a network namespace of its own with nothing but a loopback device; OSError: not root."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no network namespace of its own")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


class Loopback:
    """A namespace of its own with nothing but a loopback device: its sysctls are nobody else's."""

    rtt_ms = 0

    def __init__(self):
        ready, theirs = os.pipe()
        mine, self.life = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(ready)
            os.close(self.life)
            code = 1
            try:
                leave_network()
                os.write(theirs, b"x")
                os.read(mine, 1)
                code = 0
            finally:
                os._exit(code)
        os.close(theirs)
        os.close(mine)
        if os.read(ready, 1) != b"x":
            os.waitpid(self.pid, 0)
            raise CannotRun("no network namespace of its own (run it as root)")
        os.close(ready)
        self.server = self.client = ["nsenter", "--net=/proc/%d/ns/net" % self.pid]
        self.address = "127.0.0.1"
        self.sources = ["127.0.0.%d" % last for last in range(2, 34)]

    def close(self):
        os.close(self.life)
        os.waitpid(self.pid, 0)


class DelayLine:
    def __init__(self, rtt_ms):
        self.rtt_ms = rtt_ms
        self.process = subprocess.Popen(
            [tool("uring-cluster-delay-line"), "--rtt=%dms" % rtt_ms, "--client-addresses=32"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        line = self.process.stdout.readline()
        if not line:
            raise CannotRun(self.process.communicate()[1].strip())
        ready = json.loads(line)
        self.server = ["nsenter", "--net=" + ready["server_netns"]]
        self.client = ["nsenter", "--net=" + ready["client_netns"]]
        self.address, self.sources = ready["server_address"], ready["client_addresses"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.process.stderr.close()


def network(rtt_ms):
    return Loopback() if rtt_ms == 0 else DelayLine(rtt_ms)


NODE_APP = "require('http').createServer((request, response) => response.end('hello')).listen(8080);\n"


class Cluster:
    """`uring-cluster start --daemon` in the network's server side; in mode plain as user nobody."""

    port = 8080

    def __init__(self, net, mode, workers, *flags, app="hello"):
        self.net, self.mode = net, mode
        self.folder = tempfile.mkdtemp(prefix="uc-loss-")
        os.chmod(self.folder, 0o755)
        self.binary = os.path.join(self.folder, "uring-cluster")
        shutil.copy(tool("uring-cluster"), self.binary)
        os.chmod(self.binary, 0o755)
        self.app = "hello"
        if app == "program":
            self.app = os.path.join(self.folder, "hello.js")
            with open(self.app, "w", encoding="utf-8") as out:
                out.write(NODE_APP)
        self.base = os.path.join(self.folder, "run")
        os.mkdir(self.base, 0o700)
        self.user = []
        if mode == "plain":
            os.chown(self.base, NOBODY, NOBODY)
            self.user = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups"]
        if mode == "migrate":
            done = self.run(net.server + ["sh", "-c", "echo 1 >/proc/sys/net/ipv4/tcp_migrate_req"])
            if done.returncode != 0:
                raise CannotRun("net.ipv4.tcp_migrate_req: " + done.stderr.strip())
        self.flags = ["--listen=%s:%d" % (net.address, self.port), "--mode=" + mode, *flags]
        try:
            self.start("-i", str(workers))
        except AssertionError as error:
            self.close()
            # The only thing that a first start may lack.
            raise CannotRun(str(error)) if "--mode=" in str(error) else error
        except BaseException:
            self.close()
            raise

    @staticmethod
    def run(command):
        # A daemon's child keeps no stream of ours, so its end is the command's end.
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)

    def start(self, *flags):
        done = self.run(self.net.server + self.user + [
            self.binary, "start", self.app, "--daemon", "--run-dir=" + self.base, *self.flags, *flags])
        if done.returncode != 0:
            raise AssertionError("start: %s" % (done.stderr.strip() or done.stdout.strip()))

    def verb(self, *words):
        done = self.run([self.binary, *words, "--run-dir=" + self.base])
        if done.returncode != 0:
            raise AssertionError("%s: %s\n%s" % (" ".join(words), done.stderr.strip(), self.log()[-3000:]))
        return done.stdout

    def view(self):
        return json.loads(self.verb("describe", "hello", "--json"))

    def serving(self):
        return [worker for worker in self.view()["workers"] if worker["state"] == "serving"]

    def await_whole(self):
        """All slots are served by workers of their own."""
        def whole():
            view = self.view()
            slots = {worker["slot"] for worker in view["workers"] if worker["state"] == "serving"}
            return len(slots) == view["workers_wanted"] and all(slot["live"] for slot in view["slots"])
        wait_until(whole, "every slot serves")

    def await_requests(self, count):
        """So many more have been answered."""
        until = self.view()["totals"]["requests"] + count
        wait_until(lambda: self.view()["totals"]["requests"] >= until, "%d requests" % count)

    def log(self):
        with open(os.path.join(self.base, "hello", "log"), encoding="utf-8", errors="replace") as log:
            return log.read()

    def close(self):
        self.run([self.binary, "stop", "hello", "--now", "--run-dir=" + self.base])
        shutil.rmtree(self.folder, ignore_errors=True)


class Load:
    """The load client, from when all its connections are answered until finish()."""

    def __init__(self, net, *flags):
        self.process = subprocess.Popen(
            net.client + [tool("uring-cluster-load"), "--target=%s:%d" % (net.address, Cluster.port),
                          "--source=" + ",".join(net.sources), "--json", "--until-stdin-eof", "--timeout=15s", *flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        if "running" not in self.process.stdout.readline():
            self.process.kill()
            self.process.wait()
            raise AssertionError("the load client does not get going")

    def finish(self):
        output = self.process.communicate(timeout=PATIENCE)[0]
        return json.loads(output.strip().splitlines()[-1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def kill(pid, number):
    os.kill(pid, number)
