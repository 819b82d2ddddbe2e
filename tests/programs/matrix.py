#!/usr/bin/env python3
"""Real programs of many languages under a cluster, each through the same matrix; prints one row of a table for each.

    bazel run //tests/programs:matrix -- [--way=front|direct] [--only=REGEX] [--install] [--list]

Each program runs in two slots while clients that never retry ask it with new and with kept connections: scaled up and
down, reloaded, killed (the program, not its worker), given broken versions (a reload must exit with 1), stopped. A cell is
"lost / attempts" of that step. Exit code 1: something was lost, a broken version was rolled out, or something outlived
`stop`. What is not installed is left out, in words; --install gets it first (Debian's packages, as root, and npm's). About
half a minute for each program. Not part of `tools/test`: it takes long and installs much.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.environ.get("BUILD_WORKSPACE_DIRECTORY") or os.path.dirname(os.path.dirname(HERE))
TOOLS = os.environ.get("UC_TOOLS", os.path.join(ROOT, ".bazel/bin/tools"))
os.environ.setdefault("UC_BINARY", os.path.join(TOOLS, "uring-cluster"))
os.environ["PATH"] += ":/usr/sbin"
sys.path.insert(0, os.path.join(ROOT, "tests/e2e"))
sys.dont_write_bytecode = True

from cluster import Cluster, exists, wait_until  # noqa: E402
from program import program_pids  # noqa: E402
from programs import PROGRAMS  # noqa: E402

LOAD = os.path.join(TOOLS, "load/uring-cluster-load")
DEBIAN = (
    "gcc golang-go default-jdk-headless gunicorn haproxy hypercorn libmojolicious-perl libplack-perl lighttpd musl-tools"
    " nginx-light nodejs npm php-cli puma python3-aiohttp python3-django python3-flask python3-tornado python3-waitress"
    " ruby ruby-sinatra ruby-webrick starman unicorn uvicorn"
)
MARK = "UC_MATRIX"
COLUMNS = ("scale", "reload", "kill -9", "broken")


def say(text):
    print(text, file=sys.stderr, flush=True)


class Loads:
    """Clients with new and with kept connections, at the same time; lost and attempts of each when they have ended."""

    def __init__(self, port, kept):
        self.clients = []
        for mode in ("new", "keep_alive") if kept else ("new",):
            words = [LOAD, "--target=127.0.0.1:%d" % port, "--mode=" + mode, "--json", "--timeout=10s"]
            words += ["--connections=6", "--rate=60", "--until_stdin_eof"]
            pipe = subprocess.PIPE
            self.clients.append(subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True))
        for client in self.clients:
            client.stdout.readline()

    def end(self):
        for client in self.clients:
            client.stdin.close()
        tallies = []
        for client in self.clients:
            tally = json.loads(client.stdout.read().splitlines()[-1])
            client.wait()
            tallies.append((tally["lost"], tally["attempts"]))
        return tallies


class Matrix:
    def __init__(self, way, npm):
        self.way, self.npm = way, npm
        self.faults = []

    # --- what a program needs ---

    def lacks(self, entry):
        missing = [command for command in entry.needs if shutil.which(command) is None]
        for package in entry.npm:
            name = package.split("@")[0]
            if not os.path.isdir(os.path.join(self.npm, "node_modules", name)):
                missing.append("npm's " + name)
        if entry.module and subprocess.run(["/usr/bin/python3", "-c", "import " + entry.module]).returncode != 0:
            missing.append("Python's " + entry.module)
        return missing

    def put(self, entry, folder):
        shutil.copytree(os.path.join(HERE, "apps"), folder)
        if entry.npm:
            os.symlink(os.path.join(self.npm, "node_modules"), os.path.join(folder, "node_modules"))
        if entry.build:
            environment = {**os.environ, "GOCACHE": os.path.join(folder, "cache"), "GOFLAGS": "-mod=mod", "GO111MODULE": "off"}
            subprocess.run(entry.build, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)

    # --- the steps ---

    def words(self, entry, folder):
        words = [word.replace("{npm}", self.npm) for word in entry.words]
        flags = ["-i", "2", "--cwd=" + folder, "--listen-timeout=20s", "--kill-timeout=10s"]
        return words[:1] + flags + (["--direct"] if self.way == "direct" else []) + words[1:]

    def step(self, entry, cluster, what, do):
        loads = Loads(cluster.port, entry.kept)
        begin = time.monotonic()
        try:
            done = do()
        finally:
            took = time.monotonic() - begin
            tallies = loads.end()
        for mode, (lost, _) in zip(("new", "kept"), tallies):
            if lost and not (what == "kill -9" and self.way == "direct"):
                self.faults.append("%s: %s: %d lost (%s)" % (entry.name, what, lost, mode))
        cell = ", ".join(("**%d / %d**" if lost else "%d / %d") % (lost, all_) for lost, all_ in tallies)
        return "%s; %.1f s%s" % (cell, took, done or "")

    def verb(self, entry, cluster, *words):
        code, _, err = cluster.cli(words[0], cluster.name, *words[1:])
        if code != 0:
            self.faults.append("%s: %s: exit code %d: %s" % (entry.name, " ".join(words), code, err.strip()[-200:]))

    def scale(self, entry, cluster):
        for count in ("3", "1", "2"):
            self.verb(entry, cluster, "scale", count)

    def reload(self, entry, cluster):
        for _ in range(2):
            self.verb(entry, cluster, "reload")

    def kill(self, entry, cluster):
        for _ in range(2):
            before = program_pids(cluster)
            os.kill(before[0], 9)

            def replaced():
                pids = program_pids(cluster)
                return len(pids) == 2 and 0 not in pids and before[0] not in pids

            wait_until(replaced, "a program is started again", 60)

    def broken(self, entry, cluster, folder):
        path = os.path.join(folder, entry.source)
        aborted = 0
        for what, text in entry.broken.items():
            shutil.copy(path, path + ".good")
            with open(path, "w") as out:
                out.write(text)
            code = cluster.cli("reload", cluster.name)[0]
            os.rename(path + ".good", path)
            aborted += code == 1
            if code != 1:
                self.faults.append("%s: a version that has %s: reload exits with %d" % (entry.name, what, code))
                self.verb(entry, cluster, "reload")
        return "; %d of %d abort" % (aborted, len(entry.broken))

    def row(self, entry):
        folder = os.path.join(tempfile.mkdtemp(prefix="uc-programs-"), "app")
        mark = uuid.uuid4().hex
        try:
            self.put(entry, folder)
            environment = {key: value.replace("{folder}", folder) for key, value in entry.env.items()}
            environment[MARK] = mark
            with Here(folder), Cluster(*self.words(entry, folder), env=environment) as cluster:
                cells = [
                    self.step(entry, cluster, "scale", lambda: self.scale(entry, cluster)),
                    self.step(entry, cluster, "reload", lambda: self.reload(entry, cluster)),
                    self.step(entry, cluster, "kill -9", lambda: self.kill(entry, cluster)),
                    "-" if not entry.broken else self.step(entry, cluster, "broken", lambda: self.broken(entry, cluster, folder)),
                ]
                begin = time.monotonic()
                self.verb(entry, cluster, "stop")
                took = time.monotonic() - begin
            left = [pid for pid in marked(mark) if exists(pid)]
            if left:
                self.faults.append("%s: outlived `stop`: %s" % (entry.name, left))
                for pid in left:
                    os.kill(pid, 9)
            return "| %s | %s | %.1f s%s |" % (entry.name, " | ".join(cells), took, ", **left %d**" % len(left) if left else "")
        finally:
            shutil.rmtree(os.path.dirname(folder), ignore_errors=True)


class Here:
    """Programs are looked up where one stands."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        self.before = os.getcwd()
        os.chdir(self.folder)

    def __exit__(self, *_):
        os.chdir(self.before)


