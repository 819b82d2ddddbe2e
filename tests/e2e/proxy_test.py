"""`start proxy ADDR`: workers of ours before a server that somebody else runs."""

import hashlib
import http.client
import http.server
import json
import os
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading
import unittest

from cluster import BINARY, Cluster, read_response, wait_until
from load import Load

BODY = os.urandom(20_000_000)


class Answers(http.server.BaseHTTPRequestHandler):
    """/ tells what it was told, /large is BODY, POST answers with the sum of what came, /held waits."""

    protocol_version = "HTTP/1.1"
    released = threading.Event()

    def log_message(self, *_):
        pass

    def address_string(self):
        return ""

    def answer(self, body, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        if self.headers.get("Upgrade") == "echo":
            return self.echo()
        if self.path == "/large":
            return self.answer(BODY)
        if self.path == "/held":
            self.released.wait(20)
        if self.path == "/chunked":
            return self.chunked()
        self.answer(json.dumps({name.lower(): value for name, value in self.headers.items()}).encode())

    do_HEAD = do_GET

    def do_POST(self):
        sum_of_all = hashlib.sha256()
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                sum_of_all.update(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
        else:
            left = int(self.headers["Content-Length"])
            while left:
                piece = self.rfile.read(min(left, 65536))
                sum_of_all.update(piece)
                left -= len(piece)
        self.answer(sum_of_all.hexdigest().encode())

    def chunked(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in (b"one", b"two", b"three"):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def echo(self):
        self.send_response(101)
        self.send_header("Connection", "Upgrade")
        self.send_header("Upgrade", "echo")
        self.end_headers()
        self.close_connection = True
        while data := self.connection.recv(65536):
            self.connection.sendall(data)


class TcpServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = allow_reuse_address = True
    block_on_close = False
    request_queue_size = 128


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


class Upstream:
    """The server behind the workers, in a thread of the test."""

    def __init__(self, test, unix=False):
        Answers.released = threading.Event()
        self.folder = tempfile.mkdtemp(prefix="uc-proxy-")
        test.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.where = os.path.join(self.folder, "server") if unix else ("127.0.0.1", 0)
        self.unix = unix
        self.begin()
        test.addCleanup(self.end)

    @property
    def address(self):
        return "unix:" + self.where if self.unix else "%s:%d" % self.where

    def begin(self):
        self.server = (UnixServer if self.unix else TcpServer)(self.where, Answers)
        self.where = self.server.server_address
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def end(self):
        """Nobody listens any more; connections stay until their clients end them."""
        if self.server is None:
            return
        Answers.released.set()
        self.server.shutdown()
        self.server.server_close()
        self.server = None
        if self.unix:
            os.unlink(self.where)


NODE = """
const server = require('http').createServer((request, response) => response.end('hello'));
server.keepAliveTimeout = 30;
server.listen(process.argv[1]);
"""


class NodeServer:
    """A Node program that somebody else runs, on a UNIX socket. It ends idle connections after 30 ms."""

    def __init__(self, test):
        self.folder = tempfile.mkdtemp(prefix="uc-proxy-")
        test.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.path = os.path.join(self.folder, "server")
        self.address = "unix:" + self.path
        self.process = None
        test.addCleanup(self.kill)
        self.begin()

    def begin(self):
        self.process = subprocess.Popen(["node", "-e", NODE, self.path])
        wait_until(lambda: os.path.exists(self.path), "the program listens")

    def kill(self):
        """kill -9: a socket stays at the path, and nobody listens there."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def begin_again(self):
        os.unlink(self.path)
        self.begin()


class Serving(unittest.TestCase):
    def test_the_server_learns_who_asks(self):
        for unix in (False, True):
            with self.subTest(unix=unix), Cluster("proxy", Upstream(self, unix).address, "-i", "2") as cluster:
                told = json.loads(cluster.get("/", "-H", "X-Forwarded-For: 6.6.6.6"))
                self.assertEqual(told["x-forwarded-for"], "127.0.0.1")
                self.assertEqual(told["x-forwarded-proto"], "http")
                self.assertEqual(told["host"], "127.0.0.1:%d" % cluster.port)

    def test_large_bodies_pass_both_ways(self):
        for unix in (False, True):
            with self.subTest(unix=unix), Cluster("proxy", Upstream(self, unix).address, "-i", "1") as cluster:
                self.assertEqual(hashlib.sha256(cluster.get("/large")).digest(), hashlib.sha256(BODY).digest())
                client = http.client.HTTPConnection(cluster.host, cluster.port, timeout=20)
                expected = hashlib.sha256(BODY).hexdigest().encode()
                client.request("POST", "/", BODY)
                self.assertEqual(client.getresponse().read(), expected)
                pieces = (BODY[at : at + 100_000] for at in range(0, len(BODY), 100_000))
                client.request("POST", "/", pieces, {"Transfer-Encoding": "chunked"}, encode_chunked=True)
                self.assertEqual(client.getresponse().read(), expected)
                client.close()

    def test_head_and_chunked_answers(self):
        with Cluster("proxy", Upstream(self).address, "-i", "1") as cluster:
            client = http.client.HTTPConnection(cluster.host, cluster.port, timeout=20)
            client.request("HEAD", "/large")
            response = client.getresponse()
            self.assertEqual(response.getheader("Content-Length"), str(len(BODY)))
            self.assertEqual(response.read(), b"")
            client.request("GET", "/chunked")
            self.assertEqual(client.getresponse().read(), b"onetwothree")
            client.close()

    def test_a_change_of_protocol_is_a_tunnel(self):
        with Cluster("proxy", Upstream(self).address, "-i", "1") as cluster, cluster.connect() as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
            head, _, rest = read_response(connection)
            self.assertIn(b" 101 ", head)
            self.assertEqual(rest, b"")
            for word in (b"first", b"second" * 1000):
                connection.sendall(word)
                heard = b""
                while len(heard) < len(word):
                    heard += connection.recv(65536)
                self.assertEqual(heard, word)
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(connection.recv(1), b"")


class Zero(unittest.TestCase):
    """What a proxy's own life costs the clients."""

    def test_rolls_and_scaling_lose_nothing(self):
        for fresh in (True, False):
            with self.subTest(fresh=fresh), Cluster("proxy", Upstream(self, unix=True).address, "-i", "2") as cluster:
                with Load(cluster, threads=4, fresh=fresh, pause=0.002) as load:
                    cluster.ok("reload", cluster.name)
                    cluster.ok("scale", cluster.name, "3")
                    cluster.ok("reload", cluster.name)
                    cluster.ok("scale", cluster.name, "1")
                    load.stop()
                self.assertEqual(load.lost, 0, load.failures)
                self.assertGreater(load.counts["ok"], 50)

    def test_a_request_that_waits_for_its_answer_is_answered_after_a_roll(self):
        with Cluster("proxy", Upstream(self).address, "-i", "1") as cluster, cluster.connect() as connection:
            connection.sendall(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda: cluster.workers()[0]["in_flight"] == 1, "the request is under way")
            before = cluster.pids()
            rolled = threading.Thread(target=cluster.ok, args=("reload", cluster.name))
            rolled.start()
            wait_until(lambda: cluster.pids() and cluster.pids() != before, "the successor serves")
            Answers.released.set()
            head, _, _ = read_response(connection)
            self.assertIn(b" 200 ", head)
            rolled.join()

    def test_a_server_that_comes_again_costs_no_request(self):
        upstream = Upstream(self, unix=True)
        with Cluster("proxy", upstream.address, "-i", "2") as cluster:
            with Load(cluster, threads=4, fresh=False, pause=0.002) as load:
                for _ in range(3):
                    answered = load.counts["ok"]
                    wait_until(lambda: load.counts["ok"] > answered + 10, "requests are answered")
                    upstream.end()
                    upstream.begin()
                load.stop()
            self.assertEqual(load.lost, 0, load.failures)

    def test_a_server_that_ends_idle_connections_costs_no_safe_request(self):
        server = NodeServer(self)
        with Cluster("proxy", server.address, "-i", "2") as cluster:
            with Load(cluster, threads=8, fresh=False, pause=0.03) as load:
                wait_until(lambda: load.counts["ok"] > 300 or load.lost > 0, "requests are answered")
                load.stop()
            self.assertEqual(load.lost, 0, load.failures)

    def test_a_server_that_is_killed_costs_no_safe_request(self):
        server = NodeServer(self)
        with Cluster("proxy", server.address, "-i", "2") as cluster:
            with Load(cluster, threads=4, fresh=False, pause=0.001) as load:
                for _ in range(3):
                    answered = load.counts["ok"]
                    wait_until(lambda: load.counts["ok"] > answered + 50 or load.lost > 0, "requests are answered")
                    server.kill()
                    server.begin_again()
                load.stop()
            self.assertEqual(load.lost, 0, load.failures)

    def test_without_a_server_the_answer_is_503(self):
        with Cluster("proxy", "unix:/nonexistent/server", "-i", "1") as cluster:
            answer = cluster.get("/", "-i")
            self.assertIn(b" 503 ", answer)
            self.assertIn(b"Retry-After: 1\r\n", answer)


class Bounds(unittest.TestCase):
    def test_the_server_has_only_as_many_requests_as_it_is_to_have(self):
        with Cluster("proxy", Upstream(self).address, "-i", "1", "--max-in-flight=1") as cluster:
            with cluster.connect() as held, cluster.connect() as waits:
                held.sendall(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
                wait_until(lambda: cluster.workers()[0]["in_flight"] == 1, "the first is under way")
                waits.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                wait_until(lambda: cluster.workers()[0]["in_flight"] == 2, "the second waits")
                Answers.released.set()
                self.assertIn(b" 200 ", read_response(held)[0])
                self.assertIn(b" 200 ", read_response(waits)[0])


class Refused(unittest.TestCase):
    def refused(self, words, *arguments):
        done = subprocess.run([BINARY, "start", *arguments], capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(words, done.stderr)

    def test_what_is_no_server(self):
        self.refused("proxy wants the server", "proxy")
        self.refused("proxy takes one server", "proxy", "127.0.0.1:1", "127.0.0.1:2")
        self.refused("the port of a server is not 0", "proxy", "127.0.0.1:0")
        self.refused("a path of 1 to", "proxy", "unix:")
        self.refused("--max-in-flight is for proxy", "hello", "--max-in-flight=3")
        self.refused("--max-in-flight", "proxy", "127.0.0.1:1", "--max-in-flight=-1")


if __name__ == "__main__":
    unittest.main()
