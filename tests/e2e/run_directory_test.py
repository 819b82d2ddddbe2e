"""The run directory is cleaned while the cluster runs: it is made again, and every verb works."""

import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from cluster import BINARY, Background, Cluster, exists, wait_until
from load import Load

USER = 64111  # nobody else's: RLIMIT_MEMLOCK is shared by the processes of a user


class Case(unittest.TestCase):
    def cluster(self, *flags, **options):
        cluster = Cluster("hello", "-i", "2", "--mode=plain", *flags, **options)
        self.addCleanup(cluster.close)
        return cluster

    def folder(self, cluster, name=""):
        return os.path.join(cluster.base, cluster.name, name)

    def whole(self, cluster):
        """All verbs work, and whoever dies is replaced."""
        wait_until(lambda: cluster.cli("ping", cluster.name)[0] == 0, "it answers again")
        wait_until(lambda: len(cluster.pids()) == 2, "the scoreboard shows the workers")
        victim = cluster.pids()[0]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(cluster.pids()) == 2 and victim not in cluster.pids(), "it is replaced")
        cluster.ok("scale", cluster.name, "3")
        before = cluster.pids()
        cluster.ok("reload", cluster.name)
        self.assertFalse(set(before) & set(cluster.pids()))
        cluster.ok("scale", cluster.name, "2")


class StoppedCoordinator(Case):
    """By SIGSTOP: whoever gives a command hears so, and what becomes of the command."""

    def halt(self, cluster):
        cluster.process.send_signal(signal.SIGSTOP)
        self.addCleanup(cluster.process.send_signal, signal.SIGCONT)

    def test_command_that_it_has_not_taken_is_withdrawn(self):
        cluster = self.cluster()
        before = cluster.pids()
        self.halt(cluster)
        commands = [Background(cluster, *words, cluster.name) for words in (["reload"], ["stop"], ["ping"])]
        commands.append(Background(cluster, "scale", cluster.name, "4"))
        self.assertEqual(len(cluster.pids()), 2, "list asks nobody")
        for command in commands:
            code, out, err = command.wait()
            self.assertEqual((code, out), (1, ""))
            self.assertIn("it is stopped ('kill -CONT %d' lets it go on); it is withdrawn" % cluster.process.pid, err)
            self.assertEqual(err.count("\n"), 1, err)
        cluster.process.send_signal(signal.SIGCONT)
        cluster.ok("ping", cluster.name)
        self.assertEqual(cluster.pids(), before)

    def test_command_that_it_was_at_is_told_to_go_on_later(self):
        cluster = self.cluster("--soak=60s")
        command = Background(cluster, "reload", cluster.name)
        cluster.wait_log(r"worker 0/3: serves")
        self.halt(cluster)
        code, _, err = command.wait()
        self.assertEqual(code, 1)
        self.assertIn("stopped in the midst of the command ('kill -CONT %d' lets it go on)" % cluster.process.pid, err)


