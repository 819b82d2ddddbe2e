"""Nothing that lives is forgotten: whoever is left of a cluster is found, whatever its records say."""

import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import threading
import unittest

from cluster import BINARY, Cluster, exists, free_port, wait_until
from load import Load
from program import Program, program_pids

VERSION_AT = 8  # in the scoreboard (layout.h)
FORKS = """
import os, socket, signal
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", %d))
listener.listen()
for _ in range(2):
    if os.fork() == 0:
        while True:
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
            connection.close()
while True:
    signal.pause()
"""


class Case(unittest.TestCase):
    def cluster(self, *arguments, **options):
        cluster = Cluster(*arguments, **options)
        cluster.arguments = arguments
        self.addCleanup(cluster.close)
        return cluster

    def kill(self, cluster):
        cluster.process.kill()
        cluster.process.wait()

    def again(self, cluster, wait=True):
        heir = Cluster(*cluster.arguments, listen=cluster.addresses, base=cluster.base, wait=wait)
        heir.arguments = cluster.arguments
        self.addCleanup(heir.close)
        return heir

    def refused(self, cluster):
        heir = self.again(cluster, wait=False)
        self.assertEqual(heir.wait_exit(), 2, heir.lines)
        return heir.lines[-1]

    def folder(self, cluster):
        return os.path.join(cluster.base, cluster.name)

    def entries(self, cluster):
        return sorted(
            os.path.relpath(os.path.join(folder, name), cluster.base)
            for folder, _, names in os.walk(self.folder(cluster))
            for name in names
        )

    def assert_nobody(self, cluster):
        self.assertEqual(cluster.orphans(), [])
        with self.assertRaises(OSError):
            cluster.connect(1)


class BornWhileItDies(Case):
    def test_whoever_is_born_in_the_moment_of_the_death_is_found(self):
        """The coordinator is killed within 12 ms of a scale, again and again; the next one, and stop, know everybody."""
        cluster = self.cluster("hello", "-i", "2", "--mode=plain")
        heir = cluster
        chance = random.Random(5)
        for turn in range(30):
            with open(os.path.join(self.folder(cluster), "control"), "w") as control:
                control.write("scale %d\n" % (8 if turn % 2 == 0 else 2))
            killer = threading.Timer(chance.uniform(0, 0.012), heir.process.kill)
            killer.start()
            heir.process.wait()
            killer.join()
            heir.ok("list")
            heir = self.again(heir)
            known = {worker["pid"] for worker in heir.view()["workers"]}
            wait_until(
                lambda: set(heir.orphans()) <= {worker["pid"] for worker in heir.view()["workers"]},
                "no worker that is in no row; was %s, rows %s" % (heir.orphans(), known),
            )
        self.kill(heir)
        heir.ok("stop", heir.name)
        self.assert_nobody(cluster)

    def test_stop_finds_whoever_was_just_born(self):
        chance = random.Random(6)
        for _ in range(8):
            cluster = self.cluster("hello", "-i", "2", "--mode=plain")
            with open(os.path.join(self.folder(cluster), "control"), "w") as control:
                control.write("scale 8\n")
            killer = threading.Timer(chance.uniform(0, 0.012), cluster.process.kill)
            killer.start()
            cluster.process.wait()
            killer.join()
            cluster.ok("stop", cluster.name)
            self.assert_nobody(cluster)
            cluster.close()


