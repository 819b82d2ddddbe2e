"""Node programs that talk: ready by message, leave by message, in every way of leaving."""

import os
import signal
import subprocess
import unittest

from cluster import BINARY, Cluster, wait_until
from load import Load
from program import Program, program_pids

# As PM2's users write it.
GRACEFUL = """
const fs = require('fs');
const http = require('http');
const server = http.createServer((request, response) => response.end('hello'));
server.listen(0, '127.0.0.1');

process.on('message', function(msg) {
  if (msg === 'shutdown') {
    fs.appendFileSync(process.env.LEFT, process.pid + ' message\\n');
    setTimeout(function() {
      process.exit(0);
    }, 100);
  }
});
process.on('SIGINT', () => { fs.appendFileSync(process.env.LEFT, process.pid + ' SIGINT\\n'); process.exit(0); });
process.on('SIGTERM', () => { fs.appendFileSync(process.env.LEFT, process.pid + ' SIGTERM\\n'); process.exit(3); });
"""

SAYS_READY = """
require('http').createServer((request, response) => response.end('hello')).listen(0, '127.0.0.1', () => {
  %s
});
"""

# A program with workers of its own.
CLUSTER_MODULE = """
const cluster = require('cluster');
if (cluster.isPrimary) {
  cluster.fork();
  cluster.fork();
} else {
  require('http').createServer((request, response) => response.end(String(process.pid))).listen(0, '127.0.0.1');
}
"""


BEHIND_A_WORKER = "--listen=127.0.0.1:0"


