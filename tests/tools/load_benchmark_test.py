#!/usr/bin/env python3
"""The load benchmark's machinery: it runs, checks answers, names what is missing, writes tables and plots.

What it measures here means nothing: nobody looks at a figure but to see that there is one.
"""

import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest
import xml.etree.ElementTree

# Bazel starts us through links: the scripts are where the real file is, the binaries where we are started.
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
SCRIPTS = os.path.join(ROOT, "benchmarks/load")
if os.environ.get("TEST_SRCDIR"):
    os.environ["UC_BIN"] = os.getcwd()
sys.path.insert(0, SCRIPTS)
sys.dont_write_bytecode = True

import measure  # noqa: E402
import peers  # noqa: E402
import plot  # noqa: E402
import report  # noqa: E402


def benchmark(*arguments, **environment):
    return subprocess.run([sys.executable, os.path.join(SCRIPTS, "load_benchmark.py"), "--no-build", *arguments],
                          capture_output=True, text=True, timeout=250, env={**os.environ, **environment}, check=False)


class LoadBenchmark(unittest.TestCase):
    def test_short_form_measures_everything(self):
        with tempfile.TemporaryDirectory() as folder:
            done = benchmark("--short", "--out=" + folder)
            self.assertEqual(done.returncode, 0, done.stderr[-3000:])
            with open(folder + "/figures.json", encoding="utf-8") as text:
                figures = json.load(text)
            self.assertEqual(set(report.TABLES) - set(figures), set(), "each chapter has figures")
            for work in figures["hello"]:
                self.assertEqual(work["servers"][0]["server"], "epoll-floor")
                self.assertIn("uring-cluster", [server["server"] for server in work["servers"]])
                for server in work["servers"]:
                    self.assertGreater(server["requests"], 0)
            self.assertGreater(figures["idle"]["coordinator_rss_kb"], 0)
            self.assertGreater(figures["endurance"]["keep-alive"]["requests"], 0)
            with open(folder + "/figures.md", encoding="utf-8") as text:
                self.assertIn("target for uring-cluster", text.read())
            pictures = [name for name in os.listdir(folder) if name.endswith(".svg")]
            self.assertGreaterEqual(len(pictures), 6)
            for name in pictures:
                xml.etree.ElementTree.parse(os.path.join(folder, name))

    def test_what_is_not_installed_is_named_with_its_cure(self):
        saved, os.environ["PATH"] = os.environ["PATH"], ""
        try:
            peer = peers.Peer("nobody", "nobody-has-this", "apt-get install nobody")
            self.assertEqual(peer.missing(), "apt-get install nobody")
        finally:
            os.environ["PATH"] = saved


class LoadBenchmarkErrors(unittest.TestCase):
    def test_chapter_that_is_none_is_refused(self):
        done = benchmark("--chapters=hello,poetry")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no chapter 'poetry'", done.stderr)

    def test_peer_that_is_none_is_refused(self):
        done = benchmark("--peers=apache")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no peer 'apache'", done.stderr)

    def test_wrong_answer_is_found(self):
        class Liar(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                self.send_response(200)
                self.send_header("Content-Length", "3")
                self.end_headers()
                self.wfile.write(b"lie")

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar) as liar:
            threading.Thread(target=liar.serve_forever, daemon=True).start()
            server = measure.Server.__new__(measure.Server)
            server.name, server.port = "liar", liar.server_port
            with self.assertRaisesRegex(measure.Failed, "liar /: status 200, 3 bytes"):
                server.check()
            liar.shutdown()

    def test_server_that_ends_at_once_is_reported_with_its_words(self):
        peers.PEERS["gone"] = peers.Peer("gone", "sh", "")
        peers.PEERS["gone"].order = lambda *_: ["/bin/sh", "-c", "echo no such port; exit 1"]
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(measure.Failed, "gone has ended: no such port"):
                measure.Server("gone", folder, folder)

    def test_loss_is_no_figure(self):
        with self.assertRaisesRegex(measure.Failed, "refused"):
            measure.load(measure.free_port(), "--requests=3")


class Plots(unittest.TestCase):
    def test_numbers_are_short(self):
        self.assertEqual([plot.number(value) for value in (0.25, 12, 3500, 1200000)], ["0.25", "12", "3.5k", "1.2M"])

    def test_values_are_on_the_picture(self):
        for values, logarithmic in (([0, 7], False), ([0.0], False), ([1, 1000], True), ([5, 5], True), ([0, 3], True)):
            axis = plot.Axis(values, 100, 500, logarithmic)
            for value in [*values, *axis.ticks()]:
                self.assertTrue(100 <= axis.place(value) <= 500, (values, value))

    def test_window_without_an_answer_is_a_gap_in_the_table(self):
        server = {"server": "a", "cpu_ns_per_request": None, "ratio": None, "ratio_error": None}
        self.assertIn("| a | - |", report.cpu_table([{"work": "new:16", "servers": [server, server]}]))

    def test_nothing_measured_is_no_picture(self):
        with tempfile.TemporaryDirectory() as folder:
            plot.lines(folder + "/a.svg", "t", "x", "y", {"nobody": []})
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
