"""Programs whose sockets nobody sees, behind their workers: they bind a port of their own, or a UNIX socket."""

import os
import signal
import unittest

from cluster import Cluster, exists, fixture, free_port, wait_until
from load import Load
from program import PYTHON_TELLS, Program, program_pids

STATIC = fixture("port_server")  # no library reaches it; PORT says where it listens

# Takes its address from its words, or from an environment that has any name.
BY_WORDS = """
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
host, port = (os.environ.get('BIND') or sys.argv[1]).rsplit(':', 1)
http.server.ThreadingHTTPServer((host, int(port)), Answer).serve_forever()
"""


def by_words(test):
    return Program(test, "app.py", BY_WORDS)


class OwnPort(unittest.TestCase):
    def test_nothing_is_lost_whatever_happens(self):
        for fresh in (True, False):
            with self.subTest(fresh=fresh), Cluster(STATIC, "-i", "2", "--kill-signal=TERM") as cluster:
                cluster.wait_log("the program listens at 127.0.0.1:[0-9]+ by itself")
                self.assertIn(int(cluster.get()), program_pids(cluster))
                with Load(cluster, threads=4, fresh=fresh) as load:
                    for verb in (("reload",), ("scale", "3"), ("scale", "1"), ("scale", "2")):
                        cluster.ok(verb[0], cluster.name, *verb[1:])
                    before = program_pids(cluster)
                    os.kill(before[0], signal.SIGKILL)
                    wait_until(lambda: len(set(program_pids(cluster)) - {before[0]}) == 2, "a replacement")
                    cluster.ok("reload", cluster.name)
                self.assertEqual(load.lost, 0, load.failures[:5])
                self.assertGreater(load.counts["ok"], 100)

    def test_each_has_a_port_of_its_own_and_ends_with_the_cluster(self):
        with Cluster(STATIC, "-i", "4", "--kill-signal=TERM") as cluster:
            ports = set()
            for pid in program_pids(cluster):
                with open("/proc/%d/environ" % pid, "rb") as environment:
                    ports.update(word for word in environment.read().split(b"\0") if word.startswith(b"PORT="))
            self.assertEqual(len(ports), 4)
            programs = program_pids(cluster)
        self.assertFalse([pid for pid in programs if exists(pid)])

    def test_its_own_port_can_be_said(self):
        port = free_port()
        with Cluster(STATIC, "-i", "1", "--kill-signal=TERM", listen="127.0.0.1:0=%d" % port) as cluster:
            cluster.wait_log("the program listens at 127.0.0.1:%d by itself" % port)
            self.assertIn(int(cluster.get()), program_pids(cluster))

    def test_one_that_listens_nowhere_says_where_it_was_awaited(self):
        elsewhere = by_words(self).directory + "/elsewhere.sock"
        with Cluster(STATIC, "-i", "1", "--listen-timeout=2s", "--", elsewhere, wait=False) as cluster:
            self.assertNotEqual(cluster.wait_exit(), 0)
            self.assertIn("has not accepted from LISTEN_FDS, or listened at PORT=", "\n".join(cluster.lines))


class Upstream(unittest.TestCase):
    def test_words_and_environment_say_the_port(self):
        words = {
            "argument": ["--", "127.0.0.1:{port}"],
            "environment": ["--env=BIND=127.0.0.1:{port}"],
        }
        for name, given in words.items():
            with self.subTest(name), Cluster(
                    by_words(self).path, "-i", "2", "--upstream=127.0.0.1:{port}", *given) as cluster:
                with Load(cluster, threads=2, fresh=True, pause=0.002) as load:
                    cluster.ok("reload", cluster.name)
                    cluster.ok("scale", cluster.name, "3")
                self.assertEqual(load.lost, 0, load.failures[:5])
                self.assertIn(int(cluster.get()), program_pids(cluster))

    def test_a_unix_socket_for_each(self):
        folder = by_words(self).directory
        place = folder + "/app-{generation}.sock"
        with Cluster(STATIC, "-i", "2", "--kill-signal=TERM", "--upstream=unix:" + place, "--", place) as cluster:
            self.assertEqual(len([name for name in os.listdir(folder) if name.endswith(".sock")]), 2)
            with Load(cluster, threads=2, fresh=True, pause=0.002) as load:
                cluster.ok("reload", cluster.name)
            self.assertEqual(load.lost, 0, load.failures[:5])

    def test_words_are_the_programs_own_where_nobody_asks_for_them(self):
        app = Program(self, "app.py", BY_WORDS.replace(
            "host, port = ", "assert sys.argv[2] == '{port} {slot}', sys.argv\nhost, port = "))
        with Cluster(app.path, "-i", "1", "--", "127.0.0.1:8000", "{port} {slot}") as cluster:
            self.assertIn(int(cluster.get()), program_pids(cluster))

    def test_what_cannot_be_is_refused_in_one_line(self):
        app = by_words(self).path
        refused = {
            ("--upstream=127.0.0.1:3000",): "{port} has to be in it",
            ("--upstream=unix:/run/app.sock",): "{generation} has to be in it",
            ("--upstream=nowhere:{port}",): "--upstream=nowhere:{port}",
            ("--upstream=127.0.0.1:{port}", "--direct"): "--upstream is for programs behind a worker",
            ("--upstream=127.0.0.1:{port}", "--sockets=preload"): "one of them at a time",
            ("--front", "--direct"): "one of them at a time",
            ("--direct", "--max-in-flight=3"): "no worker stands before",
            ("--direct", "--probe=/ready"): "none stands before this program",
            ("--front", "--ready=start"): "a front has to know",
        }
        for words, said in refused.items():
            with self.subTest(words=words), Cluster(app, *words, wait=False) as cluster:
                self.assertEqual(cluster.wait_exit(), 2, cluster.lines)
                self.assertEqual(len(cluster.lines), 1, cluster.lines)
                self.assertIn(said, cluster.lines[0])
        with Cluster(app, "--upstream=127.0.0.1:{port}", listen=None, wait=False) as cluster:
            self.assertEqual(cluster.wait_exit(), 2)
            self.assertIn("--upstream needs --listen", cluster.lines[-1])
        with Cluster("hello", "--upstream=127.0.0.1:{port}", wait=False) as cluster:
            self.assertEqual(cluster.wait_exit(), 2)
            self.assertIn("--upstream is for programs, and hello is a native app", cluster.lines[-1])


class Way(unittest.TestCase):
    """Which way is in force where none is asked for."""

    def test_a_worker_stands_before_every_program_that_it_can_stand_before(self):
        app = Program(self, "app.py", PYTHON_TELLS % "8000")
        for words, said in {(): "behind this worker", ("--front",): "behind this worker"}.items():
            with self.subTest(words=words), Cluster(app.path, "-i", "1", *words) as cluster:
                cluster.wait_log(said)
        with Cluster(app.path, "-i", "1", "--direct") as cluster:
            self.assertFalse([line for line in cluster.lines if "behind this worker" in line])
            cluster.get()

    def test_where_none_can_stand_the_start_says_why(self):
        with Cluster(STATIC, "-i", "1", listen=None, wait=False, env={**os.environ, "PORT": "0"}) as cluster:
            cluster.wait_log("no worker stands before .*port_server, for where it listens cannot be seen; "
                             "with --listen=ADDR:PORT it gets a private port as PORT")


if __name__ == "__main__":
    unittest.main()
