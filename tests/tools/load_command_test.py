#!/usr/bin/env python3
"""uring-cluster-load as scripts see it: words in, one JSON object and an exit code out."""

import http.server
import json
import os
import pty
import subprocess
import sys
import threading
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
FOLDER = os.getcwd() if os.environ.get("TEST_SRCDIR") else os.path.join(ROOT, ".bazel/bin")
BINARY = os.path.join(FOLDER, "tools/load/uring-cluster-load")
PATIENCE = 60


class Hello(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # pylint: disable=invalid-name
        body = b"hello " + self.headers.get("X-Name", "nobody").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


class LoadCommand(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.target = "--target=127.0.0.1:%d" % cls.server.server_port

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def run_load(self, *words):
        return subprocess.run([BINARY, self.target, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=PATIENCE, check=False)

    def account(self, *words):
        done = self.run_load("--json", *words)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        (line,) = done.stdout.splitlines()
        return json.loads(line)

    def test_requests_are_as_many_as_asked_for_over_all_threads(self):
        account = self.account("--mode=keep-alive", "--connections=5", "--threads=2", "--requests=101")
        self.assertEqual((account["attempts"], account["ok"], account["lost"]), (101, 101, 0))
        self.assertEqual(account["connections_opened"], 5)

    def test_request_says_what_it_is_told_to_say(self):
        account = self.account("--requests=3", "--headers=X-Name: world|Accept: */*", "--expect=200:hello world",
                               "--expect-bytes=11")
        self.assertEqual(account["ok"], 3)

    def test_flags_are_taken_with_dashes_and_with_underscores(self):
        for spelling in ("--expect-bytes=12", "--expect_bytes=12"):
            self.assertEqual(self.account("--requests=1", spelling)["ok"], 1)

    def test_whole_file_is_what_is_expected(self):
        name = os.path.join(os.environ.get("TEST_TMPDIR", "/tmp"), "expected-%d" % os.getpid())
        with open(name, "w", encoding="utf-8") as out:
            out.write("hello nobody")
        self.assertEqual(self.account("--requests=2", "--expect-file=" + name)["ok"], 2)
        with open(name, "w", encoding="utf-8") as out:
            out.write("hello nobodY")
        self.assertEqual(self.run_load("--requests=2", "--expect-file=" + name).returncode, 1)
        os.unlink(name)

    def test_runs_until_stdin_ends_and_says_when_it_is_under_way(self):
        process = subprocess.Popen([BINARY, self.target, "--until-stdin-eof", "--json", "--connections=2"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.assertEqual(json.loads(process.stdout.readline()), {"running": True})
        output = process.communicate(timeout=PATIENCE)[0]
        self.assertGreaterEqual(json.loads(output)["ok"], 2)
        self.assertEqual(process.returncode, 0)

    def test_terminal_has_a_live_line_and_a_file_has_none(self):
        ours, theirs = pty.openpty()
        done = subprocess.run([BINARY, self.target, "--duration=600ms"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=theirs, timeout=PATIENCE, check=False)
        os.close(theirs)
        self.assertIn(b"attempts", os.read(ours, 4096))
        os.close(ours)
        self.assertIn(b"latency", done.stdout)
        self.assertEqual(self.run_load("--duration=600ms").stderr, "")

    def test_histogram_has_every_answer(self):
        account = self.account("--requests=20", "--histogram")
        self.assertEqual(sum(count for _, _, count in account["histogram_ns"]), 20)

    # --- Errors ---

    def test_loss_is_exit_code_1_and_named(self):
        done = self.run_load("--requests=2", "--expect=503")
        self.assertEqual(done.returncode, 1)
        self.assertIn("bad_answer 2", done.stdout)
        self.assertIn("status 200", done.stdout)

    def test_wrong_words_are_exit_code_2_and_say_what_is_wanted(self):
        for words, said in ((["--mode=sometimes"], "--mode"), (["--connections=0"], "--connections"),
                            (["--pipeline=4"], "--pipeline wants --mode=keep_alive"), (["--rate=-1"], "--rate"),
                            (["--arrivals=late"], "--arrivals"), (["--expect=fine"], "--expect"), (["--cpus=x"], "--cpus"),
                            (["--expect-file=/none/such"], "/none/such"), (["--timeout=0s"], "--timeout"),
                            (["--threads=11"], "--threads"), (["--headers=nonsense"], "--headers"),
                            (["--cpus=1023"], "processor 1023")):
            done = self.run_load("--requests=1", *words)
            self.assertEqual(done.returncode, 2, words)
            self.assertTrue(done.stderr.startswith("error: "), done.stderr)
            self.assertIn(said, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
