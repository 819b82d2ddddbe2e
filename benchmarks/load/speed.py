"""How fast: CPU time per request, latency against offered load, more workers, and what other generators say."""

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading

from measure import FILES, PATIENCE, Failed, Server, load, pause
from peers import program, tool

HELLO_WORKS = ("keep-alive:1", "keep-alive:64", "traced:64:1", "pipelined:64:16", "traced:64:16", "new:16")
STATIC_WORKS = ("get:16:/1k.bin", "get:16:/16k.bin", "get:4:/1m.bin", "get:1:/100m.bin")


def cpu(setting, names, works, rounds):
    """CPU time of all processes of each server per request, all servers alive and visited in rotation.

    It is the paired benchmark that does it; here it meets more servers. The first one named is what the others are
    compared with. Returns [{work, servers: [{server, cpu_ns_per_request, ratio, ratio_error, ...}]}].
    """
    here = os.path.dirname(os.path.realpath(__file__))
    orders = ["%s=exec %s %s/peers.py %s {port} {folder} %s 1 {request_bytes}" % (name, sys.executable, here, name, setting.files)
              for name in names]
    with tempfile.NamedTemporaryFile("r", suffix=".json", dir=setting.folder) as figures:
        done = subprocess.run(
            [tool("benchmarks/paired/paired"), "--set=none", "--works=" + ",".join(works), "--rounds=%d" % rounds,
             "--window=%dms" % setting.window_ms, "--server_core=%d" % setting.server_core,
             "--client_core=%d" % setting.load_core, "--json=" + figures.name, *orders],
            stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise Failed("paired: " + done.stderr.strip())
        return json.load(figures)


def hello_cpu(setting):
    """All servers at all works; at the pipelined one only those that answer pipelined requests."""
    return cpu(setting, setting.among(setting.peers), HELLO_WORKS, setting.rounds)


def static_cpu(setting):
    names = setting.among(["nginx", "uring-cluster-static", "h2o"])
    sizes = {work: FILES[work.split(":")[2]] for work in STATIC_WORKS}
    small = [work for work, size in sizes.items() if size < 1 << 20]
    # A visit is at least one answer, and a large one takes long.
    large = [work for work, size in sizes.items() if 1 << 20 <= size <= setting.largest_file]
    figures = cpu(setting, names, small, setting.rounds)
    return figures + (cpu(setting, names, large, max(3, setting.rounds // 10)) if large else [])


# --- Latency against offered load ---

def curve(setting):
    """Open loop at rising rates, the servers in turn at each rate; {server: [{rate, answered, p50, p99, p999, ...}]}."""
    names = [name for name in setting.among(setting.peers) if not name.startswith("uring-floor")]
    points = {name: [] for name in names}
    servers = {}
    try:
        for name in names:
            servers[name] = Server(name, setting.folder, setting.files, core=setting.server_core)
        for rate in setting.rates:
            for name, server in servers.items():
                if points[name] and points[name][-1]["answered"] < 0.8 * points[name][-1]["rate"]:
                    continue  # past its end already
                began = server.cpu()
                account = load(server.port, "--mode=keep-alive", "--connections=64", "--rate=%d" % rate, "--arrivals=poisson",
                               "--duration=%dms" % (setting.point_seconds * 1000), core=setting.load_core)
                points[name].append({
                    "rate": rate, "answered": account["requests_per_second"],
                    "p50_ms": account["latency_ms"]["p50"], "p99_ms": account["latency_ms"]["p99"],
                    "p999_ms": account["latency_ms"]["p999"], "not_begun": account["not_begun"],
                    "late_max_ms": account["late_max_ms"],
                    "cpu_us_per_request": (server.cpu() - began) / account["ok"] * 1e6})
    finally:
        for server in servers.values():
            server.close()
    return points


# --- More workers ---

def scaling(setting):
    """Closed loop, new and kept connections, on all cores: {server: [{workers, work, answers_per_second, cpu_us}]}.

    On few cores this says what more workers cost, not what they bring.
    """
    figures = {}
    for name in setting.among(["uring-cluster", "nginx", "haproxy", "node-cluster"]):
        for workers in setting.worker_counts:
            with Server(name, setting.folder, setting.files, workers) as server:
                load(server.port, "--mode=keep-alive", "--connections=64", "--duration=300ms")
                for work, flags in (("keep-alive", ["--mode=keep-alive"]), ("new", ["--mode=new"])):
                    rates, costs = [], []
                    for _ in range(setting.repeats):
                        before = server.cpu()
                        account = load(server.port, "--connections=64", "--source=127.0.0.2,127.0.0.3,127.0.0.4",
                                       "--duration=%dms" % (setting.point_seconds * 1000), *flags)
                        costs.append((server.cpu() - before) / account["ok"] * 1e6)
                        rates.append(account["requests_per_second"])
                    figures.setdefault(name, []).append({
                        "workers": workers, "work": work, "answers_per_second": statistics.median(rates),
                        "cpu_us": statistics.median(costs), "cpu_us_least": min(costs), "cpu_us_most": max(costs)})
    return figures


# --- Other generators ---

def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}[unit]


def wrk(port, seconds):
    done = subprocess.run([program("wrk"), "-t1", "-c16", "-d%d" % seconds, "--latency", "http://127.0.0.1:%d/" % port],
                          capture_output=True, text=True, timeout=PATIENCE + seconds, check=True)
    found = dict(re.findall(r"^\s+(50|75|90|99)%\s+(\S+)", done.stdout, re.M))
    return {"p50_ms": milliseconds(found["50"]), "p99_ms": milliseconds(found["99"]),
            "max_ms": milliseconds(re.search(r"Latency\s+\S+\s+\S+\s+(\S+)", done.stdout)[1]),
            "answers": int(re.search(r"(\d+) requests in", done.stdout)[1])}


def h2load(port, seconds):
    done = subprocess.run([program("h2load"), "--h1", "-t1", "-c16", "-D%d" % seconds, "http://127.0.0.1:%d/" % port],
                          capture_output=True, text=True, timeout=PATIENCE + seconds, check=True)
    times = re.search(r"time for request:\s+(\S+)\s+(\S+)\s+(\S+)", done.stdout)
    return {"p50_ms": None, "p99_ms": None, "max_ms": milliseconds(times[2]),
            "answers": int(re.search(r"(\d+) succeeded", done.stdout)[1])}


def ours(port, seconds, *flags):
    account = load(port, "--mode=keep-alive", "--connections=16", "--duration=%ds" % seconds, *flags)
    latency = account["latency_ms"]
    return {"p50_ms": latency["p50"], "p99_ms": latency["p99"], "max_ms": latency["max"], "answers": account["ok"]}


def opinions(setting):
    """Each generator meets a server that stands still for a fifth of the run: who says so?"""
    seconds = setting.opinion_seconds
    still = seconds / 5
    generators = {"uring-cluster-load --rate=2000": lambda port: ours(port, seconds, "--rate=2000"),
                  "uring-cluster-load, closed loop": lambda port: ours(port, seconds)}
    if program("wrk"):
        generators["wrk"] = lambda port: wrk(port, seconds)
    if program("h2load"):
        generators["h2load"] = lambda port: h2load(port, seconds)
    figures = {"still_ms": still * 1000, "seconds": seconds, "generators": {}}
    for name, generate in generators.items():
        with Server("epoll-floor", setting.folder, setting.files, core=setting.server_core) as server:
            def stand_still(pid=server.process.pid):
                pause(seconds / 2)
                os.kill(pid, signal.SIGSTOP)
                pause(still)
                os.kill(pid, signal.SIGCONT)
            stopper = threading.Thread(target=stand_still)
            stopper.start()
            try:
                figures["generators"][name] = generate(server.port)
            finally:
                stopper.join()
    return figures
