"""Serving: the built-in apps and a native one, by curl, http.client, wrk, h2load and raw sockets."""

import hashlib
import http.client
import os
import socket
import subprocess
import tempfile
import threading
import unittest

from cluster import GET, Cluster, fixture, read_all, read_response


class Hello(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster("hello", "-i", "2")

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def send(self, request):
        with self.cluster.connect() as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return read_all(connection)

    def test_curl_reuses_its_connection(self):
        out = self.cluster.get("/", "-v", "--stderr", "-", self.cluster.url + "/second").decode()
        self.assertIn("Re-using existing connection", out)
        self.assertEqual(out.count("Hello from uring-cluster"), 2)

    def test_http_client_reads_date_and_length(self):
        client = http.client.HTTPConnection(self.cluster.host, self.cluster.port, timeout=10)
        for _ in range(3):
            client.request("GET", "/")
            response = client.getresponse()
            body = response.read()
            self.assertEqual(response.status, 200)
            self.assertEqual(int(response.getheader("Content-Length")), len(body))
            self.assertRegex(response.getheader("Date"), r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")
        client.close()

    def test_head_has_the_length_and_no_body(self):
        answer = self.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertIn(b"Content-Length: 25\r\n", answer)
        self.assertTrue(answer.endswith(b"\r\n\r\n"))

    def test_http_1_0_closes(self):
        answer = self.send(b"GET / HTTP/1.0\r\n\r\n")
        self.assertIn(b"Connection: close", answer)

    def test_http_1_0_keeps_alive_when_asked(self):
        with self.cluster.connect() as connection:
            for _ in range(2):
                connection.sendall(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                head, _, _ = read_response(connection)
                self.assertIn(b"Connection: keep-alive", head)

    def test_hundred_pipelined_requests_are_answered(self):
        with self.cluster.connect() as connection:
            connection.sendall(GET * 100)
            rest = b""
            for _ in range(100):
                head, body, rest = read_response(connection, rest)
                self.assertTrue(head.startswith(b"HTTP/1.1 200"))
            self.assertEqual(rest, b"")

    def test_request_split_at_every_byte_is_answered(self):
        for cut in range(1, len(GET)):
            with self.cluster.connect() as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.sendall(GET[:cut])
                connection.sendall(GET[cut:])
                self.assertTrue(read_response(connection)[0].startswith(b"HTTP/1.1 200"), cut)

    def test_client_that_half_closes_gets_its_answer(self):
        self.assertTrue(self.send(GET).startswith(b"HTTP/1.1 200"))

    def refused(self, request, status):
        with self.cluster.connect() as connection:
            connection.sendall(request)
            answer = read_all(connection)  # an end, not a reset
        self.assertTrue(answer.startswith(b"HTTP/1.1 %d " % status), answer[:200])
        self.assertEqual(answer.count(b"HTTP/1.1"), 1)

    def test_smuggling_is_refused_and_the_connection_ends(self):
        self.refused(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET, 400)

    def test_wrong_requests_get_their_status(self):
        self.refused(b"nonsense\r\n\r\n", 400)
        self.refused(b"GET / HTTP/1.1\r\n\r\n", 400)
        self.refused(b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505)
        self.refused(b"FROBNICATE / HTTP/1.1\r\nHost: a\r\n\r\n", 501)
        self.refused(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414)
        self.refused(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 40000 + b"\r\n\r\n", 431)
        self.refused(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", 413)

    def test_method_that_the_app_does_not_take_is_405(self):
        self.assertIn(b"405", self.send(b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n").split(b"\r\n")[0])

    def test_wrk_and_h2load_see_no_error(self):
        wrk = subprocess.run(["wrk", "-t1", "-c16", "-d1", self.cluster.url + "/"], capture_output=True, text=True)
        self.assertNotIn("Socket errors", wrk.stdout)
        self.assertNotIn("Non-2xx", wrk.stdout)
        self.assertIn("requests in", wrk.stdout)
        h2load = subprocess.run(
            ["h2load", "--h1", "-n", "5000", "-c", "8", "-m", "16", self.cluster.url + "/"], capture_output=True, text=True
        )
        self.assertIn("5000 succeeded, 0 failed, 0 errored, 0 timeout", h2load.stdout)


class Listening(unittest.TestCase):
    def test_workers_are_as_many_as_usable_cores(self):
        with Cluster("hello") as cluster:
            self.assertEqual(len(cluster.pids()), len(os.sched_getaffinity(0)))

    def test_several_addresses_and_ipv6(self):
        try:
            socket.socket(socket.AF_INET6).bind(("::1", 0))
        except OSError as error:
            self.skipTest("no IPv6 here: %s" % error)
        with Cluster("hello", "-i", "2", listen=["127.0.0.1:0", "[::1]:0"]) as cluster:
            self.assertEqual(len(cluster.addresses), 2)
            for address in cluster.addresses:
                out = subprocess.run(["curl", "-s", "-g", "http://%s/" % address], capture_output=True).stdout
                self.assertEqual(out, b"Hello from uring-cluster\n")

    def test_every_worker_serves(self):
        with Cluster(fixture("libfixture.so"), "-i", "3") as cluster:
            pids = set(cluster.pids())
            seen = set()
            for _ in range(200):
                seen.add(int(cluster.get("/pid").split()[0]))
                if seen == pids:
                    return
            self.fail("only %s of %s answered" % (seen, pids))

    def test_echo_returns_what_it_gets(self):
        sent = os.urandom(5_000_000)
        with Cluster("echo", "-i", "1") as cluster, cluster.connect() as connection:
            def write():
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)

            writer = threading.Thread(target=write)
            writer.start()
            received = read_all(connection)
            writer.join()
            self.assertEqual(hashlib.sha256(received).digest(), hashlib.sha256(sent).digest())


class Static(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.TemporaryDirectory(prefix="uc-www-")
        cls.path = cls.root.name
        os.mkdir(cls.path + "/sub")
        cls.big = os.urandom(6_000_000)
        for name, content in {
            "/index.html": b"<p>root</p>",
            "/sub/index.html": b"<p>sub</p>",
            "/style.css": b"p {}",
            "/empty": b"",
            "/big.bin": cls.big,
        }.items():
            with open(cls.path + name, "wb") as out:
                out.write(content)
        with open(cls.path + "/huge", "wb") as out:
            out.truncate(3 << 30)
        os.symlink("/etc/passwd", cls.path + "/outside")
        os.symlink("style.css", cls.path + "/inside.css")
        cls.cluster = Cluster("static", cls.path, "-i", "1")

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()
        cls.root.cleanup()

    def ask(self, path, *flags):
        """(status, headers, body)"""
        out = subprocess.run(
            ["curl", "-s", "-i", "--path-as-is", "--max-time", "20", *flags, self.cluster.url + path], capture_output=True
        ).stdout
        head, body = out.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        return int(lines[0].split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}, body

    def test_index_and_types(self):
        status, headers, body = self.ask("/")
        self.assertEqual((status, body), (200, b"<p>root</p>"))
        self.assertIn("text/html", headers["content-type"])
        self.assertIn("text/css", self.ask("/style.css")[1]["content-type"])
        self.assertEqual(self.ask("/sub/")[2], b"<p>sub</p>")

    def test_conditional_requests_get_304(self):
        _, headers, _ = self.ask("/style.css")
        self.assertEqual(self.ask("/style.css", "-H", "If-None-Match: " + headers["etag"])[0], 304)
        self.assertEqual(self.ask("/style.css", "-H", "If-None-Match: \"other\"")[0], 200)
        self.assertEqual(self.ask("/style.css", "-H", "If-Modified-Since: " + headers["last-modified"])[0], 304)

    def test_ranges(self):
        self.assertEqual(self.ask("/big.bin", "-r", "100-199")[::2], (206, self.big[100:200]))
        self.assertEqual(self.ask("/big.bin", "-r", "-7")[::2], (206, self.big[-7:]))
        status, headers, _ = self.ask("/big.bin", "-r", "99999999-")
        self.assertEqual((status, headers["content-range"]), (416, "bytes */6000000"))

    def test_nothing_outside_of_the_root_is_served(self):
        for path in ("/../etc/passwd", "/%2e%2e/etc/passwd", "/sub/../../etc/passwd", "/outside", "/..%2fetc/passwd"):
            self.assertIn(self.ask(path)[0], (400, 403, 404), path)
        self.assertEqual(self.ask("/a%00b")[0], 400)
        self.assertEqual(self.ask("/inside.css")[0], 200)

    def test_empty_file(self):
        self.assertEqual(self.ask("/empty")[0::2], (200, b""))

    def test_whole_big_file(self):
        self.assertEqual(hashlib.sha256(self.ask("/big.bin")[2]).digest(), hashlib.sha256(self.big).digest())

    def test_three_gigabytes_in_constant_memory(self):
        def peak():
            with open("/proc/%d/status" % self.cluster.pids()[0]) as status:
                return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

        before = peak()
        with self.cluster.connect() as connection:
            connection.sendall(b"GET /huge HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            buffer, total = bytearray(1 << 20), 0
            while size := connection.recv_into(buffer):
                total += size
        self.assertGreaterEqual(total, 3 << 30)
        self.assertLess(peak() - before, 4096, "KiB more")


class NativeApp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(fixture("libfixture.so"), "-i", "1", "--header-timeout=500ms", "--request-timeout=1s")

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def status(self, path, *flags):
        return self.cluster.get(path, "-o", "/dev/null", "-w", "%{http_code}", *flags).decode()

    def test_handler_that_throws_costs_its_own_request(self):
        pid = self.cluster.pids()
        self.assertEqual(self.status("/throw"), "500")
        self.assertEqual(self.status("/throwint"), "500")
        self.assertEqual(self.status("/silent"), "500")
        self.assertEqual(self.cluster.pids(), pid)

    def test_deferred_answer_comes_from_another_thread(self):
        self.assertEqual(self.status("/defer?ms=50"), "200")

    def test_answer_that_never_comes_is_504(self):
        self.assertEqual(self.status("/never"), "504")
        self.assertEqual(self.status("/"), "200")

    def test_streamed_response_is_whole(self):
        self.assertEqual(len(self.cluster.get("/stream?bytes=3000000")), 3_000_000)

    def test_upload_is_read_in_pieces(self):
        body = b"x" * 3_000_000
        for flags in (["--data-binary", "@-"], ["-T", "-"], ["--data-binary", "@-", "-H", "Expect: 100-continue"]):
            out = subprocess.run(["curl", "-s", *flags, self.cluster.url + "/upload"], input=body, capture_output=True).stdout
            self.assertEqual(out.split()[0], b"3000000", flags)

    def test_curl_waits_for_continue_and_gets_it(self):
        out = subprocess.run(
            ["curl", "-sv", "--stderr", "-", "-H", "Expect: 100-continue", "--data-binary", "@-", self.cluster.url + "/upload"],
            input=b"y" * 2000, capture_output=True,
        ).stdout
        self.assertIn(b"HTTP/1.1 100 Continue", out)

    def test_slow_head_is_408(self):
        with self.cluster.connect() as connection:
            connection.sendall(b"GET / HTT")
            self.assertTrue(read_all(connection).startswith(b"HTTP/1.1 408"))


if __name__ == "__main__":
    unittest.main()