class CleanedAway(Case):
    def test_whatever_goes_is_made_again_and_nothing_is_lost(self):
        cluster = self.cluster()
        with Load(cluster, threads=2, fresh=False) as load:
            for name in ("doors", "replies", "control", "scoreboard", "scoreboard.reports", "lock", "pid", ""):
                with self.subTest(name):
                    path = self.folder(cluster, name)
                    shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
                    cluster.process.send_signal(signal.SIGUSR1)  # any command looks
                    self.whole(cluster) if name == "" else wait_until(
                        lambda: cluster.cli("ping", cluster.name)[0] == 0 and len(cluster.pids()) == 2, "all is there"
                    )
                    self.assertTrue(os.path.exists(path))
            shutil.rmtree(cluster.base)  # and by itself, within a second or so
            wait_until(lambda: os.path.exists(self.folder(cluster, "scoreboard")), "it is looked at")
            self.assertGreater(cluster.view()["totals"]["requests"], 0)
            wait_until(lambda: all(worker["heartbeat_age_ms"] < 5000 for worker in cluster.workers()), "it is alive")
        # Whoever died by SIGKILL in whole() took what it had accepted with it.
        self.assertLessEqual(load.lost, 4, load.failures)

    def test_replies_of_askers_that_were_killed_do_not_stay(self):
        cluster = self.cluster()
        replies = self.folder(cluster, "replies")
        cluster.process.send_signal(signal.SIGSTOP)  # nobody answers, so the askers wait
        askers = [subprocess.Popen([BINARY, "ping", cluster.name, "--run-dir=" + cluster.base]) for _ in range(3)]
        wait_until(lambda: len(os.listdir(replies)) == 3, "they have asked")
        for asker in askers:
            asker.kill()
            asker.wait()
        cluster.process.send_signal(signal.SIGCONT)
        for name in os.listdir(replies):
            os.utime(os.path.join(replies, name), (0, 0))
        wait_until(lambda: not os.listdir(replies), "they are removed", patience=30)
        self.assertEqual(cluster.cli("ping", cluster.name)[0], 0)

    def test_removed_lock_is_not_the_end_of_a_coordinator(self):
        cluster = self.cluster()
        for _ in range(5):  # each time within the second in which the coordinator has not looked yet
            os.unlink(self.folder(cluster, "lock"))
            second = Cluster("hello", base=cluster.base, wait=False)
            self.addCleanup(second.close)
            self.assertEqual(second.wait_exit(), 2)
            self.assertIn("already runs", second.lines[-1])
            wait_until(lambda: os.path.exists(self.folder(cluster, "lock")), "it is made again")
        os.unlink(self.folder(cluster, "lock"))
        cluster.ok("stop", cluster.name)
        self.assertEqual(cluster.wait_exit(), 0)

    def cut_short(self, file, lefts, shown):
        """Cuts a file again and again under load; what `shown` waits for is so each time. The cluster."""
        cluster = self.cluster()
        path = self.folder(cluster, file)
        size = os.path.getsize(path)
        before = cluster.pids()
        with Load(cluster, threads=2, fresh=False) as load:
            for left in (*lefts, size // 2):
                with self.subTest(left=left):
                    os.truncate(path, left)
                    wait_until(lambda: os.path.getsize(path) == size, "it has its length again")
                    shown(cluster, before)
            wait_until(lambda: all(0 <= worker["heartbeat_age_ms"] < 5000 for worker in cluster.workers()), "they are alive")
        self.assertEqual(load.lost, 0, load.failures)
        self.whole(cluster)
        return cluster

    def test_a_scoreboard_that_is_cut_short_ends_nobody(self):
        def shown(cluster, pids):
            wait_until(lambda: cluster.cli("describe", cluster.name)[0] == 0 and cluster.pids() == pids, "it shows the workers again")

        self.cut_short("scoreboard", (0, 100, 5000), shown).wait_log("the scoreboard was cut short or overwritten")

    def test_reports_that_are_cut_short_end_nobody(self):
        self.cut_short("scoreboard.reports", (0, 100), lambda cluster, pids: self.assertEqual(cluster.pids(), pids))

    def test_a_second_coordinator_is_refused_afterwards(self):
        cluster = self.cluster()
        shutil.rmtree(cluster.base)
        cluster.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: os.path.exists(self.folder(cluster, "scoreboard")), "it is made again")
        second = Cluster("hello", base=cluster.base, wait=False)
        self.addCleanup(second.close)
        self.assertEqual(second.wait_exit(), 2)
        self.assertIn("already runs", second.lines[-1])

    def test_take_over_after_a_reload_goes_on_with_all(self):
        cluster = self.cluster()
        shutil.rmtree(cluster.base)
        cluster.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: cluster.cli("ping", cluster.name)[0] == 0, "it answers again")
        code, _, err = cluster.cli("upgrade", cluster.name)
        self.assertEqual(code, 1)
        self.assertIn("not all workers have a door", err)
        cluster.ok("reload", cluster.name)
        before = cluster.pids()
        cluster.ok("upgrade", cluster.name)
        self.assertEqual(cluster.pids(), before)
        cluster.process.kill()
        cluster.process.wait()
        heir = Cluster("hello", "--mode=plain", listen=cluster.addresses, base=cluster.base)
        self.addCleanup(heir.close)
        self.assertEqual(heir.pids(), before)

    def test_workers_that_have_lost_their_doors_are_not_forgotten(self):
        for verb in ("stop", "start"):
            with self.subTest(verb):
                cluster = self.cluster()
                before = cluster.pids()
                shutil.rmtree(self.folder(cluster))
                cluster.process.send_signal(signal.SIGUSR1)
                wait_until(lambda: cluster.cli("ping", cluster.name)[0] == 0, "it answers again")
                cluster.process.kill()
                cluster.process.wait()
                if verb == "stop":
                    self.assertIn("ended 2 workers", cluster.ok("stop", cluster.name))
                    self.assertEqual(cluster.orphans(), [])
                else:
                    heir = Cluster("hello", "--mode=plain", listen=cluster.addresses, base=cluster.base)
                    self.addCleanup(heir.close)
                    self.assertFalse(set(heir.pids()) & set(before))
                    self.assertFalse(any(map(exists, before)))
                    heir.close()
                cluster.close()


class ReadOnly(Case):
    def test_workers_are_born_without_a_door(self):
        if os.geteuid() != 0:
            self.skipTest("only root can take the directory away")
        base = tempfile.mkdtemp(prefix="uc-readonly-")
        self.addCleanup(shutil.rmtree, base, ignore_errors=True)
        os.chown(base, USER, USER)

        def become_user():
            os.setgroups([])
            os.setgid(USER)
            os.setuid(USER)

        cluster = self.cluster(base=base, preexec=become_user)
        for name in ("doors", "replies", ""):
            os.chmod(self.folder(cluster, name), 0o500)
        victims = cluster.pids()
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(cluster.pids()) == 2 and not set(victims) & set(cluster.pids()), "both are replaced")
        self.assertEqual(len([line for line in cluster.lines if "born without a door" in line]), 1, cluster.lines)
        before = cluster.pids()
        cluster.process.send_signal(signal.SIGHUP)  # no command gets through, signals do
        wait_until(lambda: len(cluster.pids()) == 2 and not set(before) & set(cluster.pids()), "a roll works")
        for name in ("", "doors", "replies"):
            os.chmod(self.folder(cluster, name), 0o700)
        cluster.ok("reload", cluster.name)
        before = cluster.pids()
        cluster.process.kill()
        cluster.process.wait()
        heir = Cluster("hello", "--mode=plain", listen=cluster.addresses, base=base, preexec=become_user)
        self.addCleanup(heir.close)
        self.assertEqual(heir.pids(), before)


if __name__ == "__main__":
    unittest.main()
