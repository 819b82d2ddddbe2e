"""The coordinator's program is replaced in place; one that could not go on is never started."""

import os
import re
import shutil
import signal
import tempfile
import unittest

from cluster import BINARY, Background, Cluster, exists, wait_until
from load import Load

SEGFAULTS = "#!/bin/sh\nkill -SEGV $$\n"
ENDS = "#!/bin/sh\necho out of ideas >&2\nexit 7\n"
NO_PROGRAM = "\x00\x01garbage"
HANGS = "#!/bin/sh\nexec sleep 1000\n"


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.mkdtemp(prefix="uc-upgrade-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        os.chmod(folder, 0o755)
        self.path = os.path.join(folder, "uring-cluster")
        self.install(self.program())

    @staticmethod
    def program():
        with open(BINARY, "rb") as program:
            return program.read()

    def install(self, program):
        """As one deploys: a new file, by rename."""
        with open(self.path + ".new", "wb") as new:
            new.write(program.encode() if isinstance(program, str) else program)
        os.chmod(self.path + ".new", 0o755)
        os.rename(self.path + ".new", self.path)

    def cluster(self, *flags):
        cluster = Cluster("hello", "-i", "2", *flags, binary=self.path)
        self.addCleanup(cluster.close)
        return cluster

    def file_in_use(self, cluster):
        return os.stat("/proc/%d/exe" % cluster.process.pid).st_ino


class Upgrade(Case):
    def test_same_pid_same_workers_new_program(self):
        for mode in ("plain", "auto"):
            with self.subTest(mode):
                cluster = self.cluster("--mode=" + mode)
                before = cluster.pids()
                with Load(cluster, threads=2, fresh=True) as fresh, Load(cluster, threads=2, fresh=False) as kept:
                    for _ in range(3):
                        self.install(self.program())
                        self.assertNotEqual(self.file_in_use(cluster), os.stat(self.path).st_ino)
                        out = cluster.ok("upgrade", cluster.name)
                        self.assertRegex(out, r"\(pid %d\) runs .* anew; 2 workers went on" % cluster.process.pid)
                        self.assertEqual(self.file_in_use(cluster), os.stat(self.path).st_ino)
                        self.assertEqual(cluster.view()["coordinator_pid"], cluster.process.pid)
                        self.assertEqual(cluster.pids(), before)
                    cluster.ok("scale", cluster.name, "4")
                    cluster.ok("reload", cluster.name)
                    cluster.ok("scale", cluster.name, "2")
                self.assertEqual((fresh.lost, kept.lost), (0, 0), fresh.failures + kept.failures)
                cluster.ok("stop", cluster.name)
                self.assertEqual(cluster.wait_exit(), 0)

    def test_by_signal(self):
        cluster = self.cluster()
        self.install(self.program())
        cluster.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: self.file_in_use(cluster) == os.stat(self.path).st_ino, "the new program")
        wait_until(lambda: cluster.cli("ping", cluster.name)[0] == 0, "it answers")

    def test_no_descriptor_is_left_over(self):
        cluster = self.cluster()

        def descriptors():
            cluster.ok("upgrade", cluster.name)
            cluster.ok("ping", cluster.name)
            return len(os.listdir("/proc/%d/fd" % cluster.process.pid))

        first = descriptors()
        self.assertEqual([descriptors() for _ in range(3)], [first] * 3)

    def test_worker_that_dies_afterwards_is_replaced(self):
        cluster = self.cluster()
        cluster.ok("upgrade", cluster.name)
        dead = cluster.pids()[0]
        os.kill(dead, signal.SIGKILL)
        wait_until(lambda: len(cluster.pids()) == 2 and dead not in cluster.pids(), "a replacement")

    def test_scale_that_was_given_at_the_start_is_no_complaint(self):
        cluster = self.cluster()
        cluster.ok("scale", cluster.name, "3")
        cluster.ok("upgrade", cluster.name)
        cluster.ok("ping", cluster.name)
        self.assertEqual(len(cluster.pids()), 3)
        self.assertFalse([line for line in cluster.lines if "is not applied" in line])


class BadProgram(Case):
    def other_version(self):
        return re.sub(rb"uring-cluster-upgrade 1 link", rb"uring-cluster-upgrade 9 link", self.program())

    def refused(self, cluster, reason):
        before = cluster.pids()
        code, _, err = cluster.cli("upgrade", cluster.name)
        self.assertEqual(code, 1, err)
        self.assertRegex(err, r"upgrade failed: the coordinator goes on as it was: .*" + reason)
        self.assertEqual(cluster.pids(), before)
        self.assertIn("2 of 2 workers serving", cluster.ok("ping", cluster.name))

    def test_old_one_goes_on_and_says_why(self):
        for name, program, reason in (
            ("crashes", SEGFAULTS, "killed by SIGSEGV"),
            ("ends", ENDS, "exited with code 7: out of ideas"),
            ("no program", NO_PROGRAM, "cannot be executed: Exec format error"),
            ("another version", self.other_version(), "the running workers are of another version"),
        ):
            with self.subTest(name):
                self.install(self.program())
                cluster = self.cluster()
                with Load(cluster, threads=2, fresh=True, pause=0.001) as load:
                    self.install(program)
                    self.refused(cluster, reason)
                    os.remove(self.path)
                    self.refused(cluster, "No such file or directory")
                    self.install(self.program())
                    cluster.ok("upgrade", cluster.name)
                    cluster.ok("reload", cluster.name)
                self.assertEqual(load.lost, 0, load.failures)

    def test_one_that_hangs_keeps_other_commands_waiting_no_longer_than_it_lives(self):
        cluster = self.cluster()
        self.install(HANGS)
        upgrade = Background(cluster, "upgrade", cluster.name)
        children = "/proc/%d/task/%d/children" % (cluster.process.pid, cluster.process.pid)

        def newcomer():
            with open(children) as text:
                return next((pid for pid in map(int, text.read().split()) if pid not in cluster.pids()), None)

        child = wait_until(newcomer, "the new program is tried")
        self.assertEqual(cluster.cli("scale", cluster.name, "3")[0], 2)
        self.assertEqual(cluster.cli("ping", cluster.name)[0], 0)
        os.kill(child, signal.SIGKILL)
        code, _, err = upgrade.wait()
        self.assertEqual(code, 1)
        self.assertIn("killed by SIGKILL", err)
        self.install(self.program())
        cluster.ok("scale", cluster.name, "3")

    def test_stop_does_not_wait_for_one_that_hangs(self):
        cluster = self.cluster()
        self.install(HANGS)
        upgrade = Background(cluster, "upgrade", cluster.name)
        cluster.wait_log("upgrade")
        cluster.ok("stop", cluster.name)
        self.assertEqual(cluster.wait_exit(), 0)
        self.assertEqual(upgrade.wait()[0], 1)

    def test_one_that_fails_after_it_was_found_good_leaves_workers_that_serve(self):
        cluster = self.cluster()
        before = cluster.pids()
        word = 'echo "uring-cluster can go on $URING_CLUSTER_REHEARSAL"'
        self.install('#!/bin/sh\n[ -n "$URING_CLUSTER_REHEARSAL" ] && { %s; exit 0; }\nexit 1\n' % word)
        code, _, err = cluster.cli("upgrade", cluster.name)
        self.assertEqual(code, 1)
        self.assertIn("its coordinator ended before it answered; 2 of its workers still serve", err)
        self.assertEqual(cluster.get(), b"Hello from uring-cluster\n")
        self.assertTrue(all(map(exists, before)))


if __name__ == "__main__":
    unittest.main()
