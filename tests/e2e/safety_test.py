"""A bad deploy cannot take the site down: every roll that must not happen ends with the truth and the old workers."""

import os
import resource
import signal
import time
import unittest

from app import App
from cluster import Background, Cluster, fixture, wait_until
from load import Load

SUCCESSORS = (
    # what it does, the build, flags, what the operator reads
    ("crashes", "libcrashes.so", [], r"killed by SIG"),
    ("hangs", "libhangs.so", [], r"not ready within 1s"),
    ("answers with 5xx", "libsick.so", [], r"it answered GET / with 503"),
    ("has lost a path", "libversion2.so", ["--probe=/nowhere"], r"it answered GET /nowhere with 404"),
    ("dies of its probe", "libversion2.so", ["--probe=/crash"], r"killed by SIGABRT"),
    ("is silent to its probe", "libversion2.so", ["--probe=/never"], r"its probe was not answered within 1s"),
)


def pair(cluster):
    """Slots that have two serving workers at this moment, each with both of them, the older one first."""
    seats = {}
    for worker in cluster.workers():
        seats.setdefault(worker["slot"], []).append(worker)
    return [sorted(two, key=lambda worker: worker["generation"]) for two in seats.values() if len(two) == 2]


class BadSuccessor(unittest.TestCase):
    def test_roll_is_aborted_and_the_incumbents_never_notice(self):
        for name, build, flags, reason in SUCCESSORS:
            with self.subTest(name):
                app = App(self, "libversion1.so")
                with Cluster(app.path, "-i", "2", "--name=web", "--listen-timeout=1s", *flags) as cluster:
                    before = cluster.pids()
                    app.deploy(build)
                    with Load(cluster, threads=2, fresh=True, pause=0.002) as fresh, \
                            Load(cluster, threads=2, fresh=False, pause=0.002) as kept:
                        code, _, err = cluster.cli("reload", "web")
                    self.assertEqual(code, 1, err)
                    self.assertRegex(err, r"reload failed: roll aborted at slot 0: .*" + reason)
                    self.assertIn("0 of 2 slots already run the new generation, all others are untouched", err)
                    self.assertEqual(cluster.pids(), before)
                    self.assertEqual((fresh.lost, kept.lost), (0, 0), fresh.failures + kept.failures)
                    self.assertEqual(cluster.get("/version"), b"1\n")

    def test_probe_that_is_off_lets_a_sick_build_in(self):
        app = App(self, "libversion1.so")
        with Cluster(app.path, "-i", "1", "--name=web", "--probe=off") as cluster:
            app.deploy("libsick.so")
            cluster.ok("reload", "web")
            self.assertEqual(cluster.get(), b"sick\n")

    def test_probe_is_in_nobodys_figures(self):
        with Cluster(fixture("libfixture.so"), "-i", "1", "--probe=/version") as cluster:
            cluster.ok("reload", cluster.name)
            self.assertEqual(cluster.view()["totals"]["accepted"], 0)
            self.assertEqual(cluster.view()["totals"]["requests"], 0)


class Soak(unittest.TestCase):
    def test_successor_serves_beside_the_incumbent_until_it_is_trusted(self):
        with Cluster("hello", "-i", "1", "--soak=500ms") as cluster, Load(cluster, threads=2, fresh=True) as load:
            began = time.monotonic()
            reload = Background(cluster, "reload", cluster.name)
            old, new = wait_until(lambda: pair(cluster), "two workers in the slot")[0]
            wait_until(lambda: [w for w in cluster.workers() if w["pid"] == new["pid"] and w["requests"] > 0], "it serves")
            self.assertEqual(reload.wait()[0], 0)
            self.assertGreaterEqual(time.monotonic() - began, 0.5)
            self.assertEqual(cluster.pids(), [new["pid"]])
            load.stop()
            self.assertEqual(load.lost, 0, load.failures)

    def test_successor_that_dies_in_its_soak_aborts_the_roll(self):
        with Cluster("hello", "-i", "2", "--soak=1h") as cluster:
            before = cluster.pids()
            with Load(cluster, threads=2, fresh=True, pause=0.002) as load:
                reload = Background(cluster, "reload", cluster.name)
                _, new = wait_until(lambda: pair(cluster), "two workers in the slot")[0]
                os.kill(new["pid"], signal.SIGKILL)
                code, _, err = reload.wait()
            self.assertEqual(code, 1)
            self.assertRegex(err, r"roll aborted at slot 0: generation 3, just ready: killed by SIGKILL")
            self.assertEqual(cluster.pids(), before)
            self.assertLessEqual(load.lost, 2, load.failures)  # what was in flight in the one that was killed

    def test_successor_that_hangs_in_its_soak_aborts_the_roll(self):
        with Cluster("hello", "-i", "2", "--soak=1h", "--hang-timeout=800ms") as cluster:
            before = cluster.pids()
            reload = Background(cluster, "reload", cluster.name)
            _, new = wait_until(lambda: pair(cluster), "two workers in the slot")[0]
            os.kill(new["pid"], signal.SIGSTOP)
            with Load(cluster, threads=2, fresh=True, pause=0.002) as load:
                code, _, err = reload.wait()
            self.assertEqual(code, 1)
            self.assertRegex(err, r"roll aborted at slot 0: stuck, though it had been ready")
            self.assertEqual(cluster.pids(), before)
            self.assertEqual(load.lost, 0, load.failures)

    def test_incumbent_that_dies_in_the_soak_is_followed_at_once(self):
        with Cluster("hello", "-i", "1", "--soak=1h") as cluster:
            reload = Background(cluster, "reload", cluster.name)
            old, new = wait_until(lambda: pair(cluster), "two workers in the slot")[0]
            os.kill(old["pid"], signal.SIGKILL)
            self.assertEqual(reload.wait()[0], 0)
            self.assertEqual(cluster.pids(), [new["pid"]])

    def test_stop_ends_a_soak(self):
        with Cluster("hello", "-i", "2", "--soak=1h") as cluster:
            reload = Background(cluster, "reload", cluster.name)
            wait_until(lambda: pair(cluster), "two workers in the slot")
            cluster.ok("stop", cluster.name)
            self.assertEqual(reload.wait()[0], 1)
            self.assertEqual(cluster.wait_exit(), 0)


