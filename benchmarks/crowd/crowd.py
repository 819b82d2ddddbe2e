#!/usr/bin/env python3
"""What clients that behave badly, many at a time, cost the others and the worker.

    bazel run //benchmarks/crowd                      # all chapters
    bazel run //benchmarks/crowd -- --chapters=greedy --clients=1000

greedy   Clients that pipeline requests for a file and never read, or read all they get. A polite client asks once in a
         while: how long it waits before they come, and beside them. They connect first, and all begin at one time.
bodies   Uploads that stop one byte before their end: resident memory of the worker, for a native app that gets each
         body in one piece (tools/examples/greeter.cc) and for `proxy` before a server that does not read.
stream   Clients that never read a response of 1 GB, behind `proxy`: resident memory of the worker, and what the server
         got rid of.

One worker, one core: what many workers share out is not at issue. Exit code 1: a bound was passed (--wait-max for the
slowest polite answer beside clients that do not read, --memory-max for the worker).
"""

import argparse
import json
import os
import re
import resource
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from built import binary, built  # noqa: E402

PATIENCE = 60.0  # seconds for anything that has to happen
FILE_BYTES = 30_000
PIPELINED = 64
BODY_BYTES = 1_000_000
STREAM_BYTES = 1_000_000_000


class Cluster:
    """One worker in the foreground, on a free port."""

    def __init__(self, *words):
        self.base = tempfile.mkdtemp(prefix="uc-crowd-")
        command = [binary(), "start", "--run-dir=" + self.base, "--listen=127.0.0.1:0", "-i", "1", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for line in self.process.stderr:
            ready = re.search(rb"is ready: .*127\.0\.0\.1:(\d+)", line)
            if ready:
                self.port = int(ready[1])
                break
        else:
            raise SystemExit("the cluster did not start: " + " ".join(command))
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        listed = subprocess.run(
            [binary(), "jlist", "--run-dir=" + self.base], stdout=subprocess.PIPE, check=True)
        self.worker = json.loads(listed.stdout)[0]["workers"][0]["pid"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)
        shutil.rmtree(self.base, ignore_errors=True)

    def connect(self, receive_buffer=0):
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", self.port))
        return connection

    def memory(self, what="VmRSS"):
        with open("/proc/%d/status" % self.worker) as status:
            return int(re.search(what + r":\s+(\d+) kB", status.read())[1]) / 1024


# --- A polite client, in a process of its own: nothing here delays it ---

def ask_politely(port, path, stop, answers):
    """Until the pipe `stop` ends; latencies in milliseconds go to `answers`, a line each."""
    request = b"GET /%s HTTP/1.1\r\nHost: crowd\r\n\r\n" % path.encode()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection, \
            os.fdopen(answers, "w", buffering=1) as out:
        while not select.select([stop], [], [], 0.005)[0]:
            begun = time.monotonic()
            connection.sendall(request)
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += connection.recv(65536)
            left = int(re.search(rb"Content-Length: (\d+)", answer)[1]) - len(answer.partition(b"\r\n\r\n")[2])
            while left > 0:
                left -= len(connection.recv(65536))
            print("%.3f" % (1000 * (time.monotonic() - begun)), file=out)


class Polite:
    def __init__(self, port, path):
        (stop, self.stopping), (self.answers, answers) = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.stopping)
            os.close(self.answers)
            try:
                ask_politely(port, path, stop, answers)
                os._exit(0)
            except BaseException as error:  # pylint: disable=broad-except
                print("the polite client: %r" % error, file=sys.stderr)
                os._exit(1)
        os.close(stop)
        os.close(answers)
        self.answers = os.fdopen(self.answers)
        self.answers.readline()  # it is there

    def end(self):
        os.close(self.stopping)
        with self.answers as lines:
            latencies = sorted(float(line) for line in lines)
        if os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]) != 0 or not latencies:
            raise SystemExit("the polite client was not answered")
        return latencies


def show(name, latencies):
    place = lambda part: latencies[min(len(latencies) - 1, int(part * len(latencies)))]
    print("%-44s %6d answers, ms: p50 %7.2f  p99 %7.2f  max %7.2f" % (
        name, len(latencies), statistics.median(latencies), place(0.99), latencies[-1]), flush=True)
    return latencies[-1]


# --- Chapters: each returns what passed a bound ---

def crowd_out(cluster, clients, path, seconds, reading):
    """`clients` send pipelined requests for so long, as many as their sockets take."""
    request = b"GET /%s HTTP/1.1\r\nHost: crowd\r\n\r\n" % path.encode() * PIPELINED
    connections = [cluster.connect(0 if reading else 4096) for _ in range(clients)]
    try:
        for connection in connections:
            # What they have not got rid of is memory of their machine, which here is the worker's as well.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
        poll = select.epoll()
        left = {}
        for connection in connections:
            connection.setblocking(False)
            left[connection.fileno()] = (connection, request)
            poll.register(connection, select.EPOLLOUT | (select.EPOLLIN if reading else 0))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for number, events in poll.poll(0.1, 256):
                connection, rest = left[number]
                try:
                    if events & select.EPOLLIN:
                        connection.recv(1 << 20)
                    if events & select.EPOLLOUT:
                        rest = rest[connection.send(rest):] or request
                        left[number] = connection, rest
                except BlockingIOError:
                    continue
                except OSError:  # the worker has had enough of it
                    poll.unregister(number)
    finally:
        for connection in connections:
            connection.close()


