#!/usr/bin/env python3
"""How evenly connections are spread over the workers, per mode and --balance; and what steering costs.

    bazel build //tools:uring-cluster
    benchmarks/balance/balance.py               all of it: two tables in Markdown (as root, for mode full)
    benchmarks/balance/balance.py --trials 1    quicker, and what depends on chance is less certain

A figure is max/mean of the workers' long-lived connections, 1.00 is exactly even; where chance decides, it is the mean
of the trials. The cost is the kernel's own count of the program's run time (kernel.bpf_stats_enabled, put back
afterwards), the median of many short windows. It is wall-clock: interrupts and other users of the processor are in it.
"""

import argparse
import os
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault("UC_BINARY", os.path.join(ROOT, ".bazel/bin/tools/uring-cluster"))
sys.path.insert(0, os.path.join(ROOT, "tests/e2e"))
from cluster import Cluster, wait_until  # noqa: E402
from crowd import Crowd, await_connections, connections, unevenness  # noqa: E402

WAYS = [
    ("full", "least-connections"),
    ("full", "round-robin"),
    ("full", "random"),
    ("full", "hash"),
    ("plain", "hash"),
    ("plain", "random"),
]
EXACT = ("least-connections", "round-robin")
SIZES = (8, 64, 1000)
STATS = "/proc/sys/kernel/bpf_stats_enabled"
WINDOW = 50  # connections


def start(way, workers, *flags):
    mode, balance = way
    return Cluster("hello", "-i", str(workers), "--mode=" + mode, "--balance=" + balance, *flags)


def measure(cluster, count):
    return unevenness(await_connections(cluster, count))


def spread(way, size):
    with start(way, 4) as cluster, Crowd(cluster.host, cluster.port) as crowd:
        crowd.come(size)
        return measure(cluster, size)


def come_to_rest(cluster, count):
    """The figure when the counts have been the same for a second."""
    last, since = None, time.monotonic()

    def still():
        nonlocal last, since
        now = connections(cluster)
        if now != last:
            last, since = now, time.monotonic()
        return sum(now) == count and time.monotonic() > since + 1

    wait_until(still, "the connections come to rest")
    return unevenness(last)


def scale_up(way, rebalance):
    """64 connections on 4 workers, then 8 workers; then 64 connections more."""
    with start(way, 4, rebalance) as cluster, Crowd(cluster.host, cluster.port) as crowd:
        crowd.come(64)
        await_connections(cluster, 64)
        cluster.ok("scale", cluster.name, "8")
        before = come_to_rest(cluster, 64)
        crowd.ask()
        crowd.come(64)
        return before, measure(cluster, 128)


def roll(way):
    """64 connections on 4 workers, a reload; then 64 connections more."""
    with start(way, 4) as cluster, Crowd(cluster.host, cluster.port) as crowd:
        crowd.come(64)
        await_connections(cluster, 64)
        cluster.ok("reload", cluster.name)
        before = come_to_rest(cluster, 64)
        crowd.ask()
        crowd.come(64)
        return before, measure(cluster, 128)


def mean(trials, way, trial):
    """Of each figure that the trial returns."""
    results = [trial() for _ in range(1 if way[1] in EXACT else trials)]
    if not isinstance(results[0], tuple):
        return statistics.mean(results)
    return tuple(statistics.mean(column) for column in zip(*results))


def balance_table(ways, trials):
    print("\nmax/mean of the connections of 4 workers; `a, b`: 64 connections after the change, and 64 more\n")
    print("| mode | balance | " + " | ".join(map(str, SIZES)) + " | scale 4 to 8, --norebalance | scale 4 to 8 | roll |")
    print("|---|---|" + "---|" * (len(SIZES) + 3))
    for way in ways:
        cells = ["%.2f" % mean(trials if size < 1000 else 1, way, lambda size=size: spread(way, size)) for size in SIZES]
        cells.append("%.2f, %.2f" % mean(trials, way, lambda: scale_up(way, "--norebalance")))
        cells.append("%.2f, %.2f" % mean(trials, way, lambda: scale_up(way, "--rebalance")))
        cells.append("%.2f, %.2f" % mean(trials, way, lambda: roll(way)))
        print("| %s | %s | %s |" % (*way, " | ".join(cells)), flush=True)


def steering_runs(pid):
    """(nanoseconds, runs) of the program that a coordinator holds."""
    for entry in os.listdir("/proc/%d/fdinfo" % pid):
        with open("/proc/%d/fdinfo/%s" % (pid, entry)) as lines:
            fields = dict(line.split(":", 1) for line in lines if ":" in line)
        if "run_time_ns" in fields:
            return int(fields["run_time_ns"]), int(fields["run_cnt"])
    raise AssertionError("the coordinator holds no program")


def cost(balance, workers, windows):
    with start(("full", balance), workers) as cluster:
        samples = []
        for _ in range(windows):
            with Crowd(cluster.host, cluster.port) as crowd:
                before = steering_runs(cluster.process.pid)
                crowd.come(WINDOW)
                after = steering_runs(cluster.process.pid)
            samples.append((after[0] - before[0]) / (after[1] - before[1]))
        return statistics.median(samples)


def cost_table(windows):
    with open(STATS) as file:
        before = file.read()
    with open(STATS, "w") as file:
        file.write("1")
    try:
        print("\nns of the steering program per connection\n")
        print("| balance | 4 workers | 16 | 64 |\n|---|---|---|---|")
        for mode, balance in WAYS:
            if mode == "full":
                print("| %s | %s |" % (balance, " | ".join("%.0f" % cost(balance, n, windows) for n in (4, 16, 64))), flush=True)
    finally:
        with open(STATS, "w") as file:
            file.write(before)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10, help="where chance decides")
    parser.add_argument("--windows", type=int, default=20, help="of the cost, 50 connections each; 0: no cost")
    arguments = parser.parse_args()
    privileged = os.getuid() == 0
    if not privileged:
        print("not root: mode full is left out", file=sys.stderr)
    balance_table([way for way in WAYS if privileged or way[0] == "plain"], arguments.trials)
    if privileged and arguments.windows:
        cost_table(arguments.windows)


main()
