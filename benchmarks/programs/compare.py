#!/usr/bin/env python3
"""The same Node app under uring-cluster (direct and behind the worker of its slot), PM2 and Node's cluster module, alone,
and behind nginx, side by side on this machine, as a table.

    bazel build //tools:uring-cluster //tools/load:uring-cluster-load
    benchmarks/programs/compare.py [--pm2=FOLDER] [--reloads=20] [--seconds=3] [--rounds=3] [--many=32]

Six to nine minutes on a busy 2-core machine. nginx comes from Debian (nginx-light); PM2 comes from npm into a temporary folder unless FOLDER has it
(FOLDER/node_modules/.bin/pm2), and has a home of its own there. Rounds take turns, so that a busy machine is busy for
all; of figures the median is shown (and the least and the most), of losses the sum. Losses: a client with new connections
and one with keep-alive ones ask at the same time while the cluster is reloaded again and again; neither retries, and what
is not answered within ANSWER_WITHIN is lost. UC_TOOLS is where the binaries are, if not in .bazel/bin/tools.
"""

import argparse
import ctypes
import json
import os
import pwd
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
ANSWER_WITHIN = "5s"
COMMAND_WITHIN = 60  # seconds; a command that takes longer ends the comparison
PR_SET_CHILD_SUBREAPER = 36
MODES = ("new", "keep_alive")


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


