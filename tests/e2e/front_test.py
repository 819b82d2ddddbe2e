"""--front: the worker has the clients, and a program of any language stands behind it, with a private listener."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

from cluster import GET, Cluster, exists, read_response, wait_until
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


# The site may be anything; another listener comes before it, at the loopback, and a third one behind it.
METRICS_FIRST = """
const http = require('http');
const say = (what) => http.createServer((request, response) => response.end(what + ' ' + process.pid));
say('metrics').listen(%d, '127.0.0.1', () => setTimeout(() => say('site').listen(%d), 300));
"""

ALSO = """
const http = require('http');
const say = (what) => http.createServer((request, response) => response.end(what + ' ' + process.pid));
say('site').listen(%d, () => say('also').listen(%d));
"""

TRIES_THE_NEXT_PORT = """
const http = require('http');
const server = http.createServer((request, response) => response.end('at ' + server.address().port));
let port = %d;
server.on('error', (error) => {
  if (error.code !== 'EADDRINUSE') throw error;
  server.listen(++port);
});
server.listen(port);
"""

CONNECTS_FIRST = """
import socket
client = socket.socket()
client.bind(('0.0.0.0', %d))
client.connect(('127.0.0.1', %d))
client.sendall(b'hello from %d')
client.close()
""" + PYTHON

BOTH_FAMILIES = """
import asyncio
async def answer(reader, writer):
    while await reader.readuntil(b'\\r\\n\\r\\n'):
        writer.write(b'HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\n\\r\\nhere')
        await writer.drain()
async def main():
    server = await asyncio.start_server(answer, None, %d)
    async with server:
        await server.serve_forever()
