"""A native app that serves as somebody else: root binds, and what speaks to the world has nothing left of root's."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import unittest
import urllib.request

from cluster import BINARY, GET, Cluster, fixture, read_response, wait_until
from load import Load

NOBODY = 65534
USER = 64020  # no account has these
GROUP = 64021
WHO = "--user=%d" % USER, "--group=%d" % GROUP
NOTHING = "0000000000000000"


def text_of(path):
    with open(path) as file:
        return file.read()


def status_of(pid):
    with open("/proc/%d/status" % pid) as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


@unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
class Case(unittest.TestCase):
    def folder(self, mode=0o755):
        folder = tempfile.mkdtemp(prefix="uc-privileges-")
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, mode)
        return folder

    def who(self, *arguments, **options):
        """The app that says who it is, where anybody may read it."""
        path = os.path.join(self.folder(), "libwho.so")
        shutil.copyfile(fixture("libwho.so"), path)
        os.chmod(path, 0o644)
        return self.cluster(path, *arguments, **options)

    def cluster(self, *arguments, **options):
        cluster = Cluster(*arguments, **options)
        self.addCleanup(cluster.close)
        return cluster

    def refused(self, *words, **options):
        """The one line of a start that is refused."""
        with Cluster(*words, wait=False, **options) as cluster:
            self.assertEqual(cluster.wait_exit(), 2, cluster.lines)
            self.assertEqual(len(cluster.lines), 1, cluster.lines)
            return cluster.lines[0]

    def assert_all_serve_as(self, cluster, user, group):
        for pid in cluster.pids():
            status = status_of(pid)
            self.assertEqual(status["Uid"].split(), [str(user)] * 4)
            self.assertEqual(status["Gid"].split(), [str(group)] * 4)
            self.assertEqual(status["NoNewPrivs"], "1")
            for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                self.assertEqual(status[name], NOTHING, name)


class Rights(Case):
    def test_a_port_of_root_and_nothing_else_of_root(self):
        cluster = self.who("-i", "2", *WHO, listen="127.0.24.1:80")
        self.assert_all_serve_as(cluster, USER, GROUP)
        for pid in cluster.pids():
            self.assertEqual(status_of(pid)["Groups"].split(), [str(GROUP)])
        ids = "%d %d %d" % (USER, USER, GROUP)
        loaded, now, home = cluster.get().decode().splitlines()
        self.assertEqual(loaded, ids, "already when the app's constructors ran")
        self.assertEqual((now, home), (ids, "/"))

    def test_the_log_and_describe_say_who_serves(self):
        cluster = self.who("--user=nobody", "-i", "1")
        cluster.wait_log(r"coordinator: workers serve as user nobody \(id 65534\), group nogroup \(id 65534\)")
        self.assertEqual(cluster.view()["serves_as"], "nobody (id 65534)")
        self.assertRegex(cluster.ok("describe", cluster.name), r"serves as +nobody \(id 65534\)\n")

    def test_the_environment_of_root_stays_with_root(self):
        secret = dict(os.environ, SECRET_OF_ROOT="a", LC_ALL="C.UTF-8", TZ="UTC")
        for flags, names in (((), {"HOME", "SHELL", "USER", "LOGNAME", "PATH", "LC_ALL", "TZ"}), (("--keep-env",), {"SECRET_OF_ROOT"})):
            with self.subTest(flags=flags):
                cluster = self.who("-i", "1", *WHO, *flags, env=secret)
                variables = dict(line.split("=", 1) for line in cluster.get("/environment").decode().splitlines() if "=" in line)
                self.assertLessEqual(names, variables.keys())
                self.assertEqual((variables["HOME"], variables["USER"]), ("/", str(USER)))
                self.assertEqual("SECRET_OF_ROOT" in variables, "--keep-env" in flags)
                cluster.close()

    def test_no_memory_of_the_app_has_the_environment_of_root(self):
        """What the kernel lays down at an exec outlives whatever is done to `environ`: in proc(5), and in memory."""
        ways = "/block", "/read?/proc/self/environ"
        for flags in ((), ("--keep-env",)):
            with self.subTest(flags=flags):
                cluster = self.who("-i", "1", *WHO, *flags, env={"SECRET_OF_ROOT": "a", "LC_ALL": "C.UTF-8"})
                for life in range(2):
                    for way in ways:
                        seen = cluster.get(way)
                        self.assertIn(b"LC_ALL=C.UTF-8\0", seen, way)
                        self.assertIn(b"\0USER=%d\0" % USER, seen, way)
                        self.assertEqual(b"SECRET_OF_ROOT=a\0" in seen, "--keep-env" in flags, way)
                        self.assertEqual(seen.count(b"\0HOME="), 1, way)
                    with open("/proc/%d/environ" % cluster.pids()[0], "rb") as seen:
                        self.assertEqual(b"SECRET_OF_ROOT" in seen.read(), "--keep-env" in flags)
                    cluster.ok("reload", cluster.name)
                cluster.close()

    def test_what_a_config_file_gives_reaches_the_app(self):
        folder = self.folder()
        shutil.copyfile(fixture("libwho.so"), os.path.join(folder, "libwho.so"))
        os.chmod(os.path.join(folder, "libwho.so"), 0o755)
        path = os.path.join(folder, "apps.json")
        with open(path, "w") as text:
            json.dump({"apps": [{"name": "who", "script": os.path.join(folder, "libwho.so"), "uid": str(USER), "gid": str(GROUP),
                                 "listen": ["127.0.24.2:8080"], "env": {"GIVEN": "to the app"}}]}, text)
        run = lambda *words: subprocess.run([BINARY, *words, "--run-dir=" + folder + "/run"], capture_output=True, text=True,
                                            stdin=subprocess.DEVNULL, env={**os.environ, "SECRET_OF_ROOT": "a"}, timeout=60)
        self.addCleanup(run, "delete", "all", "--now")
        done = run("start", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        with urllib.request.urlopen("http://127.0.24.2:8080/environment", timeout=20) as answer:
            seen = answer.read().decode()
        self.assertIn("GIVEN=to the app\n", seen)
        self.assertNotIn("SECRET_OF_ROOT", seen)

    def test_the_accounts_own_groups_come_with_it(self):
        account = next((one for one in pwd.getpwall() if os.getgrouplist(one.pw_name, one.pw_gid) != [one.pw_gid] and one.pw_uid), None)
        if account is None:
            self.skipTest("no account here has supplementary groups")
        cluster = self.who("--user=" + account.pw_name, "-i", "1")
        groups = {str(group) for group in os.getgrouplist(account.pw_name, account.pw_gid)}
        self.assertEqual(set(status_of(cluster.pids()[0])["Groups"].split()), groups)

    def test_files_of_root_are_closed_to_it(self):
        www = self.folder()
        for name, mode, owner in (("root", 0o600, 0), ("own", 0o600, USER), ("all", 0o644, 0)):
            path = os.path.join(www, name)
            with open(path, "w") as file:
                file.write("text of " + name)
            os.chown(path, owner, owner)
            os.chmod(path, mode)
        cluster = self.cluster("static", www, *WHO, "-i", "1")
        code = "-o", "/dev/null", "-w", "%{http_code}"
        self.assertEqual(cluster.get("/root", *code), b"403")
        for _ in range(2):
            self.assertEqual(cluster.get("/own"), b"text of own")
            self.assertEqual(cluster.get("/all"), b"text of all")

    def test_every_mode_and_way_of_balancing(self):
        for mode, balance in (("auto", "least-connections"), ("auto", "round-robin"), ("plain", "hash"), ("plain", "random")):
            with self.subTest(mode=mode, balance=balance):
                cluster = self.who(*WHO, "-i", "3", "--mode=" + mode, "--balance=" + balance, "--cpu-affinity")
                with Load(cluster, threads=2, fresh=True, pause=0.001) as load:
                    cluster.ok("scale", cluster.name, "4")
                    cluster.ok("reload", cluster.name)
                    cluster.ok("scale", cluster.name, "2")
                self.assertEqual(load.lost, 0, load.failures)
                self.assert_all_serve_as(cluster, USER, GROUP)
                cluster.close()


class Life(Case):
    """All that a cluster does later works without root in its workers."""

    def test_rolls_scales_and_deaths_on_a_port_of_root(self):
        cluster = self.who("-i", "2", *WHO, listen="127.0.24.1:81")
        with Load(cluster, threads=2, fresh=True, pause=0.002) as load:
            cluster.ok("scale", cluster.name, "4")
            cluster.ok("reload", cluster.name)
            cluster.ok("restart", cluster.name, "--worker=1")
            cluster.ok("scale", cluster.name, "2")
        self.assertEqual(load.lost, 0, load.failures)
        before = cluster.pids()
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: len(set(cluster.pids()) - {before[0]}) == 2, "a replacement")
        self.assert_all_serve_as(cluster, USER, GROUP)

    def test_idle_connections_are_handed_over(self):
        cluster = self.who("-i", "2", *WHO)
        client = cluster.connect()
        self.addCleanup(client.close)
        for verb in (("reload",), ("restart", "--worker=0"), ("restart", "--worker=1")):
            client.sendall(GET)
            self.assertIn(b"200 OK", read_response(client)[0])
            cluster.ok(verb[0], cluster.name, *verb[1:])
        client.sendall(GET)
        self.assertIn(b"200 OK", read_response(client)[0])

    def test_a_stuck_worker_is_stood_in_for_and_replaced(self):
        cluster = self.who("-i", "2", *WHO, "--hang-timeout=2s")
        stuck = cluster.pids()[0]
        os.kill(stuck, signal.SIGSTOP)
        with Load(cluster, threads=2, fresh=True, pause=0.002):
            wait_until(lambda: stuck not in cluster.pids() and len(cluster.pids()) == 2, "its replacement")
        self.assert_all_serve_as(cluster, USER, GROUP)

    def test_the_next_coordinator_goes_on_with_them(self):
        cluster = self.who("-i", "2", *WHO, listen="127.0.24.1:82")
        before = cluster.pids()
        app = cluster.view()["app"]
        cluster.process.kill()
        cluster.process.wait()
        heir = self.cluster(app, *WHO, listen="127.0.24.1:82", base=cluster.base)
        self.assertEqual(heir.pids(), before)
        with Load(heir, threads=2, fresh=True, pause=0.002) as load:
            heir.ok("scale", heir.name, "3")
            heir.ok("reload", heir.name)
            heir.ok("upgrade", heir.name)
            heir.ok("reload", heir.name)
        self.assertEqual(load.lost, 0, load.failures)
        self.assert_all_serve_as(heir, USER, GROUP)

    def test_logs_are_opened_again(self):
        log = os.path.join(self.folder(0o700), "log")
        cluster = self.cluster("hello", "-i", "1", *WHO, "--log-file=" + log, wait=False)
        wait_until(lambda: os.path.exists(log) and "is ready" in text_of(log), "it serves")
        os.rename(log, log + ".old")
        cluster.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: os.path.exists(log), "a new log")
        cluster.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "serves (ring:" in text_of(log), "a worker's own line is in it, too")

    def test_memory_is_watched(self):
        cluster = self.who("-i", "1", *WHO, "--max-memory-restart=50M")
        (before,) = cluster.pids()
        cluster.get("/grow")
        wait_until(lambda: cluster.pids() and before not in cluster.pids(), "another worker")
        self.assert_all_serve_as(cluster, USER, GROUP)

    def test_programs_take_a_group_and_numbers_as_well(self):
        path = os.path.join(self.folder(), "app.py")
        with open(path, "w") as file:
            file.write(
                "import http.server, os\n"
                "class Handler(http.server.BaseHTTPRequestHandler):\n"
                "    def do_GET(self):\n"
                "        body = repr((os.getresuid(), os.getresgid(), os.getgroups())).encode()\n"
                "        self.send_response(200)\n"
                "        self.send_header('Content-Length', str(len(body)))\n"
                "        self.end_headers()\n"
                "        self.wfile.write(body)\n"
                "http.server.HTTPServer(('127.0.0.1', 0), Handler).serve_forever()\n"
            )
        for flags, user, group in (((*WHO,), USER, GROUP), (("--user=65534",), NOBODY, NOBODY), (("--group=%d" % GROUP,), 0, GROUP)):
            cluster = self.cluster(path, "-i", "1", *flags, "--interpreter=/usr/bin/python3")
            self.assertEqual(eval(cluster.get()), ((user,) * 3, (group,) * 3, [group]))
            cluster.close()


class Refusals(Case):
    def test_users_and_groups_that_are_not_there(self):
        self.assertIn("--user=no-such-user: no such user", self.refused("hello", "--user=no-such-user"))
        self.assertIn("--group=no-such-group: no such group", self.refused("hello", "--group=no-such-group"))
        self.assertIn("--group must say its group", self.refused("hello", "--user=%d" % USER))

    def test_an_app_that_only_root_may_read(self):
        folder = self.folder()
        path = os.path.join(folder, "libwho.so")
        shutil.copyfile(fixture("libwho.so"), path)
        os.chmod(path, 0o600)
        said = self.refused(path, *WHO)
        self.assertIn(path + ": permission denied, looked at as user %d" % USER, said)
        os.chown(path, USER, GROUP)
        self.assertEqual(len(self.cluster(path, *WHO, "-i", "1").get().splitlines()), 3)

    def test_a_directory_that_only_root_may_enter(self):
        folder = self.folder(0o700)
        said = self.refused("static", folder, *WHO)
        self.assertIn("static: %s: permission denied" % folder, said)
        self.assertIn("looked at as user %d" % USER, said)
        os.chown(folder, USER, GROUP)
        self.cluster("static", folder, *WHO, "-i", "1").close()

    def test_who_is_not_root_stays_who_he_is(self):
        def become():
            os.setgroups([])
            os.setgid(GROUP)
            os.setuid(USER)

        base = self.folder()
        os.chown(base, USER, GROUP)
        os.chmod(base, 0o700)
        said = self.refused("hello", "--user=nobody", preexec=become, base=base)
        self.assertIn("--user=nobody: only root may change to it", said)
        self.assertIn("this is user id %d" % USER, said)
        own = self.cluster("hello", "--user=%d" % USER, "--group=%d" % GROUP, "-i", "1", preexec=become, base=base)
        self.assertEqual(own.get(), b"Hello from uring-cluster\n")
        own.close()

    def test_dotfiles_is_for_static(self):
        self.assertIn("--dotfiles is for static", self.refused("hello", "--dotfiles"))


class Static(Case):
    def test_dotfiles_are_served_when_asked_for(self):
        www = self.folder()
        os.mkdir(os.path.join(www, ".git"))
        with open(os.path.join(www, ".git", "config"), "w") as file:
            file.write("text")
        code = "-o", "/dev/null", "-w", "%{http_code}"
        self.assertEqual(self.cluster("static", www, "-i", "1").get("/.git/config", *code), b"404")
        self.assertEqual(self.cluster("static", www, "-i", "1", "--dotfiles").get("/.git/config"), b"text")

    def test_the_writer_of_a_fifo_is_not_let_through(self):
        www = self.folder()
        os.mkfifo(os.path.join(www, "fifo"))
        cluster = self.cluster("static", www, "-i", "1")
        writer = subprocess.Popen(["sh", "-c", 'exec 3>"$1"; echo open', "sh", os.path.join(www, "fifo")], stdout=subprocess.PIPE)
        self.addCleanup(writer.communicate)
        self.addCleanup(writer.kill)
        wait_until(lambda: "wait_for_partner" in text_of("/proc/%d/wchan" % writer.pid), "it waits for a reader")
        for _ in range(20):
            self.assertEqual(cluster.get("/fifo", "-o", "/dev/null", "-w", "%{http_code}"), b"404")
        self.assertIn("wait_for_partner", text_of("/proc/%d/wchan" % writer.pid))

    def test_raw_utf8_in_a_target(self):
        www = self.folder()
        with open(os.path.join(www, "\u00e9.txt"), "w") as file:
            file.write("text")
        cluster = self.cluster("static", www, "-i", "1")
        with cluster.connect() as client:
            client.sendall("GET /\u00e9.txt HTTP/1.2\r\nHost: a\r\n".encode() + b"X: y\r\n" * 600 + b"\r\n")
            head, body, _ = read_response(client)
        self.assertIn(b"HTTP/1.1 200 OK", head)
        self.assertEqual(body, b"text")


if __name__ == "__main__":
    unittest.main()
