"""Programs in other languages, unchanged; programs that bypass libc; programs that cannot start."""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from cluster import BINARY, PATIENCE, Cluster, fixture, wait_until
from load import Load
from program import Program, program_pids

PYTHON = """
import http.server, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b"%d %d %s\\n" % (os.getpid(), os.getuid(), os.environ["URING_CLUSTER_SLOT"].encode())
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

# Plain Perl: a blocking accept, and children of its own that accept, as older servers do.
PERL = r"""
use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 64, ReuseAddr => 1) or die "$@";
for (1 .. 2) { last if !fork(); }
while (my $client = $server->accept()) {
  my $request = <$client>;
  while (my $line = <$client>) { last if $line eq "\r\n"; }
  print $client "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n";
  close $client;
}
"""


class Languages(unittest.TestCase):
    def rolls_without_loss(self, cluster, rolls=2):
        with Load(cluster, threads=3, fresh=True, pause=0.002) as load:
            for _ in range(rolls):
                cluster.ok("reload", cluster.name)
        self.assertEqual(load.lost, 0, load.failures)
        self.assertGreater(load.counts["ok"], 20)

    def test_python(self):
        app = Program(self, "app.py", PYTHON)
        with Cluster(app.path, "--direct", "-i", "2", "--listen=127.0.0.1:0", "--", "4567", listen=None) as cluster:
            slots = {cluster.get().split()[2] for _ in range(30)}
            self.assertEqual(slots, {b"0", b"1"})
            self.rolls_without_loss(cluster)
            cluster.ok("scale", cluster.name, "1")
            self.assertEqual(len(cluster.get().split()), 3)

    def test_python_in_plain_mode_stands_in_for_a_slot_that_went(self):
        app = Program(self, "app.py", PYTHON)
        with Cluster(app.path, "--direct", "-i", "3", "--mode=plain", "--", "0", listen=None) as cluster:
            with Load(cluster, threads=3, fresh=True, pause=0.002) as load:
                cluster.ok("scale", cluster.name, "1")
                cluster.ok("scale", cluster.name, "2")
                cluster.ok("scale", cluster.name, "1")
                cluster.ok("reload", cluster.name)
            self.assertEqual(load.lost, 0, load.failures)
            self.assertEqual({cluster.get().split()[2] for _ in range(20)}, {b"0"})

    def test_perl_with_children_that_accept(self):
        app = Program(self, "app.pl", PERL)
        with Cluster(app.path, "--direct", "-i", "2", "--kill-signal=TERM", listen=None) as cluster:
            self.assertEqual(cluster.get(), b"hello\n")
            self.rolls_without_loss(cluster)

    def test_shell_that_execs_another_program(self):
        app = Program(self, "app.py", PYTHON)
        shell = Program(self, "run.sh", "exec python3 %s 0\n" % app.path)
        with Cluster(shell.path, "--direct", "-i", "2", listen=None) as cluster:
            self.assertEqual({cluster.get().split()[2] for _ in range(20)}, {b"0", b"1"})

    def test_program_that_serves_nobody(self):
        app = Program(self, "app.sh", "trap 'exit 0' INT; while :; do read -t 1 < <(:) || wait; done\n")
        app.deploy("exec cat <(tail -f /dev/null)\n")
        with Cluster(app.path, "--direct", "-i", "2", "--ready=start", "--kill-signal=TERM", listen=None, wait=False) as cluster:
            cluster.wait_log("is ready: 2 workers on no address")
            cluster.name = "app"
            before = program_pids(cluster)
            cluster.ok("reload", "app")
            self.assertFalse(set(before) & set(program_pids(cluster)))


class Inheriting(unittest.TestCase):
    """LISTEN_FDS: a static program, which no library reaches."""

    def test_it_serves_rolls_and_comes_back(self):
        with Cluster(fixture("inheriting_server"), "--direct", "-i", "2", "--name=static", "--kill-signal=TERM") as cluster:
            cluster.wait_log("it inherits 1 listener as LISTEN_FDS")
            cluster.wait_log("waits at the listeners that it has inherited")
            self.assertIn(int(cluster.get()), program_pids(cluster))
            with Load(cluster, threads=2, fresh=True, pause=0.002) as load:
                cluster.ok("scale", "static", "3")
                before = program_pids(cluster)
                os.kill(before[0], signal.SIGKILL)
                wait_until(lambda: len(set(program_pids(cluster)) - {before[0]}) == 3, "a replacement")
            self.assertEqual(load.counts["refused"] + load.counts["timeout"], 0, load.failures)
            cluster.ok("reload", "static")

    def test_without_listen_there_is_nothing_to_inherit_and_the_log_says_so(self):
        with Cluster(fixture("inheriting_server"), "--direct", "-i", "1", listen=None, wait=False) as cluster:
            self.assertEqual(cluster.wait_exit(), 2)
            cluster.wait_log("it bypasses libc and there is no --listen")


class User(unittest.TestCase):
    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_program_runs_as_its_user_and_keeps_its_port(self):
        app = Program(self, "app.py", PYTHON)
        with Cluster(app.path, "--direct", "-i", "2", "--user=nobody", "--interpreter=/usr/bin/python3", "--", "0", listen=None) as cluster:
            self.assertEqual(int(cluster.get().split()[1]), pwd.getpwnam("nobody").pw_uid)
            with Load(cluster, threads=2, fresh=True, pause=0.002) as load:
                cluster.ok("reload", cluster.name)
            self.assertEqual(load.lost, 0, load.failures)

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_privileged_port_for_an_unprivileged_program(self):
        app = Program(self, "app.py", PYTHON)
        words = [app.path, "--direct", "-i", "2", "--user=nobody", "--interpreter=/usr/bin/python3"]
        with Cluster(*words, "--", "81", listen=None, wait=False) as cluster:
            self.assertEqual(cluster.wait_exit(), 2)
            cluster.wait_log("127.0.0.1:81: a privileged port; with --user a program gets it only from --listen=127.0.0.1:81")
        with Cluster(*words, "--listen=127.0.0.1:81", "--", "81", listen=None) as cluster:
            self.assertEqual(cluster.port, 81)
            self.assertEqual(len(cluster.get().split()), 3)


class Refused(unittest.TestCase):
    """What cannot start: one line, exit code 2, nothing left behind."""

    def refused(self, *words, **options):
        with Cluster(*words, listen=None, wait=False, **options) as cluster:
            self.assertEqual(cluster.wait_exit(), 2, cluster.lines)
            return "\n".join(cluster.lines)

    def test_port_in_use_by_somebody_else(self):
        app = Program(self, "app.py", PYTHON)
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            said = self.refused(app.path, "-i", "2", "--", str(other.getsockname()[1]))
        self.assertIn("the address is in use by", said)

    def test_port_in_use_by_another_cluster(self):
        app = Program(self, "app.py", PYTHON)
        with Cluster(app.path, "--direct", "-i", "1", "--", "0", listen=None) as first:
            said = self.refused(app.path, "-i", "1", "--name=other", "--", str(first.port))
            self.assertIn("the address is in use by", said)
            self.assertEqual(len(first.get().split()), 3)

    def test_missing_script_interpreter_user_and_directory(self):
        self.assertIn("no such file", self.refused("/no/such/app.js"))
        app = Program(self, "app.xyz", "")
        self.assertIn("its interpreter 'xyz' is not in PATH", self.refused(app.path, "--interpreter=xyz"))
        self.assertIn("--user=no-such-user", self.refused(app.path, "--interpreter=cat", "--user=no-such-user"))
        self.assertIn("--cwd", self.refused(app.path, "--interpreter=cat", "--cwd=/no/such/folder"))

    def test_wrong_flags(self):
        app = Program(self, "app.py", PYTHON)
        self.assertIn("--env=A: expected KEY=VALUE", self.refused(app.path, "--env=A"))
        self.assertIn("--kill-signal=SIGNO: no such signal", self.refused(app.path, "--kill-signal=SIGNO"))
        self.assertIn("--shutdown-with-message is for Node", self.refused(app.path, "--shutdown-with-message"))
        self.assertIn("--probe asks a worker, and none stands before", self.refused(app.path, "--direct", "--probe=/health"))
        self.assertIn("--cwd is for programs", self.refused("hello", "--cwd=/"))

    def test_syntax_error_and_death_before_it_listens(self):
        app = Program(self, "app.py", "this is no Python")
        said = self.refused(app.path, "--interpreter=/usr/bin/python3")
        self.assertIn("the program exited with code 1 before it listened", said)
        app.deploy("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
        said = self.refused(app.path, "--interpreter=/usr/bin/python3")
        self.assertIn("the program was killed by SIGSEGV before it listened", said)

    def test_in_the_background_the_line_says_where_its_words_are(self):
        app = Program(self, "app.py", "this is no Python")
        base = tempfile.mkdtemp(prefix="uc-e2e-")
        self.addCleanup(shutil.rmtree, base, ignore_errors=True)
        done = subprocess.run([BINARY, "start", app.path, "--run-dir=" + base, "--daemon", "-i", "1",
                               "--interpreter=/usr/bin/python3"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 2, done.stderr)
        path = re.search(r"before it listened; what it said is in (\S+)$", done.stderr).group(1)

        def said():
            with open(path) as file:
                return "SyntaxError" in file.read()
        wait_until(said, "its words are there")

    def test_program_that_never_listens(self):
        app = Program(self, "app.py", "import signal; signal.pause()")
        said = self.refused(app.path, "--listen-timeout=1s")
        self.assertIn("the program has not listened within --listen-timeout=1s", said)


if __name__ == "__main__":
    unittest.main()
