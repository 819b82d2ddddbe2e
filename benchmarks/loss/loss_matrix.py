#!/usr/bin/env python3
"""The loss matrix: what is lost by each change of a cluster, in each mode, under each load, near and far.

    bazel build //tools:uring-cluster //tools/load:uring-cluster-load //tools/delay_line:uring-cluster-delay-line
    benchmarks/loss/loss_matrix.py              all of it, a table at the end (as root: namespaces, other users)
    benchmarks/loss/loss_matrix.py --change roll,kill --mode full --load new --rtt 0,20 --repeat 5 --json FILE
    benchmarks/loss/loss_matrix.py --app program   the same of a Node program behind its workers

Every attempt of the load client is accounted for; it never retries. A planned change may lose nothing; a kill -9 at
most what was in flight in the dead worker; of a program behind a worker, nothing that may be asked again.
"""

import argparse
import json
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stage import CannotRun, Cluster, Load, kill, network, wait_until  # noqa: E402

WORKERS = 4
LOADS = {
    "new": ["--mode=new", "--connections=64"],
    "rate": ["--mode=new", "--connections=400", "--rate=500"],
    "keep-alive": ["--mode=keep-alive", "--connections=50", "--think=10ms"],
}
REPEAT = {"none": 5, "roll": 20, "scale": 20, "kill": 20, "program": 20, "stop": 5, "coordinator": 5}
BETWEEN = 200  # requests that are answered between a change and the next one: each one meets a cluster at work


def none(cluster, repeat, _):
    """What the machine itself makes slow."""
    for _ in range(repeat):
        cluster.await_requests(BETWEEN * 5)


def roll(cluster, repeat, _):
    for _ in range(repeat):
        cluster.await_requests(BETWEEN)
        cluster.verb("reload", "hello")


def scale(cluster, repeat, _):
    for _ in range(repeat):
        for count in ("2", "8"):
            cluster.await_requests(BETWEEN)
            cluster.verb("scale", "hello", count)


def kill_workers(cluster, repeat, chance):
    for _ in range(repeat):
        cluster.await_requests(BETWEEN)
        kill(chance.choice(cluster.serving())["pid"], signal.SIGKILL)
        cluster.await_whole()


def kill_programs(cluster, repeat, chance):
    for _ in range(repeat):
        cluster.await_requests(BETWEEN)
        pid = chance.choice(cluster.serving())["program_pid"]
        kill(pid, signal.SIGKILL)
        wait_until(lambda: pid not in [worker["program_pid"] for worker in cluster.view()["workers"]], "it is replaced")
        cluster.await_whole()


def stop_workers(cluster, repeat, chance):
    for _ in range(repeat):
        cluster.await_requests(BETWEEN)
        pid = chance.choice(cluster.serving())["pid"]
        kill(pid, signal.SIGSTOP)
        wait_until(lambda: pid not in [worker["pid"] for worker in cluster.view()["workers"]], "it is replaced")
        cluster.await_whole()


def kill_coordinator(cluster, repeat, _):
    for _ in range(repeat):
        cluster.await_requests(BETWEEN)
        kill(cluster.view()["coordinator_pid"], signal.SIGKILL)
        wait_until(lambda: not cluster.view()["running"], "the coordinator is gone")
        cluster.await_requests(BETWEEN)
        cluster.start()
        cluster.verb("scale", "hello", "+1")
        cluster.verb("reload", "hello")
        cluster.verb("scale", "hello", "-1")


CHANGES = {"none": none, "roll": roll, "scale": scale, "kill": kill_workers, "program": kill_programs,
           "stop": stop_workers, "coordinator": kill_coordinator}
FLAGS = {
    "kill": ["--min-uptime=1ms"],  # each death is the first one: no back-off
    "program": ["--min-uptime=1ms"],
    "stop": ["--hang-timeout=3s"],  # instead of 10 s, so that the whole course fits into the run
}


