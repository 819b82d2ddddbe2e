"""The harness itself: a client that could not see a loss would prove nothing. No cluster here, only tiny servers."""

import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import types
import unittest
import xml.etree.ElementTree

from cluster import wait_until
from load import Load

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"
HERE = os.path.dirname(os.path.abspath(__file__))


class Server:
    """Accepts on a port of its own and gives each connection to `treat`."""

    def __init__(self, treat):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.treat = treat
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self.treat(connection)
                except OSError:
                    pass  # the client has gone

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        self.listener.close()
        self.thread.join(10)


class Accounting(unittest.TestCase):
    def counted(self, treat, least=3, address=None, **options):
        """The counts of a client of a server that treats each connection so."""
        server = Server(treat)
        self.addCleanup(server.close)
        host, port = address or server.listener.getsockname()
        with Load(types.SimpleNamespace(host=host, port=port), threads=1, pause=0.001, **options) as load:
            wait_until(lambda: sum(load.counts.values()) >= least, "some attempts")
        return load

    def only(self, kind, *arguments, **options):
        load = self.counted(*arguments, **options)
        self.assertEqual(set(load.counts), {kind}, load.failures)
        self.assertEqual(load.lost, 0 if kind == "ok" else load.counts[kind])

    def test_good_answers_are_no_loss(self):
        self.only("ok", lambda c: (c.recv(999), c.sendall(ANSWER)))

    def test_reset_is_a_loss(self):
        def reset(connection):
            connection.recv(999)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        self.only("reset", reset)

    def test_end_without_an_answer_is_a_loss(self):
        self.only("eof", lambda c: c.recv(999))

    def test_answer_that_is_cut_short_is_a_loss(self):
        self.only("eof", lambda c: (c.recv(999), c.sendall(ANSWER[:-1])))

    def test_other_status_is_a_loss(self):
        self.only("bad", lambda c: (c.recv(999), c.sendall(ANSWER.replace(b"200 OK", b"503 No"))))

    def test_silence_is_a_loss(self):
        self.only("timeout", lambda c: c.recv(999) and c.recv(999), least=2, patience=0.1)

    def test_refused_connection_is_a_loss(self):
        with socket.socket() as taken:  # bound, not listening
            taken.bind(("127.0.0.1", 0))
            self.only("refused", lambda c: None, address=taken.getsockname())

    def test_surprise_is_a_loss_and_not_the_end_of_the_client(self):
        self.only("other", lambda c: None, address=("255.255.255.255", 1))

    def test_connection_close_is_followed_by_a_new_connection(self):
        closing = ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        self.only("ok", lambda c: (c.recv(999), c.sendall(closing)), fresh=False)

    def test_keep_alive_connection_that_ends_without_a_word_is_a_loss(self):
        load = self.counted(lambda c: (c.recv(999), c.sendall(ANSWER)), fresh=False, least=6)
        self.assertGreater(load.lost, 0)
        self.assertGreater(load.counts["ok"], 0)


class Counting(unittest.TestCase):
    SUITE = '''
import unittest
class Story(unittest.TestCase):
    def test_good(self): pass
    def test_bad(self): self.fail("<no> & \\x00")
    def test_skipped(self): self.skipTest("why")
    def test_parts(self):
        for part in (1, 2, 3):
            with self.subTest(part): self.assertEqual(part, 1)
class Broken(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise RuntimeError("no cluster")
    def test_never(self): pass
'''

    def test_every_outcome_is_in_the_report(self):
        with tempfile.TemporaryDirectory() as directory:
            with open(directory + "/story_of_tests.py", "w", encoding="utf-8") as out:
                out.write(self.SUITE)
            report = directory + "/report.xml"
            done = subprocess.run(
                [sys.executable, os.path.join(HERE, "runner.py"), "story_of_tests"], capture_output=True,
                env={**os.environ, "XML_OUTPUT_FILE": report, "PYTHONPATH": directory}, timeout=60,
            )
            self.assertEqual(done.returncode, 1)
            outcomes = sorted(
                (case[0].tag if len(case) else "passed") for case in xml.etree.ElementTree.parse(report).iter("testcase")
            )
        # Two of the three parts failed; the class that could not begin is one error.
        self.assertEqual(outcomes, ["error", "failure", "failure", "failure", "passed", "skipped"])


if __name__ == "__main__":
    unittest.main()
