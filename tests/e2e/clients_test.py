"""What real clients rely on: order, whole bodies in both directions, and a busy worker that is left alone."""

import hashlib
import random
import select
import subprocess
import tempfile
import unittest

from cluster import Cluster, fixture, read_response


def fnv1a(data):
    """The checksum that /upload answers with."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return b"%d %016x\n" % (len(data), value)


class Order(unittest.TestCase):
    def test_pipelined_answers_come_in_the_order_of_their_requests(self):
        with Cluster(fixture("libfixture.so"), "-i", "1") as cluster, cluster.connect() as connection:
            # Every seventh is answered late by another thread: those behind it have to wait.
            targets = [b"/after?ms=5&n=%d" % n if n % 7 == 0 else b"/headers?n=%d" % n for n in range(100)]
            connection.sendall(b"".join(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % target for target in targets))
            rest = b""
            for target in targets:
                head, body, rest = read_response(connection, rest)
                self.assertTrue(head.startswith(b"HTTP/1.1 200"), head)
                self.assertIn(target, body.split(b"\n")[0])
            self.assertEqual(rest, b"")

    def test_curl_head_and_two_kinds_of_http(self):
        with Cluster("hello", "-i", "1") as cluster:
            head = cluster.get("/", "-I").decode()
            self.assertIn("HTTP/1.1 200", head)
            self.assertIn("Content-Length: 25", head)
            self.assertRegex(head, r"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")
            self.assertEqual(cluster.get("/", "--http1.0"), b"Hello from uring-cluster\n")


class Places(unittest.TestCase):
    def test_a_new_client_does_not_wait_for_the_idle_timeout_of_others(self):
        with Cluster("hello", "-i", "1", "--max-connections=4") as cluster:
            ask = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
            idle = [cluster.connect() for _ in range(4)]
            for connection in idle:
                connection.sendall(ask)
                read_response(connection, b"")
            for _ in range(3):
                self.assertEqual(cluster.get("/"), b"Hello from uring-cluster\n")
            cluster.wait_log("all places are taken .*raise --max-connections")
            gone = select.select(idle, [], [], 0)[0]
            self.assertEqual(len(gone), 1, "one has made way, and each new one has left")
            for connection in idle:
                if connection not in gone:
                    connection.sendall(ask)
                    self.assertIn(b" 200 ", read_response(connection, b"")[0])
                connection.close()


class Bodies(unittest.TestCase):
    def test_uploads_arrive_bit_by_bit_as_they_were_sent(self):
        body = random.Random(7).randbytes(300_000)
        with Cluster(fixture("libfixture.so"), "-i", "1") as cluster:
            for flags in (["-T", "-"], ["--data-binary", "@-"], ["-T", "-", "--limit-rate", "1M"]):
                for query in ("", "?pause=1"):  # pause: the app itself is slow, the client is held back
                    out = subprocess.run(
                        ["curl", "-s", *flags, cluster.url + "/upload" + query], input=body, capture_output=True, timeout=60
                    ).stdout
                    self.assertEqual(out, fnv1a(body), (flags, query))

    def test_ranges_of_a_huge_sparse_file_hold_what_is_there(self):
        with tempfile.TemporaryDirectory(prefix="uc-sparse-") as root:
            marks = {0: b"first", (1 << 31) - 3: b"around 2 GiB", (3 << 30) - 4: b"last"}
            with open(root + "/huge", "wb") as out:
                for offset, text in marks.items():
                    out.seek(offset)
                    out.write(text)
            with Cluster("static", root, "-i", "1") as cluster:
                for offset, text in marks.items():
                    got = cluster.get("/huge", "-r", "%d-%d" % (offset, offset + len(text) - 1))
                    self.assertEqual(got, text, offset)
                # 64 MB across the 2 GiB mark, read from the disk and from the server.
                first, length = (1 << 31) - (32 << 20), 64 << 20
                with open(root + "/huge", "rb") as file:
                    file.seek(first)
                    want = hashlib.sha256(file.read(length)).hexdigest()
                got = cluster.get("/huge", "-r", "%d-%d" % (first, first + length - 1))
                self.assertEqual((len(got), hashlib.sha256(got).hexdigest()), (length, want))

    def test_client_that_leaves_in_the_middle_costs_only_itself(self):
        with Cluster(fixture("libfixture.so"), "-i", "1") as cluster:
            pids = cluster.pids()
            for request in (
                b"GET /stream?bytes=50000000 HTTP/1.1\r\nHost: a\r\n\r\n",
                b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc",
                b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n",
            ):
                for _ in range(10):
                    with cluster.connect() as connection:
                        connection.sendall(request)
            self.assertEqual(cluster.get("/version"), b"0\n")
            self.assertEqual(cluster.pids(), pids)


class Busy(unittest.TestCase):
    def test_worker_under_full_load_is_not_taken_for_a_hung_one(self):
        with Cluster("hello", "-i", "1", "--hang-timeout=1s") as cluster:
            before = cluster.pids()
            out = subprocess.run(
                ["wrk", "-t2", "-c128", "-d4", cluster.url + "/"], capture_output=True, text=True, timeout=60
            ).stdout
            self.assertNotIn("Socket errors", out)
            self.assertEqual(cluster.pids(), before)

    def test_worker_whose_handlers_each_spin_for_a_while_is_not_killed(self):
        with Cluster(fixture("libfixture.so"), "-i", "1", "--hang-timeout=2s") as cluster:
            before = cluster.pids()
            with cluster.connect(60) as connection:
                connection.sendall(b"GET /spin?ms=300 HTTP/1.1\r\nHost: a\r\n\r\n" * 12)  # 3.6 s without a pause
                rest = b""
                for _ in range(12):
                    head, _, rest = read_response(connection, rest)
                    self.assertTrue(head.startswith(b"HTTP/1.1 200"), head)
            self.assertEqual(cluster.pids(), before)


if __name__ == "__main__":
    unittest.main()