def marked(mark):
    word = ("%s=%s" % (MARK, mark)).encode()
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % entry, "rb") as environment:
                if word in environment.read().split(b"\0"):
                    found.append(int(entry))
        except OSError:
            continue
    return found


def install(npm):
    subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *DEBIAN.split()], check=True)
    packages = sorted({package for entry in PROGRAMS for package in entry.npm})
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", npm, *packages], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--way", choices=("front", "direct"), default="front")
    parser.add_argument("--only", default="", help="of the names, a regular expression")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--npm", default=os.path.join(tempfile.gettempdir(), "uc-programs-npm"), help="a folder for npm's packages")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    chosen = [entry for entry in PROGRAMS if re.search(options.only, entry.name)]
    if options.list:
        return print("\n".join(entry.name for entry in chosen))
    os.makedirs(options.npm, exist_ok=True)
    if options.install:
        install(options.npm)
    matrix = Matrix(options.way, options.npm)
    print("| program | %s | stop |" % " | ".join(COLUMNS))
    print("|---" * (len(COLUMNS) + 2) + "|", flush=True)
    left_out = []
    for entry in chosen:
        missing = matrix.lacks(entry)
        if missing:
            left_out.append("%s (%s)" % (entry.name, ", ".join(missing)))
            continue
        try:
            print(matrix.row(entry), flush=True)
        except Exception as error:  # a program that does not even start is a row, too
            reason = str(error).strip().splitlines()
            matrix.faults.append("%s: %s" % (entry.name, "\n    ".join(reason[-6:])))
            print("| %s | **%s** |" % (entry.name, type(error).__name__), flush=True)
    for fault in matrix.faults:
        say("fault: " + fault)
    if left_out:
        say("not installed (--install): " + "; ".join(left_out))
    return 1 if matrix.faults or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
