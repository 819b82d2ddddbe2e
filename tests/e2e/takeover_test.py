"""The coordinator dies and its workers do not: nothing is lost, and the next one goes on with them."""

import contextlib
import os
import re
import shutil
import signal
import tempfile
import unittest

import network
from cluster import GET, Background, Cluster, exists, fixture, read_response, wait_until
from load import PLANNED_MAX, Load

MODES = network.enter()
NOBODY = 65534


class Case(unittest.TestCase):
    def orphaned(self, cluster):
        """Its coordinator is killed; the workers have noticed."""
        cluster.process.kill()
        cluster.process.wait()

    def next(self, cluster, *flags, wait=True):
        """A coordinator that is started like the one before it."""
        heir = Cluster(*cluster.arguments, *flags, listen=cluster.addresses, base=cluster.base, wait=wait)
        self.addCleanup(heir.close)
        return heir

    def cluster(self, *arguments, **options):
        cluster = Cluster(*arguments, **options)
        cluster.arguments = [argument for argument in arguments if not re.match(r"-i$|\d+$", argument)]
        self.addCleanup(cluster.close)
        return cluster


class InEachMode(Case):
    """What is lost is counted over the whole course: the death, the time without a coordinator, and after it."""

    def each(self):
        for mode in MODES:
            for fresh in (True, False):
                with self.subTest(mode=mode, fresh=fresh), contextlib.ExitStack() as stack:
                    cluster = self.cluster("hello", "-i", "3", "--mode=" + mode)
                    load = stack.enter_context(Load(cluster, threads=3, fresh=fresh, pause=0.001))
                    yield cluster, load
                    load.stop()
                    self.assertLessEqual(load.lost, PLANNED_MAX[mode] if fresh else 0, load.failures)
                    cluster.close()

    def test_workers_serve_on_and_the_next_coordinator_goes_on_with_them(self):
        for cluster, load in self.each():
            before = cluster.pids()
            mode = cluster.view()["mode"].split(":")[0]
            self.orphaned(cluster)
            served = load.counts["ok"]
            wait_until(lambda: load.counts["ok"] > served + 50, "they serve on")
            self.assertTrue(all(map(exists, before)))
            heir = self.next(cluster)
            self.assertEqual(heir.pids(), before)
            self.assertEqual(heir.view()["mode"].split(":")[0], mode)
            heir.ok("scale", heir.name, "5")
            self.assertTrue(set(before) < set(heir.pids()))
            heir.ok("reload", heir.name)
            self.assertFalse(set(before) & set(heir.pids()))
            heir.ok("scale", heir.name, "2")
            self.assertEqual(len(heir.pids()), 2)
            load.stop()
            heir.ok("stop", heir.name)
            self.assertEqual(heir.orphans(), [])

    def test_what_the_dead_one_had_begun_is_put_in_order(self):
        """It dies in mid-roll, with a successor that soaks, and when it has just begun to scale down."""
        for cluster, load in self.each():
            self.orphaned(cluster)
            heir = self.next(cluster, "--soak=1h")
            reload = Background(heir, "reload", heir.name)
            wait_until(lambda: len(heir.workers()) == 4, "a successor soaks")
            self.orphaned(heir)
            self.assertEqual(reload.wait()[0], 1)
            heir = self.next(cluster)
            wait_until(lambda: len(heir.view()["workers"]) == 3, "a worker for each slot")
            scale = Background(heir, "scale", heir.name, "1")
            wait_until(lambda: heir.view()["workers_wanted"] == 1, "it has begun")
            self.orphaned(heir)
            scale.wait()  # it may have been quick enough to be done
            heir = self.next(cluster)
            wait_until(lambda: len(heir.view()["workers"]) == 1, "the others have left")
            heir.ok("scale", heir.name, "3")
            load.stop()
            heir.ok("stop", heir.name)