class WhatCannotBeRead(Case):
    """Workers serve, and their scoreboard is of another version, noise, cut or gone."""

    def damages(self):
        def version(path):
            with open(path, "r+b") as board:
                board.seek(VERSION_AT)
                board.write(struct.pack("I", 77))

        def noise(path):
            with open(path, "r+b") as board:
                board.write(os.urandom(64))

        yield version, "has scoreboard version 77, this program reads version"
        yield noise, "is not a scoreboard"
        yield (lambda path: os.truncate(path, 5000)), "is cut short"
        yield os.unlink, "is missing"

    def test_start_touches_nothing_and_says_why_and_stop_ends_them(self):
        for damage, why in self.damages():
            with self.subTest(why):
                cluster = self.cluster("hello", "-i", "2", "--mode=plain")
                before = cluster.pids()
                self.kill(cluster)
                if why == "is cut short":
                    # Workers that have it mapped would get SIGBUS: a copy takes its place.
                    path = os.path.join(self.folder(cluster), "scoreboard")
                    with open(path, "rb") as board, open(path + ".cut", "wb") as cut:
                        cut.write(board.read())
                    os.rename(path + ".cut", path)
                damage(os.path.join(self.folder(cluster), "scoreboard"))
                left = self.entries(cluster)
                line = self.refused(cluster)
                self.assertIn(why, line)
                self.assertIn("2 workers of a coordinator that died still serve", line)
                self.assertIn("'uring-cluster stop %s'" % cluster.name, line)
                self.assertEqual(self.entries(cluster), left)
                self.assertTrue(all(map(exists, before)))
                self.assertEqual(cluster.get(), b"Hello from uring-cluster\n")
                for verb in (["list"], ["describe", cluster.name]):
                    _, out, err = cluster.cli(*verb)
                    self.assertIn("2 workers still serve", err)
                    self.assertNotIn("stopped", out + err)
                self.assertIn("ended 2 workers", cluster.ok("stop", cluster.name))
                self.assert_nobody(cluster)
                heir = self.again(cluster)
                self.assertEqual(heir.get(), b"Hello from uring-cluster\n")
                heir.close()
                cluster.close()

    def test_the_right_program_goes_on_with_them(self):
        cluster = self.cluster("hello", "-i", "2", "--mode=plain")
        before = cluster.pids()
        self.kill(cluster)
        path = os.path.join(self.folder(cluster), "scoreboard")
        with open(path, "r+b") as board:
            board.seek(VERSION_AT)
            right = board.read(4)
            board.seek(VERSION_AT)
            board.write(struct.pack("I", 77))
        self.refused(cluster)
        with open(path, "r+b") as board:
            board.seek(VERSION_AT)
            board.write(right)
        self.assertEqual(self.again(cluster).pids(), before)


