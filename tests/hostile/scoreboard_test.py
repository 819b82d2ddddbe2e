"""An app of --user that was taken over writes into its cluster's scoreboard: nobody else is signalled for it, and nothing
of it reaches a terminal."""

import os
import signal
import subprocess

import hostile
from cluster import Cluster, fixture, wait_until


def start_of(pid):
    with open("/proc/%d/stat" % pid) as file:
        return int(file.read().rsplit(")", 1)[1].split()[19])


class Scribbles(hostile.HostileCase):
    def setUp(self):
        super().setUp()
        self.cluster = Cluster(fixture("libscribbles.so"), "-i", "1", "--user=nobody")
        self.addCleanup(self.cluster.close)

    def victim(self):
        """A process of root, alone in its session."""
        process = subprocess.Popen(["sleep", "600"], start_new_session=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def scribble(self, path, process):
        self.assertEqual(self.cluster.get("/%s?%d,%d" % (path, process.pid, start_of(process.pid))), b"scribbled\n")

    def test_no_verb_signals_the_process_that_a_row_names(self):
        victim = self.victim()
        (worker,) = self.cluster.pids()
        self.scribble("pid", victim)
        self.cluster.cli("sendSignal", "KILL", self.cluster.name)  # before or after the row is right again
        wait_until(lambda: self.cluster.pids() and victim.pid not in self.cluster.pids(), "the row is right again")
        self.assertIsNone(victim.poll())
        self.assertNotEqual(self.cluster.pids(), [victim.pid])
        self.assertTrue(worker)

    def test_no_take_over_ends_a_program_of_a_native_worker(self):
        victim = self.victim()
        self.scribble("program", victim)
        self.cluster.ok("upgrade", self.cluster.name)
        self.assertIsNone(victim.poll())
        self.scribble("program", victim)
        os.kill(self.cluster.process.pid, signal.SIGKILL)
        self.cluster.process.wait()
        self.cluster.cli("stop", self.cluster.name)
        self.assertIsNone(victim.poll())

    def test_what_a_slot_says_reaches_no_terminal(self):
        self.assertEqual(self.cluster.get("/failure"), b"scribbled\n")
        for verb in ("list", "describe"):
            shown = self.cluster.ok(verb, self.cluster.name)
            self.assertIn("owned", shown)
            self.assertEqual([c for c in shown if ord(c) < 32 and c != "\n"], [])
