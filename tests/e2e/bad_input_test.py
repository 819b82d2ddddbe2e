"""What an operator may get wrong: one clear line, exit code 2, and nothing that is served is lost."""

import ctypes
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import unittest

from cluster import BINARY, Cluster, fixture
from load import Load

NOBODY = 65534


def start(*arguments, base=None, **options):
    """(exit code, stderr) of a start that must fail by itself."""
    with tempfile.TemporaryDirectory(prefix="uc-bad-") as own:
        os.chmod(own, 0o700)
        done = subprocess.run(
            [BINARY, "start", "--run-dir=" + (base or own), *arguments], capture_output=True, text=True, timeout=30, **options
        )
        return done.returncode, done.stderr


def forbid_io_uring():
    """seccomp: io_uring_setup (425 on every architecture) fails with EPERM, as in a container."""
    libc = ctypes.CDLL(None, use_errno=True)
    # ld nr; jeq 425 -> errno EPERM; allow
    code = [(0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in code))
    filters = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(program)))
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, filters, 0, 0) != 0:
        os._exit(99)


class BadStart(unittest.TestCase):
    def refused(self, words, *arguments, **options):
        code, err = start(*arguments, **options)
        self.assertEqual(code, 2, err)
        mine = [line for line in err.split("\n") if line.startswith("uring-cluster: ")]
        self.assertEqual(len(mine), 1, err)
        for word in [words] if isinstance(words, str) else words:
            self.assertIn(word, mine[0])

    def test_flags(self):
        self.refused("did you mean --workers", "hello", "--worker=3")
        self.refused("unknown flag --frobnicate", "hello", "--frobnicate")
        self.refused("--workers=many", "hello", "--workers=many")
        self.refused("--workers=5000", "hello", "--workers=5000")
        self.refused("--kill-timeout=-1s", "hello", "--kill-timeout=-1s")
        self.refused("--json is not a flag of 'start'", "hello", "--json")
        self.refused("needs a value", "hello", "--name")
        self.refused("no cluster name", "hello", "--name=../x")
        self.refused("start needs an app")

    def test_flags_of_modes_and_deploys(self):
        for flag in ("--mode=foo", "--balance=x", "--soak=-1s", "--soak=inf", "--roll-width=0", "--roll-width=x",
                     "--probe=nopath", "--probe=/a b", "--probe=/a\nX: y", "--hang-timeout=0", "--rebalance=maybe"):
            with self.subTest(flag):
                self.refused(flag.replace("\n", " "), "hello", flag)

    @unittest.skipUnless(os.getuid() == 0, "only root can become somebody else")
    def test_mode_that_is_not_permitted(self):
        with tempfile.TemporaryDirectory(prefix="uc-bad-") as base:
            os.chown(base, NOBODY, NOBODY)
            self.refused("--mode=full", "hello", "--mode=full", "--listen=127.0.0.1:0", base=base, user=NOBODY)

    def test_addresses(self):
        self.refused("127.0.0.1:http", "hello", "--listen=127.0.0.1:http")
        self.refused("70000", "hello", "--listen=:70000")
        self.refused("192.0.2.1", "hello", "--listen=192.0.2.1:9999")
        self.refused("twice", "hello", "--listen=:8081", "--listen=:8081")

    def test_port_in_use_by_a_stranger(self):
        for reuse in (False, True):
            with socket.socket() as stranger:
                if reuse:
                    stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                stranger.bind(("127.0.0.1", 0))
                stranger.listen()
                address = "127.0.0.1:%d" % stranger.getsockname()[1]
                self.refused(["in use", address], "hello", "--listen=" + address)
                self.refused("in use", "hello", "--listen=:%d" % stranger.getsockname()[1])

    def test_port_and_name_of_another_cluster(self):
        with Cluster("hello", "-i", "1") as cluster:
            self.refused("in use", "hello", "--name=other", "--listen=" + cluster.addresses[0], base=cluster.base)
            self.refused(["already runs", str(cluster.process.pid)], "hello", "--listen=127.0.0.1:0", base=cluster.base)
            self.assertEqual(cluster.get(), b"Hello from uring-cluster\n")

    def test_apps(self):
        self.refused("nosuchapp", "nosuchapp")
        self.refused("/nowhere/libx.so", "/nowhere/libx.so")
        self.refused("static", "static")
        self.refused("/nowhere", "static", "/nowhere")
        with tempfile.NamedTemporaryFile("w", suffix=".js") as script:
            script.write("require('http')\n")
            script.flush()
            self.refused("exited with code 0 before it listened", script.name)

    def test_shared_objects(self):
        self.refused("ABI", fixture("libotherabi.so"), "--listen=127.0.0.1:0", "-i", "2")
        self.refused("uring_cluster", fixture("libnoentry.so"), "--listen=127.0.0.1:0", "-i", "2")
        self.refused("refuses to start", fixture("librefuses.so"), "--listen=127.0.0.1:0", "-i", "2")
        self.refused("SIG", fixture("libcrashes.so"), "--listen=127.0.0.1:0", "-i", "2")

    def test_app_that_never_starts_is_given_up_in_time(self):
        code, err = start(fixture("libhangs.so"), "--listen=127.0.0.1:0", "-i", "2", "--listen-timeout=500ms")
        self.assertEqual(code, 1, err)
        self.assertIn("not ready within", err.strip().split("\n")[-1])

    def test_run_directories(self):
        self.refused("/proc/nowhere", "hello", base="/proc/nowhere")
        with tempfile.NamedTemporaryFile() as file:
            self.refused(file.name, "hello", base=file.name)

    def test_no_io_uring(self):
        self.refused(["kernel.io_uring_disabled", "seccomp"], "hello", "--listen=127.0.0.1:0", preexec_fn=forbid_io_uring)

    def test_too_few_descriptors(self):
        self.refused("descriptors", "hello", "-i", "4", "--listen=127.0.0.1:0",
                     preexec_fn=lambda: __import__("resource").setrlimit(7, (20, 20)))

    def test_unknown_command_and_cluster(self):
        for arguments in (["frobnicate"], ["reload", "nosuch"], ["scale", "nosuch", "3"], ["stop", "a"]):
            with tempfile.TemporaryDirectory() as base:
                flags = [] if arguments[0] == "frobnicate" else ["--run-dir=" + base]
                done = subprocess.run([BINARY, *arguments, *flags], capture_output=True, text=True)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertEqual(len(done.stderr.strip().split("\n")), 1, done.stderr)


