"""The worker has the clients, and a program of any language stands behind it, with a private listener."""

import json
import os
import signal
import socket
import unittest

from cluster import exists, read_response, wait_until
from load import Load
from program import NODE_TELLS, PYTHON_TELLS, Program, front, program_pids

ONE_AT_A_TIME = """
import http.server
class Answer(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        told = b'took %d' % len(self.rfile.read(int(self.headers['Content-Length'])))
        self.send_response(200)
        self.send_header('Content-Length', str(len(told)))
        self.end_headers()
        self.wfile.write(told)
    def log_message(self, *_): pass
http.server.HTTPServer(('', 8000), Answer).serve_forever()
"""

SLOW = """
const http = require('http');
http.createServer((request, response) => {
  response.writeHead(200, {'content-type': 'text/event-stream'});
  let left = 8;
  const timer = setInterval(() => {
    response.write('data: x\\n\\n');
    if (--left === 0) { clearInterval(timer); response.end(); }
  }, 400);
}).listen(3000);
"""


class Front(unittest.TestCase):
    def node(self, where="3000"):
        return Program(self, "app.js", NODE_TELLS % where)

    def serving(self, cluster, count, without):
        pids = program_pids(cluster)
        return len(pids) == count and 0 not in pids and without not in pids

    def test_requests_reach_the_program_and_say_where_they_come_from(self):
        with front(self.node(), "-i", "2") as cluster:
            told = json.loads(cluster.get("/"))
            self.assertEqual(told["headers"]["x-forwarded-for"], "127.0.0.1")
            self.assertEqual(told["headers"]["host"], "127.0.0.1:%d" % cluster.port)
            self.assertIn(told["pid"], program_pids(cluster))
            pids = {json.loads(cluster.get("/"))["pid"] for _ in range(40)}
            self.assertEqual(sorted(pids), program_pids(cluster))

    def test_the_private_listener_looks_like_the_one_that_the_program_asked_for(self):
        with front(self.node("3999"), "-i", "1") as cluster:
            told = json.loads(cluster.get("/"))
            self.assertEqual(told["address"], {"address": "::", "family": "IPv6", "port": 3999})
            self.assertEqual((told["local"], told["family"], told["remote"]), (3999, "IPv6", "::1"))
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", 3999), 5)

    def test_any_address_of_the_program_is_the_site(self):
        for where in ("0, '127.0.0.1'", "process.env.PORT", "8000, '127.0.0.1'", "0"):
            with self.subTest(where), front(self.node(where), "-i", "1") as cluster:
                self.assertIn("pid", json.loads(cluster.get("/")))

    def test_the_debugger_keeps_its_own_port(self):
        with front(self.node(), "-i", "1", "--node-args=--inspect=127.0.0.1:9229") as cluster:
            self.assertIn("pid", json.loads(cluster.get("/")))
            with socket.create_connection(("127.0.0.1", 9229), 5) as debugger:
                debugger.sendall(b"GET /json/version HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertIn(b"Protocol-Version", b"".join(read_response(debugger)))

    def test_a_tunnel_goes_through(self):
        with front(self.node(), "-i", "1") as cluster, cluster.connect() as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            head, _, _ = read_response(client)
            self.assertTrue(head.startswith(b"HTTP/1.1 101"), head)
            client.sendall(b"hello")
            self.assertEqual(client.recv(100), b"hello")

    def test_python_as_well(self):
        with front(Program(self, "app.py", PYTHON_TELLS % "8000"), "-i", "2") as cluster:
            self.assertEqual(cluster.get("/").split()[0], b"127.0.0.1")

    def test_slow_uploads_do_not_stop_a_program_that_serves_one_at_a_time(self):
        with front(Program(self, "app.py", ONE_AT_A_TIME), "-i", "1") as cluster:
            slow = [cluster.connect(30) for _ in range(20)]
            for client in slow:
                client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhel")
            wait_until(lambda: cluster.workers()[0]["connections"] >= len(slow), "the worker has them")
            self.assertEqual(cluster.get("/", "--data", "abcd"), b"took 4")
            for client in slow:
                client.sendall(b"lo worl")
            for client in slow:
                self.assertEqual(read_response(client)[1], b"took 10")
                client.close()

    def test_nothing_is_lost_in_rolls_and_scaling(self):
        for fresh in (True, False):
            with self.subTest(fresh=fresh), front(self.node(), "-i", "2") as cluster:
                with Load(cluster, threads=4, fresh=fresh) as load:
                    for verb in (("reload",), ("scale", "3"), ("scale", "1"), ("reload",), ("scale", "2")):
                        cluster.ok(verb[0], cluster.name, *verb[1:])
                self.assertEqual(load.lost, 0, load.failures[:5])
                self.assertGreater(load.counts["ok"], 100)

    def test_a_response_with_pauses_is_not_cut_by_a_reload(self):
        with front(Program(self, "app.js", SLOW), "-i", "1") as cluster, cluster.connect(30) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            self.assertTrue(client.recv(10))
            cluster.ok("reload", cluster.name)
            data = b""
            while piece := client.recv(65536):
                data += piece
            self.assertEqual(data.count(b"data: x"), 8)

    def test_a_program_that_dies_is_started_again_in_place_and_nothing_safe_is_lost(self):
        for workers in ("1", "2"):
            with self.subTest(workers=workers), front(self.node(), "-i", workers) as cluster:
                of_workers = cluster.pids()
                kept = Load(cluster, threads=2, fresh=False)
                with Load(cluster, threads=2) as fresh:
                    for _ in range(3):
                        before = program_pids(cluster)
                        os.kill(before[0], signal.SIGKILL)
                        wait_until(lambda: self.serving(cluster, int(workers), before[0]), "it serves again")
                kept.stop()
                self.assertEqual(fresh.lost + kept.lost, 0, (fresh.failures + kept.failures)[:5])
                self.assertEqual(cluster.pids(), of_workers)
                self.assertEqual(sum(slot["restarts"] for slot in cluster.view()["slots"]), 3)

    def test_a_program_that_may_not_be_started_again_takes_its_worker_along(self):
        app = Program(self, "app.js", NODE_TELLS % "3000" + "setTimeout(() => process.exit(7), 1500);")
        with front(app, "-i", "1", "--stop-exit-codes=7") as cluster:
            wait_until(lambda: cluster.view()["slots"][0]["condition"] == "stopped", "it stays down")
            self.assertEqual(cluster.pids(), [])

    def test_a_program_that_cannot_be_started_again_is_tried_again_and_clients_hear_503(self):
        app = self.node()
        with front(app, "-i", "1", "--listen-timeout=2s") as cluster:
            (worker,) = cluster.pids()
            app.deploy("process.exit(3)")
            os.kill(program_pids(cluster)[0], signal.SIGKILL)
            wait_until(lambda: cluster.view()["slots"][0]["quick_deaths"] > 2, "it is tried again and again")
            self.assertEqual(cluster.get("/", "-o", "/dev/null", "-w", "%{http_code}"), b"503")
            app.deploy(NODE_TELLS % "3000")
            wait_until(lambda: cluster.pids() == [worker], "it serves again, in the same worker")
            self.assertIn("pid", json.loads(cluster.get("/")))

    def test_everything_ends_with_the_cluster(self):
        with front(self.node(), "-i", "2") as cluster:
            pids = program_pids(cluster)
            cluster.ok("stop", cluster.name)
            self.assertEqual(cluster.wait_exit(), 0)
            self.assertFalse([pid for pid in pids if exists(pid)])

    def test_a_program_that_never_listens_says_why(self):
        app = Program(self, "app.js", "setInterval(() => {}, 1000)")
        with front(app, "-i", "1", "--listen-timeout=4s", wait=False) as cluster:
            cluster.wait_log("the program has not listened within --listen-timeout=4s")
