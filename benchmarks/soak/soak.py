#!/usr/bin/env python3
"""Does anything grow, stay behind or get lost when a cluster is changed and killed for a long time?

    bazel run //benchmarks/soak -- --rounds=1000
    bazel run //benchmarks/soak -- --seed=7 --seconds=300 --workers=8

A round is a roll, a scale up or down, a restart of all or of one slot, or a SIGKILL of a worker, the log writer or the
coordinator (which is started again), drawn by the seed. A few clients that never retry ask all the time, a connection
for each request, and every attempt is counted. Descriptors, memory, processes and files are read at rest, after the
first rounds and at the end. Exit code 1: something has grown, was left behind or was lost. A connection of a worker
that gets a SIGKILL is lost with it: these are counted apart, and are no fault.
"""

import argparse
import collections
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from built import binary  # noqa: E402

PATIENCE = 60.0  # seconds for anything that has to happen
REQUEST = b"GET / HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n"
# At rest the coordinator may hold so many more than after the first rounds.
DESCRIPTORS_MORE = 2
MEMORY_MORE_KIB = 2048
CHANGES = [  # and how often, relative to each other
    ("roll", 4), ("scale up", 3), ("scale down", 3), ("restart", 2), ("restart one", 3),
    ("kill worker", 3), ("kill log writer", 2), ("kill coordinator", 3),
]


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


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:  # it has ended
        return ""