class Leaving(unittest.TestCase):
    way = BEHIND_A_WORKER

    def setUp(self):
        self.app = Program(self, "graceful.js", GRACEFUL)
        self.left = os.path.join(self.app.directory, "left")
        open(self.left, "w").close()

    def start(self, *flags):
        return Cluster(self.app.path, self.way, "--env=LEFT=" + self.left, *flags, listen=None)

    def last_words(self):
        with open(self.left) as words:
            return sorted(words.read().splitlines())

    def expect(self, pids, how):
        wait_until(lambda: len(self.last_words()) >= len(pids), "last words")
        self.assertEqual(self.last_words(), sorted("%d %s" % (pid, how) for pid in pids))
        open(self.left, "w").close()

    def test_message_comes_on_reload_scale_restart_and_stop(self):
        with self.start("-i", "2", "--shutdown-with-message") as cluster:
            with Load(cluster, threads=3, fresh=True, pause=0.002) as load:
                before = program_pids(cluster)
                cluster.ok("reload", cluster.name)
                self.expect(before, "message")
                before = program_pids(cluster)
                cluster.ok("scale", cluster.name, "1")
                self.expect(set(before) - set(program_pids(cluster)), "message")
                self.assertEqual(load.lost, 0, load.failures)
            before = program_pids(cluster)
            cluster.ok("restart", cluster.name)
            self.expect(before, "message")
            before = program_pids(cluster)
            cluster.ok("stop", cluster.name)
            self.expect(before, "message")
            self.assertEqual(cluster.wait_exit(), 0)

    def test_signal_is_pm2s_unless_another_is_wanted(self):
        with self.start("-i", "1") as cluster:
            before = program_pids(cluster)
            cluster.ok("reload", cluster.name)
            self.expect(before, "SIGINT")
        open(self.left, "w").close()
        with self.start("-i", "1", "--kill-signal=TERM") as cluster:
            before = program_pids(cluster)
            cluster.ok("reload", cluster.name)
            self.expect(before, "SIGTERM")
            # Its exit code is not hidden.
            cluster.wait_log("exited with code 3 while it drained")

    def test_who_does_not_leave_is_killed(self):
        self.app.deploy(GRACEFUL.replace("process.exit(0)", "0"))
        with self.start("-i", "1", "--kill-timeout=1s") as cluster:
            before = program_pids(cluster)
            cluster.ok("reload", cluster.name)
            cluster.wait_log("is killed: it had not finished within --kill-timeout")
            self.assertFalse(set(before) & set(program_pids(cluster)))

    def test_request_in_flight_is_answered_before_it_is_asked_to_leave(self):
        go = os.path.join(self.app.directory, "go")
        slow = "{ const t = setInterval(() => { if (fs.existsSync(%r)) { clearInterval(t); response.end('slow'); } }, 20) }"
        self.app.deploy(GRACEFUL.replace("=> response.end('hello')", "=> { if (request.url === '/') response.end(); else %s }" % slow % go))
        with self.start("-i", "1") as cluster, cluster.connect() as connection:
            connection.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda: cluster.workers()[0]["connections"] == 1, "the connection is taken")
            reload = subprocess.Popen([BINARY, "reload", cluster.name, "--run-dir=" + cluster.base], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_until(lambda: cluster.workers("draining"), "the old one drains")
            self.assertEqual(self.last_words(), [])
            open(go, "w").close()
            answer = connection.recv(4096)
            self.assertEqual(reload.wait(20), 0)
            self.assertTrue(answer.startswith(b"HTTP/1.1 200"), answer)
            # Behind a worker the connection stays, and moves to the successor's.
            self.assertEqual(b"\r\nConnection: close\r\n" in answer, self.way == "--direct")


class LeavingDirect(Leaving):
    way = "--direct"


class Ready(unittest.TestCase):
    way = BEHIND_A_WORKER

    def test_program_is_ready_when_it_says_so(self):
        app = Program(self, "app.js", SAYS_READY % "setTimeout(() => process.send('ready'), 300);")
        with Cluster(app.path, self.way, "-i", "2", "--wait-ready", listen=None) as cluster:
            cluster.wait_log("the program says 'ready'")
            cluster.ok("reload", cluster.name)

    def test_silence_aborts_the_roll_and_the_incumbents_serve_on(self):
        app = Program(self, "app.js", SAYS_READY % "process.send('ready');")
        with Cluster(app.path, self.way, "-i", "2", "--wait-ready", "--listen-timeout=4s", listen=None) as cluster:
            before = program_pids(cluster)
            app.deploy(SAYS_READY % "")
            with Load(cluster, threads=2, fresh=True, pause=0.005) as load:
                code, _, err = cluster.cli("reload", cluster.name)
            self.assertEqual(code, 1)
            self.assertIn("has not said that it is ready within --listen-timeout=4s", err)
            self.assertEqual(program_pids(cluster), before)
            self.assertEqual(load.lost, 0, load.failures)

    def test_silence_at_the_first_start_is_the_operators_affair(self):
        app = Program(self, "app.js", SAYS_READY % "")
        with Cluster(app.path, self.way, "-i", "1", "--wait-ready", "--listen-timeout=3s", listen=None, wait=False) as cluster:
            self.assertEqual(cluster.wait_exit(), 2)
            cluster.wait_log("has not said that it is ready within")


class ReadyDirect(Ready):
    way = "--direct"


class OwnWorkers(unittest.TestCase):
    way = BEHIND_A_WORKER

    def test_program_with_nodes_cluster_module_rolls_without_loss(self):
        app = Program(self, "app.js", CLUSTER_MODULE)
        with Cluster(app.path, self.way, "-i", "2", listen=None) as cluster:
            with Load(cluster, threads=3, fresh=True, pause=0.002) as load:
                for _ in range(2):
                    cluster.ok("reload", cluster.name)
            self.assertEqual(load.lost, 0, load.failures)

    def test_nobody_of_the_tree_stays_behind(self):
        app = Program(self, "app.js", CLUSTER_MODULE)
        with Cluster(app.path, self.way, "-i", "1", listen=None) as cluster:
            (program,) = program_pids(cluster)
            os.kill(program, signal.SIGKILL)
            wait_until(lambda: program_pids(cluster) not in ([], [program]), "a replacement")
            self.assertEqual(group(program), [])
            cluster.ok("stop", cluster.name, "--now")


class OwnWorkersDirect(OwnWorkers):
    way = "--direct"


def group(leader):
    """Processes of a process group."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % entry) as stat:
                state, _, owner = stat.read().rsplit(")", 1)[1].split()[:3]
        except OSError:
            continue
        if int(owner) == leader and state != "Z":
            found.append(int(entry))
    return found


if __name__ == "__main__":
    unittest.main()