def greedy(options):
    worst = 0
    for app, path in (("hello", ""), ("static", "file")):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "file"), "wb") as file:
                file.write(os.urandom(FILE_BYTES))
            for reading in (False, True):
                with Cluster(app, *([folder] if app == "static" else [])) as cluster:
                    polite = Polite(cluster.port, path)
                    select.select([], [], [], options.seconds)
                    name = "%s, %d that %s" % (app, options.clients, "read" if reading else "do not read")
                    show(app + ", alone", polite.end())
                    polite = Polite(cluster.port, path)
                    crowd_out(cluster, options.clients, path, options.seconds, reading)
                    slowest = show(name, polite.end())
                    worst = max(worst, 0 if reading else slowest)
    return ["a polite client waited for %.0f ms" % worst] if worst > options.wait_max else []


class Server:
    """Takes connections and does with each what `serve` does, in threads."""

    def __init__(self, serve):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.held = []
        self.serve = serve
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # shutdown() wakes the thread that accepts.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.held:
            connection.close()

    def accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            self.held.append(connection)
            self.serve(connection)


def upload(cluster, clients):
    """All but the last byte of each body, as far as it is taken; how many bytes that were."""
    head = b"POST / HTTP/1.1\r\nHost: crowd\r\nContent-Length: %d\r\n\r\n" % BODY_BYTES
    body = bytes(BODY_BYTES - 1)
    connections = [cluster.connect() for _ in range(clients)]
    poll = select.epoll()
    left = {}
    for connection in connections:
        connection.setblocking(False)
        left[connection.fileno()] = (connection, memoryview(head + body))
        poll.register(connection, select.EPOLLOUT)
    sent = 0
    highest = 0
    # Until nobody is taken any further.
    while ready := poll.poll(3, 256):
        highest = max(highest, cluster.memory())
        for number, _ in ready:
            connection, rest = left[number]
            try:
                size = connection.send(rest[:1 << 18])
            except OSError:  # refused
                size = 0
            sent += size
            left[number] = connection, rest[size:]
            if size == 0 or size == len(rest):
                poll.unregister(number)
    highest = max(highest, cluster.memory())
    return connections, sent, highest


def bodies(options):
    passed = []
    with Server(lambda connection: None) as server:
        for words in ([built("tools/examples/libgreeter.so")], ["proxy", server.address]):
            with Cluster(*words) as cluster:
                before = cluster.memory()
                connections, sent, highest = upload(cluster, options.clients)
                print("%-44s %5d MB sent, resident memory %.0f MB, before %.0f" % (
                    "%s, %d bodies of %d MB" % (os.path.basename(words[0]), options.clients, BODY_BYTES // 1_000_000),
                    sent // 1_000_000, highest, before), flush=True)
                for connection in connections:
                    connection.close()
            if highest > options.memory_max:
                passed.append("%s: %.0f MB for bodies" % (os.path.basename(words[0]), highest))
    return passed


def stream(options):
    got_rid_of = []
    piece = bytes(1 << 20)

    def serve(connection):
        def run():
            sent = 0
            try:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % STREAM_BYTES)
                connection.settimeout(3)
                while sent < STREAM_BYTES:
                    sent += connection.send(piece)
            except OSError:  # nobody takes more
                pass
            got_rid_of.append(sent)
        threading.Thread(target=run, daemon=True).start()

    with Server(serve) as server, Cluster("proxy", server.address) as cluster:
        before = cluster.memory()
        clients = min(options.clients, 1000)
        connections = [cluster.connect(4096) for _ in range(clients)]
        for connection in connections:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: crowd\r\n\r\n")
        until = time.monotonic() + PATIENCE
        highest = 0
        while len(got_rid_of) < clients and time.monotonic() < until:
            highest = max(highest, cluster.memory())
            select.select([], [], [], 0.1)
        print("%-44s %5.2f MB each sent by the server, resident memory %.0f MB, before %.0f" % (
            "proxy, %d that do not read 1 GB" % clients, sum(got_rid_of) / max(1, len(got_rid_of)) / 1e6,
            highest, before), flush=True)
        for connection in connections:
            connection.close()
    return ["proxy: %.0f MB for responses" % highest] if highest > options.memory_max else []


CHAPTERS = {"greedy": greedy, "bodies": bodies, "stream": stream}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chapters", default=",".join(CHAPTERS), help="of " + ", ".join(CHAPTERS))
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--wait-max", type=float, default=100, help="milliseconds")
    parser.add_argument("--memory-max", type=float, default=700, help="MB")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * options.clients + 100)), hard))
    passed = []
    for chapter in options.chapters.split(","):
        passed += CHAPTERS[chapter](options)
    for one in passed:
        print("PASSED A BOUND: " + one)
    sys.exit(1 if passed else 0)


if __name__ == "__main__":
    main()