class WhatIsOnlyFigures(Case):
    """scoreboard.reports: without it a cluster is taken over, and nobody else's is believed."""

    def test_reports_are_made_anew(self):
        for what, damage in (("is missing", os.unlink), ("others may write it", lambda path: os.chmod(path, 0o666))):
            with self.subTest(what):
                cluster = self.cluster("hello", "-i", "2", "--mode=plain")
                before = cluster.pids()
                self.kill(cluster)
                damage(os.path.join(self.folder(cluster), "scoreboard.reports"))
                if what == "is missing":
                    self.assertEqual(sorted(worker["pid"] for worker in cluster.view()["workers"]), before)
                heir = self.again(cluster)
                self.assertEqual(heir.pids(), before)
                heir.wait_log(r"scoreboard\.reports: .*%s.*made anew.*report on" % what)
                heir.ok("reload", heir.name)
                heir.get()
                self.assertEqual(heir.view()["totals"]["requests"], 1)
                heir.ok("stop", heir.name)
                self.assert_nobody(cluster)

    def reports_move(self, cluster, damage):
        """The workers go on writing into a file that has lost its name; another one has it."""
        if damage == "removed while it lived":
            os.unlink(os.path.join(self.folder(cluster), "scoreboard"))
            cluster.wait_log("somebody has cleaned here")
            return self.kill(cluster)
        self.kill(cluster)
        path = os.path.join(self.folder(cluster), "scoreboard.reports")
        if damage == "replaced":
            shutil.copy(path, path + ".copy")
            os.rename(path + ".copy", path)
        else:
            os.unlink(path)

    def await_beats(self, cluster, pid, count):
        """Until the scoreboard has shown so many heartbeats of this worker."""
        ages = [0]
        beats = set()

        def beaten():
            ages.append(next(worker["heartbeat_age_ms"] for worker in cluster.view()["workers"] if worker["pid"] == pid))
            if ages[-1] < ages[-2]:
                beats.add(len(ages))
            return len(beats) >= count

        wait_until(beaten, "%d heartbeats of %d" % (count, pid))

    def test_workers_report_on_and_none_is_taken_for_stuck(self):
        """They were killed: the file that had the name stood still, which is what a hang looks like."""
        for damage in ("removed while it lived", "replaced", "removed"):
            with self.subTest(damage):
                cluster = self.cluster("hello", "-i", "2", "--mode=plain", "--hang-timeout=500ms")
                before = cluster.pids()
                cluster.get()
                self.reports_move(cluster, damage)
                heir = self.again(cluster)
                for count in range(2, 6):
                    heir.get()
                    wait_until(lambda: heir.view()["totals"]["requests"] >= count, "request %d is counted" % count)
                # Together longer than --hang-timeout, after which one whose heartbeat stands still is killed.
                for pid in before:
                    self.await_beats(heir, pid, 20)
                self.assertEqual(heir.pids(), before)
                self.assertFalse([line for line in heir.lines if "heartbeat has stopped" in line], heir.lines)
                heir.close()
                cluster.close()

    def test_an_upgrade_goes_on_with_workers_of_former_reports(self):
        cluster = self.cluster("hello", "-i", "2", "--mode=plain", "--hang-timeout=500ms")
        before = cluster.pids()
        os.unlink(os.path.join(self.folder(cluster), "scoreboard.reports"))
        cluster.wait_log("somebody has cleaned here")
        cluster.ok("upgrade", cluster.name)
        for count in range(1, 4):
            cluster.get()
            wait_until(lambda: cluster.view()["totals"]["requests"] >= count, "request %d is counted" % count)
        self.assertEqual(cluster.pids(), before)

    def test_stop_finds_by_rows_whoever_has_no_door_whatever_the_reports_are(self):
        cluster = self.cluster("hello", "-i", "2", "--mode=plain")
        self.kill(cluster)
        shutil.rmtree(os.path.join(self.folder(cluster), "doors"))
        reports = os.path.join(self.folder(cluster), "scoreboard.reports")
        os.chmod(reports, 0o666)
        self.assertIn("same flags takes them over", cluster.cli("ping", cluster.name)[2])
        self.assertIn("ended 2 workers", cluster.ok("stop", cluster.name))
        self.assert_nobody(cluster)

    def test_a_board_that_others_may_write_is_not_believed(self):
        cluster = self.cluster("hello", "-i", "2", "--mode=plain")
        before = cluster.pids()
        self.kill(cluster)
        path = os.path.join(self.folder(cluster), "scoreboard")
        os.chmod(path, 0o622)
        self.assertIn("others may write it", self.refused(cluster))
        for words in (["id", cluster.name], ["pid", cluster.name]):
            code, _, err = cluster.cli(*words)
            self.assertEqual(code, 2)
            self.assertIn("2 workers still serve", err)
        self.assertIn("nobody can take them over", cluster.cli("ping", cluster.name)[2])
        os.chmod(path, 0o600)
        self.assertIn("with the same flags takes them over", cluster.cli("ping", cluster.name)[2])
        self.assertEqual(self.again(cluster).pids(), before)


