"""Rolling: deploys that lose nothing, and deploys that must not happen."""

import signal
import subprocess
import tempfile
import threading
import unittest

from app import App
from cluster import GET, Cluster, fixture, read_response, wait_until
from load import Load


class Roll(unittest.TestCase):
    def generations(self, cluster):
        return {worker["slot"]: worker["generation"] for worker in cluster.workers()}

    def test_five_rolls_lose_no_new_connection(self):
        with Cluster("hello", "-i", "3") as cluster, Load(cluster, threads=4, fresh=True) as load:
            for _ in range(5):
                cluster.ok("reload", cluster.name)
            load.stop()
            self.assertEqual(load.lost, 0, load.failures)
            self.assertGreater(load.counts["ok"], 100)

    def test_keep_alive_clients_lose_nothing(self):
        with Cluster("hello", "-i", "2") as cluster, Load(cluster, threads=8, fresh=False, pause=0.005) as load:
            for _ in range(10):
                cluster.ok("reload", cluster.name)
            load.stop()
            self.assertEqual(load.lost, 0, load.failures)
            self.assertGreater(load.counts["ok"], 20)

    def test_every_worker_is_replaced_and_none_is_missing_meanwhile(self):
        with Cluster("hello", "-i", "3") as cluster:
            before = self.generations(cluster)
            fewest = [3]
            done = threading.Event()

            def watch():
                while not done.is_set():
                    fewest[0] = min(fewest[0], len(cluster.workers()))

            watcher = threading.Thread(target=watch)
            watcher.start()
            cluster.ok("reload", cluster.name)
            done.set()
            watcher.join()
            after = self.generations(cluster)
            self.assertEqual(set(before), set(after))
            self.assertTrue(all(after[slot] > before[slot] for slot in before))
            self.assertEqual(fewest[0], 3)

    def test_new_build_is_deployed(self):
        app = App(self, "libversion1.so")
        with Cluster(app.path, "-i", "2", "--name=web") as cluster:
            self.assertEqual(cluster.get("/version"), b"1\n")
            app.deploy("libversion2.so")
            cluster.ok("reload", "web")
            self.assertEqual({cluster.get("/version") for _ in range(8)}, {b"2\n"})

    def test_sighup_rolls_too(self):
        with Cluster("hello", "-i", "2") as cluster:
            before = cluster.pids()
            cluster.process.send_signal(signal.SIGHUP)
            cluster.wait_log("reload done")
            self.assertFalse(set(before) & set(cluster.pids()))

    def test_bad_builds_abort_and_the_incumbents_serve_on(self):
        for bad in ("librefuses.so", "libcrashes.so", "libotherabi.so", "libhangs.so", "libnoentry.so"):
            with self.subTest(bad):
                app = App(self, "libversion1.so")
                with Cluster(app.path, "-i", "2", "--name=web", "--listen-timeout=1s") as cluster:
                    before = cluster.pids()
                    app.deploy(bad)
                    with Load(cluster, threads=2, fresh=True, pause=0.005) as load:
                        code, _, err = cluster.cli("reload", "web")
                    self.assertEqual(code, 1, err)
                    self.assertIn("reload failed", err)
                    self.assertEqual(cluster.pids(), before)
                    self.assertEqual(load.lost, 0, load.failures)
                    self.assertEqual(cluster.get("/version"), b"1\n")
                    app.deploy("libversion2.so")
                    cluster.ok("reload", "web")

    def test_concurrent_reloads_all_succeed(self):
        with Cluster("hello", "-i", "2") as cluster:
            codes = []
            threads = [threading.Thread(target=lambda: codes.append(cluster.cli("reload", cluster.name)[0])) for _ in range(5)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(codes, [0] * 5)

    def test_request_in_flight_finishes(self):
        with Cluster(fixture("libfixture.so"), "-i", "1") as cluster:
            slow = subprocess.Popen(["curl", "-s", cluster.url + "/defer?ms=1000"], stdout=subprocess.PIPE)
            wait_until(lambda: cluster.workers()[0]["in_flight"] == 1, "a request in flight")
            cluster.ok("reload", cluster.name)
            self.assertEqual(slow.wait(20), 0)
            self.assertTrue(slow.stdout.read())
            slow.stdout.close()

    def test_hooks_run_in_order(self):
        with tempfile.TemporaryDirectory() as directory:
            log = directory + "/hooks"
            with Cluster(fixture("libfixture.so"), "-i", "1", env={"UC_FIXTURE_DRAIN_LOG": log}) as cluster:
                cluster.ok("reload", cluster.name)
                with open(log) as hooks:
                    self.assertEqual(hooks.read().split("\n")[:4], ["start 0 1", "start 0 2", "drain 0 1", "stop 0 1"])

    def test_idle_connection_goes_to_the_successor_and_notices_nothing(self):
        with Cluster("hello", "-i", "1") as cluster, cluster.connect() as connection:
            for _ in range(3):
                connection.sendall(GET)
                head, _, _ = read_response(connection)
                self.assertNotIn(b"Connection: close", head)
                cluster.ok("reload", cluster.name)
            self.assertEqual(cluster.view()["totals"]["handed_over"], 3)

    def test_streams_of_a_tcp_app_do_not_hold_the_roll_for_ever(self):
        with Cluster("echo", "-i", "1", "--kill-timeout=1s") as cluster, cluster.connect() as connection:
            connection.sendall(b"one")
            self.assertEqual(connection.recv(3), b"one")
            cluster.ok("reload", cluster.name)
            cluster.wait_log("reload done")  # all that was said before it is in `lines` now
            self.assertEqual(connection.recv(1), b"")  # a FIN, not a reset
            self.assertFalse([line for line in cluster.lines if "is killed" in line])

    def test_restart_replaces_workers(self):
        with Cluster("hello", "-i", "2") as cluster:
            before = cluster.pids()
            with Load(cluster, threads=2, fresh=True, pause=0.002) as load:
                cluster.ok("restart", cluster.name)
                self.assertFalse(set(before) & set(cluster.pids()))
                between = cluster.pids()
                cluster.ok("restart", cluster.name, "--worker=0")
                self.assertEqual(len(set(between) & set(cluster.pids())), 1)
            self.assertEqual(load.lost, 0, load.failures)
            self.assertEqual(cluster.cli("restart", cluster.name, "--worker=7")[0], 2)


if __name__ == "__main__":
    unittest.main()
