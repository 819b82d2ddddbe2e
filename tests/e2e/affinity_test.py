"""--cpu-affinity: where workers run, through a roll and through scaling; and who gets a connection then."""

import os
import socket
import unittest

from cluster import Cluster, PATIENCE, read_response

CORES = sorted(os.sched_getaffinity(0))


def places(cluster):
    """Core by slot; nothing else is allowed to any of them."""
    return {worker["slot"]: os.sched_getaffinity(worker["pid"]) for worker in cluster.workers()}


def expected(slots):
    return {slot: {CORES[slot % len(CORES)]} for slot in range(slots)}


class Affinity(unittest.TestCase):
    def test_slot_k_runs_on_core_k_whatever_happens_to_its_workers(self):
        with Cluster("hello", "-i", "2", "--cpu-affinity") as cluster:
            self.assertEqual(places(cluster), expected(2))
            cluster.ok("reload", cluster.name)
            self.assertEqual(places(cluster), expected(2))
            cluster.ok("scale", cluster.name, "3")
            self.assertEqual(places(cluster), expected(3))
            self.assertEqual(os.sched_getaffinity(cluster.process.pid), set(CORES), "the coordinator is free")

    def test_without_the_flag_nobody_is_pinned(self):
        with Cluster("hello", "-i", "2") as cluster:
            self.assertEqual(set(map(frozenset, places(cluster).values())), {frozenset(CORES)})
            self.assertFalse([line for line in cluster.lines if "--cpu-affinity" in line])

    def test_more_workers_than_cores_are_told_once(self):
        with Cluster("hello", "-i", str(len(CORES) + 1), "--cpu-affinity") as cluster:
            told = [line for line in cluster.lines if "--cpu-affinity" in line]
            self.assertEqual(len(told), 1, told)
            self.assertIn("%d workers share %d cores" % (len(CORES) + 1, len(CORES)), told[0])

    @unittest.skipIf(len(CORES) < 2, "one core")
    def test_with_the_kernels_hash_a_connection_goes_to_the_worker_of_its_core(self):
        with Cluster("hello", "-i", "2", "--cpu-affinity", "--balance=hash", "--mode=plain") as cluster:
            for core in (1, 0, 1):
                before = {worker["slot"]: worker["requests"] for worker in cluster.workers()}
                self.ask_from(CORES[core], cluster, 12)
                after = {worker["slot"]: worker["requests"] for worker in cluster.workers()}
                grown = {slot: after[slot] - before[slot] for slot in after}
                self.assertEqual(grown, {core: 12, 1 - core: 0})

    def ask_from(self, core, cluster, times):
        everywhere = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {core})
        try:
            for _ in range(times):
                with socket.create_connection(("127.0.0.1", cluster.port), PATIENCE) as connection:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    self.assertIn(b"200", read_response(connection)[0])
        finally:
            os.sched_setaffinity(0, everywhere)


if __name__ == "__main__":
    unittest.main()
