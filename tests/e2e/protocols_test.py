"""Programs and servers that speak other protocols than HTTP/1, behind workers."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

from cluster import Cluster, free_port, read_all, read_response, wait_until
from program import Program, program_pids

ECHO = """
const server = require('net').createServer({allowHalfOpen: true}, socket => {
  socket.on('error', () => {});
  socket.pipe(socket);
});
server.listen(%s);
"""

# Speaks first, as SMTP does, and counts what it hears.
GREETS = """
require('net').createServer({allowHalfOpen: true}, socket => {
  let heard = 0;
  socket.on('error', () => {});
  socket.write('220 ready ' + process.pid + '\\r\\n');
  socket.on('data', piece => heard += piece.length);
  socket.on('end', () => socket.end('heard ' + heard + '\\r\\n'));
}).listen(3000);
"""

HTTPS = """
const fs = require('fs');
require('https').createServer({key: fs.readFileSync('key.pem'), cert: fs.readFileSync('cert.pem')}, (request, response) => {
  response.end('secret ' + request.url);
}).listen(3000);
"""

HTTP2 = """
const server = require('http2').createServer();
server.on('stream', (stream, headers) => {
  stream.respond({':status': 200, 'content-type': 'text/plain'}, {waitForTrailers: true});
  stream.on('wantTrailers', () => stream.sendTrailers({'grpc-status': '0'}));
  stream.pipe(stream);
});
server.listen(3000);
"""

HTTP = """
const server = require('http').createServer((request, response) => {
  let size = 0;
  request.on('data', piece => size += piece.length);
  request.on('end', () => response.end(JSON.stringify({headers: request.headers, url: request.url, size,
                                                        trailers: request.trailers})));
});
server.on('checkContinue', (request, response) => {
  if (request.headers['x-refuse']) { response.writeHead(403, {'Content-Length': 0}); response.end(); return; }
  response.writeContinue();
  server.emit('request', request, response);
});
server.on('connect', (request, socket) => {
  socket.write('HTTP/1.1 200 OK\\r\\n\\r\\nto ' + request.url + ';');
  socket.pipe(socket);
});
server.listen(3000);
"""

LARGE = os.urandom(1 << 20) * 8


def front(program, *words, **options):
    return Cluster(program.path, *words, **{"listen": "127.0.0.1:0", **options})


def heard(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(65536)
        if not piece:
            break
        data += piece
    return data


class Raw(unittest.TestCase):
    def echo_through(self, cluster):
        with cluster.connect() as connection:
            for words in (b"hello", b"\0\1\2", b"GET / HTTP/1.1\r\n\r\n"):
                connection.sendall(words)
                self.assertEqual(heard(connection, len(words)), words)
            writer = threading.Thread(target=lambda: (connection.sendall(LARGE), connection.shutdown(socket.SHUT_WR)))
            writer.start()
            self.assertEqual(read_all(connection), LARGE)
            writer.join()

    def test_an_echo_of_bytes(self):
        with front(Program(self, "app.js", ECHO % "3000"), "-i", "2") as cluster:
            for _ in range(4):
                self.echo_through(cluster)
            wait_until(lambda: sum(worker["in_flight"] for worker in cluster.workers()) == 0, "no tunnel is left")

    def test_before_a_server_of_somebody_elses(self):
        folder = tempfile.mkdtemp(prefix="uc-raw-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        path = os.path.join(folder, "server")
        for listens, address in (("'%s'" % path, "unix:" + path), ("%d, '127.0.0.1'" % free_port(), None)):
            with self.subTest(listens):
                server = subprocess.Popen(["node", "-e", ECHO % listens])
                self.addCleanup(server.wait)
                self.addCleanup(server.kill)
                address = address or "127.0.0.1:" + listens.split(",")[0]
                wait_until(lambda: self.listens(address), "the server listens")
                with Cluster("proxy", address, "-i", "1") as cluster:
                    self.echo_through(cluster)

    def listens(self, address):
        family = socket.AF_UNIX if address.startswith("unix:") else socket.AF_INET
        where = address[5:] if family == socket.AF_UNIX else ("127.0.0.1", int(address.split(":")[1]))
        with socket.socket(family) as probe:
            return probe.connect_ex(where) == 0

    def test_a_program_that_speaks_first(self):
        with front(Program(self, "app.js", GREETS), "-i", "2") as cluster:
            for _ in range(6):
                with cluster.connect() as connection:
                    self.assertTrue(heard(connection, 11).startswith(b"220 ready "))
                    connection.sendall(b"x" * 100_000)
                    connection.shutdown(socket.SHUT_WR)
                    self.assertTrue(read_all(connection).endswith(b"heard 100000\r\n"))

    def test_a_tunnel_outlives_a_reload_and_new_ones_go_to_the_new_program(self):
        with front(Program(self, "app.js", GREETS), "-i", "1", "--protocol=tcp", "--kill-timeout=60s") as cluster:
            with cluster.connect() as before, cluster.connect() as after:
                greeting = heard(before, 12)
                rolled = threading.Thread(target=cluster.ok, args=("reload", cluster.name))
                old = program_pids(cluster)
                heard(after, 12)
                rolled.start()
                wait_until(lambda: program_pids(cluster) not in ([], [0], old), "the successor serves")
                with cluster.connect() as third:
                    words = third.recv(100)
                    self.assertNotIn(b" %d\r\n" % old[0], words)
                before.sendall(b"still here")
                before.shutdown(socket.SHUT_WR)
                self.assertTrue(read_all(before).endswith(b"heard 10\r\n"), greeting)
                after.shutdown(socket.SHUT_WR)
                self.assertTrue(read_all(after).endswith(b"heard 0\r\n"))
                rolled.join()

    def test_a_program_that_ends_ends_its_tunnels_and_the_next_ones_wait_for_the_next(self):
        with front(Program(self, "app.js", GREETS), "-i", "1", "--protocol=tcp") as cluster:
            for _ in range(4):
                with cluster.connect() as connection:
                    self.assertTrue(heard(connection, 12).startswith(b"220 ready"))
                    os.kill(program_pids(cluster)[0], 9)
                    read_all(connection)
                # The worker may not know yet, and this one waits in the queue that ends with the program.
                with cluster.connect() as connection:
                    self.assertTrue(heard(connection, 12).startswith(b"220 ready"))


class Encrypted(unittest.TestCase):
    def test_a_program_that_speaks_tls(self):
        app = Program(self, "app.js", HTTPS)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
             "-days", "2", "-subj", "/CN=localhost"], cwd=app.directory, check=True, capture_output=True)
        with front(app, "-i", "2", "--cwd=" + app.directory, "--protocol=tcp") as cluster:
            self.ask(cluster)
            cluster.ok("reload", cluster.name)
            self.ask(cluster)
        with front(app, "-i", "1", "--cwd=" + app.directory) as cluster:
            self.ask(cluster)

    def ask(self, cluster):
        url = "https://127.0.0.1:%d/x" % cluster.port
        self.assertEqual(subprocess.check_output(["curl", "-sk", url], timeout=20), b"secret /x")


class Http2(unittest.TestCase):
    def test_a_program_that_speaks_http2_with_prior_knowledge(self):
        with front(Program(self, "app.js", HTTP2), "-i", "2") as cluster:
            url = "http://127.0.0.1:%d/" % cluster.port
            answer = subprocess.check_output(
                ["curl", "-s", "--http2-prior-knowledge", "-D", "-", "--data-binary", "body", url], timeout=20)
            self.assertTrue(answer.startswith(b"HTTP/2 200"), answer)
            self.assertIn(b"\r\n\r\nbody", answer)
            self.assertIn(b"grpc-status: 0", answer)


class Http1(unittest.TestCase):
    def ask(self, connection, text):
        connection.sendall(text)
        return read_response(connection)

    def test_what_the_program_is_told_and_asked(self):
        with front(Program(self, "app.js", HTTP), "-i", "1") as cluster, cluster.connect() as connection:
            _, body, _ = self.ask(connection, b"GET http://real/x?y HTTP/1.1\r\nHost: other\r\n\r\n")
            told = json.loads(body)
            self.assertEqual((told["url"], told["headers"]["host"]), ("/x?y", "real"))
            _, body, _ = self.ask(connection, b"GET /h2c HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                                              b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n")
            told = json.loads(body)
            self.assertEqual(told["url"], "/h2c")
            self.assertNotIn("upgrade", told["headers"])
            self.assertNotIn("http2-settings", told["headers"])
            _, body, _ = self.ask(connection, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                              b"1\r\na\r\n0\r\nX-Sum: 7\r\n\r\n")
            self.assertEqual(json.loads(body)["trailers"], {"x-sum": "7"})

    def test_the_program_says_whether_it_wants_a_body(self):
        head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n%s\r\n"
        with front(Program(self, "app.js", HTTP), "-i", "1") as cluster:
            with cluster.connect() as connection:
                connection.sendall(head % b"")
                self.assertEqual(heard(connection, 25), b"HTTP/1.1 100 Continue\r\n\r\n")
                _, body, _ = self.ask(connection, b"hello")
                self.assertEqual(json.loads(body)["size"], 5)
                answer, _, _ = self.ask(connection, head % b"X-Refuse: 1\r\n")
                self.assertIn(b" 403 ", answer)
                self.assertIn(b"Connection: close", answer)

    def test_connect(self):
        with front(Program(self, "app.js", HTTP), "-i", "1") as cluster, cluster.connect() as connection:
            connection.sendall(b"CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n")
            expected = b"HTTP/1.1 200 OK\r\n\r\nto db:5432;"
            self.assertEqual(heard(connection, len(expected)), expected)
            connection.sendall(b"bytes")
            self.assertEqual(heard(connection, 5), b"bytes")

    def test_another_protocol_is_not_for_a_program_that_has_answered_http(self):
        with front(Program(self, "app.js", HTTP), "-i", "1") as cluster:
            cluster.get("/")
            with cluster.connect() as connection:
                answer, _, _ = self.ask(connection, b"*1\r\n$4\r\nPING\r\n")
                self.assertIn(b" 400 ", answer)

    def test_trusted_proxies(self):
        for networks, expected in (("127.0.0.0/8,fd00::/8", "192.0.2.9, 127.0.0.1"), ("10.0.0.0/8", "127.0.0.1")):
            with self.subTest(networks):
                with front(Program(self, "app.js", HTTP), "-i", "1", "--trusted-proxies=" + networks) as cluster:
                    told = json.loads(cluster.get("/", "-H", "X-Forwarded-For: 192.0.2.9"))
                    self.assertEqual(told["headers"]["x-forwarded-for"], expected)


class Refused(unittest.TestCase):
    def refused(self, words, *arguments):
        with Cluster(*arguments, wait=False) as cluster:
            self.assertEqual(cluster.wait_exit(), 2)
            self.assertIn(words, cluster.lines[-1])

    def test_flags_that_mean_nothing(self):
        self.refused("--protocol=udp: expected auto, http or tcp", "proxy", "127.0.0.1:1", "--protocol=udp")
        self.refused("'10.0.0.1/8' is no network", "proxy", "127.0.0.1:1", "--trusted-proxies=::1,10.0.0.1/8")
        self.refused("--first-byte-timeout=", "proxy", "127.0.0.1:1", "--first-byte-timeout=0")
        self.refused("--protocol is for proxy and for programs behind a worker", "hello", "--protocol=tcp")
        self.refused("--trusted-proxies is for proxy and for programs behind a worker", "hello", "--trusted-proxies=::1")


if __name__ == "__main__":
    unittest.main()