class WhatLiesInTheWay(Case):
    """A directory where a file of ours belongs is told, and nothing says that all has gone."""

    def test_stop_and_delete_without_a_coordinator(self):
        for name in ("scoreboard", "scoreboard.reports", "pid", "control"):
            with self.subTest(name):
                cluster = self.cluster("hello", "-i", "2", "--mode=plain")
                self.kill(cluster)
                path = os.path.join(self.folder(cluster), name)
                os.unlink(path)
                os.mkdir(path)
                open(os.path.join(path, "notes"), "w").close()
                code, out, err = cluster.cli("delete", cluster.name)
                self.assertEqual((code, out), (1, ""))
                self.assertRegex(err, r"ended 2 workers; .*%s cannot be removed" % name)
                self.assert_nobody(cluster)
                self.assertEqual(os.listdir(path), ["notes"])
                cluster.close()

    def test_a_link_in_the_place_of_a_folder_is_removed_and_not_followed(self):
        cluster = self.cluster("hello", "-i", "2", "--mode=plain")
        self.kill(cluster)
        home = os.path.join(cluster.base, ".home")
        os.mkdir(home)
        open(os.path.join(home, "thesis"), "w").close()
        replies = os.path.join(self.folder(cluster), "replies")
        shutil.rmtree(replies)
        os.symlink(home, replies)
        self.assertIn("replies: is no directory, or a symbolic link", self.refused(cluster))
        cluster.ok("stop", cluster.name)
        self.assert_nobody(cluster)
        self.assertEqual(os.listdir(home), ["thesis"])


class NoiseInTheRows(Case):
    def test_noise_over_all_of_it_costs_figures_only(self):
        cluster = self.cluster("hello", "-i", "2", "--mode=plain")
        before = cluster.pids()
        path = os.path.join(self.folder(cluster), "scoreboard")
        with open(path, "r+b") as board:
            board.write(os.urandom(os.path.getsize(path)))
        cluster.wait_log("overwritten; it is set right again")
        wait_until(lambda: cluster.pids() == before, "the rows are set right, too")
        cluster.ok("scale", cluster.name, "4")
        cluster.ok("reload", cluster.name)
        self.assertEqual(len(cluster.view()["workers"]), 4)
        self.assertEqual(cluster.get(), b"Hello from uring-cluster\n")

    def poke(self, cluster, old, new):
        """Replaces each aligned occurrence in the rows' identity fields."""
        path = os.path.join(self.folder(cluster), "scoreboard")
        with open(path, "r+b") as board:
            data = board.read()
            at = -1
            count = 0
            while (at := data.find(old, at + 1)) >= 0:
                if at % 4 == 0:
                    board.seek(at)
                    board.write(new)
                    count += 1
        return count

    def test_numbers_of_other_processes_are_not_signalled(self):
        cluster = self.cluster("hello", "-i", "2", "--mode=plain")
        bystander = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        self.addCleanup(bystander.wait)
        self.addCleanup(bystander.kill)
        before = cluster.pids()
        self.kill(cluster)
        for pid in before:
            self.assertGreater(self.poke(cluster, struct.pack("i", pid), struct.pack("i", bystander.pid)), 0)
        heir = self.again(cluster)
        self.assertEqual(heir.pids(), before)
        heir.ok("reload", heir.name)
        self.kill(heir)
        for pid in heir.orphans():
            self.poke(cluster, struct.pack("i", pid), struct.pack("i", 1))
        heir.ok("stop", heir.name)
        self.assert_nobody(cluster)
        self.assertIsNone(bystander.poll())


