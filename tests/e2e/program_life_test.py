"""What happens to programs when something goes wrong: stuck loops, coordinators that die or are replaced."""

import os
import signal
import unittest

from cluster import Cluster, exists, wait_until
from load import Load
from program import NODE_HTTP, Program, program_pids

SPINS = """
const http = require('http');
http.createServer((request, response) => {
  if (request.url === '/block') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  const until = Date.now() + Number(request.url.slice(1));
  while (Date.now() < until) ;
  response.end(String(process.pid));
}).listen(0, '127.0.0.1');
"""


class Stuck(unittest.TestCase):
    def test_stopped_program_is_steered_round_then_killed_and_replaced(self):
        app = Program(self, "app.js", SPINS)
        with Cluster(app.path, "--direct", "-i", "2", "--hang-timeout=1500ms", listen=None) as cluster:
            victim = program_pids(cluster)[0]
            with Load(cluster, threads=4, fresh=True, pause=0.002, patience=5) as load:
                os.kill(victim, signal.SIGSTOP)
                cluster.wait_log("silent while work waits for it")
                cluster.wait_log("is killed: its heartbeat has stopped")
                wait_until(lambda: len(set(program_pids(cluster)) - {victim}) == 2, "a replacement")
            self.assertFalse(exists(victim))
            self.assertEqual(load.counts["refused"] + load.counts["timeout"], 0, load.failures)

    def test_loop_that_never_turns_is_replaced(self):
        app = Program(self, "app.js", SPINS)
        with Cluster(app.path, "--direct", "-i", "2", "--hang-timeout=1s", listen=None) as cluster:
            before = program_pids(cluster)
            with cluster.connect() as endless, Load(cluster, threads=2, fresh=True, pause=0.005, patience=5):
                endless.sendall(b"GET /block HTTP/1.1\r\nHost: a\r\n\r\n")
                cluster.wait_log("is killed: its heartbeat has stopped")
            wait_until(lambda: len(program_pids(cluster)) == 2, "a replacement")
            self.assertEqual(len(set(before) & set(program_pids(cluster))), 1)

    def test_slow_program_that_goes_on_accepting_is_left_alone(self):
        app = Program(self, "app.js", SPINS)
        slow = b"GET /60 HTTP/1.1\r\nHost: a\r\n\r\n"
        with Cluster(app.path, "--direct", "-i", "1", "--hang-timeout=800ms", listen=None) as cluster:
            before = program_pids(cluster)
            with Load(cluster, threads=8, fresh=True, request=slow) as load:
                wait_until(lambda: load.counts["ok"] >= 40, "slow answers")
            self.assertEqual(program_pids(cluster), before)
            self.assertEqual(load.lost, 0, load.failures)


class Coordinator(unittest.TestCase):
    def test_programs_serve_on_without_a_coordinator_and_the_next_one_goes_on_with_them(self):
        app = Program(self, "app.js", NODE_HTTP % (1, "0, '127.0.0.1'"))
        with Cluster(app.path, "--direct", "-i", "2", listen=None) as cluster:
            programs = program_pids(cluster)
            with Load(cluster, threads=3, fresh=True, pause=0.002) as load:
                cluster.process.kill()
                cluster.process.wait()
                wait_until(lambda: load.counts["ok"] > 100, "answers without a coordinator")
                successor = Cluster(app.path, "--direct", listen=None, base=cluster.base, wait=False)
                self.addCleanup(successor.close)
                successor.wait_log("goes on with 2 workers")
                successor.wait_ready()
                self.assertEqual(program_pids(successor), programs)
                self.assertEqual(successor.addresses, cluster.addresses)
                successor.ok("reload", successor.name)
                successor.ok("scale", successor.name, "3")
            self.assertEqual(load.lost, 0, load.failures)
            successor.ok("stop", successor.name)

    def test_coordinator_is_upgraded_in_place(self):
        app = Program(self, "app.js", NODE_HTTP % (1, "0, '127.0.0.1'"))
        with Cluster(app.path, "--direct", "-i", "2", listen=None) as cluster:
            programs = program_pids(cluster)
            with Load(cluster, threads=2, fresh=True, pause=0.002) as load:
                cluster.ok("upgrade", cluster.name)
                self.assertEqual(program_pids(cluster), programs)
                cluster.ok("reload", cluster.name)
            self.assertEqual(load.lost, 0, load.failures)


if __name__ == "__main__":
    unittest.main()
