"""How evenly new and long-lived connections are spread, in each mode that can be had here."""

import ctypes
import os
import tempfile
import unittest

from cluster import Cluster, wait_until
from crowd import Crowd, await_connections, connections, unevenness

PR_CAPBSET_DROP = 24
CAP_BPF = 39


def capabilities(pid, which):
    with open("/proc/%s/status" % pid) as status:
        return int(next(line for line in status if line.startswith(which)).split()[1], 16)


def keep_bpf_alone():
    """In a child that is about to execute something: whoever is user 0 gets what is in the bounding set."""
    libc = ctypes.CDLL(None)
    for capability in range(64):
        if capability != CAP_BPF:
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def may_load_bpf():
    return capabilities("self", "CapEff") >> CAP_BPF & 1


@unittest.skipUnless(may_load_bpf(), "without CAP_BPF there is no mode full")
class Full(unittest.TestCase):
    def come(self, cluster, crowd, count, expected):
        """`count` connections more make it exactly `expected`. On a starved machine a worker may be suspected, and
        another one takes what waits in its queue, too: then only nearly."""
        before = len(cluster.lines)
        crowd.come(count)
        counts = await_connections(cluster, sum(expected))
        if any("as well" in line for line in cluster.lines[before:]):
            self.assertLess(unevenness(counts), 2)
        else:
            self.assertEqual(counts, expected)

    def test_long_lived_connections_are_exactly_even(self):
        with Cluster("hello", "-i", "4", "--mode=full") as cluster, Crowd(cluster.host, cluster.port) as crowd:
            self.assertEqual(cluster.view()["balance"], "least-connections")
            for count in (8, 64):
                self.come(cluster, crowd, count - len(crowd.connections), [count // 4] * 4)

    def test_those_who_leave_make_room(self):
        with Cluster("hello", "-i", "4", "--mode=full") as cluster, Crowd(cluster.host, cluster.port) as crowd:
            crowd.come(64)
            for connection in crowd.connections[:24]:
                connection.close()
            crowd.connections = crowd.connections[24:]
            await_connections(cluster, 40)
            self.come(cluster, crowd, 24, [16] * 4)

    def test_new_workers_get_the_new_connections_until_all_have_the_same(self):
        with Cluster("hello", "-i", "4", "--mode=full", "--norebalance") as cluster:
            with Crowd(cluster.host, cluster.port) as crowd:
                self.come(cluster, crowd, 32, [8] * 4)
                before = await_connections(cluster, 32)
                cluster.ok("scale", cluster.name, "8")
                self.assertEqual(await_connections(cluster, 32), [0] * 4 + before)
                self.come(cluster, crowd, 32, [8] * 8)
                crowd.ask()

    def test_new_workers_get_idle_connections_of_the_others(self):
        with Cluster("hello", "-i", "2", "--mode=full") as cluster, Crowd(cluster.host, cluster.port) as crowd:
            crowd.come(64)
            cluster.ok("scale", cluster.name, "4")
            wait_until(lambda: unevenness(connections(cluster)) <= 1.1, "they have their share")
            crowd.ask()
            self.come(cluster, crowd, 64, [32] * 4)

    def test_roll_keeps_the_balance(self):
        with Cluster("hello", "-i", "4", "--mode=full") as cluster, Crowd(cluster.host, cluster.port) as crowd:
            self.come(cluster, crowd, 64, [16] * 4)
            before = await_connections(cluster, 64)
            cluster.ok("reload", cluster.name)
            self.assertEqual(await_connections(cluster, 64), before)
            crowd.ask()
            self.come(cluster, crowd, 64, [32] * 4)

    def test_count_of_a_killed_worker_goes_with_it(self):
        with Cluster("hello", "-i", "4", "--mode=full", "--norebalance") as cluster:
            with Crowd(cluster.host, cluster.port) as crowd:
                crowd.come(64)
                killed = cluster.pids()[2]
                os.kill(killed, 9)
                wait_until(lambda: killed not in cluster.pids() and len(cluster.pids()) == 4, "a replacement")
                await_connections(cluster, 48)
                self.come(cluster, crowd, 16, [16] * 4)

    def test_successors_that_fail_their_probe_leave_no_trace_in_the_balance(self):
        with tempfile.TemporaryDirectory() as empty:
            os.chmod(empty, 0o755)
            with Cluster("static", empty, "-i", "2", "--mode=full", "--probe=/missing") as cluster:
                for _ in range(5):
                    code, _, err = cluster.cli("reload", cluster.name)
                    self.assertEqual(code, 1, err)
                with Crowd(cluster.host, cluster.port) as crowd:
                    self.come(cluster, crowd, 16, [8, 8])

    def test_round_robin_takes_turns(self):
        with Cluster("hello", "-i", "4", "--mode=full", "--balance=round-robin") as cluster:
            with Crowd(cluster.host, cluster.port) as crowd:
                self.come(cluster, crowd, 32, [8] * 4)

    def test_random_and_hash_reach_everybody(self):
        for balance in ("random", "hash"):
            with Cluster("hello", "-i", "4", "--mode=full", "--balance=" + balance) as cluster:
                self.assertEqual(cluster.view()["balance"], balance)
                with Crowd(cluster.host, cluster.port) as crowd:
                    crowd.come(64)
                    self.assertGreater(await_connections(cluster, 64)[0], 0, balance)


class Plain(unittest.TestCase):
    def test_hash_and_chance_reach_everybody(self):
        for balance in ("hash", "random"):
            with Cluster("hello", "-i", "4", "--mode=plain", "--balance=" + balance) as cluster:
                self.assertEqual(cluster.view()["balance"], balance)
                with Crowd(cluster.host, cluster.port) as crowd:
                    crowd.come(64)
                    self.assertGreater(await_connections(cluster, 64)[0], 0, balance)

    def test_what_cannot_be_had_falls_back_with_one_line(self):
        with Cluster("hello", "-i", "2", "--mode=plain", "--balance=round-robin") as cluster:
            cluster.wait_log("--balance=round-robin needs mode full.*the kernel's hash is used")
            self.assertEqual(cluster.view()["balance"], "hash")


@unittest.skipUnless(may_load_bpf() and os.getuid() == 0, "only the superuser can take capabilities away")
class Capability(unittest.TestCase):
    def test_one_capability_is_enough_and_is_given_up(self):
        with Cluster("hello", "-i", "2", "--mode=full", preexec=keep_bpf_alone) as cluster:
            for pid in [cluster.process.pid, *cluster.pids()]:
                self.assertEqual(capabilities(pid, "CapPrm"), 0, pid)
            self.assertEqual(cluster.get(), b"Hello from uring-cluster\n")
            cluster.ok("scale", cluster.name, "4")
            cluster.ok("reload", cluster.name)
            self.assertEqual(len(cluster.pids()), 4)


if __name__ == "__main__":
    unittest.main()
