"""Whose run directory it is: another user's is refused before anything in it is read, and root, who may speak to a
user's cluster, does so with that user's rights and starts nothing there."""

import json
import os
import shutil
import signal
import stat
import struct
import subprocess
import tempfile

import hostile
from cluster import BINARY, Cluster, exists

STARTING = (["start", "web"], ["start", "all"], ["restart", "web"], ["reload", "web"])
OTHERS = (
    ["list"], ["describe", "web"], ["stop", "web"], ["stop", "all"], ["delete", "web"], ["ping", "web"], ["scale", "web", "2"],
    ["env", "web"], ["id", "web"], ["pid", "web"], ["sendSignal", "TERM", "web"], ["monit", "--once"], ["logs", "web"],
    ["flush", "web"], ["save"], ["resurrect"], ["cleardump"], ["startup", "web"], ["kill"], ["reset", "web"], ["jlist"],
)


def record(**changes):
    """Of a stopped cluster. Whoever is started in its environment says "ld.so" on stderr: the object is not there."""
    return {
        "version": 1, "name": "web", "words": ["hello", "--name=web", "--listen=127.0.0.1:0", "-i", "1"], "directory": "/",
        "environment": ["PATH=/usr/bin:/bin", "LD_PRELOAD=/nowhere/evil.so"], "background": True, "captured": False,
        "logs": {"out_file": "", "error_file": "", "size_max": 1, "files": 1, "merged": False}, "log_file": "", **changes,
    }


class OwnersCase(hostile.HostileCase):
    def setUp(self):
        super().setUp()
        # Open to all and sticky, as /tmp is.
        self.shared = tempfile.mkdtemp(prefix="uc-owners-")
        os.chmod(self.shared, 0o1777)
        self.addCleanup(shutil.rmtree, self.shared, ignore_errors=True)
        self.addCleanup(self.end_all)
        self.base = os.path.join(self.shared, "base")

    def end_all(self):
        """What runs here nevertheless: a case that fails has started what must not start."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as words:
                    ours = os.fsencode(self.shared + "/") in words.read()
                if ours:
                    os.kill(int(pid), signal.SIGKILL)
            except OSError:
                continue  # it has ended

    def make_base(self, uid, base=None, **changes):
        """A base of that user's with the record of a stopped cluster."""
        base = base or self.base
        self.make_folder(base, uid)
        self.make_folder(base + "/web", uid)
        self.write(base + "/web/record", json.dumps(record(**changes)), uid)

    def make_folder(self, path, uid, mode=0o755):
        os.mkdir(path)
        os.chown(path, uid, uid)
        os.chmod(path, mode)

    def write(self, path, content, uid):
        with open(path, "wb") as out:
            out.write(content if isinstance(content, bytes) else content.encode())
        os.chown(path, uid, uid)
        os.chmod(path, 0o644)

    def run_verb(self, uid, words, base=None, env=None):
        where = ["--run-dir=" + (base or self.base)] if base != "" else []
        return hostile.run_as(uid, [BINARY, *words, *where], env=env, stdin=subprocess.DEVNULL)

    def assert_refused(self, uid, words, text, **options):
        with self.subTest(words=words):
            done = self.run_verb(uid, words, **options)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn(text, done.stderr)
            self.assertNotIn("ld.so", done.stderr)