class Clients:
    """Threads that ask again and again, and count how each attempt ends, under the change that is going on."""

    def __init__(self, port, threads, pause):
        self.port, self.pause = port, pause
        self.change = "warm-up"
        self.counts = collections.defaultdict(collections.Counter)
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def attempt(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(REQUEST)
            answer = b""
            while True:
                data = connection.recv(4096)
                if not data:
                    return "ok" if answer.startswith(b"HTTP/1.1 200 ") else "cut"
                answer += data

    def run(self):
        while not self.stopping.wait(self.pause):
            try:
                outcome = self.attempt()
            except OSError as error:
                outcome = type(error).__name__
            with self.lock:
                self.counts[self.change][outcome] += 1

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(2 * PATIENCE)
            if thread.is_alive():
                raise AssertionError("a client does not end: its last attempt is not accounted for")

    def lost(self, change):
        return sum(self.counts[change].values()) - self.counts[change]["ok"]


class Cluster:
    def __init__(self, port, workers):
        self.folder = tempfile.mkdtemp(prefix="uc-soak-")
        # A file of its own: its processes are known by it.
        self.binary = os.path.join(self.folder, "uring-cluster-soak")
        shutil.copy(binary(), self.binary)
        os.chmod(self.binary, 0o755)
        self.base = os.path.join(self.folder, "run")
        self.port, self.wanted = port, workers
        self.start("-i", str(workers))

    def run(self, *words):
        done = subprocess.run([self.binary, *words, "--run-dir=" + self.base], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=2 * PATIENCE)
        if done.returncode != 0:
            raise AssertionError("%s: %s%s" % (" ".join(words), done.stdout, done.stderr))
        return done.stdout

    def start(self, *flags):
        self.run("start", "hello", "--daemon", "--name=soak", "--listen=127.0.0.1:%d" % self.port, *flags)

    def view(self):
        return json.loads(self.run("describe", "soak", "--json"))

    def serving(self):
        return [worker for worker in self.view()["workers"] if worker["state"] == "serving"]

    def rest(self):
        """Every slot is served by one worker, and nobody else is there."""
        def whole():
            workers = self.view()["workers"]
            return (len(workers) == self.wanted and all(worker["state"] == "serving" for worker in workers)
                    and len(self.processes("worker")) == self.wanted)
        wait_until(whole, "%d workers serve, and no other is there" % self.wanted)

    def processes(self, verb=None):
        """The pids of what runs our file, zombies left out; `verb`: only of those."""
        pids = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink("/proc/%s/exe" % name).split(" (deleted)")[0] != self.binary:
                    continue
            except OSError:
                continue
            words = read("/proc/%s/cmdline" % name).split("\0")
            if verb is None or (len(words) > 1 and words[1] == verb):
                pids.append(int(name))
        return pids

    def coordinator(self):
        return self.view()["coordinator_pid"]

    # --- The changes ---

    def change(self, kind, draw):
        if kind == "roll":
            self.run("reload", "soak")
        elif kind in ("scale up", "scale down"):
            self.wanted = max(1, self.wanted + draw.randint(1, 3) * (1 if kind == "scale up" else -1))
            self.wanted = min(self.wanted, 12)
            self.run("scale", "soak", str(self.wanted))
        elif kind == "restart":
            self.run("restart", "soak")
        elif kind == "restart one":
            self.run("restart", "soak", "--worker=%d" % draw.randrange(self.wanted))
        elif kind == "kill worker":
            os.kill(draw.choice(self.serving())["pid"], signal.SIGKILL)
        elif kind == "kill log writer":
            for pid in self.processes("scribe"):
                os.kill(pid, signal.SIGKILL)
        elif kind == "kill coordinator":
            self.kill_coordinator(draw)

    def kill_coordinator(self, draw):
        """At rest, or in the middle of a roll or a scale whose answer nobody gets."""
        pid = self.coordinator()
        busy = None
        verb = draw.choice([None, ["reload", "soak"], ["scale", "soak", str(draw.randint(1, 12))]])
        if verb is not None:
            busy = subprocess.Popen([self.binary, *verb, "--run-dir=" + self.base], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            select.select([], [], [], draw.uniform(0, 0.05))
        end = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        select.select([end], [], [], PATIENCE)
        os.close(end)
        if busy is not None:
            busy.wait(PATIENCE)
        self.start()
        self.wanted = self.view()["workers_wanted"]  # whether it came to the scale is chance

    # --- What there is ---

    def figures(self):
        coordinator = self.coordinator()
        status = read("/proc/%d/status" % coordinator)
        workers = [worker["pid"] for worker in self.serving()]
        texts = [read("/proc/%d/status" % pid) for pid in workers]
        return {
            "descriptors of the coordinator": len(os.listdir("/proc/%d/fd" % coordinator)),
            "descriptors of a worker": max(len(os.listdir("/proc/%d/fd" % pid)) for pid in workers),
            "KiB RSS of the coordinator": field(status, "VmRSS"),
            "KiB anonymous of the coordinator": field(status, "RssAnon"),
            "KiB RSS of a worker": max(field(one, "VmRSS") for one in texts),
            "KiB anonymous of a worker": max(field(one, "RssAnon") for one in texts),
            "zombies": self.zombies(),
            "processes": len(self.processes()),
            "files in the run directory": sum(len(names) for _, _, names in os.walk(os.path.join(self.base, "soak"))),
        }

    def zombies(self):
        """Ended children that a process of ours has not reaped; those of a killed coordinator are init's business."""
        ours, count = self.processes(), 0
        for name in filter(str.isdigit, os.listdir("/proc")):
            status = read("/proc/%s/status" % name)
            count += "\nState:\tZ" in status and field(status, "PPid") in ours
        return count

    def end(self):
        """Stops it; what is left behind."""
        self.run("stop", "soak")
        faults = []
        try:
            wait_until(lambda: not self.processes(), "all processes have ended", 15)
        except AssertionError:
            faults.append("processes are left: %s" % self.processes())
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as error:
                faults.append("port %d: %s" % (self.port, error))
        folder = os.path.join(self.base, "soak")
        for entry in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if entry not in ("log", "record"):  # these are meant to stay
                faults.append("left in the run directory: " + entry)
        return faults

    def close(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.folder, ignore_errors=True)


def field(status, name):
    found = re.search(r"^%s:\s+(\d+)" % name, status, re.MULTILINE)
    return int(found.group(1)) if found else 0


def measure(cluster, workers):
    """At rest, with as many workers as at the beginning, all of them new."""
    cluster.wanted = workers
    cluster.run("scale", "soak", str(workers))
    cluster.run("reload", "soak")
    cluster.rest()
    return cluster.figures()


def grown(first, last):
    """RSS is only shown: how many pages of the program's file are in memory is the kernel's affair."""
    faults = []
    for what, value in last.items():
        if "RSS" in what:
            continue
        more = DESCRIPTORS_MORE if what.startswith("descriptors") else 0
        if what.startswith("KiB"):
            more = max(MEMORY_MORE_KIB, first[what] // 4)
        if value > first[what] + more or (what == "zombies" and value > 0):
            faults.append("%s: %d, after the first rounds %d" % (what, value, first[what]))
    return faults


def soak(cluster, clients, options):
    """All rounds, as far as the time goes; the figures before and after, and how often each change was made."""
    draw = random.Random(options.seed)
    kinds, weights = zip(*CHANGES)
    begun, done, first = time.monotonic(), collections.Counter(), None
    for number in range(options.rounds):
        if time.monotonic() - begun > options.seconds:
            break
        if number == min(20, options.rounds // 4):
            first = measure(cluster, options.workers)
        kind = draw.choices(kinds, weights)[0]
        with clients.lock:
            clients.change = kind
        cluster.change(kind, draw)
        cluster.rest()
        done[kind] += 1
        if (number + 1) % 50 == 0:
            print("round %d, %.0f s" % (number + 1, time.monotonic() - begun), flush=True)
    with clients.lock:
        clients.change = "at rest"
    last = measure(cluster, options.workers)
    return first or last, last, done, time.monotonic() - begun


def report(first, last, done, clients, seconds):
    print("\n| change | rounds | attempts | lost |\n|---|---|---|---|")
    for change, counts in clients.counts.items():
        lost = {kind: count for kind, count in counts.items() if kind != "ok"}
        print("| %s | %d | %d | %s |" % (change, done[change], sum(counts.values()), lost or 0))
    print("\n| at rest | after the first rounds | at the end |\n|---|---|---|")
    for what, value in last.items():
        print("| %s | %d | %d |" % (what, first[what], value))
    print("\n%d rounds in %.0f s" % (sum(done.values()), seconds))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=3600, help="no round begins later")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=4, help="at the beginning, and where figures are read")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    cluster = Cluster(options.port or free_port(), options.workers)
    faults = []
    try:
        clients = Clients(cluster.port, options.clients, 0.01)
        try:
            first, last, done, seconds = soak(cluster, clients, options)
        finally:
            clients.stop()
        report(first, last, done, clients, seconds)
        faults += grown(first, last) + cluster.end()
        faults += ["%d requests lost: %s" % (clients.lost(change), change)
                   for change in clients.counts if change != "kill worker" and clients.lost(change)]
    except (AssertionError, subprocess.TimeoutExpired) as error:
        faults.append(str(error))
    finally:
        cluster.close()
    for fault in faults:
        print("soak: seed %d: %s" % (options.seed, fault), file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