class Width(unittest.TestCase):
    def widest(self, cluster):
        """A whole roll; how many slots were renewed at one time."""
        reload = Background(cluster, "reload", cluster.name)
        widest = 0
        while reload.thread.is_alive():
            widest = max(widest, len(pair(cluster)))
        self.assertEqual(reload.wait()[0], 0)
        return widest

    def test_as_many_slots_as_the_roll_is_wide(self):
        for width, soak in ((1, "100ms"), (3, "1500ms")):
            with self.subTest(width=width):
                with Cluster("hello", "-i", "4", "--soak=" + soak, "--roll-width=%d" % width) as cluster:
                    with Load(cluster, threads=2, fresh=True, pause=0.002) as load:
                        self.assertEqual(self.widest(cluster), width)
                    self.assertEqual(load.lost, 0, load.failures)

    def test_wide_roll_that_fails_leaves_no_successor_behind(self):
        app = App(self, "libversion1.so")
        with Cluster(app.path, "-i", "4", "--name=web", "--roll-width=4") as cluster:
            before = cluster.pids()
            app.deploy("libsick.so")
            with Load(cluster, threads=2, fresh=True, pause=0.002) as load:
                self.assertEqual(cluster.cli("reload", "web")[0], 1)
                wait_until(lambda: len(cluster.view()["workers"]) == 4, "nobody else is there")
            self.assertEqual(cluster.pids(), before)
            self.assertEqual(load.lost, 0, load.failures)


class Together(unittest.TestCase):
    def test_reloads_that_come_during_a_roll_share_the_next_one(self):
        with Cluster("hello", "-i", "2", "--soak=300ms") as cluster:
            first = Background(cluster, "reload", cluster.name)
            wait_until(lambda: pair(cluster), "the first roll is under way")
            others = [Background(cluster, "reload", cluster.name) for _ in range(5)]
            self.assertEqual([one.wait()[0] for one in [first] + others], [0] * 6)
            # Two at the start and two for each of the two rolls.
            self.assertEqual(max(worker["generation"] for worker in cluster.workers()), 6)

    def test_scaling_in_mid_roll_loses_nothing(self):
        with Cluster("hello", "-i", "3", "--soak=200ms") as cluster, Load(cluster, threads=3, fresh=True) as load:
            for count in ("1", "4"):
                reload = Background(cluster, "reload", cluster.name)
                wait_until(lambda: pair(cluster), "a roll is under way")
                cluster.ok("scale", cluster.name, count)
                self.assertEqual(reload.wait()[0], 0)
                self.assertEqual(len(cluster.pids()), int(count))
            load.stop()
            self.assertEqual(load.lost, 0, load.failures)

    def test_restart_in_mid_roll_is_refused(self):
        with Cluster("hello", "-i", "1", "--soak=500ms") as cluster:
            reload = Background(cluster, "reload", cluster.name)
            wait_until(lambda: pair(cluster), "a roll is under way")
            code, _, err = cluster.cli("restart", cluster.name)
            self.assertEqual(code, 2)
            self.assertIn("a roll is under way", err)
            self.assertEqual(reload.wait()[0], 0)


class NoDescriptors(unittest.TestCase):
    def limit(self, cluster, soft):
        """The coordinator's; the former one."""
        return resource.prlimit(
            cluster.process.pid, resource.RLIMIT_NOFILE,
            (soft, resource.prlimit(cluster.process.pid, resource.RLIMIT_NOFILE)[1]))[0]

    @staticmethod
    def number_with_free(cluster, free):
        """So many descriptors are free below it: one for the answer, too few for what was asked."""
        taken = set(map(int, os.listdir("/proc/%d/fd" % cluster.process.pid)))
        return next(number for number in range(1024) if len(set(range(number)) - taken) == free)

    def test_coordinator_that_has_none_left_says_so_and_goes_on_when_it_has(self):
        with Cluster("hello", "-i", "2") as cluster:
            before = cluster.pids()
            usual = self.limit(cluster, self.number_with_free(cluster, 2))
            for verb in ("reload", "upgrade"):
                code, _, err = cluster.cli(verb, cluster.name)
                self.assertEqual(code, 1, err)
                self.assertIn("Too many open files", err)
            code, _, err = cluster.cli("scale", cluster.name, "3")
            self.assertEqual(code, 2, err)
            self.assertIn("file descriptors", err)
            self.assertEqual(cluster.pids(), before)
            self.assertEqual(cluster.get(), b"Hello from uring-cluster\n")
            self.limit(cluster, usual)
            cluster.ok("upgrade", cluster.name)
            cluster.ok("reload", cluster.name)
            cluster.ok("scale", cluster.name, "3")
            self.assertEqual(len(cluster.pids()), 3)


if __name__ == "__main__":
    unittest.main()
