"""A network namespace of our own, so that a test may set what else would be the whole machine's."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../benchmarks/loss"))
from stage import leave_network  # noqa: E402

CAP_BPF = 39


def enter():
    """This process and all that it starts from now on. The modes that can be had there: all of them, or plain only
    where that is not permitted (not root)."""
    try:
        leave_network()
    except OSError as error:
        print("mode plain only: %s" % error, flush=True)
        return ["plain"]
    modes = ["plain"]
    try:
        with open("/proc/sys/net/ipv4/tcp_migrate_req", "w") as migrate:
            migrate.write("1")
        modes.append("migrate")
    except OSError as error:
        print("no mode migrate: %s" % error, flush=True)
    if may_load_programs():
        modes.append("full")
    else:
        print("no mode full: no CAP_BPF", flush=True)
    return modes


def may_load_programs():
    with open("/proc/self/status") as status:
        effective = next(line for line in status if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> CAP_BPF & 1)