class WhileNobodyLooks(Case):
    def test_worker_that_died_is_replaced_by_the_next_coordinator(self):
        for mode in MODES:
            with self.subTest(mode):
                cluster = self.cluster("hello", "-i", "3", "--mode=" + mode)
                before = cluster.pids()
                self.orphaned(cluster)
                os.kill(before[0], signal.SIGKILL)
                wait_until(lambda: not exists(before[0]), "it is gone")
                heir = self.next(cluster)
                wait_until(lambda: len(heir.pids()) == 3, "a replacement")
                self.assertEqual(set(heir.pids()) & set(before), set(before[1:]))
                with Load(heir, threads=3, fresh=True) as load:
                    heir.ok("reload", heir.name)
                self.assertEqual(load.lost, 0, load.failures)
                cluster.close()

    def test_worker_that_is_stopped_does_not_hold_the_next_coordinator_up(self):
        cluster = self.cluster("hello", "-i", "2", "--hang-timeout=1s")
        before = cluster.pids()
        self.orphaned(cluster)
        os.kill(before[0], signal.SIGSTOP)
        heir = self.next(cluster)
        heir.wait_log(r"\(pid %d\) does not answer its new coordinator yet" % before[0])
        heir.wait_log(r"\(pid %d\) is killed: its heartbeat has stopped" % before[0])
        wait_until(lambda: len(heir.pids()) == 2 and before[0] not in heir.pids(), "a replacement")
        heir.ok("reload", heir.name)

    def test_worker_that_only_paused_is_obeyed_again(self):
        cluster = self.cluster("hello", "-i", "2", "--hang-timeout=1m")
        before = cluster.pids()
        self.orphaned(cluster)
        os.kill(before[0], signal.SIGSTOP)
        heir = self.next(cluster)
        os.kill(before[0], signal.SIGCONT)
        with Load(heir, threads=2, fresh=True) as load:
            heir.ok("reload", heir.name)
        self.assertEqual(load.lost, 0, load.failures)
        self.assertFalse(set(before) & set(heir.pids()))

    def test_all_workers_died_too(self):
        cluster = self.cluster("hello", "-i", "2")
        before = cluster.pids()
        self.orphaned(cluster)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        heir = self.next(cluster)
        self.assertEqual(heir.get(), b"Hello from uring-cluster\n")

    def test_totals_go_on(self):
        cluster = self.cluster("hello", "-i", "2")
        for _ in range(20):
            cluster.get()
        before = cluster.pids()
        self.orphaned(cluster)
        os.kill(before[0], signal.SIGKILL)
        heir = self.next(cluster)
        self.assertEqual(heir.view()["totals"]["requests"], 20)

    def test_connection_with_a_request_in_flight_goes_on(self):
        cluster = self.cluster(fixture("libfixture.so"), "-i", "2", "--name=web")
        with cluster.connect() as connection:
            connection.sendall(b"GET /defer?ms=1500 HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda: any(worker["in_flight"] for worker in cluster.workers()), "a request in flight")
            self.orphaned(cluster)
            heir = self.next(cluster)
            heir.ok("reload", "web")
            self.assertEqual(read_response(connection)[1], b"late /defer?ms=1500\n")
            connection.sendall(GET)
            self.assertEqual(read_response(connection)[1], b"fixture 0\n")


class NotLikeThis(Case):
    def refused(self, cluster, *flags, listen=None):
        heir = Cluster(*cluster.arguments, *flags, listen=listen or cluster.addresses, base=cluster.base, wait=False)
        try:
            code = heir.wait_exit()
        finally:
            heir.process.stderr.close()
        self.assertEqual(code, 2, heir.lines)
        return heir.lines[-1]

    def test_with_another_address(self):
        cluster = self.cluster("hello", "-i", "2")
        before = cluster.pids()
        self.orphaned(cluster)
        self.assertRegex(self.refused(cluster, listen="127.0.0.1:1"), "still serve cluster hello on .*same --listen")
        self.assertEqual(cluster.get(), b"Hello from uring-cluster\n")
        self.assertEqual(self.next(cluster).pids(), before)

    def test_while_the_coordinator_lives(self):
        cluster = self.cluster("hello", "-i", "2")
        self.assertIn("already runs", self.refused(cluster))

    def test_another_number_of_workers_is_told_and_not_applied(self):
        cluster = self.cluster("hello", "-i", "2")
        self.orphaned(cluster)
        heir = self.next(cluster, "-i", "5")
        heir.wait_log("-i 5 is not applied: the cluster has 2 workers")
        self.assertEqual(len(heir.pids()), 2)

    def test_stop_ends_orphans_without_a_coordinator(self):
        cluster = self.cluster("hello", "-i", "2")
        self.orphaned(cluster)
        cluster.ok("stop", cluster.name)
        self.assertEqual(cluster.orphans(), [])


class ModeUnasked(unittest.TestCase):
    """Mode migrate can lose a connection in scaling down (README, Limits): it is for those who ask for it."""

    def mode(self, *flags):
        base = tempfile.mkdtemp(prefix="uc-mode-")
        self.addCleanup(shutil.rmtree, base, ignore_errors=True)
        os.chown(base, NOBODY, NOBODY)

        def become_nobody():
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)

        with Cluster("hello", "-i", "2", *flags, base=base, preexec=become_nobody) as cluster:
            return cluster.view()["mode"].split(":")[0]

    def test_plain_is_taken_where_full_cannot_be_had(self):
        if "migrate" not in MODES:
            self.skipTest("net.ipv4.tcp_migrate_req cannot be set here")
        self.assertEqual(self.mode(), "plain")
        self.assertEqual(self.mode("--mode=migrate"), "migrate")


if __name__ == "__main__":
    unittest.main()