asyncio.run(main())
"""


def free_ports(count):
    """Ports that nobody has, next to each other."""
    while True:
        held = []
        try:
            first = None
            for i in range(count):
                one = socket.socket(socket.AF_INET6)
                held.append(one)
                one.bind(("::", first + i if first else 0))
                first = first or one.getsockname()[1]
            return [first + i for i in range(count)]
        except (OSError, OverflowError):
            continue
        finally:
            for one in held:
                one.close()


def get(port, host="127.0.0.1"):
    """(The body, whose connection it was)."""
    with socket.create_connection((host, port), 20) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return read_response(client)[1].decode()


class OwnSite(unittest.TestCase):
    """Without --listen: clients come to where the program listens."""

    def node(self, where):
        return Program(self, "app.js", NODE_TELLS % where)

    def own(self, program, *words, **options):
        return front(program, *words, listen=None, **options)

    def test_clients_come_to_the_programs_own_address(self):
        (port,) = free_ports(1)
        with self.own(self.node(port), "-i", "2") as cluster:
            self.assertEqual(cluster.addresses, ["[::]:%d" % port])
            self.assertEqual(cluster.view()["addresses"], cluster.addresses)
            told = json.loads(cluster.get("/", "--http1.0", "-H", "Host:"))
            self.assertEqual(told["headers"]["x-forwarded-for"], "::1")
            self.assertEqual(told["headers"]["host"], "[::]:%d" % port)
            self.assertEqual(told["address"], {"address": "::", "family": "IPv6", "port": port})
            pids = {json.loads(get(port))["pid"] for _ in range(40)}
            self.assertEqual(sorted(pids), program_pids(cluster))

    def test_nothing_is_lost_whatever_happens(self):
        kinds = {
            "node": ("app.js", lambda port: NODE_TELLS % port, []),
            "node, plain": ("app.js", lambda port: NODE_TELLS % port, ["--mode=plain"]),
            "node, loopback": ("app.js", lambda port: NODE_TELLS % ("%d, '127.0.0.1'" % port), []),
            "python": ("app.py", lambda port: PYTHON % port, []),
        }
        for kind, (name, text, flags) in kinds.items():
            (port,) = free_ports(1)
            app = Program(self, name, text(port))
            with self.subTest(kind), self.own(app, "-i", "2", *flags) as cluster:
                kept = Load(cluster, threads=2, fresh=False)
                with Load(cluster, threads=3) as fresh:
                    for verb in (("reload",), ("scale", "3"), ("scale", "1"), ("reload",), ("scale", "2")):
                        cluster.ok(verb[0], cluster.name, *verb[1:])
                    victim = program_pids(cluster)[0]
                    os.kill(victim, signal.SIGKILL)
                    wait_until(lambda: len(set(program_pids(cluster)) - {0, victim}) == 2, "it serves again")
                    workers, programs = cluster.pids(), program_pids(cluster)
                    cluster.process.kill()
                    cluster.process.wait()
                    served = fresh.counts["ok"]
                    wait_until(lambda: fresh.counts["ok"] > served + 50, "answers without a coordinator")
                    heir = self.own(app, *flags, base=cluster.base, wait=False)
                    self.addCleanup(heir.close)
                    heir.wait_log("goes on with 2 workers")
                    heir.wait_ready()
                    self.assertEqual((heir.pids(), program_pids(heir)), (workers, programs))
                    self.assertEqual(heir.addresses, cluster.addresses)
                    for verb in (("reload",), ("scale", "3"), ("upgrade",), ("scale", "1")):
                        heir.ok(verb[0], heir.name, *verb[1:])
                kept.stop()
                self.assertEqual(fresh.lost + kept.lost, 0, (fresh.failures + kept.failures)[:5])
                self.assertGreater(min(fresh.counts["ok"], kept.counts["ok"]), 100)
                heir.ok("stop", heir.name)

    def test_a_program_that_dies_without_a_coordinator_finds_its_address_as_it_was(self):
        (port,) = free_ports(1)
        with self.own(self.node(port), "-i", "1") as cluster:
            (before,) = program_pids(cluster)
            cluster.process.kill()
            cluster.process.wait()
            with Load(cluster, threads=2) as load:
                wait_until(lambda: load.counts["ok"], "it answers")
                os.kill(before, signal.SIGKILL)
                wait_until(lambda: len({json.loads(one)["pid"] for one in list(load.bodies)}) > 1, "another answers")
            self.assertEqual(load.lost, 0, load.failures[:5])

    def test_a_port_that_somebody_has_is_in_use_for_the_program_too(self):
        port, after = free_ports(2)
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", port))
            holder.listen()
            with self.own(Program(self, "app.js", TRIES_THE_NEXT_PORT % port), "-i", "2") as cluster:
                self.assertEqual(cluster.addresses, ["[::]:%d" % after])
                self.assertEqual(get(after), "at %d" % after)
                cluster.ok("reload", cluster.name)
                self.assertEqual(get(after), "at %d" % after)
            with self.own(self.node(port), "-i", "1", wait=False) as cluster:
                self.assertNotEqual(cluster.wait_exit(), 0)
                text = "\n".join(cluster.lines)
                self.assertIn("before it listened", text)
                self.assertIn("cannot listen on [::]:%d: the address is in use" % port, text)

    def test_metrics_on_the_loopback_come_first_and_are_not_the_site(self):
        metrics, site = free_ports(2)
        with self.own(Program(self, "app.js", METRICS_FIRST % (metrics, site)), "-i", "2") as cluster:
            for _ in range(2):
                self.assertTrue(get(site).startswith("site"))
                self.assertTrue(get(metrics).startswith("metrics"))
                pids = program_pids(cluster)
                self.assertIn(int(get(metrics).split()[1]), pids)
                cluster.ok("reload", cluster.name)
                self.assertFalse(set(pids) & set(program_pids(cluster)))
            cluster.wait_log("127.0.0.1:%d is not its site" % metrics)

    def test_a_further_port_is_shared_by_the_programs_and_named_in_the_log(self):
        site, also = free_ports(2)
        with self.own(Program(self, "app.js", ALSO % (site, also)), "-i", "2") as cluster:
            cluster.wait_log(r"listens at \[::\]:%d as well, by itself: its site is \[::\]:%d" % (also, site))
            self.assertEqual(sorted({int(get(site).split()[1]) for _ in range(40)}), program_pids(cluster))
            self.assertEqual(sorted({int(get(also).split()[1]) for _ in range(40)}), program_pids(cluster))

    def test_the_port_that_the_environment_names_is_the_site(self):
        also, site = free_ports(2)
        app = Program(self, "app.js", ALSO % (also, site))
        with self.own(app, "-i", "1", "--env=PORT=%d" % site) as cluster:
            self.assertEqual(get(site).split()[0], "also")
            cluster.wait_log(r"\[::\]:%d is not its site" % also)
            self.assertEqual(get(also).split()[0], "site")

    def test_a_version_that_listens_elsewhere_serves_at_both(self):
        before, after = free_ports(2)
        app = self.node(before)
        with self.own(app, "-i", "2") as cluster:
            with Load(cluster, threads=3) as fresh, Load(cluster, threads=2, fresh=False) as kept:
                app.deploy(NODE_TELLS % after)
                cluster.ok("reload", cluster.name)
                self.assertEqual(json.loads(get(after))["local"], after)
                cluster.ok("scale", cluster.name, "3")
                cluster.ok("scale", cluster.name, "1")
                pids = program_pids(cluster)
                self.assertEqual([json.loads(get(port))["pid"] for port in (before, after)], pids * 2)
            self.assertEqual(fresh.lost + kept.lost, 0, (fresh.failures + kept.failures)[:5])

    def test_a_version_that_listens_more_widely_or_less_is_rolled_out(self):
        (port,) = free_ports(1)
        app = self.node("%d, '127.0.0.1'" % port)
        with self.own(app, "-i", "2") as cluster, Load(cluster, threads=3) as load:
            app.deploy(NODE_TELLS % ("%d, '0.0.0.0'" % port))
            cluster.ok("reload", cluster.name)
            self.assertEqual(json.loads(get(port, "127.0.0.2"))["local"], port)
            app.deploy(NODE_TELLS % ("%d, '127.0.0.1'" % port))
            cluster.ok("reload", cluster.name)
            self.assertEqual(load.lost, 0, load.failures[:5])

    def test_an_aborted_version_leaves_no_address_behind(self):
        before, after = free_ports(2)
        app = self.node(before)
        with self.own(app, "-i", "1", "--probe=/") as cluster:
            app.deploy("require('http').createServer((q, s) => { s.statusCode = 500; s.end(); }).listen(%d)" % after)
            self.assertEqual(cluster.cli("reload", cluster.name)[0], 1)
            with self.assertRaises(ConnectionRefusedError):
                get(after)
            self.assertIn("pid", json.loads(get(before)))

    def test_a_port_that_the_program_connects_from_is_no_site(self):
        site, *own = free_ports(3)
        with socket.socket() as peer:
            peer.bind(("127.0.0.1", 0))
            peer.listen()
            for listen, here in zip((None, "127.0.0.1:0"), own):
                app = Program(self, "app.py", CONNECTS_FIRST % (here, peer.getsockname()[1], here, site))
                with self.subTest(listen=listen), front(app, "-i", "1", listen=listen) as cluster:
                    with peer.accept()[0] as connection:
                        self.assertEqual(connection.getpeername(), ("127.0.0.1", here))
                        self.assertEqual(connection.recv(100), b"hello from %d" % here)
                    self.assertEqual(get(cluster.port if listen else site).split()[0], "127.0.0.1")

    def test_each_slot_may_have_a_port_of_its_own(self):
        ports = free_ports(3)
        where = "%d + Number(process.env.NODE_APP_INSTANCE)" % ports[0]
        with self.own(self.node(where), "-i", "2") as cluster:
            self.assertEqual(sorted(cluster.addresses), ["[::]:%d" % port for port in ports[:2]])
            cluster.ok("scale", cluster.name, "3")
            cluster.ok("reload", cluster.name)
            self.assertEqual([json.loads(get(port))["local"] for port in ports], ports)

    def test_new_connections_are_steered_as_with_listen(self):
        (port,) = free_ports(1)
        with front(self.node("0"), "-i", "1") as with_listen:
            mode = with_listen.view()["mode"]
        with self.own(self.node(port), "-i", "4") as cluster:
            self.assertEqual(cluster.view()["mode"], mode)
            if not mode.startswith("full"):
                self.skipTest("nothing steers here")
            with contextlib.ExitStack() as stack:
                for _ in range(40):
                    client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 20))
                    client.sendall(GET)
                    read_response(client)
                self.assertEqual([worker["connections"] for worker in cluster.workers()], [10] * 4)

    def test_any_port_is_one_port_for_all(self):
        with self.own(self.node("0"), "-i", "3") as cluster:
            self.assertEqual(len(cluster.addresses), 1)
            told = [json.loads(get(cluster.port)) for _ in range(60)]
            self.assertEqual({one["local"] for one in told}, {cluster.port})
            self.assertEqual(sorted({one["pid"] for one in told}), program_pids(cluster))
            cluster.ok("reload", cluster.name)
            self.assertEqual(json.loads(get(cluster.port))["local"], cluster.port)

    def test_both_families_of_one_port(self):
        (port,) = free_ports(1)
        with self.own(Program(self, "app.py", BOTH_FAMILIES % port), "-i", "2") as cluster:
            for host in ("127.0.0.1", "::1"):
                self.assertEqual(get(port, host), "here")
            cluster.ok("reload", cluster.name)
            for host in ("127.0.0.1", "::1"):
                self.assertEqual(get(port, host), "here")

    def test_a_program_whose_listener_cannot_be_seen_needs_an_address(self):
        app = self.node(3000)
        with self.own(app, "--sockets=listen-fds", wait=False) as cluster:
            self.assertEqual(cluster.wait_exit(), 2)
            self.assertIn("--front needs --listen here", cluster.lines[-1])

    def test_listen_can_say_which_port_of_the_program_it_is_for(self):
        also, site = free_ports(2)
        app = Program(self, "app.js", ALSO % (also, site))
        with front(app, "-i", "2", listen="127.0.0.1:0=%d" % site) as cluster:
            self.assertEqual(cluster.get("/").split()[0], b"also")
            self.assertEqual(get(also).split()[0], "site")
            with self.assertRaises(ConnectionRefusedError):
                get(site)
            cluster.ok("reload", cluster.name)
            self.assertEqual(cluster.get("/").split()[0], b"also")
        with Cluster(app.path, listen="127.0.0.1:0=3000", wait=False) as cluster:
            self.assertEqual(cluster.wait_exit(), 2)
            self.assertIn("is for programs with --front", cluster.lines[-1])

    def test_a_program_that_serves_nobody_is_told_apart(self):
        app = Program(self, "app.js", "setInterval(() => {}, 1000)")
        with self.own(app, "-i", "1", "--listen-timeout=2s", wait=False) as cluster:
            self.assertNotEqual(cluster.wait_exit(), 0)
            self.assertIn("has not listened within --listen-timeout=2s", "\n".join(cluster.lines))
            self.assertIn("--ready=start", "\n".join(cluster.lines))

    def test_any_port_of_the_loopback_is_no_site(self):
        app = self.node("0, '127.0.0.1'")
        with self.own(app, "-i", "1", "--listen-timeout=2s", wait=False) as cluster:
            self.assertNotEqual(cluster.wait_exit(), 0)
            self.assertIn("which is not taken for it", "\n".join(cluster.lines))

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_another_user_gets_no_privileged_port(self):
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as start:
            if int(start.read()) < 2:
                self.skipTest("there is none here")
        with self.own(self.node(1), "-i", "1", "--user=nobody", wait=False) as cluster:
            self.assertNotEqual(cluster.wait_exit(), 0)
            self.assertIn("a privileged port; with --user", "\n".join(cluster.lines))


if __name__ == "__main__":
    unittest.main()