@unittest.skipUnless(os.getuid() == 0, "only root can become somebody else")
class Unprivileged(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.mkdtemp(prefix="uc-nobody-")
        self.addCleanup(shutil.rmtree, self.base, ignore_errors=True)
        os.chown(self.base, NOBODY, NOBODY)

    @staticmethod
    def become_nobody():
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    def test_privileged_port_names_the_cures(self):
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as first:
            if int(first.read()) <= 81:
                self.skipTest("port 81 is not privileged here")
        code, err = start("hello", "--listen=127.0.0.1:81", base=self.base, preexec_fn=self.become_nobody)
        self.assertEqual(code, 2, err)
        self.assertIn("CAP_NET_BIND_SERVICE", err)

    def test_everything_works_without_privileges(self):
        with Cluster("hello", "-i", "2", base=self.base, preexec=self.become_nobody) as cluster:
            with Load(cluster, threads=2, fresh=True, pause=0.002) as load:
                cluster.ok("scale", cluster.name, "+2")
                cluster.ok("reload", cluster.name)
            self.assertEqual(load.lost, 0, load.failures)
            cluster.ok("stop", cluster.name)
            self.assertEqual(cluster.wait_exit(), 0)

    def test_directory_of_somebody_else_is_refused(self):
        base = tempfile.mkdtemp(prefix="uc-root-")
        self.addCleanup(shutil.rmtree, base, ignore_errors=True)
        os.chmod(base, 0o755)
        code, err = start("hello", base=base, preexec_fn=self.become_nobody)
        self.assertEqual(code, 2, err)
        self.assertIn(base, err)


class GarbageInTheControlPipe(unittest.TestCase):
    def test_nothing_is_lost_and_the_next_command_works(self):
        with Cluster("hello", "-i", "2") as cluster, Load(cluster, threads=2, fresh=True, pause=0.002) as load:
            path = os.path.join(cluster.base, "hello", "control")
            with open(path, "wb", buffering=0) as control:
                control.write(b"sca")  # torn: the CLI's own newline ends it
                cluster.ok("ping")
                control.write(b"\x00\xff\xfe\x01binary\n")
                control.write(b"scale\nscale x\nfrobnicate 3\n@ ping\n@../../etc/passwd ping\n@a b c d e\n")
                for _ in range(160):
                    control.write(b"y" * 65536)  # 10 MB without a newline
                control.write(b"\n")
                control.write(b"ping\n" * 2000)
            cluster.ok("scale", cluster.name, "3")
            self.assertEqual(len(cluster.pids()), 3)
            load.stop()
            self.assertEqual(load.lost, 0, load.failures)
            self.assertLess(len([line for line in cluster.lines if "control pipe" in line]), 50)

    def test_log_that_nobody_reads_blocks_nothing(self):
        with Cluster("hello", "-i", "1") as cluster:
            cluster.stop_reading_log()
            for _ in range(20):
                with open(os.path.join(cluster.base, "hello", "control"), "wb", buffering=0) as control:
                    control.write(b"ping\n" * 500)
                cluster.ok("ping")
            self.assertEqual(cluster.get(), b"Hello from uring-cluster\n")


if __name__ == "__main__":
    unittest.main()
