"""Node programs, unchanged, on every core: they start, share, die, roll and scale like native workers."""

import json
import os
import signal
import unittest

from cluster import Cluster, exists, wait_until
from load import Load
from program import NODE_HTTP, Program, program_pids


def node(test, version=1, where="0, '127.0.0.1'"):
    return Program(test, "app.js", NODE_HTTP % (version, where))


class Start(unittest.TestCase):
    def answers(self, cluster, count=40):
        return [json.loads(cluster.get()) for _ in range(count)]

    def test_all_workers_share_the_port_that_the_first_one_got(self):
        with Cluster(node(self).path, "--direct", "-i", "3", listen=None) as cluster:
            self.assertEqual(cluster.name, "app")
            self.assertEqual(len(cluster.addresses), 1)
            answers = self.answers(cluster)
            self.assertEqual({answer["slot"] for answer in answers}, {"0", "1", "2"})
            self.assertEqual(sorted({answer["pid"] for answer in answers}), program_pids(cluster))

    def test_listen_decides_where_whatever_the_program_asks_for(self):
        app = node(self, where="3999")
        with Cluster(app.path, "--direct", "-i", "2", listen="127.0.0.1:0") as cluster:
            self.assertNotEqual(cluster.port, 3999)
            self.assertEqual({answer["slot"] for answer in self.answers(cluster)}, {"0", "1"})

    def test_port_is_told_to_who_asks_the_environment(self):
        app = node(self, where="process.env.PORT, '127.0.0.1'")
        with Cluster(app.path, "--direct", "-i", "2", listen="127.0.0.1:0") as cluster:
            self.assertEqual(json.loads(cluster.get())["version"], 1)

    def test_list_shows_the_program_and_no_figures_that_nobody_knows(self):
        with Cluster(node(self).path, "--direct", "-i", "1", listen=None) as cluster:
            cluster.get()
            (row,) = [line for line in cluster.ok("list").splitlines() if " serving " in line]
            self.assertIn(" %d " % program_pids(cluster)[0], row)
            self.assertEqual(row.split()[-3:], ["-", "-", "-"])
            wait_until(lambda: cluster.workers()[0]["accepted"] == 1, "the connection is counted")
            self.assertNotIn("latency", cluster.ok("describe", cluster.name))

    def test_everything_ends_with_the_cluster(self):
        with Cluster(node(self).path, "--direct", "-i", "2", listen=None) as cluster:
            pids = program_pids(cluster)
            cluster.ok("stop", cluster.name)
            self.assertEqual(cluster.wait_exit(), 0)
            self.assertFalse([pid for pid in pids if exists(pid)])


class Life(unittest.TestCase):
    def test_killed_program_is_replaced_and_the_others_serve(self):
        with Cluster(node(self).path, "--direct", "-i", "3", listen=None) as cluster:
            with Load(cluster, threads=2, fresh=True, pause=0.002) as load:
                for _ in range(3):
                    before = program_pids(cluster)
                    os.kill(before[0], signal.SIGKILL)
                    wait_until(
                        lambda: len(program_pids(cluster)) == 3 and before[0] not in program_pids(cluster), "a replacement"
                    )
            cluster.wait_log("killed by SIGKILL")
            # At most what was in flight in the dead program: two clients, three deaths.
            self.assertLessEqual(load.lost, 3, load.failures)
            self.assertEqual(load.counts["refused"] + load.counts["timeout"], 0, load.failures)

    def test_killed_launcher_takes_its_program_along(self):
        with Cluster(node(self).path, "--direct", "-i", "2", listen=None) as cluster:
            worker = cluster.workers()[0]
            os.kill(worker["pid"], signal.SIGKILL)
            wait_until(lambda: not exists(worker["program_pid"]), "the program ends")
            wait_until(lambda: len(cluster.pids()) == 2, "a replacement")

    def test_rolls_lose_no_new_connection(self):
        with Cluster(node(self).path, "--direct", "-i", "2", listen=None) as cluster:
            with Load(cluster, threads=4, fresh=True, pause=0.001) as load:
                for _ in range(5):
                    cluster.ok("reload", cluster.name)
            self.assertEqual(load.lost, 0, load.failures)
            self.assertGreater(load.counts["ok"], 100)

    def test_rolls_lose_no_request_of_keep_alive_clients_that_ask(self):
        with Cluster(node(self).path, "--direct", "-i", "2", listen=None) as cluster:
            with Load(cluster, threads=4, fresh=False, pause=0.005) as load:
                for _ in range(5):
                    cluster.ok("reload", cluster.name)
            self.assertEqual(load.lost, 0, load.failures)

    def test_scaling_loses_nothing(self):
        with Cluster(node(self).path, "--direct", "-i", "1", listen=None) as cluster:
            with Load(cluster, threads=4, fresh=True, pause=0.001) as load:
                for number in ("3", "1", "2"):
                    cluster.ok("scale", cluster.name, number)
            self.assertEqual(load.lost, 0, load.failures)
            self.assertEqual(len(program_pids(cluster)), 2)

    def test_new_version_is_deployed_and_bad_ones_abort(self):
        app = node(self, version=1)
        with Cluster(app.path, "--direct", "-i", "2", "--listen-timeout=4s", listen=None) as cluster:
            before = program_pids(cluster)
            for bad in ("this is no JavaScript", "process.exit(7)", "setInterval(() => {}, 1000)"):
                with self.subTest(bad), Load(cluster, threads=2, fresh=True, pause=0.005) as load:
                    app.deploy(bad)
                    code, _, err = cluster.cli("reload", cluster.name)
                    self.assertEqual(code, 1, err)
                    self.assertIn("reload failed", err)
                    self.assertEqual(program_pids(cluster), before)
                    load.stop()
                    self.assertEqual(load.lost, 0, load.failures)
            cluster.wait_log("the program exited with code 7 before it listened")
            cluster.wait_log("has not listened within --listen-timeout")
            app.deploy(NODE_HTTP % (2, "0, '127.0.0.1'"))
            cluster.ok("reload", cluster.name)
            self.assertEqual({json.loads(cluster.get())["version"] for _ in range(8)}, {2})


if __name__ == "__main__":
    unittest.main()