def adopt_orphans():
    """Daemons whose starter has gone become children of this process, so that end_descendants() meets them."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def end_descendants():
    """Also those that a command that was cut short had only begun to start."""
    while True:
        for pid in tree(os.getpid())[1:]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            os.wait()
        except ChildProcessError:
            return


class Contender:
    """A running cluster of `workers` on a port of its own; when it is left, none of its processes is."""

    rolls = True  # a reload is what it has

    def __init__(self, workers):
        self.port, self.workers = free_port(), workers
        self.env = {**os.environ, "APP_PORT": str(self.port)}
        self.folder = tempfile.mkdtemp(prefix="uc-compare-")
        self.root = None  # the control process

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.stop()
        except subprocess.SubprocessError as error:
            say("%s does not stop: %s" % (self.name, error))
        finally:
            end_descendants()
            shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, words, **env):
        subprocess.run(
            words,
            env={**self.env, **env},
            check=True,
            timeout=COMMAND_WITHIN,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def started(self):
        """Seconds until all workers have answered."""
        begin = time.monotonic()
        self.start()
        seen = set()
        while len(seen) < self.workers:
            if time.monotonic() - begin > COMMAND_WITHIN:
                sys.exit("%s: %d of %d workers answer" % (self.name, len(seen), self.workers))
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


class UringCluster(Contender):
    name = "uring-cluster"

    @property
    def way(self):
        return ("--listen=127.0.0.1:%d" % self.port,)

    def run(self, *words):
        self.command([CLUSTER, *words, "--run-dir=" + self.folder])

    def start(self):
        self.run("start", APP, "--daemon", "-i", str(self.workers), "--listen-timeout=60s", *self.way)
        with open(self.folder + "/app/pid") as pid:
            self.root = int(pid.read())

    def reload(self):
        self.run("reload", "app")

    def stop(self):
        self.run("stop", "app")


class Direct(UringCluster):
    name = "uring-cluster --direct"
    way = ("--direct",)


class Pm2(Contender):
    name = "PM2"
    binary = ""

    def run(self, *words):
        self.command([self.binary, *words], PM2_HOME=self.folder)

    def start(self):
        self.run("start", APP, "-i", str(self.workers))
        with open(self.folder + "/pm2.pid") as pid:
            self.root = int(pid.read())

    def reload(self):
        self.run("reload", "app")

    def stop(self):
        self.run("kill")


class NodeCluster(Contender):
    name = "Node's cluster module"

    def start(self):
        self.process = subprocess.Popen(
            ["node", os.path.join(HERE, "node_cluster.js")],
            env={**self.env, "WORKERS": str(self.workers)},
            stdout=subprocess.PIPE,
        )
        self.root = self.process.pid

    def reload(self):
        self.process.send_signal(signal.SIGHUP)
        if not select.select([self.process.stdout], [], [], COMMAND_WITHIN)[0]:
            sys.exit("Node's cluster does not say that it has rolled")
        self.process.stdout.readline()

    def stop(self):
        self.process.stdout.close()  # it has no word for it: end_descendants()


class BareNode(Contender):
    """One process, whatever was asked for: there is nothing that would share its port."""

    name = "node alone (1 process)"
    rolls = False

    def __init__(self, _):
        super().__init__(1)

    def start(self):
        self.process = subprocess.Popen(["node", APP], env=self.env)
        self.root = self.process.pid

    def stop(self):
        self.process.kill()


class BehindNginx(Contender):
    """nginx keeps connections to so many Node processes, each at a UNIX socket."""

    name = "nginx before node"
    rolls = False

    def start(self):
        sockets = ["%s/node%d" % (self.folder, i) for i in range(self.workers)]
        servers = "".join("server unix:%s max_fails=0;" % path for path in sockets)
        conf = os.path.join(self.folder, "conf")
        with open(conf, "w") as out:
            out.write(
                NGINX
                % {
                    "folder": self.folder,
                    "port": self.port,
                    "servers": servers,
                    "user": pwd.getpwuid(os.geteuid()).pw_name,
                    "workers": self.workers,
                }
            )
        # nginx's master is the root: Node runs below this process, so both are under a shell that waits for them.
        script = 'for path; do APP_SOCKET=$path node "$APP" & done; nginx -p "$FOLDER" -c "$CONF" -e stderr & wait'
        self.process = subprocess.Popen(
            ["sh", "-c", script, "sh", *sockets],
            env={
                **self.env,
                "APP": APP,
                "FOLDER": self.folder,
                "CONF": conf,
                "PATH": os.environ["PATH"] + ":/usr/sbin",
            },
            stderr=subprocess.DEVNULL,
        )
        self.root = self.process.pid

    def stop(self):
        pass  # end_descendants()


NGINX = """daemon off;
user %(user)s;
worker_processes %(workers)d;
pid %(folder)s/pid;
error_log %(folder)s/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_timeout 75s; keepalive_requests 1000000000;
  client_body_temp_path %(folder)s/a; proxy_temp_path %(folder)s/b; fastcgi_temp_path %(folder)s/c;
  uwsgi_temp_path %(folder)s/d; scgi_temp_path %(folder)s/e;
  upstream app { %(servers)s keepalive 64; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:%(port)d reuseport backlog=4096;
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
"""
KINDS = (UringCluster, Front, Pm2, NodeCluster, BareNode, BehindNginx)


def load(port, mode, *flags):
    where = "--target=127.0.0.1:%d" % port
    return [LOAD, where, "--mode=" + mode, "--json", "--timeout=" + ANSWER_WITHIN, *flags]


def throughput(contender, mode, seconds):
    """(requests a second, CPU microseconds a request of all its processes)."""
    before = cpu_seconds(contender.root)
    done = subprocess.run(
        load(contender.port, mode, "--connections=32", "--duration=%ds" % seconds),
        capture_output=True,
        text=True,
    )
    used = cpu_seconds(contender.root) - before
    answered = json.loads(done.stdout.splitlines()[-1])["ok"]
    return answered / seconds, 1e6 * used / max(1, answered)


def losses(contender, reloads):
    """{mode: (lost, attempts)} of two clients at the same time over so many reloads, and the reloads' seconds."""
    clients = {
        mode: subprocess.Popen(
            load(contender.port, mode, "--connections=16", "--rate=500", "--until_stdin_eof"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for mode in MODES
    }
    try:
        for client in clients.values():
            client.stdout.readline()
        begin = time.monotonic()
        for _ in range(reloads):
            contender.reload()
        took = time.monotonic() - begin
    finally:
        for client in clients.values():
            client.stdin.close()
    tallies = {}
    for mode, client in clients.items():
        tally = json.loads(client.stdout.read().splitlines()[-1])
        client.wait()
        tallies[mode] = (tally["lost"], tally["attempts"])
    return tallies, took


def say(text):
    print("%4.0f s  %s" % (time.monotonic() - BEGIN, text), file=sys.stderr)


def measure_round(rows, seconds):
    for kind in KINDS:
        row = rows[kind]
        with kind(2) as contender:
            row.setdefault("start of 2 workers, s", []).append(contender.started())
            for mode in MODES:
                rate, cpu = throughput(contender, mode, seconds)
                label = mode.replace("_", "-")
                row.setdefault("%s: requests/s" % label, []).append(rate)
                row.setdefault("%s: CPU us a request, all processes" % label, []).append(cpu)
                say("%s, %s: %.0f requests/s, %.0f us" % (kind.name, label, rate, cpu))
            if kind.rolls:
                row.setdefault("control process: RSS, MB", []).append(memory(contender.root, "Rss"))
            total = sum(memory(pid, "Pss") for pid in tree(contender.root))
            row.setdefault("all processes with 2 workers: PSS, MB", []).append(total)


def measure_losses(rows, reloads):
    for kind in KINDS:
        if not kind.rolls:
            continue
        with kind(2) as contender:
            contender.started()
            tallies, took = losses(contender, reloads)
        for mode, tally in tallies.items():
            what = "%s: lost / attempts over %d reloads" % (mode.replace("_", "-"), reloads)
            rows[kind][what] = "%d / %d" % tally
        rows[kind]["one of these reloads, s"] = [took / max(1, reloads)]
        say("%s: %s in %.0f s" % (kind.name, tallies, took))


def measure_many(rows, workers):
    for kind in KINDS:
        if not kind.rolls:
            continue
        with kind(workers) as contender:
            took = contender.started()
        rows[kind]["start of %d workers, s" % workers] = [took]
        say("%s: %d workers after %.1f s" % (kind.name, workers, took))


def shown(value):
    if isinstance(value, str):
        return value
    digits = "%.0f" if statistics.median(value) >= 20 else "%.2f"
    middle = digits % statistics.median(value)
    if len(value) == 1:
        return middle
    return "%s (%s-%s)" % (middle, digits % min(value), digits % max(value))


def print_table(rows):
    print("| | " + " | ".join(kind.name for kind in KINDS) + " |")
    print("|---" * (len(KINDS) + 1) + "|")
    for what in rows[KINDS[0]]:
        print("| %s | %s |" % (what, " | ".join(shown(rows[kind].get(what, "-")) for kind in KINDS)))


def version_of_pm2():
    with open(os.path.join(os.path.dirname(Pm2.binary), "../pm2/package.json")) as package:
        return json.load(package)["version"]


def compare(options, folder):
    Pm2.binary = os.path.join(folder, "node_modules/.bin/pm2")
    if not os.path.exists(Pm2.binary):
        words = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", folder, "pm2"]
        subprocess.run(words, check=True, timeout=120)
    rows = {kind: {} for kind in KINDS}
    loads = [os.getloadavg()[0]]
    for _ in range(options.rounds):
        measure_round(rows, options.seconds)
        loads.append(os.getloadavg()[0])
    measure_losses(rows, options.reloads)
    loads.append(os.getloadavg()[0])
    measure_many(rows, options.many)
    loads.append(os.getloadavg()[0])
    node = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    print(
        "Node %s, PM2 %s, %d processors, load average %.0f to %.0f, %.0f s\n"
        % (node, version_of_pm2(), os.cpu_count(), min(loads), max(loads), time.monotonic() - BEGIN)
    )
    print_table(rows)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pm2", default="")
    parser.add_argument("--reloads", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement of requests")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--many", type=int, default=32, help="workers of the largest start")
    options = parser.parse_args()
    adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    folder = options.pm2 or tempfile.mkdtemp(prefix="uc-pm2-")
    try:
        compare(options, folder)
    finally:
        if not options.pm2:
            shutil.rmtree(folder, ignore_errors=True)


BEGIN = time.monotonic()
if __name__ == "__main__":
    sys.exit(main())