class AnothersDirectoryTest(OwnersCase):
    def test_no_verb_believes_what_another_user_has_prepared(self):
        self.make_base(hostile.ATTACKER)
        for words in STARTING + OTHERS:
            self.assert_refused(hostile.VICTIM, words, "belongs to user %d" % hostile.ATTACKER)

    def test_the_default_below_tmp_is_no_exception(self):
        base = "/tmp/uring-cluster-%d" % hostile.VICTIM
        shutil.rmtree(base, ignore_errors=True)
        self.addCleanup(shutil.rmtree, base, ignore_errors=True)
        self.make_base(hostile.ATTACKER, base=base)
        for words in STARTING:
            self.assert_refused(hostile.VICTIM, words, "belongs to user", base="", env={"PATH": "/usr/bin:/bin"})

    def test_folders_of_the_victim_are_not_emptied_through_links(self):
        self.make_base(hostile.ATTACKER)
        home = os.path.join(self.shared, "home")
        self.make_folder(home, hostile.VICTIM, 0o700)
        self.write(home + "/thesis.txt", "years of work", hostile.VICTIM)
        os.symlink(home, self.base + "/web/replies")
        with Cluster("hello", "-i", "1", "--name=web") as cluster:
            with open(cluster.base + "/web/scoreboard", "rb") as board:
                self.write(self.base + "/web/scoreboard", board.read(), hostile.ATTACKER)
        for words in (["stop", "web"], ["stop", "web", "--now"], ["delete", "web"], ["ping", "web"]):
            self.assert_refused(hostile.VICTIM, words, "belongs to user")
        self.assertEqual(os.listdir(home), ["thesis.txt"])

    def test_a_link_to_a_base_of_ours_that_another_user_has_made_is_refused(self):
        self.make_base(hostile.VICTIM)
        link = os.path.join(self.shared, "link")
        os.symlink(self.base, link)
        os.lchown(link, hostile.ATTACKER, hostile.ATTACKER)
        self.assert_refused(hostile.VICTIM, ["list"], "symbolic link", base=link)
        self.assert_refused(hostile.VICTIM, ["list"], "of user %d" % hostile.ATTACKER, base=link + "/.")

    def test_nothing_is_made_where_a_link_of_another_user_leads(self):
        home = os.path.join(self.shared, "home")
        self.make_folder(home, hostile.VICTIM, 0o700)
        link = os.path.join(self.shared, "link")
        os.symlink(home, link)
        os.lchown(link, hostile.ATTACKER, hostile.ATTACKER)
        self.make_folder(self.base, hostile.VICTIM)
        state = lambda path: {"PATH": "/usr/bin:/bin", "URING_CLUSTER_STATE_DIR": path}
        words = ["start", "hello", "-i", "1", "--name=web", "--daemon", "--listen=127.0.0.1:0"]
        for base, where in ((self.base, link + "/state"), (link + "/base", self.shared + "/state"), (link, self.shared + "/state")):
            self.assert_refused(hostile.VICTIM, words, "", base=base, env=state(where))
        done = self.run_verb(hostile.VICTIM, words, env=state(self.shared + "/state"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.addCleanup(self.run_verb, hostile.VICTIM, ["stop", "web", "--now"])
        for where in (link + "/state", link + "/made/state", link):
            self.assert_refused(hostile.VICTIM, ["save"], "link", env=state(where))
        self.assertEqual(os.listdir(home), [])

    def test_a_base_in_a_folder_of_another_user_is_refused(self):
        above = os.path.join(self.shared, "above")
        self.make_folder(above, hostile.ATTACKER, 0o777)
        os.chmod(above, 0o1777)
        self.make_base(hostile.VICTIM, base=above + "/base")
        for words in STARTING + OTHERS:
            self.assert_refused(hostile.VICTIM, words, "of user %d" % hostile.ATTACKER, base=above + "/base")

    def test_a_base_that_a_group_may_write_is_refused(self):
        self.make_base(hostile.VICTIM)
        os.chmod(self.base, 0o770)
        for words in STARTING + OTHERS:
            self.assert_refused(hostile.VICTIM, words, "others may write")

    def test_a_cluster_of_another_user_in_a_base_of_ours_is_refused(self):
        self.make_base(hostile.VICTIM)
        for name in ("web", "web/record"):
            os.chown(os.path.join(self.base, name), hostile.ATTACKER, hostile.ATTACKER)
        for words in STARTING[:1] + STARTING[2:] + (["stop", "web"], ["delete", "web"]):
            self.assert_refused(hostile.VICTIM, words, "belongs to user %d" % hostile.ATTACKER)

    def test_what_is_no_plain_file_is_not_waited_for(self):
        self.make_base(hostile.VICTIM)
        for name in ("record", "scoreboard", "lock", "pid", "log"):
            path = os.path.join(self.base, "web", name)
            if os.path.exists(path):
                os.unlink(path)
            os.mkfifo(path)
            os.chown(path, hostile.VICTIM, hostile.VICTIM)
        for words in (["list"], ["describe", "web"], ["env", "web"], ["ping", "web"], ["start", "web"], ["monit", "--once"]):
            with self.subTest(words=words):
                self.run_verb(hostile.VICTIM, words)  # within its time

    def test_saved_words_of_another_user_are_not_resurrected(self):
        self.make_base(hostile.VICTIM)
        state = os.path.join(self.shared, "state")
        self.make_folder(state, hostile.ATTACKER)
        self.write(state + "/dump.json", json.dumps([record()]), hostile.ATTACKER)
        env = {"PATH": "/usr/bin:/bin", "URING_CLUSTER_STATE_DIR": state}
        self.assert_refused(hostile.VICTIM, ["resurrect"], "belongs to user %d" % hostile.ATTACKER, env=env)


class RootAndAUsersClusterTest(OwnersCase):
    def start(self, *words, uid=hostile.ATTACKER):
        self.make_folder(self.base, uid)
        cluster = Cluster("hello", "-i", "1", "--name=web", *words, base=self.base, preexec=hostile.as_user(uid))
        self.addCleanup(cluster.close)
        return cluster

    def root(self, *words):
        return self.run_verb(0, list(words))

    def test_root_speaks_to_it(self):
        cluster = self.start()
        for words in (["list"], ["ping", "web"], ["scale", "web", "2"], ["reload", "web"], ["restart", "web"], ["monit", "--once"]):
            with self.subTest(words=words):
                done = self.root(*words)
                self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(os.listdir(self.base + "/web/replies"), [])
        self.assertEqual(self.root("stop", "web").returncode, 0)
        self.assertEqual(cluster.wait_exit(), 0)

    def test_nothing_of_roots_is_made_or_given_away_through_a_link(self):
        cluster = self.start()
        vault = tempfile.mkdtemp(prefix="uc-vault-")
        self.addCleanup(shutil.rmtree, vault)
        os.mkdir(vault + "/secret", 0o700)
        before = os.stat(vault + "/secret")
        shutil.rmtree(self.base + "/web/replies")
        os.symlink(vault + "/secret", self.base + "/web/replies")
        done = self.root("ping", "web")
        self.assertNotEqual(done.returncode, 0)
        after = os.stat(vault + "/secret")
        self.assertEqual((after.st_uid, after.st_mode, after.st_mtime_ns), (0, stat.S_IFDIR | 0o700, before.st_mtime_ns))
        os.unlink(self.base + "/web/replies")
        self.make_folder(self.base + "/web/replies", hostile.ATTACKER, 0o700)
        self.assertEqual(self.root("ping", "web").returncode, 0)
        cluster.close()

    def test_a_process_of_roots_cannot_be_signalled_by_a_row_that_lies(self):
        cluster = self.start()
        bystander = subprocess.Popen(["sleep", "60"])
        self.addCleanup(bystander.wait)
        self.addCleanup(bystander.kill)
        worker = cluster.pids()[0]
        path = self.base + "/web/scoreboard"
        with open(path, "r+b") as board:
            content = board.read()
            board.seek(0)
            board.write(content.replace(struct.pack("<i", worker), struct.pack("<i", bystander.pid)))
        done = self.root("sendSignal", "KILL", "web")
        self.assertEqual(done.returncode, 1, done.stdout)
        cluster.process.kill()
        cluster.wait_exit()
        self.root("stop", "web", "--now")
        self.assertTrue(exists(bystander.pid))
        if exists(worker):
            os.kill(worker, signal.SIGKILL)

    def test_root_starts_nothing_that_a_user_has_recorded(self):
        self.make_base(hostile.ATTACKER)
        for words in STARTING[:1] + STARTING[2:] + (["start", "all"], ["start", "hello"], ["resurrect"], ["startup", "web"]):
            self.assert_refused(0, words, "--reuid=%d" % hostile.ATTACKER)
        self.assertEqual(sorted(os.listdir(self.base + "/web")), ["record"])

    def test_root_starts_no_file_of_its_own_there_either(self):
        self.make_base(hostile.ATTACKER)
        path = os.path.join(self.shared, "cluster.json")
        self.write(path, json.dumps({"apps": [{"script": "hello", "name": "web", "env": {"A": "1"}}]}), 0)
        for verb in ("start", "startOrReload", "startOrRestart", "startOrGracefulReload"):
            self.assert_refused(0, [verb, path], "--reuid=%d" % hostile.ATTACKER)

    def test_root_does_not_start_its_own_in_a_folder_that_a_user_could_exchange(self):
        self.make_folder(self.base, hostile.ATTACKER)
        os.mkdir(self.base + "/roots", 0o700)
        self.assert_refused(0, ["start", "hello", "--daemon"], "of user %d" % hostile.ATTACKER, base=self.base + "/roots")

    def test_nothing_that_is_printed_speaks_to_the_terminal(self):
        cluster = self.start()
        path = self.base + "/web/scoreboard"
        with open(path, "r+b") as board:
            content = board.read()
            board.seek(0)
            board.write(content.replace(b"hello", b"\033]0;\a").replace(b"least", b"\x9b\xff\xc2\x9b2"))
        with open(self.base + "/web/record") as text:
            told = json.load(text)
        told["environment"].append("X=\033]0;owned\a\u009b31m")
        told["log_file"] = self.base + "/web/\033[31m"
        with open(self.base + "/web/record", "w") as out:
            json.dump(told, out)
        for words in (["list"], ["describe", "web"], ["monit", "--once"], ["env", "web"], ["logs", "web"]):
            for uid in (hostile.ATTACKER, 0):
                with self.subTest(words=words, uid=uid):
                    done = self.run_verb(uid, words)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertFalse(set("\033\a\u009b") & set(done.stdout + done.stderr), done.stdout)
        for words in (["jlist"], ["describe", "web", "--json"], ["monit", "--once", "--json"], ["env", "web", "--json"]):
            with self.subTest(words=words):
                json.loads(self.root(*words).stdout)
        cluster.close()


class AnothersFileInAFolderOfOursTest(OwnersCase):
    """What lies in the cluster's own folder is no more believed by a coordinator than by a verb."""

    def orphaned(self):
        self.make_folder(self.base, 0)
        cluster = Cluster("hello", "-i", "1", "--name=web", base=self.base)
        self.addCleanup(cluster.close)
        os.kill(cluster.process.pid, signal.SIGKILL)
        cluster.process.wait()
        return cluster

    def give(self, name, uid):
        os.chown(os.path.join(self.base, "web", name), uid, uid)

    def again(self, cluster, wait):
        heir = Cluster("hello", "-i", "1", "--name=web", listen=cluster.addresses, base=self.base, wait=wait)
        self.addCleanup(heir.close)
        return heir

    def test_take_over_refuses_it_and_names_it(self):
        cluster = self.orphaned()
        before = cluster.orphans()
        for name in ("scoreboard", "doors", "replies", "lock"):
            with self.subTest(name):
                self.give(name, hostile.ATTACKER)
                heir = self.again(cluster, wait=False)
                self.assertEqual(heir.wait_exit(), 2, heir.lines)
                self.assertIn("%s/web/%s: belongs to user %d" % (self.base, name, hostile.ATTACKER), heir.lines[-1])
                self.assertEqual(cluster.orphans(), before)
                self.give(name, 0)
        self.assertEqual(self.again(cluster, wait=True).pids(), before)

    def test_figures_of_another_user_are_made_anew(self):
        cluster = self.orphaned()
        before = cluster.orphans()
        self.give("scoreboard.reports", hostile.ATTACKER)
        self.assertIn("belongs to user %d" % hostile.ATTACKER, self.run_verb(0, ["list"]).stderr)
        heir = self.again(cluster, wait=True)
        self.assertEqual(heir.pids(), before)
        heir.wait_log("scoreboard.reports: belongs to user %d.*made anew" % hostile.ATTACKER)
        self.assertEqual(os.stat(self.base + "/web/scoreboard.reports").st_uid, 0)


class OwnDirectoryTest(OwnersCase):
    def test_bytes_of_any_kind_survive_stop_and_start(self):
        """Latin-1 in a folder and in the environment."""
        folder = os.fsencode(self.shared) + b"/caf\xe9"
        os.mkdir(folder)
        env = {b"PATH": b"/usr/bin:/bin", b"LATIN": b"caf\xe9"}
        flags = ["--name=web", "--listen=127.0.0.1:0", "-i", "1", "--daemon", "--run-dir=" + self.base]
        self.addCleanup(self.run_verb, 0, ["delete", "web"])
        subprocess.run([BINARY, "start", "hello", *flags], cwd=folder, env=env, check=True, capture_output=True, timeout=60)
        for words in (["stop", "web"], ["start", "web"]):
            done = self.run_verb(0, words)
            self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.base + "/web/pid") as pid:
            process = "/proc/" + pid.read().strip()
        self.assertEqual(os.readlink(os.fsencode(process) + b"/cwd"), folder)
        with open(process + "/environ", "rb") as environment:
            self.assertIn(b"LATIN=caf\xe9", environment.read().split(b"\0"))

    def test_delete_takes_the_log_of_a_first_start_that_failed(self):
        done = self.run_verb(0, ["start", "/bin/false", "--name=web", "--daemon", "--listen=127.0.0.1:0"])
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("log", os.listdir(self.base + "/web"))
        done = self.run_verb(0, ["delete", "web"])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(os.path.exists(self.base + "/web"))

    def test_a_run_directory_that_goes_at_logout_is_warned_of(self):
        runtime = os.path.join(self.shared, "runtime")
        self.make_folder(runtime, hostile.VICTIM, 0o700)
        env = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": runtime, "HOME": runtime}
        flags = ["--name=web", "--listen=127.0.0.1:0", "-i", "1", "--daemon"]
        started = self.run_verb(hostile.VICTIM, ["start", "hello", *flags], base="", env=env)
        ended = self.run_verb(hostile.VICTIM, ["delete", "web"], base="", env=env)
        self.assertEqual((started.returncode, ended.returncode), (0, 0), started.stderr + ended.stderr)
        self.assertIn("enable-linger", started.stderr)
