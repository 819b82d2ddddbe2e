#!/usr/bin/env python3
"""The same Node app under uring-cluster, PM2 and Node's cluster module, one after another, on this machine.

    bazel build //tools:uring-cluster //tools/load:uring-cluster-load
    benchmarks/programs/compare.py [--pm2=FOLDER] [--reloads=20] [--seconds=4] [--rounds=3] [--many=32]

PM2 comes from npm into a temporary folder unless FOLDER has it (FOLDER/node_modules/.bin/pm2). Rounds take turns, so
that a busy machine is busy for all; of figures the median is shown, of losses the sum.
"""

import argparse
import json
import os
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TOOLS = os.environ.get("UC_TOOLS", os.path.join(ROOT, ".bazel/bin/tools"))
CLUSTER = os.path.join(TOOLS, "uring-cluster")
LOAD = os.path.join(TOOLS, "load/uring-cluster-load")
APP = os.path.join(HERE, "app.js")
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stat_of(pid):
    with open("/proc/%d/stat" % pid) as stat:
        return stat.read().rsplit(")", 1)[1].split()


def tree(root):
    """`root` and all that it has started, and they."""
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            children.setdefault(int(stat_of(int(entry))[1]), []).append(int(entry))
        except OSError:
            continue
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children.get(pid, [])
    return found


def cpu_seconds(root):
    total = 0
    for pid in tree(root):
        try:
            fields = stat_of(pid)
            total += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return total / TICKS


def memory(pid, field):
    with open("/proc/%d/smaps_rollup" % pid) as text:
        return int(next(line for line in text if line.startswith(field + ":")).split()[1]) / 1024


class Contender:
    """A running cluster of `workers` on a port of its own."""

    def __init__(self, workers):
        self.port, self.workers = free_port(), workers
        self.env = {**os.environ, "APP_PORT": str(self.port)}
        self.folder = tempfile.mkdtemp(prefix="uc-compare-")

    def started(self):
        """Seconds until all workers have answered."""
        begin = time.monotonic()
        self.start()
        seen = set()
        while len(seen) < self.workers and time.monotonic() - begin < 120:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    answer = b""
                    while piece := connection.recv(4096):
                        answer += piece
                    seen.add(answer.split(b"x-pid: ")[1].split(b"\r\n")[0])
            except (OSError, IndexError):
                select.select([], [], [], 0.005)
        return time.monotonic() - begin

    def clean(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class UringCluster(Contender):
    name = "uring-cluster"

    def run(self, *words):
        subprocess.run([CLUSTER, *words, "--run-dir=" + self.folder], env=self.env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self):
        self.run("start", APP, "--daemon", "-i", str(self.workers), "--listen-timeout=60s")
        with open(self.folder + "/app/pid") as pid:
            self.control = self.root = int(pid.read())

    def reload(self):
        self.run("reload", "app")

    def stop(self):
        self.run("stop", "app")
        self.clean()


class Pm2(Contender):
    name = "PM2"
    binary = ""

    def run(self, *words):
        subprocess.run([self.binary, *words], env={**self.env, "PM2_HOME": self.folder}, check=True, stdout=subprocess.DEVNULL)

    def start(self):
        self.run("start", APP, "-i", str(self.workers))
        with open(self.folder + "/pm2.pid") as pid:
            self.control = self.root = int(pid.read())

    def reload(self):
        self.run("reload", "app")

    def stop(self):
        self.run("kill")
        self.clean()


class NodeCluster(Contender):
    name = "Node's cluster module"

    def start(self):
        self.process = subprocess.Popen(
            ["node", os.path.join(HERE, "node_cluster.js")],
            env={**self.env, "WORKERS": str(self.workers)},
            stdout=subprocess.PIPE,
        )
        self.control = self.root = self.process.pid

    def reload(self):
        self.process.send_signal(signal.SIGHUP)
        self.process.stdout.readline()

    def stop(self):
        for pid in reversed(tree(self.process.pid)):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.clean()


def load(port, mode, *flags):
    return [LOAD, "--target=127.0.0.1:%d" % port, "--mode=" + mode, "--json", "--timeout=10s", *flags]


def throughput(contender, mode, seconds):
    """(requests a second, CPU microseconds a request of all its processes)."""
    before = cpu_seconds(contender.root)
    done = subprocess.run(
        load(contender.port, mode, "--connections=32", "--duration=%ds" % seconds), capture_output=True, text=True
    )
    used = cpu_seconds(contender.root) - before
    answered = json.loads(done.stdout.splitlines()[-1])["ok"]
    return answered / seconds, 1e6 * used / max(1, answered)


def losses(contender, mode, reloads):
    """(lost, attempts) over so many reloads."""
    client = subprocess.Popen(
        load(contender.port, mode, "--connections=16", "--rate=1000", "--until_stdin_eof"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    client.stdout.readline()
    for _ in range(reloads):
        contender.reload()
    out, _ = client.communicate("")
    tally = json.loads(out.splitlines()[-1])
    print("%s, %s: %d lost of %d" % (contender.name, mode, tally["lost"], tally["attempts"]), file=sys.stderr)
    return tally["lost"], tally["attempts"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pm2", default="")
    parser.add_argument("--reloads", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--many", type=int, default=32, help="workers of the largest start")
    options = parser.parse_args()
    folder = options.pm2 or tempfile.mkdtemp(prefix="uc-pm2-")
    Pm2.binary = os.path.join(folder, "node_modules/.bin/pm2")
    if not os.path.exists(Pm2.binary):
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", folder, "pm2"], check=True)
    kinds = [UringCluster, Pm2, NodeCluster]
    rows = {kind: {} for kind in kinds}
    for _ in range(options.rounds):
        for kind in kinds:
            row = rows[kind]
            contender = kind(2)
            row.setdefault("start of 2 workers, s", []).append(contender.started())
            for mode in ("new", "keep_alive"):
                rate, cpu = throughput(contender, mode, options.seconds)
                row.setdefault("%s: requests/s" % mode, []).append(rate)
                row.setdefault("%s: CPU us a request" % mode, []).append(cpu)
            row.setdefault("control process, RSS MB", []).append(memory(contender.control, "Rss"))
            total = sum(memory(pid, "Pss") for pid in tree(contender.root))
            row.setdefault("all processes with 2 workers, PSS MB", []).append(total)
            contender.stop()
    for kind in kinds:
        for mode in ("new", "keep_alive"):
            contender = kind(2)
            contender.started()
            rows[kind]["%s: lost / attempts over %d reloads" % (mode, options.reloads)] = losses(
                contender, mode, options.reloads
            )
            contender.stop()
        contender = kind(options.many)
        rows[kind]["start of %d workers, s" % options.many] = [contender.started()]
        contender.stop()
    print("| | " + " | ".join(kind.name for kind in kinds) + " |")
    print("|---" * (len(kinds) + 1) + "|")
    for what in rows[kinds[0]]:
        cells = []
        for kind in kinds:
            value = rows[kind][what]
            cells.append("%d / %d" % value if isinstance(value, tuple) else "%.2f" % statistics.median(value) if statistics.median(value) < 100 else "%.0f" % statistics.median(value))
        print("| %s | %s |" % (what, " | ".join(cells)))
    if not options.pm2:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