def run_course(changes, mode, load, rtt_ms, seed=1, app="hello"):
    """The load client's account over all changes ({name: how often}), or CannotRun."""
    net = network(rtt_ms)
    try:
        flags = [flag for change in changes for flag in FLAGS.get(change, [])]
        cluster = Cluster(net, mode, 8 if "scale" in changes else WORKERS, *flags, app=app)
        try:
            with Load(net, *LOADS[load]) as client:
                for change, repeat in changes.items():
                    CHANGES[change](cluster, repeat, random.Random(seed))
                cluster.await_requests(BETWEEN)
                account = client.finish()
            account["cluster_log"] = cluster.log()
            return account
        finally:
            cluster.close()
    finally:
        net.close()


def judge(change, load, account, repeat):
    """"" or what is wrong."""
    if account["local_error"]:
        return "the client's own fault %d times" % account["local_error"]
    if change == "kill":
        # Of keep-alive connections all that the dead worker had are reset, idle or not; at worst it had all.
        bound = repeat * 50 if load == "keep-alive" else (repeat + 1) // 2
        return "" if account["lost"] <= bound else "%d lost in %d kills" % (account["lost"], repeat)
    if change == "stop" and load == "keep-alive":
        return ""  # those that the stuck worker had accepted are reset when it is killed: said in the table
    return "" if account["lost"] == 0 else "%d lost" % account["lost"]


def text(change, account):
    shown = "%d / %d" % (account["lost"], account["attempts"])
    if change in ("none", "stop"):
        shown += ", %d slow" % account["slow"]
    return shown


def table(results, arguments):
    columns = [(load, rtt) for load in arguments.load for rtt in arguments.rtt]
    lines = ["| change | mode | " + " | ".join("%s, RTT %d ms" % column for column in columns) + " |",
             "|---|---|" + "---|" * len(columns)]
    for change in arguments.change:
        for mode in arguments.mode:
            cells = [results.get((change, mode, load, rtt), "-") for load, rtt in columns]
            lines.append("| %s x %d | %s | %s |" % (change, arguments.counts[change], mode, " | ".join(cells)))
    return "\n".join(lines)


def parse():
    parser = argparse.ArgumentParser(description="lost / attempts for each change, mode, load and distance")
    parser.add_argument("--app", choices=("hello", "program"), default="hello")
    parser.add_argument("--change", help="of " + ", ".join(CHANGES))
    parser.add_argument("--mode", default="full,migrate,plain")
    parser.add_argument("--load", default=",".join(LOADS))
    parser.add_argument("--rtt", default="0,20")
    parser.add_argument("--repeat", type=int)
    parser.add_argument("--json", help="write all accounts into this file")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if not arguments.change:
        arguments.change = ",".join(change for change in CHANGES if change != "program" or arguments.app == "program")
    for name in ("change", "mode", "load", "rtt"):
        setattr(arguments, name, getattr(arguments, name).split(","))
    arguments.rtt = [int(rtt) for rtt in arguments.rtt]
    counts = dict(REPEAT)
    if arguments.repeat:
        counts = {change: arguments.repeat for change in counts}
    arguments.counts = counts
    return arguments


def main():
    arguments = parse()
    results, accounts, wrong = {}, {}, []
    for change in arguments.change:
        for mode in arguments.mode:
            for load in arguments.load:
                for rtt in arguments.rtt:
                    cell = (change, mode, load, rtt)
                    began = time.monotonic()
                    repeat = arguments.counts[change]
                    try:
                        account = run_course({change: repeat}, mode, load, rtt, arguments.seed, arguments.app)
                    except CannotRun as reason:
                        results[cell] = "cannot run: %s" % reason
                        print(*cell, results[cell], file=sys.stderr)
                        continue
                    results[cell] = text(change, account)
                    accounts[" ".join(map(str, cell))] = account
                    fault = judge(change, load, account, repeat)
                    if fault:
                        wrong.append("%s: %s" % (" ".join(map(str, cell)), fault))
                    kinds = {k: v for k, v in account.items() if isinstance(v, int) and v and k not in ("attempts", "ok")}
                    print("%-11s %-8s %-10s %2d ms: %s %s (%.0f s)" % (*cell, results[cell], kinds,
                          time.monotonic() - began), file=sys.stderr)
    print(table(results, arguments))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as out:
            json.dump(accounts, out, indent=1)
    for line in wrong:
        print("WRONG:", line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
