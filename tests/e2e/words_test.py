"""What the command line says and how it ends, where README.md promises it: several names, failed starts, folders that are
not trusted, flags before the verb, commands that nobody took."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import unittest

from cluster import BINARY, wait_until
from program import Program


class Case(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.mkdtemp(prefix="uc-words-")
        self.addCleanup(shutil.rmtree, self.base, ignore_errors=True)
        self.addCleanup(self.end)

    def end(self):
        for name in os.listdir(self.base):
            path = os.path.join(self.base, name)
            if os.path.isdir(path):
                os.chmod(path, 0o700)
        self.cli("kill", "--now")

    def cli(self, *words, timeout=60):
        """(exit code, stdout, stderr)"""
        done = subprocess.run(
            [BINARY, *words, "--run-dir=" + self.base], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
        )
        return done.returncode, done.stdout, done.stderr

    def ok(self, *words):
        code, out, err = self.cli(*words)
        self.assertEqual(code, 0, out + err)
        return out

    def start(self, name, *flags, app="hello"):
        return self.cli("start", app, "--daemon", "--name=" + name, "-i", "1", "--listen=127.0.0.1:0", *flags)

    def serve(self, *names):
        for name in names:
            code, out, err = self.start(name)
            self.assertEqual(code, 0, out + err)

    def path(self, *names):
        return os.path.join(self.base, *names)

    def statuses(self):
        return {view["name"]: view["status"] for view in json.loads(self.ok("jlist"))}

    def refused(self, *words, saying):
        code, out, err = self.cli(*words)
        self.assertEqual(code, 2, (words, out, err))
        self.assertEqual(err.count("\n"), 1, (words, err))
        self.assertIn(saying, err)
        return out


class SeveralNames(Case):
    def test_each_is_tried_and_what_is_no_cluster_has_failed(self):
        self.serve("a", "b")
        code, out, err = self.cli("stop", "nosuch", "a", "b")
        self.assertEqual(code, 2, out + err)
        self.assertIn("no cluster 'nosuch'", err)
        self.assertIn("stop: 1 of 3 failed: nosuch", err)
        self.assertEqual(self.statuses(), {"a": "stopped", "b": "stopped"})
        for verb in ("restart", "reload"):
            self.assertEqual(self.cli(verb, "nosuch", "a")[0], 2)
            self.assertEqual(self.statuses()["a"], "running")
            self.ok("stop", "a")
        code, out, err = self.cli("delete", "nosuch", "a", "b", "--json")
        self.assertEqual(code, 2)
        self.assertEqual([one["outcome"] for one in json.loads(out)], ["refused", "done", "done"])
        self.assertEqual(self.statuses(), {})


class EndsOfAStart(Case):
    def test_end_with_a_code_that_means_done_is_told_and_is_no_failure(self):
        path = Program(self, "job.sh", "#!/bin/sh\nexit 7\n").path
        code, out, err = self.start("job", "--stop-exit-codes=7", app=path)
        self.assertEqual((code, err), (0, ""), out)
        self.assertIn("every worker has ended with an exit code of --stop-exit-codes", out)
        self.assertEqual(self.statuses(), {})
        self.assertEqual(self.start("job", "--stop-exit-codes=8", app=path)[0], 2)

    def test_without_autorestart_an_end_with_0_is_no_failure_and_any_other_is(self):
        job = Program(self, "job.sh", "#!/bin/sh\nexit $JOB\n").path
        code, out, err = self.start("job", "--no-autorestart", "--env=JOB=0", app=job)
        self.assertEqual((code, err), (0, ""), out)
        self.assertIn("every worker has ended well", out)
        code, out, err = self.start("job", "--no-autorestart", "--env=JOB=3", app=job)
        self.assertEqual(code, 2, out + err)
        self.assertIn("exited with code 3 before it listened", err)

    def test_workers_that_are_done_beside_one_that_serves(self):
        half = Program(
            self, "half.py",
            "import http.server, os, sys\nif os.environ['URING_CLUSTER_SLOT'] != '0':\n  sys.exit(int(os.environ['JOB']))\n"
            "http.server.HTTPServer(('127.0.0.1', 0), http.server.BaseHTTPRequestHandler).serve_forever()\n",
        ).path
        for flag, job in (("--stop-exit-codes=7", 7), ("--no-autorestart", 0)):
            code, out, err = self.start("half", "-i", "2", flag, "--env=JOB=%d" % job, app=half)
            self.assertEqual((code, err), (0, ""), out)
            self.assertIn("1 of them has ended as it may, and stays down", out)
            self.ok("delete", "half")

    def test_log_of_a_start_that_failed_is_named_stays_and_goes_by_delete(self):
        self.serve("web")
        code, _, err = self.start("bad", app=Program(self, "bad.sh", "#!/bin/sh\nexit 1\n").path)
        self.assertEqual(code, 2)
        self.assertIn("what it said is in " + self.path(".state", "logs", "bad-error-0.log"), err)
        occupied = json.loads(self.ok("describe", "web", "--json"))["addresses"][0]
        code, _, err = self.cli("start", "hello", "--daemon", "--name=mute", "--listen=" + occupied, "--error-file=/dev/null")
        self.assertEqual(code, 2, err)
        code, _, err = self.start("quiet", "--error-file=/dev/null", app=Program(self, "bad.sh", "#!/bin/sh\nexit 1\n").path)
        self.assertEqual(code, 2)
        self.assertIn("; the log is " + self.path("quiet", "log"), err)
        self.assertEqual(self.statuses(), {"web": "running"})
        out = self.ok("delete", "all")
        self.assertNotIn("bad", out)
        self.assertNotIn("quiet", out)
        self.assertTrue(os.path.exists(self.path("bad", "log")))
        for name in ("bad", "quiet"):
            self.ok("delete", name)
            self.assertFalse(os.path.exists(self.path(name)))
        self.assertTrue(os.path.exists(self.path(".state", "logs", "bad-error-0.log")))

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_script_that_the_user_may_not_read_is_named(self):
        for name, text in (("app.py", "print()\n"), ("app", "#!/bin/sh\nexit 1\n")):
            path = Program(self, name, text).path
            os.chmod(path, 0o711)
            how = ["--interpreter=/usr/bin/python3"] if name == "app.py" else []
            code, out, err = self.start("web", "--user=nobody", *how, app=path)
            self.assertEqual(code, 2, out + err)
            self.assertEqual(err.count("\n"), 1, err)
            self.assertIn(path + ": cannot be read: Permission denied, looked at as user nobody", err)

    def test_no_cluster_is_called_all(self):
        self.assertIn("'all' means every cluster", self.start("all")[2])
        self.assertEqual(self.start("all")[0], 2)
        self.assertFalse(os.path.exists(self.path("all")))

    def test_scaling_is_forgotten_by_stop_and_start(self):
        self.serve("web")
        self.ok("scale", "web", "2")
        self.ok("stop", "web")
        self.ok("start", "web")
        self.assertEqual(json.loads(self.ok("describe", "web", "--json"))["workers_wanted"], 1)


class NotTrusted(Case):
    def test_folder_of_a_cluster_is_refused_by_every_verb_in_one_way(self):
        self.serve("web", "other")
        self.ok("stop", "other")
        for name in ("web", "other"):
            folder = self.path(name)
            os.chmod(folder, 0o770)
            says = folder + ": others may write there"
            for words in (
                "list", "describe", "ping", "scale 2", "reload", "restart", "stop", "delete", "reset", "reloadLogs", "upgrade",
                "id", "pid", "env", "logs", "flush", "startup", "sendSignal USR2", "monit --once",
            ):
                verb, *rest = words.split()
                with self.subTest(name=name, words=words):
                    words = [name, *rest] if verb in ("scale", "monit") else [*rest, name]
                    self.refused(verb, *words, saying=says)
            os.chmod(folder, 0o700)
        self.assertEqual(self.statuses(), {"web": "running", "other": "stopped"})

    def test_list_and_monit_show_the_others(self):
        self.serve("a", "b", "c")
        self.ok("stop", "c")
        for name in ("b", "c"):
            os.chmod(self.path(name), 0o770)
            self.assertIn("a ", self.refused("list", saying=self.path(name)))
            os.chmod(self.path(name), 0o700)
        os.chmod(self.path("b"), 0o770)
        self.assertEqual([view["name"] for view in json.loads(self.refused("jlist", saying=self.path("b")))], ["c", "a"])
        self.assertIn("a ", self.refused("monit", "--once", saying=self.path("b")))
        self.refused("save", saying=self.path("b"))

    def test_logs_in_a_folder_that_everybody_may_write_are_not_shown_as_none(self):
        self.serve("web")
        for names in ((".state",), (".state", "logs")):
            folder = self.path(*names)
            os.chmod(folder, 0o777)
            out = self.refused("logs", "web", saying="are not trusted: everyone may replace files there")
            self.assertIn("is ready", out)  # the coordinator's own
            self.assertNotIn("serves", out)
            self.refused("flush", "web", saying="everyone may replace files there")
            os.chmod(folder, 0o700)
        wait_until(lambda: "serves" in self.ok("logs", "web"), "the worker's line is written")


class Words(Case):
    def before(self, *words):
        done = subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr

    def test_flags_stand_before_the_verb_too(self):
        for flag in (["--run-dir=" + self.base], ["--run-dir", self.base]):
            code, out, err = self.before(*flag, "-i", "1", "--daemon", "--listen=127.0.0.1:0", "start", "hello", "--name", "web")
            self.assertEqual(code, 0, out + err)
            self.assertIn("web", self.before(*flag, "list")[1])
            self.assertEqual(json.loads(self.before("--json", *flag, "list", "web")[1])[0]["workers_wanted"], 1)
            self.assertIn(" | ", self.before("--lines", "1", *flag, "logs", "web")[1])
            self.assertEqual(self.before("--worker", "0", *flag, "restart", "web")[0], 0)
            for words in (["ping"], ["scale", "web", "-1"], ["scale", "1"], ["--now", "stop"], ["delete", "web"]):
                code, out, err = self.before(*flag, *words)
                self.assertEqual(code, 2 if "-1" in words else 0, (words, out, err))
        self.assertEqual(self.before("--nosuch", "list")[2], "uring-cluster: unknown flag --nosuch\n")
        self.assertIn("and no command", self.before("--run-dir", "list")[2])
        self.assertIn("usage:", self.before("--run-dir", self.base, "--help")[1])

    def test_answers_begin_with_the_verb_that_was_typed(self):
        self.serve("a", "b")
        self.assertTrue(self.ok("reloadLogs", "a").startswith("reloadLogs: "))
        self.assertTrue(self.ok("delete", "b").startswith("delete: "))
        self.assertEqual(json.loads(self.ok("reloadLogs", "a", "--json"))["command"], "reloadLogs")
        self.refused("scale", "a", "-9", saying="uring-cluster: scale -9 refused: at least 1 of the 1 worker must stay")
        self.assertTrue(self.ok("kill", "--now").startswith("kill now: "))

    def test_stopped_cluster_is_said_to_be_stopped(self):
        self.serve("a", "b")
        self.ok("stop", "b")
        for words in (["ping", "b"], ["scale", "b", "2"], ["id", "b"], ["sendSignal", "USR2", "b"], ["reset", "b"]):
            self.refused(*words, saying="cluster b is stopped; 'uring-cluster start b' starts it again")
        self.refused("ping", "nosuch", saying="no cluster 'nosuch'")

    def test_flag_of_another_verb_is_not_guessed_at(self):
        self.refused("start", "hello", "--json", saying="uring-cluster: --json is not a flag of 'start'\n")


class NobodyTakesIt(Case):
    def stopped(self):
        """A coordinator that is stopped: its pid."""
        self.serve("web")
        pid = json.loads(self.ok("describe", "web", "--json"))["coordinator_pid"]
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(subprocess.run, ["kill", "-CONT", str(pid)], capture_output=True)
        return pid

    def waiting(self):
        """Bytes in the control pipe."""
        control = os.open(self.path("web", "control"), os.O_RDONLY | os.O_NONBLOCK)
        try:
            return int.from_bytes(fcntl.ioctl(control, termios.FIONREAD, bytes(4)), sys.byteorder)
        finally:
            os.close(control)

    def assert_not_carried_out(self, pid):
        os.kill(pid, signal.SIGCONT)
        self.ok("ping", "web")  # read after the other
        self.assertEqual(json.loads(self.ok("describe", "web", "--json"))["workers_wanted"], 1)
        with open(self.path("web", "log")) as log:
            self.assertIn("scale +1 is not carried out: nobody waits for its answer any more", log.read())
        self.ok("stop", "web")

    def test_command_that_was_given_up_is_withdrawn(self):
        pid = self.stopped()
        code, out, err = self.cli("scale", "web", "+1")
        self.assertEqual(code, 1, out)
        self.assertIn("it is withdrawn and will not be carried out", err)
        self.assert_not_carried_out(pid)

    def test_command_that_is_interrupted_before_it_was_taken_is_withdrawn(self):
        pid = self.stopped()
        giving = subprocess.Popen(
            [BINARY, "scale", "web", "+1", "--run-dir=" + self.base], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        wait_until(self.waiting, "a command in the pipe")
        giving.send_signal(signal.SIGINT)
        _, err = giving.communicate(timeout=20)
        self.assertEqual(giving.returncode, 130)
        self.assertIn("interrupted; the command is withdrawn", err)
        self.assert_not_carried_out(pid)


if __name__ == "__main__":
    unittest.main()
