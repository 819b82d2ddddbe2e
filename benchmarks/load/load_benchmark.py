#!/usr/bin/env python3
"""The load benchmarks: our server beside the others, on one machine, in one run.

    benchmarks/load/load_benchmark.py                     builds, runs all chapters (about 15 minutes), writes tables and plots
    benchmarks/load/load_benchmark.py --short             a minute's worth of nothing: shows that the machinery works (20 s)
    benchmarks/load/load_benchmark.py --long              endurance with ten million requests, more rounds
    ... --chapters=hello,static --peers=nginx,h2o --out=DIR --pm2

Chapters: hello, static (CPU time per request, paired), curve (latency against offered load), scaling (more workers),
opinions (other generators), start, idle, connections (memory of idle ones), endurance (growth and allocations).
Servers run on one core, load on another. Answers are checked before and while it is measured. What is not installed is
named, with the command that installs it. Everything written is in DIR: figures.json, figures.md, *.svg.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True

import report  # noqa: E402
import speed  # noqa: E402
import upkeep  # noqa: E402
from measure import FILES, Failed, Server, write_files  # noqa: E402
from peers import PEERS, add_pm2, program, root  # noqa: E402

CHAPTERS = {"hello": speed.hello_cpu, "static": speed.static_cpu, "curve": speed.curve, "scaling": speed.scaling,
            "opinions": speed.opinions, "start": upkeep.start, "idle": upkeep.idle, "connections": upkeep.connections,
            "endurance": upkeep.endurance}
DEFAULT_PEERS = ["epoll-floor", "uring-floor", "uring-cluster", "nginx", "h2o", "haproxy", "node", "node-cluster"]
SHORT_PEERS = ["epoll-floor", "uring-floor", "uring-cluster", "nginx"]
TARGETS = ["//tools:uring-cluster", "//tools/load:uring-cluster-load", "//benchmarks/floor/...", "//benchmarks/paired:paired",
           "//benchmarks/load/..."]

# How much of everything: name -> (usual, short, long).
AMOUNTS = {
    "rounds": (300, 3, 1000),
    "window_ms": (5, 5, 5),
    "largest_file": (FILES["/100m.bin"], FILES["/16k.bin"], FILES["/100m.bin"]),
    "point_seconds": (2.0, 0.2, 5.0),
    "repeats": (3, 1, 5),
    "rates": ([1000, 2000, 5000, 10000, 20000, 30000, 45000, 60000, 80000, 100000], [500],
              [1000, 2000, 5000, 10000, 15000, 20000, 30000, 45000, 60000, 80000, 100000, 130000]),
    "worker_counts": ([1, 2, 4, 8], [1, 2], [1, 2, 4, 8, 16]),
    "opinion_seconds": (5, 1, 10),
    "starts": (10, 1, 30),
    "many_workers": (64, 4, 64),
    "idle_seconds": (10.0, 0.5, 60.0),
    "idle_connections": (10000, 200, 10000),
    "endurance_requests": (1000000, 2000, 10000000),
}


class Setting:
    """Where and how much; what the chapters are given."""

    def __init__(self, arguments, folder):
        kind = 1 if arguments.short else 2 if arguments.long else 0
        for name, amounts in AMOUNTS.items():
            setattr(self, name, amounts[kind])
        self.peers = arguments.peers
        self.server_core, self.load_core = arguments.server_core, arguments.load_core
        self.folder = folder
        self.files = os.path.join(folder, "files")
        os.mkdir(self.files, 0o755)
        write_files(self.files, self.largest_file)

    def among(self, names):
        """Those of `names` that compete and are installed, in that order."""
        wanted = {*self.peers, *(["uring-cluster-static"] if "uring-cluster" in self.peers else [])}
        return [name for name in names if name in wanted and not PEERS[name].missing()]


def check_answers(setting):
    """Equal work: each server gives the same answer, and keeps the connection."""
    for name in setting.among([*setting.peers, "uring-cluster-static"]):
        with Server(name, setting.folder, setting.files) as server:
            if PEERS[name].hello:
                server.check()
            if PEERS[name].static:
                for path in FILES:
                    if os.path.exists(setting.files + path):
                        with open(setting.files + path, "rb") as body:
                            server.check(path, body.read())


def install_pm2(folder):
    if not program("npm"):
        raise Failed("--pm2 wants npm: apt-get install -y npm")
    subprocess.run([program("npm"), "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, "pm2"],
                   stdin=subprocess.DEVNULL, stdout=sys.stderr, check=True)
    add_pm2(folder)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--short", action="store_true")
    amount.add_argument("--long", action="store_true")
    parser.add_argument("--chapters", default=",".join(CHAPTERS))
    parser.add_argument("--peers", help="default: %s; with --short %s" % (",".join(DEFAULT_PEERS), ",".join(SHORT_PEERS)))
    parser.add_argument("--out", default="load-figures", help="a folder (default: %(default)s)")
    parser.add_argument("--pm2", action="store_true", help="install PM2 into a temporary folder and measure it, too")
    parser.add_argument("--no-build", action="store_true", help="what is measured has been built")
    parser.add_argument("--server-core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--load-core", type=int, default=min(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    arguments.chapters = arguments.chapters.split(",")
    arguments.peers = arguments.peers.split(",") if arguments.peers else SHORT_PEERS[:] if arguments.short else DEFAULT_PEERS[:]
    # Ratios are to the floor, whoever else is there.
    if "epoll-floor" in arguments.peers:
        arguments.peers.remove("epoll-floor")
    arguments.peers.insert(0, "epoll-floor")
    for name in arguments.chapters:
        if name not in CHAPTERS:
            parser.error("no chapter '%s'; there are: %s" % (name, ", ".join(CHAPTERS)))
    for name in arguments.peers:
        if name not in PEERS:
            parser.error("no peer '%s'; there are: %s" % (name, ", ".join(PEERS)))
    return arguments


def run(arguments, folder):
    if arguments.pm2:
        install_pm2(os.path.join(folder, "pm2"))
        arguments.peers.append("pm2")
    missing = {name: PEERS[name].missing() for name in arguments.peers if PEERS[name].missing()}
    for name, cure in missing.items():
        print("%s is not there: %s" % (name, cure), file=sys.stderr)
    setting = Setting(arguments, folder)
    figures = {"machine": {"kernel": platform.release(), "cores": len(os.sched_getaffinity(0)), "missing": missing,
                           "command": "benchmarks/load/load_benchmark.py " + " ".join(sys.argv[1:]),
                           "load_before": os.getloadavg()[0]}}
    check_answers(setting)
    for name in arguments.chapters:
        began = time.monotonic()
        figures[name] = CHAPTERS[name](setting)
        print("%s: %.0f s" % (name, time.monotonic() - began), file=sys.stderr)
    figures["machine"]["load_after"] = os.getloadavg()[0]
    return figures


def main():
    arguments = parse()
    if not arguments.no_build:
        subprocess.run(["bazel", "build", *TARGETS], cwd=root(), stdout=sys.stderr, check=True)
    folder = tempfile.mkdtemp(prefix="uc-load-")
    os.chmod(folder, 0o755)  # workers of others run as nobody
    try:
        figures = run(arguments, folder)
    except Failed as failure:
        print("error: %s" % failure, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(arguments.out, exist_ok=True)
    with open(os.path.join(arguments.out, "figures.json"), "w", encoding="utf-8") as out:
        json.dump(figures, out, indent=1)
        out.write("\n")
    text = report.markdown(figures)
    with open(os.path.join(arguments.out, "figures.md"), "w", encoding="utf-8") as out:
        out.write(text)
    report.plots(figures, arguments.out)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
