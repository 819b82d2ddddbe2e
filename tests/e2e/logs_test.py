"""What workers write: files, rotation under load, and that nothing about it stops or loses anything."""

import glob
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from cluster import BINARY, Cluster, exists, fixture, read_response, wait_until


def scribes(base):
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % entry, "rb") as words:
                arguments = words.read().split(b"\0")
        except OSError:
            continue
        if arguments[:2] == [b"uring-cluster", b"scribe"] and ("--run-dir=" + base).encode() in arguments:
            found.append(int(entry))
    return found


class Background(unittest.TestCase):
    """A cluster of chatty workers behind --daemon."""

    def setUp(self):
        self.base = tempfile.mkdtemp(prefix="uc-logs-")
        self.addCleanup(shutil.rmtree, self.base, ignore_errors=True)
        self.addCleanup(self.end)
        self.words = ()

    def end(self):
        self.cli("stop", "--now")
        wait_until(lambda: not scribes(self.base), "the scribe has left")

    def cli(self, *arguments):
        return subprocess.run(
            [BINARY, *arguments, "--run-dir=" + self.base], capture_output=True, text=True, timeout=40, stdin=subprocess.DEVNULL
        )

    def start(self, *flags, listen="127.0.0.1:0"):
        done = self.cli("start", fixture("libchatty.so"), "--daemon", "--name=web", "--listen=" + listen, *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.address = done.stdout.split()[-1]

    def get(self, *paths):
        """All on one connection: one worker."""
        host, port = self.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), 20) as connection:
            for path in paths:
                connection.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
                read_response(connection)

    def file(self, name):
        return os.path.join(self.base, ".state", "logs", name)

    def text(self, *patterns):
        parts = []
        for pattern in patterns:
            for path in glob.glob(self.file(pattern)):
                with open(path) as file:
                    parts.append(file.read())
        return "".join(parts)

    def wait_text(self, line, *patterns):
        wait_until(lambda: line in self.text(*patterns), line)

    def coordinator(self):
        return json.loads(self.cli("describe", "web", "--json").stdout)["coordinator_pid"]

    def test_each_stream_of_each_worker_has_its_file(self):
        self.start("-i", "1")
        self.get("/a", "/err", "/b")
        self.wait_text("3 /b ", "web-out-0.log")
        self.assertIn("2 /err ", self.text("web-error-0.log"))
        self.assertNotIn("/err", self.text("web-out-0.log"))
        shown = self.cli("logs", "web", "--lines", "1", "--out").stdout
        self.assertRegex(shown, r"^web 0 \| 3 /b \d+\n$")
        self.assertRegex(self.cli("logs", "--err").stdout, r"(?m)^web 0 err \| 2 /err \d+$")
        self.assertRegex(self.cli("logs").stdout, r"(?m)^web coordinator \| .*is ready: 1 worker")
        (first, *_) = self.cli("logs", "--json", "--out").stdout.split("\n")
        self.assertEqual({**json.loads(first), "message": ""}, {"app_name": "web", "type": "out", "process_id": 0, "message": ""})
        self.assertIn("emptied", self.cli("flush", "web").stdout)
        self.assertEqual(self.text("web-out-0.log"), "")
        self.get("/c")
        self.wait_text("4 /c ", "web-out-0.log")

    def test_rotation_under_load_loses_no_line_and_bounds_the_disk(self):
        self.start("-i", "2", "--log-max-size=8K", "--log-files=100")
        follower = subprocess.Popen(
            [BINARY, "logs", "-f", "--out", "--raw", "--lines=100000", "--run-dir=" + self.base], stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(follower.stdout.close)
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        self.get("/first")
        wanted = {"/n%05d" % n for n in range(4000)}
        paths = sorted(wanted)
        for at in range(0, len(paths), 500):
            self.get(*paths[at : at + 500])
        self.get("/end")
        wait_until(lambda: " /end " in self.text("web-out-*.log*"), "the end is written")
        lines = [line.split() for line in self.text("web-out-*.log*").split("\n") if line]
        self.assertEqual(sorted(path for _, path, _ in lines), sorted(wanted | {"/first", "/end"}))
        self.assertGreater(len(glob.glob(self.file("web-out-*.log.*"))), 4)
        self.assertLessEqual(max(os.path.getsize(path) for path in glob.glob(self.file("web-out-*.log*"))), 8 << 10)
        followed = []
        deadline = threading.Timer(30, follower.kill)
        deadline.start()
        self.addCleanup(deadline.cancel)
        for line in follower.stdout:
            followed.append(line.split()[1])
            if len(followed) == 4002:
                break
        self.assertEqual(len(followed), len(set(followed)))
        self.assertEqual(set(followed), wanted | {"/first", "/end"})

    def test_old_files_are_dropped(self):
        self.start("-i", "1", "--log-max-size=4K", "--log-files=2")
        self.get(*["/%d" % n for n in range(2000)])
        self.wait_text(" /1999 ", "web-out-0.log")
        self.assertEqual(sorted(map(os.path.basename, glob.glob(self.file("web-out*")))), ["web-out-0.log", "web-out-0.log.1", "web-out-0.log.2"])

    def test_no_death_and_no_upgrade_loses_a_line(self):
        self.start("-i", "1")
        self.get("/a")
        self.wait_text(" /a ", "web-out-0.log")
        (scribe,) = scribes(self.base)
        os.kill(scribe, signal.SIGKILL)
        self.get("/without-scribe")
        self.wait_text(" /without-scribe ", "web-out-0.log")
        os.kill(self.coordinator(), signal.SIGKILL)
        self.get("/without-coordinator")
        self.wait_text(" /without-coordinator ", "web-out-0.log")
        self.start("-i", "1", listen=self.address)
        self.get("/taken-over")
        self.wait_text(" /taken-over ", "web-out-0.log")
        self.assertEqual(self.cli("upgrade", "web").returncode, 0)
        self.get("/upgraded")
        self.wait_text(" /upgraded ", "web-out-0.log")
        self.assertEqual(self.cli("reload", "web").returncode, 0)
        self.get("/reloaded")
        self.wait_text(" /reloaded ", "web-out-0.log")
        wait_until(lambda: len(scribes(self.base)) == 1, "one scribe is left")
        paths = [line.split()[1] for line in self.text("web-out-0.log").split("\n") if line]
        self.assertEqual(paths, ["/a", "/without-scribe", "/without-coordinator", "/taken-over", "/upgraded", "/", "/reloaded"])  # "/": the probe of the reload

    def test_worker_that_ends_while_there_is_no_scribe_leaves_its_words_and_no_fifo(self):
        self.start("-i", "1")
        self.get("/a")
        self.wait_text(" /a ", "web-out-0.log")
        (scribe,) = scribes(self.base)
        output = os.path.join(self.base, "web", "output")
        (former,) = glob.glob(output + "/0-*.out")
        os.kill(scribe, signal.SIGSTOP)
        self.get("/last")
        (worker,) = self.workers()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: not exists(worker) and self.workers() not in ([], [worker]), "another is born")
        self.assertTrue(os.path.exists(former))
        # One that was never opened by anybody: what a coordinator leaves that dies while it makes it.
        os.mkfifo(output + "/new", 0o600)
        os.kill(scribe, signal.SIGKILL)
        wait_until(lambda: not os.path.exists(former), "the next scribe has read it to its end")
        self.wait_text(" /last ", "web-out-0.log")
        self.assertEqual(self.cli("scale", "web", "2").returncode, 0)
        wait_until(lambda: glob.glob(output + "/1-*.out"), "a worker is born beside what was left")
        self.assertFalse(os.path.exists(output + "/new"))

    def workers(self):
        view = json.loads(self.cli("describe", "web", "--json").stdout)
        return [worker["pid"] for worker in view["workers"] if worker["pid"]]

    def test_scribe_yields_to_nobody_that_is_dead(self):
        self.start("-i", "1")
        self.get("/a")
        self.wait_text(" /a ", "web-out-0.log")
        before = scribes(self.base)
        dead = subprocess.Popen(["true"])
        dead.wait()
        with open(os.path.join(self.base, "web", "output", "wake"), "w") as wake:
            wake.write("yield %d\n" % dead.pid)
        self.get("/b")
        self.wait_text(" /b ", "web-out-0.log")
        self.assertEqual(scribes(self.base), before)

    def test_killed_scribes_lose_and_tear_no_line(self):
        self.start("-i", "2", "--log-max-size=64K", "--log-files=100")
        ended = threading.Event()
        killed = []

        def kill():
            while not ended.wait(0.05):
                for scribe in scribes(self.base):
                    if scribe not in killed:
                        killed.append(scribe)
                        os.kill(scribe, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        wanted = []
        try:
            while len(killed) < 5:
                wanted.append(["/n%d-%d" % (len(wanted), n) for n in range(300)])
                self.get(*wanted[-1])
        finally:
            ended.set()
            killer.join()
        self.get("/end")
        wait_until(lambda: " /end " in self.text("web-out-*.log*"), "a scribe is there again and has written all")
        lines = [line for line in self.text("web-out-*.log*").split("\n") if line]
        for line in lines:
            self.assertRegex(line, r"^\d+ /(n\d+-\d+|end) \d+$")
        self.assertEqual({line.split()[1] for line in lines}, {"/end", *sum(wanted, [])})
        self.assertLessEqual(len(lines) - len(set(lines)), 300, "twice only where a kill met the very instant")

    def test_coordinators_log_is_rotated_whoever_has_written_into_it(self):
        self.start("-i", "1", "--log-max-size=4K", "--log-files=2")
        log = os.path.join(self.base, "web", "log")
        for _ in range(4):
            with open(log, "a") as file:
                file.write("x" * 99 + "\n" + "x" * 5000 + "\n")
            self.cli("scale", "web", "1")
            wait_until(lambda: os.path.getsize(log) < 4096, "it is rotated")
        self.assertEqual(sorted(name for name in os.listdir(os.path.dirname(log)) if name.startswith("log")), ["log", "log.1", "log.2"])
        self.assertEqual(self.cli("scale", "web", "2").returncode, 0)
        wait_until(lambda: "scale 2 done" in open(log).read(), "it goes on in the new one")
        self.assertEqual(self.cli("flush", "web").returncode, 0)
        self.assertEqual(os.path.getsize(log), 0)
        self.assertFalse(os.path.exists(log + ".1"))

    def test_what_repeats_itself_is_told_with_a_count_and_ping_not_at_all(self):
        self.start("-i", "1")
        log = os.path.join(self.base, "web", "log")
        before = len(open(log).read().split("\n"))
        for _ in range(20):
            self.assertEqual(self.cli("ping", "web").returncode, 0)
        self.assertEqual(len(open(log).read().split("\n")), before)
        for _ in range(12):
            self.assertEqual(self.cli("scale", "web", "1").returncode, 0)
        self.assertEqual(open(log).read().count("scale 1 done"), 5)
        pid = self.coordinator()
        self.assertEqual(self.cli("stop", "web").returncode, 0)
        wait_until(lambda: not exists(pid), "it has ended")
        self.assertRegex(open(log).read(), r"scale 1 done: .* \(and 6 more in the last \d+ s\)")

    def test_folder_that_is_removed_is_made_again(self):
        self.start("-i", "1")
        self.get("/a")
        self.wait_text(" /a ", "web-out-0.log")
        shutil.rmtree(os.path.dirname(self.file("web-out-0.log")))
        self.assertEqual(self.cli("reloadLogs", "web").returncode, 0)
        self.get("/b")
        self.wait_text(" /b ", "web-out-0.log")
        shutil.rmtree(os.path.dirname(self.file("web-out-0.log")))
        self.get("/c")  # by itself
        self.wait_text(" /c ", "web-out-0.log")

    def test_files_renamed_by_others_are_opened_again(self):
        self.start("-i", "1", "--merge-logs", "--time")
        self.get("/a")
        self.wait_text(" /a ", "web-out.log")
        self.assertRegex(self.text("web-out.log"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d: 1 /a ")
        os.rename(self.file("web-out.log"), self.file("old"))
        self.assertEqual(self.cli("reloadLogs", "web").returncode, 0)
        self.get("/b")
        self.wait_text(" /b ", "web-out.log")
        self.assertNotIn("/b", self.text("old"))

    def test_full_disk_stops_nobody_and_is_one_line(self):
        self.start("-i", "1", "--out-file=/dev/full")
        self.get(*["/%d" % n for n in range(500)])
        self.get("/bytes/3000000")  # more than any pipe holds
        log = os.path.join(self.base, "web", "log")
        wait_until(lambda: "No space left" in open(log).read(), "it is said")
        self.get("/err")
        self.wait_text("/err", "web-error-0.log")
        self.assertEqual(open(log).read().count("/dev/full"), 1)

    def test_big_writes_behind_part_of_a_line_wait_for_nobody(self):
        self.start("-i", "1")
        self.get("/bytes/100")  # no end of line: it stays in the pipe
        self.get(*["/bytes/1000000"] * 5)  # each more than a pipe holds
        self.get("/end")
        self.wait_text(" /end ", "web-out-0.log")
        line = self.text("web-out-0.log").split("\n")[0]
        self.assertRegex(line, r"^x+1 /end \d+$")
        self.assertEqual(line.count("x"), 5000100)

    def test_last_words_of_a_worker_that_dies_at_once_are_kept(self):
        done = self.cli("start", fixture("libchatty.so"), "dies", "--daemon", "--name=web", "--listen=127.0.0.1:0", "-i", "1")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("my last words", self.text("web-error-0.log"))

    def test_wrong_words_are_one_clear_line(self):
        for words, flags in {
            "--log-max-size=1x": ["start", "hello", "--log-max-size=1x"],
            "--log-max-size=10 is out of range": ["start", "hello", "--log-max-size=10"],
            "--log-files=-1": ["start", "hello", "--log-files=-1"],
            "--out-file=/nowhere/x": ["start", "hello", "--daemon", "--out-file=/proc/nowhere/x"],
            "no cluster 'shop'": ["logs", "shop"],
        }.items():
            done = self.cli(*flags)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn(words.replace("/nowhere/x", "/proc/nowhere/x"), done.stderr)


class Foreground(unittest.TestCase):
    def test_log_file_takes_the_workers_stderr_and_is_rotated(self):
        folder = tempfile.mkdtemp(prefix="uc-log-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        log = os.path.join(folder, "log")
        with Cluster(fixture("libchatty.so"), "-i", "1", "--log-file=" + log, "--log-max-size=4K", "--log-files=3", wait=False) as cluster:
            wait_until(lambda: os.path.exists(log) and "is ready" in open(log).read(), "it serves")
            cluster.name = "chatty"
            cluster.host, cluster.port = cluster.view()["addresses"][0].rsplit(":", 1)
            lines = 0
            with cluster.connect() as connection:
                # A log writer that comes late takes much at one time, and rotates less often.
                while lines < 2000 or (len(glob.glob(log + "*")) < 4 and lines < 50_000):
                    connection.sendall(b"GET /err HTTP/1.1\r\nHost: a\r\n\r\n")
                    read_response(connection)
                    lines += 1
            last = "\n%d /err " % lines
            wait_until(lambda: any(last in open(file).read() for file in glob.glob(log + "*")), "it is written")
            wait_until(lambda: len(glob.glob(log + "*")) == 4, "the oldest ones have gone")
            for file in glob.glob(log + "*"):
                self.assertLess(os.path.getsize(file), (4 << 10) + (64 << 10))  # and one piece
            cluster.ok("scale", "2")
            wait_until(lambda: any("scale 2 done" in open(file).read() for file in glob.glob(log + "*")), "both write")

    def test_limit_of_file_sizes_is_one_line_and_kills_nobody(self):
        with tempfile.TemporaryDirectory() as base:
            done = subprocess.run(
                [BINARY, "start", "hello", "--daemon", "--listen=127.0.0.1:0", "-i", "1", "--run-dir=" + base],
                capture_output=True, text=True, timeout=40, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
            )
            self.assertNotEqual(done.returncode, 0)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn("File too large", done.stderr)

    def test_lines_pass_through_with_a_prefix(self):
        with Cluster(fixture("libchatty.so"), "-i", "1", "--name=web", "--log-prefix") as cluster:
            cluster.get("/err")
            cluster.wait_log(r"^web 0 \| 1 /err \d+$")

    def test_a_terminal_that_nobody_reads_stops_no_worker(self):
        with Cluster(fixture("libchatty.so"), "-i", "1", "--log-prefix") as cluster:
            cluster.stop_reading_log()
            with cluster.connect() as connection:
                for _ in range(5000):
                    connection.sendall(b"GET /err HTTP/1.1\r\nHost: a\r\n\r\n")
                    read_response(connection)
            (scribe,) = scribes(cluster.base)
            cluster.ok("stop")
            self.assertFalse(exists(scribe))


if __name__ == "__main__":
    unittest.main()
