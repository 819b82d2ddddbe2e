"""What it costs to be there: start, memory, idling, ten million requests."""

import os
import select
import socket
import statistics
import struct
import subprocess
import tempfile
import time

from measure import PATIENCE, Failed, IdleLoad, Server, cpu_seconds, load, pause, status
from peers import tool


def summary(values):
    return {"median": statistics.median(values), "least": min(values), "most": max(values), "runs": len(values)}


# --- Start ---

class ReadyWord:
    """systemd's notification socket: the coordinator says READY=1 when all workers serve."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.environment = {"NOTIFY_SOCKET": self.path}

    def wait(self):
        while select.select([self.socket], [], [], PATIENCE)[0]:
            if b"READY=1" in self.socket.recv(4096):
                return
        raise Failed("the coordinator does not say READY=1")

    def close(self):
        self.socket.close()
        os.unlink(self.path)


def all_serving(setting, workers):
    """From exec until the coordinator says that all of them serve; in seconds."""
    with tempfile.TemporaryDirectory(dir=setting.folder) as folder:
        word = ReadyWord(folder)
        began = time.monotonic()
        process = subprocess.Popen(
            [tool("tools/uring-cluster"), "start", "hello", "-i", str(workers), "--listen=127.0.0.1:0", "--run-dir=" + folder],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, **word.environment})
        try:
            word.wait()
            return time.monotonic() - began
        finally:
            process.terminate()
            process.wait(PATIENCE)
            word.close()


def start(setting):
    """Milliseconds; the servers in turn, again and again."""
    names = setting.among(["uring-cluster", "nginx", "h2o", "haproxy", "node", "node-cluster", "pm2"])
    first = {name: [] for name in names}
    whole = []
    for _ in range(setting.starts):
        for name in names:
            with Server(name, setting.folder, setting.files, workers=2) as server:
                first[name].append(server.first_answer_seconds * 1000)
        whole.append(all_serving(setting, setting.many_workers) * 1000)
    return {"first_answer_ms": {name: summary(values) for name, values in first.items()},
            "all_serving_ms": {"workers": setting.many_workers, **summary(whole)}}


# --- Idling ---

def switches(pid):
    return status(pid, "voluntary_ctxt_switches") + status(pid, "nonvoluntary_ctxt_switches")


def idle(setting):
    """A coordinator and its many workers that have nothing to do."""
    with Server("uring-cluster", setting.folder, setting.files, workers=setting.many_workers) as server:
        pause(setting.idle_seconds / 4)  # what comes right after the start is no idling
        coordinator, workers = server.process.pid, server.workers()
        before = cpu_seconds([coordinator]), cpu_seconds(workers), sum(map(switches, workers)), switches(coordinator)
        pause(setting.idle_seconds)
        after = cpu_seconds([coordinator]), cpu_seconds(workers), sum(map(switches, workers)), switches(coordinator)
        used = [(late - early) / setting.idle_seconds for early, late in zip(before, after)]
        return {"workers": len(workers), "coordinator_rss_kb": status(coordinator, "VmRSS"),
                "coordinator_anonymous_kb": status(coordinator, "RssAnon"),
                "coordinator_cpu_ms_per_second": used[0] * 1000, "coordinator_wakeups_per_second": used[3],
                "worker_cpu_ms_per_second": used[1] * 1000 / len(workers),
                "worker_wakeups_per_second": used[2] / len(workers),
                "worker_rss_kb": statistics.median(status(pid, "VmRSS") for pid in workers)}


def connections(setting):
    """User memory of idle keep-alive connections, bytes each: how much a server of one worker has grown by them."""
    figures = {}
    for name in setting.among(["uring-cluster", "nginx", "h2o", "node"]):
        with Server(name, setting.folder, setting.files) as server:
            load(server.port, "--mode=keep-alive", "--connections=64", "--requests=20000")
            before = sum(status(pid, "VmRSS") for pid in server.pids())
            with IdleLoad(server.port, setting.idle_connections):
                grown = sum(status(pid, "VmRSS") for pid in server.pids()) - before
            figures[name] = {"connections": setting.idle_connections, "bytes_each": grown * 1024 / setting.idle_connections}
    return figures


# --- Endurance ---

COUNTER = struct.Struct("<Q")


def endurance(setting):
    """Growth of RSS and calls of the allocator over many requests, kept and new connections."""
    counted = os.path.join(setting.folder, "allocations")
    with open(counted, "wb") as out:
        out.write(bytes(COUNTER.size))

    def allocations():
        with open(counted, "rb") as counter:
            return COUNTER.unpack(counter.read())[0]

    environment = {"LD_PRELOAD": tool("benchmarks/load/libcount_allocations.so"), "UC_ALLOCATIONS": counted}
    figures = {}
    with Server("uring-cluster", setting.folder, setting.files, core=setting.server_core, environment=environment) as server:
        (worker,) = server.workers()
        if allocations() == 0:
            raise Failed("the allocations of the worker are not counted: is it linked statically?")
        for work, flags in (("keep-alive", ["--mode=keep-alive", "--pipeline=4"]), ("new", ["--mode=new"])):
            requests = setting.endurance_requests if work == "keep-alive" else setting.endurance_requests // 20
            flags = flags + ["--connections=64", "--source=127.0.0.2,127.0.0.3,127.0.0.4"]
            load(server.port, "--requests=%d" % min(requests, 100000), *flags, core=setting.load_core)
            before = status(worker, "VmRSS"), allocations(), cpu_seconds([worker])
            load(server.port, "--requests=%d" % requests, *flags, core=setting.load_core)
            figures[work] = {"requests": requests, "rss_kb_before": before[0],
                             "rss_kb_grown": status(worker, "VmRSS") - before[0],
                             "allocations": allocations() - before[1],
                             "allocations_per_request": (allocations() - before[1]) / requests,
                             "cpu_us_per_request": (cpu_seconds([worker]) - before[2]) / requests * 1e6}
    return figures
