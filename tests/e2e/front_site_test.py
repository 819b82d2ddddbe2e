"""Without --listen clients come to where the program behind the worker listens."""

import contextlib
import json
import os
import signal
import socket
import unittest

from cluster import GET, Cluster, free_ports, read_response, wait_until
from load import Load
from program import NODE_TELLS, PYTHON_TELLS, Program, front, program_pids

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
""" + PYTHON_TELLS

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
            "python": ("app.py", lambda port: PYTHON_TELLS % port, []),
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
        with self.own(app, "--front", "--sockets=listen-fds", wait=False) as cluster:
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
        with Cluster(app.path, "--direct", listen="127.0.0.1:0=3000", wait=False) as cluster:
            self.assertEqual(cluster.wait_exit(), 2)
            self.assertIn("is for programs behind a worker", cluster.lines[-1])

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
