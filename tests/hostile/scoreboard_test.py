"""An app of --user that was taken over writes into its cluster's scoreboard: nobody else is signalled for it, and nothing
of it reaches a terminal."""

import os
import signal
import subprocess

import hostile
from cluster import Cluster, fixture


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

    def test_no_worker_can_write_what_a_coordinator_signals_by(self):
        self.assertEqual(self.cluster.get("/board"), b"cannot\n")
        os.kill(self.cluster.process.pid, signal.SIGKILL)
        self.cluster.process.wait()
        self.assertEqual(self.cluster.get("/board"), b"cannot\n")

    def test_no_verb_and_no_take_over_ends_a_program_that_a_report_names(self):
        victim = self.victim()
        self.scribble("program", victim)
        self.cluster.cli("sendSignal", "KILL", self.cluster.name)
        self.scribble("program", victim)
        self.cluster.ok("upgrade", self.cluster.name)
        self.scribble("program", victim)
        os.kill(self.cluster.process.pid, signal.SIGKILL)
        self.cluster.process.wait()
        self.cluster.cli("stop", self.cluster.name)
        self.assertIsNone(victim.poll())

    def test_noise_in_the_reports_costs_figures_only(self):
        before = self.cluster.pids()
        self.cluster.get("/noise")
        self.cluster.ok("reload", self.cluster.name)
        self.assertEqual(len(self.cluster.pids()), 1)
        self.assertNotEqual(self.cluster.pids(), before)
        self.cluster.get("/noise")
        os.kill(self.cluster.process.pid, signal.SIGKILL)
        self.cluster.process.wait()
        for verb in ("list", "describe"):
            self.cluster.ok(verb, self.cluster.name)
        self.cluster.ok("stop", self.cluster.name)
