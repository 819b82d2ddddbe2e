"""Several clusters at once, config files, and what is remembered of clusters that do not run."""

import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from cluster import BINARY, fixture, wait_until
from program import Program


class Several(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.mkdtemp(prefix="uc-many-")
        self.addCleanup(shutil.rmtree, self.base, ignore_errors=True)
        self.addCleanup(lambda: self.ok("kill", "--now"))

    def cli(self, *arguments, stdin="", **options):
        return subprocess.run(
            [BINARY, *arguments, "--run-dir=" + self.base], capture_output=True, text=True, timeout=60, input=stdin, **options
        )

    def ok(self, *arguments, **options):
        done = self.cli(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        return done.stdout

    def start(self, name, *flags):
        return self.ok("start", "hello", "--daemon", "--name=" + name, "-i", "1", "--listen=127.0.0.1:0", *flags)

    def config(self, apps, name="cluster.json"):
        path = os.path.join(self.base, name)
        with open(path, "w") as file:
            file.write(apps if isinstance(apps, str) else json.dumps(apps))
        return path

    def views(self):
        return {view["name"]: view for view in json.loads(self.ok("jlist"))}

    def statuses(self):
        return {name: view["status"] for name, view in self.views().items()}


class Lifecycle(Several):
    def test_stopped_clusters_are_listed_and_come_back_as_they_were(self):
        self.start("a", "--balance=hash")
        self.start("b")
        self.assertIn("left", self.ok("stop", "a", "b"))
        self.assertEqual(self.statuses(), {"a": "stopped", "b": "stopped"})
        self.assertIn("stopped", self.ok("list"))
        self.assertIn("--balance=hash", self.ok("describe", "a"))
        self.assertIn("is stopped already", self.ok("stop", "a"))
        self.ok("start", "a")
        self.ok("restart", "b")
        self.assertEqual(self.statuses(), {"a": "running", "b": "running"})
        self.assertEqual(self.views()["a"]["balance"], "hash")
        self.ok("stop", "all")
        self.ok("start", "all")
        self.assertEqual(self.statuses(), {"a": "running", "b": "running"})
        self.assertIn("--balance=hash", self.views()["a"]["command_line"])
        self.assertEqual(self.views()["a"]["command_line"].count("--run-dir"), 1)
        self.ok("reload", "all")
        self.ok("delete", "all")
        self.assertEqual(self.statuses(), {})

    def test_start_of_a_cluster_whose_coordinator_died_takes_over(self):
        self.start("a")
        before = self.views()["a"]
        os.kill(before["coordinator_pid"], signal.SIGKILL)
        wait_until(lambda: self.statuses()["a"] == "coordinator gone", "it is gone")
        # Its address was not fixed; the words are the same, and port 0 fits what is there.
        self.ok("start", "a")
        self.assertEqual([worker["pid"] for worker in self.views()["a"]["workers"]], [worker["pid"] for worker in before["workers"]])

    def test_start_of_a_name_in_the_background_is_the_start_of_a_name(self):
        self.start("a")
        os.kill(self.views()["a"]["coordinator_pid"], signal.SIGKILL)
        wait_until(lambda: self.statuses()["a"] == "coordinator gone", "it is gone")
        self.assertIn("'uring-cluster start a' takes them over", self.cli("ping", "a").stderr)
        self.ok("start", "a", "--daemon")
        self.assertEqual(self.statuses(), {"a": "running"})

    def test_record_that_is_refused_is_told(self):
        self.start("a")
        self.ok("stop", "a")
        record = os.path.join(self.base, "a", "record")
        os.chmod(record, 0o666)
        for words in (["list"], ["list", "a"], ["start", "a"], ["start", "all"], ["restart", "a"], ["stop", "a"]):
            done = self.cli(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(record + ": others may write it; chmod go-w it", done.stderr)
        os.chmod(record, 0o600)
        self.assertEqual(self.statuses(), {"a": "stopped"})

    def test_record_that_is_refused_can_be_deleted(self):
        for damage in (lambda path: os.chmod(path, 0o666), lambda path: os.truncate(path, 10)):
            self.start("a")
            self.ok("stop", "a")
            damage(os.path.join(self.base, "a", "record"))
            self.ok("delete", "a")
            self.assertFalse(os.path.exists(os.path.join(self.base, "a")))

    def test_delete_tells_which_logs_stay_and_removes_empty_ones(self):
        app = Program(self, "a.sh", "exit 3\n")
        self.assertEqual(self.cli("start", app.path, "--daemon", "-i", "1").returncode, 2)
        logs = os.path.join(self.base, ".state", "logs")
        self.assertTrue([name for name in os.listdir(logs) if name.startswith("a-")])
        with open(os.path.join(logs, "a-error-7.log"), "w") as log:
            log.write("the last words of another day\n")
        said = self.ok("delete", "a")
        self.assertIn("what its workers said stays: " + logs, said)
        left = [name for name in os.listdir(logs) if name.startswith("a-")]
        self.assertIn("a-error-7.log", left)
        self.assertTrue(all(os.path.getsize(os.path.join(logs, name)) for name in left), left)

    def test_delete_says_what_it_does_not_remove(self):
        self.start("a")
        self.ok("stop", "a")
        log = os.path.join(self.base, "a", "log")
        os.unlink(log)
        os.mkdir(log)
        done = self.cli("delete", "a")
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot be removed: it holds log", done.stderr)
        several = self.cli("delete", "a", "nobody", "--json")
        self.assertEqual(several.returncode, 2)
        self.assertEqual([one["outcome"] for one in json.loads(several.stdout)], ["failed", "refused"])
        os.rmdir(log)
        self.assertEqual(os.listdir(os.path.join(self.base, "a")), [])

    def test_save_and_resurrect_keep_the_number_of_workers(self):
        self.assertEqual(self.cli("save").returncode, 2)
        self.assertEqual(self.cli("resurrect").returncode, 2)
        self.start("a")
        self.ok("scale", "a", "+1")
        self.ok("save")
        self.ok("delete", "a")
        self.ok("resurrect")
        self.assertEqual(self.views()["a"]["workers_wanted"], 2)
        self.assertIn("runs already", self.ok("resurrect"))
        self.ok("cleardump")
        self.assertEqual(self.cli("resurrect").returncode, 2)

    def test_clusters_of_one_name_do_not_share_a_log(self):
        """Two run directories with one STATE, as one user has them with and without a login."""
        place = tempfile.mkdtemp(prefix="uc-state-")
        self.addCleanup(shutil.rmtree, place, ignore_errors=True)

        def run(where, *words):
            return subprocess.run(
                [BINARY, *words, "--run-dir=" + os.path.join(place, where)], capture_output=True, text=True, timeout=60,
                stdin=subprocess.DEVNULL, env={**os.environ, "URING_CLUSTER_STATE_DIR": place + "/state"},
            )

        def start(where, *flags, name="web"):
            return run(where, "start", "hello", "-i", "1", "--name=" + name, "--daemon", "--listen=127.0.0.1:0", *flags)

        for where in ("one", "two"):
            self.addCleanup(run, where, "kill")
        self.assertEqual(start("one").returncode, 0)
        refused = start("two")
        self.assertEqual(refused.returncode, 2, refused.stdout)
        self.assertEqual(len(refused.stderr.splitlines()), 1, refused.stderr)
        self.assertIn("cluster web runs in %s/one already" % place, refused.stderr)
        self.assertEqual(start("two", name="other").returncode, 0)
        own = ("--out-file=%s/own.log" % place, "--error-file=%s/own.log" % place)
        self.assertEqual(start("two", *own).returncode, 0, "nothing is shared")
        self.assertEqual(run("two", "stop", "web").returncode, 0)
        self.assertEqual(run("one", "upgrade", "web").returncode, 0)
        self.assertEqual(run("one", "stop", "web").returncode, 0)
        self.assertEqual(start("one").returncode, 0)
        view = json.loads(run("one", "describe", "web", "--json").stdout)
        os.kill(view["coordinator_pid"], signal.SIGKILL)
        wait_until(lambda: "coordinator gone" in run("one", "list").stdout, "it is gone")
        self.assertIn("runs in %s/one already" % place, start("two").stderr, "its workers write on")
        self.assertEqual(run("one", "stop", "web").returncode, 0)
        moved = start("two")
        self.assertEqual(moved.returncode, 0, moved.stderr)
        self.assertEqual(start("one").returncode, 2)

    def test_small_verbs(self):
        self.start("a")
        worker = self.views()["a"]["workers"][0]["pid"]
        self.assertEqual(self.ok("id", "a"), "[0]\n")
        self.assertEqual(self.ok("pid"), "%d\n" % worker)
        self.assertIn("PATH=", self.ok("env", "a"))
        self.assertIn("stdout of worker 0 goes to " + self.base, self.ok("describe", "a"))
        self.assertIn("ExecStart=", self.ok("startup", "a"))
        self.assertIn("SIGKILL to 1 of 1", self.ok("sendSignal", "KILL", "a"))
        wait_until(lambda: [w["pid"] for w in self.views()["a"]["workers"] if w["pid"] != worker], "another one serves")
        self.assertEqual(self.views()["a"]["slots"][0]["restarts"], 1)
        self.ok("reset", "a")
        self.assertEqual(self.views()["a"]["slots"][0]["restarts"], 0)
        units = os.path.join(self.base, ".units")
        self.ok("startup", "a", "--install", "--unit-dir=" + units)
        self.assertEqual(os.listdir(units), ["uring-cluster-a.service"])
        self.ok("unstartup", "a", "--unit-dir=" + units)
        self.assertEqual(os.listdir(units), [])

    def test_monit_draws_and_quits(self):
        self.start("a")
        self.assertIn("a  running  1 workers", self.ok("monit", "--once"))
        self.assertEqual(json.loads(self.ok("monit", "--json"))[0]["status"], "running")
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(BINARY, ["uring-cluster", "monit", "--run-dir=" + self.base])
        shown = b""
        while b"a  running" not in shown:
            shown += os.read(terminal, 65536)
        os.write(terminal, b"q")
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        os.close(terminal)

    # --- Errors ---

    def test_wrong_words_are_one_clear_line(self):
        self.start("a")
        for words, expected in {
            ("strat",): "did you mean start?",
            ("stop", "z"): "no cluster 'z'",
            ("delete", "z"): "no cluster 'z'",
            ("start", "a"): "cluster a runs already",
            ("sendSignal", "FOO", "a"): "'FOO' is no signal",
            ("id", "a", "b"): "id takes one name",
            ("env", "z"): "no cluster 'z'",
            ("startup", "z"): "no cluster 'z'",
            ("monit", "z"): "no cluster 'z'",
            ("startOrReload",): "takes one config file",
        }.items():
            done = self.cli(*words)
            self.assertEqual(done.returncode, 2, (words, done.stderr))
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn(expected, done.stderr)
        self.assertEqual(self.statuses(), {"a": "running"})


class ConfigFiles(Several):
    APPS = {
        "apps": [
            {"name": "a", "script": "hello", "instances": 2, "listen": "127.0.0.1:0", "exec_mode": "cluster"},
            {"name": "b", "script": "hello", "listen": "127.0.0.1:0", "env": {"X": 1}, "env_production": {"X": "p"}, "flux": 1},
        ]
    }

    def test_each_app_is_a_cluster(self):
        done = self.cli("start", self.config(self.APPS))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('apps[1] (b): "flux" is not known here and is ignored', done.stderr)
        views = self.views()
        self.assertEqual({name: view["workers_wanted"] for name, view in views.items()}, {"a": 2, "b": 1})
        self.assertIn("\nX=1\n", self.ok("env", "b"))
        self.ok("startOrReload", self.config(self.APPS))
        self.assertEqual(self.views()["a"]["coordinator_pid"], views["a"]["coordinator_pid"])
        self.assertGreater(self.views()["a"]["workers"][0]["generation"], views["a"]["workers"][0]["generation"])
        self.APPS["apps"][0]["instances"] = 1
        changed = self.cli("startOrReload", self.config(self.APPS), "--only=a")
        self.assertIn("startOrRestart takes the file's", changed.stderr)
        self.ok("startOrRestart", self.config(self.APPS), "--only=a")
        self.assertEqual(self.views()["a"]["workers_wanted"], 1)

    def test_config_comes_from_a_socket_that_is_standard_input(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(json.dumps({"script": "hello", "name": "s", "listen": "127.0.0.1:0"}).encode())
            ours.shutdown(socket.SHUT_WR)
            done = subprocess.run(
                [BINARY, "start", "-", "--run-dir=" + self.base], stdin=theirs, capture_output=True, text=True, timeout=40
            )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.ok("stop", "s")

    def test_json_on_stdin_and_relative_scripts(self):
        os.mkdir(self.base + "/app")
        shutil.copy(fixture("libchatty.so"), self.base + "/app/libmine.so")
        self.ok("start", "-", stdin=json.dumps({"script": "./libmine.so", "cwd": self.base + "/app", "name": "a", "listen": "127.0.0.1:0"}))
        self.assertEqual(self.statuses(), {"a": "running"})

    def test_what_fails_is_named_and_the_others_run(self):
        done = self.cli("start", self.config([{"script": "/nowhere/x.so", "name": "bad"}, {"script": "hello", "listen": "127.0.0.1:0"}]))
        self.assertEqual(done.returncode, 2)
        self.assertIn("1 of 2 failed: bad (exit code 2)", done.stderr)
        self.assertEqual(self.statuses(), {"hello": "running"})

    def test_the_sample_is_a_config_file(self):
        self.assertEqual([app["name"] for app in json.loads(self.ok("init"))["apps"]], ["web", "files"])

    @unittest.skipUnless(shutil.which("node"), "no node")
    def test_config_js_is_run_by_node(self):
        text = "console.log('noise'); module.exports = {apps: [{name: 'a', script: 'hello', listen: '127.0.0.1:' + 0}]}"
        self.ok("start", self.config(text, "ecosystem.config.js"))
        self.assertEqual(self.statuses(), {"a": "running"})
        broken = self.cli("start", self.config("nonsense(", "b.config.js"))
        self.assertEqual(broken.returncode, 2)
        self.assertIn("node could not run it", broken.stderr)

    # --- Errors ---

    def test_bad_files_are_one_clear_line(self):
        for text, expected in {
            "{": "is no JSON: line 1",
            "[]": "there is no app",
            '[{"script": "a", "instances": []}]': "apps[0] (a).instances: a whole number",
        }.items():
            done = self.cli("start", self.config(text))
            self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), done.stderr)
            self.assertIn(expected, done.stderr)
        for words, expected in {
            ("start", "/nowhere/c.json"): "/nowhere/c.json: is not there",
            ("start", "c.yml"): "YAML is not read",
            ("start", self.config("[]"), "--name=a"): "flags stand in it",
        }.items():
            done = self.cli(*words)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), done.stderr)
            self.assertIn(expected, done.stderr)
        without_node = self.cli("start", self.config("", "a.config.js"), env={"PATH": "/nowhere"})
        self.assertIn("there is no node", without_node.stderr)


if __name__ == "__main__":
    unittest.main()