class WhatALauncherHasStarted(Case):
    def forking(self):
        port = free_port()
        program = Program(self, "forks.py", FORKS % port)
        cluster = self.cluster(program.path, "-i", "2", listen="127.0.0.1:%d" % port)
        groups = program_pids(cluster)
        self.assertEqual(cluster.get(), b"ok")
        self.kill(cluster)
        for pid in cluster.orphans():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not cluster.orphans(), "the launchers are gone")
        for group in groups:
            os.killpg(group, 0)  # its children live
        return cluster, groups

    def gone(self, groups):
        left = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/stat" % pid) as stat:
                    state, _, group = stat.read().rsplit(")", 1)[1].split()[:3]
            except OSError:
                continue
            if int(group) in groups and state != "Z":
                left.append(pid)
        self.assertEqual(left, [])

    def test_ends_by_the_next_start(self):
        cluster, groups = self.forking()
        self.assertEqual(self.again(cluster).get(), b"ok")
        self.gone(groups)

    def test_ends_by_stop(self):
        cluster, groups = self.forking()
        cluster.ok("stop", cluster.name)
        self.gone(groups)
        self.assert_nobody(cluster)

    def test_is_found_without_any_file(self):
        """Scoreboard and doors are gone with the coordinator and the launchers: nothing says 'stopped' meanwhile."""
        for lost in (["scoreboard"], ["scoreboard.reports"], ["scoreboard", "scoreboard.reports", "doors"]):
            with self.subTest(lost):
                cluster, groups = self.forking()
                for name in lost:
                    path = os.path.join(self.folder(cluster), name)
                    shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
                for words in (["list"], ["describe", cluster.name], ["ping", cluster.name]):
                    _, out, err = cluster.cli(*words)
                    self.assertNotIn("stopped", out + err, words)
                    self.assertNotIn("no cluster", out + err, words)
                    if lost != ["scoreboard.reports"] or words[0] == "ping":
                        self.assertIn("still serve", out + err, words)
                cluster.ok("stop", cluster.name)
                self.gone(groups)
                self.assert_nobody(cluster)
                cluster.close()

    def test_ends_by_the_next_start_without_any_file(self):
        cluster, groups = self.forking()
        for name in ("scoreboard", "scoreboard.reports"):
            os.unlink(os.path.join(self.folder(cluster), name))
        heir = self.again(cluster)
        self.assertEqual(heir.get(), b"ok")
        heir.wait_log("had started")
        self.gone(groups)


class WithoutACoordinator(Case):
    def test_list_tells_who_has_gone_from_who_serves(self):
        cluster = self.cluster("hello", "-i", "2")
        first, second = cluster.pids()
        self.kill(cluster)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: not exists(first), "it has gone")
        self.assertEqual({worker["pid"]: worker["state"] for worker in cluster.view()["workers"]},
                         {first: "gone", second: "serving"})


class StartedByAProgram(Case):
    """What a program starts ends with it; a cluster that it starts is no exception."""

    def marked(self, base, name):
        return {"URING_CLUSTER_WORKER": "%d 7 %d %s/%s" % (os.getpid(), os.getpid(), os.path.realpath(base), name)}

    def test_a_program_cannot_start_its_own_cluster(self):
        other = self.cluster("hello", "-i", "1", "--name=other")
        own = self.cluster("hello", "--name=web", base=other.base, env=self.marked(other.base, "web"), wait=False)
        self.assertEqual(own.wait_exit(), 2)
        self.assertIn("a program of this very cluster cannot start it", own.lines[-1])

    def test_of_another_one_the_start_says_when_it_ends(self):
        first = self.cluster("hello", "-i", "1", "--name=first")
        second = self.cluster("hello", "-i", "1", "--name=second", base=first.base, env=self.marked(first.base, "first"))
        second.wait_log("this cluster ends with that program")
        self.assertEqual(second.get(), first.get())


class UpgradeToAnything(Case):
    def test_program_that_only_ends_with_0_is_not_believed(self):
        folder = Program(self, "uring-cluster", "")
        with open(BINARY, "rb") as binary, open(folder.path, "wb") as copy:
            copy.write(binary.read())
        cluster = self.cluster("hello", "-i", "2", binary=folder.path)
        for text in ("#!/bin/sh\nexit 0\n", "#!/bin/sh\necho uring-cluster can go on\nexit 0\n"):
            folder.deploy(text)
            code, _, err = cluster.cli("upgrade", cluster.name)
            self.assertEqual(code, 1)
            self.assertIn("without saying that it can go on", err)
            self.assertIsNone(cluster.process.poll())
        with Load(cluster, threads=2, fresh=True) as load:
            subprocess.check_call(["cp", BINARY, folder.path + ".new"])
            os.rename(folder.path + ".new", folder.path)
            cluster.ok("upgrade", cluster.name)
        self.assertEqual(load.lost, 0, load.failures)


if __name__ == "__main__":
    unittest.main()
