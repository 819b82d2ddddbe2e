"""What a launcher and a coordinator of root do for a program, they do for that program only, and not more than its user
may have."""

import contextlib
import json
import os
import pwd
import shutil
import socket
import struct
import subprocess
import tempfile

import hostile
from cluster import Cluster, wait_until
from program import Program, program_pids

NOBODY = pwd.getpwnam("nobody").pw_uid
PYTHON = "--interpreter=/usr/bin/python3"
SERVER = """
import http.server, json, os, socket, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = answer(self.path).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

def answer(path):
    %s

http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler).serve_forever()
"""
ENVIRONMENT = SERVER % "return json.dumps(dict(os.environ))"
# "/PORT": binds it, "/PORT/listen" listens there as well, "/PORT/close" closes it; the errno, 0 for none.
TAKES = SERVER % """
    _, port, *more = path.split("/")
    if more == ["close"]:
        taken.pop(int(port)).close()
        return "0"
    one = socket.socket()
    try:
        one.bind(("127.0.0.1", int(port)))
        if more == ["listen"]:
            one.listen()
    except OSError as error:
        return str(error.errno)
    taken[int(port)] = one
    return "0"

taken = {}
"""
# "/N": writes N into all three counters of its page.
LIES = SERVER % """
    import ctypes
    for line in open("/proc/self/maps"):
        if "uring-cluster-life" in line:
            begin = int(line.split("-")[0], 16)
            for i in range(3):
                ctypes.c_uint64.from_address(begin + 8 * i).value = int(path[1:])
            return "lied"
    return "no page"
"""

MAY_BIND, MAY_LISTEN, TAKE_THIS = 1, 2, 10


def environment_of(pid):
    with open("/proc/%d/environ" % pid, "rb") as text:
        return dict(one.split(b"=", 1) for one in text.read().split(b"\0") if b"=" in one)


def packet(version, say, port, secret=b""):
    """As core/exec/preload/protocol.h has it; the first version had no secret."""
    address = struct.pack("<H", socket.AF_INET) + struct.pack("!H4s", port, socket.inet_aton("127.0.0.1"))
    head = struct.pack("<7I4x", version, say, 0, 0, 0, 0, 16)
    return head + address.ljust(128, b"\0") + (secret.ljust(16, b"\0") if version > 1 else b"")


# Asks a door for a port in the words of each version, and says what came: "VERSION SAY DESCRIPTORS".
ASKER = """
import array, socket, sys
for words in sys.argv[2:]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as one:
        one.settimeout(5)
        try:
            one.connect("\\0" + sys.argv[1])
            one.send(bytes.fromhex(words))
            data, control, _, _ = one.recvmsg(4096, 256)
        except OSError as error:
            print("no", error.__class__.__name__)
            continue
        print("answer", int.from_bytes(data[4:8], "little"), len(control)) if data else print("no answer")
"""


def without_capabilities(*words):
    """The command line that runs `words` as root without any capability."""
    return ["setpriv", "--inh-caps=-all", "--bounding-set=-all", *words]


class Door(hostile.HostileCase):
    """S4: the door's name is known to everybody in its network namespace."""

    def setUp(self):
        super().setUp()
        self.app = Program(self, "app.py", ENVIRONMENT)

    def door_of(self, pid):
        """(name, secret) of the door that this program was told."""
        name, _, secret = environment_of(pid)[b"URING_CLUSTER_LISTEN_DOOR"].decode().partition(",")
        return name[1:], bytes.fromhex(secret)

    def ask(self, name, secret, runner):
        words = [packet(version, say, 4567, secret).hex() for version in (1, 2) for say in (MAY_BIND, MAY_LISTEN)]
        return runner(["/usr/bin/python3", "-c", ASKER, name, *words]).splitlines()

    def of_user(self, uid):
        return lambda command: hostile.run_as(uid, command).stdout

    def without_rights(self, command):
        return subprocess.run(without_capabilities(*command), capture_output=True, text=True, timeout=60).stdout

    def test_nobody_without_the_secret_is_heard_not_the_same_user_and_not_root(self):
        for user in ([], ["--user=nobody"]):
            with Cluster(self.app.path, "--direct", "-i", "1", PYTHON, *user, listen=None) as cluster:
                name, secret = self.door_of(program_pids(cluster)[0])
                with open("/proc/net/unix") as text:
                    self.assertIn("@" + name, text.read(), "the name is no secret")
                askers = {"nobody": self.of_user(NOBODY), "attacker": self.of_user(hostile.ATTACKER),
                          "root": self.of_user(0), "root without capabilities": self.without_rights}
                for who, runner in askers.items():
                    said = self.ask(name, b"", runner)
                    self.assertEqual(len(said), 4, said)
                    for line in said:
                        self.assertTrue(line.startswith("no "), (who, user, said))
                # The words are right: with the secret they are answered.
                self.assertEqual(self.ask(name, secret, self.of_user(NOBODY))[2], "answer %d 1" % TAKE_THIS)
                self.assertEqual(len(secret), 16)
                self.assertIn("URING_CLUSTER_SLOT", json.loads(cluster.get()))

    def test_knocks_without_the_secret_cost_the_launcher_little(self):
        with Cluster(self.app.path, "--direct", "-i", "1", PYTHON, "--user=nobody", listen=None) as cluster:
            launcher, program = cluster.pids()[0], program_pids(cluster)[0]
            name, _ = self.door_of(program)
            with contextlib.ExitStack() as opened:
                for _ in range(700):
                    one = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
                    one.connect("\0" + name)
                wait_until(lambda: len(os.listdir("/proc/%d/fd" % launcher)) < 100, "few of them are kept")
                self.assertIn("URING_CLUSTER_SLOT", json.loads(cluster.get()))
                cluster.ok("reload", cluster.name)


class Notify(hostile.HostileCase):
    """S4: READY=1 comes from the program's user."""

    SENDER = "import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(sys.argv[1].replace('@', chr(0))); s.send(b'READY=1')"

    def test_others_and_root_cannot_say_ready(self):
        app = Program(self, "app.py", "import signal; signal.pause()")
        with Cluster(app.path, "--direct", "-i", "1", PYTHON, "--user=nobody", "--wait-ready", "--listen-timeout=60s", listen=None,
                     wait=False) as cluster:
            found = cluster.wait_log(r"runs \S+ \(pid (\d+)\)")
            name = environment_of(int(found.group(1)))[b"NOTIFY_SOCKET"].decode()
            self.assertEqual(name[0], "@", "there is no file that could be left behind")
            command = ["/usr/bin/python3", "-c", self.SENDER, name]
            self.assertEqual(hostile.run_as(hostile.ATTACKER, command).returncode, 0, "who sends is not told")
            subprocess.run(without_capabilities(*command), check=True, timeout=60)
            subprocess.run(command, check=True, timeout=60)
            self.assertFalse([line for line in cluster.lines if "READY=1" in line], cluster.lines)
            self.assertEqual(hostile.run_as(NOBODY, command).returncode, 0)
            cluster.wait_log("the program says READY=1")
            said = [line for line in cluster.lines if "READY=1" in line]
            self.assertEqual(len(said), 1, said)


class Ports(hostile.HostileCase):
    """S5: what is bound with root's right for a program of another user."""

    def test_no_privileged_port_that_listen_does_not_name(self):
        app = Program(self, "app.py", TAKES)
        with Cluster(app.path, "--direct", "-i", "1", PYTHON, "--user=nobody", listen=None) as cluster:
            for port in (1, 900, 1023):
                self.assertEqual(cluster.get("/%d" % port), b"13")
                self.assertEqual(cluster.get("/%d/listen" % port), b"13")
                cluster.wait_log(r"127.0.0.1:%d: a privileged port; with --user .*--listen=127.0.0.1:%d" % (port, port))
            with socket.socket() as other:
                other.bind(("127.0.0.1", 900))
        with Cluster(app.path, "--direct", "-i", "1", PYTHON, "--user=nobody", "--listen=127.0.0.1:901", listen=None) as cluster:
            self.assertEqual(cluster.port, 901)
            self.assertIn(cluster.get("/902"), (b"13",))

    def test_each_address_is_told_and_given_back_when_nobody_listens(self):
        app = Program(self, "app.py", TAKES)
        with Cluster(app.path, "--direct", "-i", "1", PYTHON, "--user=nobody", listen=None) as cluster:
            for port in (24101, 24102):
                self.assertEqual(cluster.get("/%d" % port), b"0")
                cluster.wait_log(r"127.0.0.1:%d is taken for the program" % port)
            self.assertEqual(cluster.get("/24103/listen"), b"0")
            self.assertIn("127.0.0.1:24101", cluster.view()["addresses"])
            self.assertEqual(cluster.get("/24101/close"), b"0")
            cluster.wait_log("127.0.0.1:24101 is given back", 30)
            self.assertEqual(set(cluster.view()["addresses"]), {"127.0.0.1:%d" % port for port in (cluster.port, 24102, 24103)})
            with socket.socket() as other:
                other.bind(("127.0.0.1", 24101))
            for port in (24102, 24103):
                with socket.socket() as other:
                    self.assertRaises(OSError, other.bind, ("127.0.0.1", port))
            self.assertEqual(cluster.get("/24101/listen"), b"0")


class Environment(hostile.HostileCase):
    """S6 and L17: the program's environment does not reach root, and root's does not reach the program."""

    def test_environment_of_a_file_reaches_no_process_of_root(self):
        app = Program(self, "app.py", ENVIRONMENT)
        path = os.path.join(app.directory, "apps.json")
        given = {"LD_PRELOAD": "/tmp/uc-evil.so", "LD_AUDIT": "/tmp/uc-evil.so", "GLIBC_TUNABLES": "x=y", "MALLOC_CHECK_": "3"}
        with open(path, "w") as out:
            json.dump({"apps": [{"name": "app", "script": app.path, "uid": "nobody", "listen": ["127.0.0.1:0"], "interpreter": "/usr/bin/python3",
                                 "env": given}]}, out)
        base = tempfile.mkdtemp(prefix="uc-hostile-")
        self.addCleanup(shutil.rmtree, base, ignore_errors=True)
        run = lambda *words: subprocess.run([os.environ["UC_BINARY"], *words, "--run-dir=" + base],
                                            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.addCleanup(run, "delete", "all", "--now")
        done = run("start", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("uc-evil", done.stderr)
        ours = 0
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % entry, "rb") as words:
                    if ("--run-dir=" + base).encode() not in words.read().split(b"\0"):
                        continue
            except OSError:
                continue
            ours += 1
            for name in given:
                self.assertNotIn(name.encode(), environment_of(int(entry)))
        self.assertGreaterEqual(ours, 3, "coordinator, log writer, launcher")
        program = json.loads(run("describe", "app", "--json").stdout)["workers"][0]["program_pid"]
        self.assertEqual(environment_of(program)[b"MALLOC_CHECK_"], b"3")
        self.assertTrue(environment_of(program)[b"LD_PRELOAD"].endswith(b":/tmp/uc-evil.so"))

    def test_environment_of_root_stays_with_root_unless_it_is_asked_for(self):
        app = Program(self, "app.py", ENVIRONMENT)
        secret = {"UC_SECRET": "of root", "LD_LIBRARY_PATH": "/root/lib", "LC_ALL": "C.UTF-8", "XDG_RUNTIME_DIR": "/run/user/0"}
        allowed = {"PATH", "LANG", "TZ", "TERM", "HOME", "USER", "LOGNAME", "SHELL", "LD_PRELOAD", "NOTIFY_SOCKET",
                   "NODE_APP_INSTANCE", "INSTANCE_ID", "pm_id", "UV_USE_IO_URING", "GIVEN"}
        who = pwd.getpwnam("nobody")
        with Cluster(app.path, "--direct", "-i", "1", PYTHON, "--user=nobody", "--env=GIVEN=1", listen=None, env=secret) as cluster:
            seen = json.loads(cluster.get())
            for name in seen:
                self.assertTrue(name in allowed or name.startswith(("LC_", "URING_CLUSTER_")), name)
            self.assertEqual([seen[name] for name in ("HOME", "USER", "LOGNAME", "SHELL", "LC_ALL", "GIVEN")],
                             [who.pw_dir, "nobody", "nobody", who.pw_shell, "C.UTF-8", "1"])
            # What the kernel laid down at its exec; and those of ours are closed to it.
            program = cluster.view()["workers"][0]["program_pid"]
            with open("/proc/%d/environ" % program, "rb") as block:
                self.assertNotIn(b"UC_SECRET", block.read())
            for pid in (cluster.process.pid, cluster.pids()[0]):
                look = subprocess.run(["/bin/cat", "/proc/%d/environ" % pid], user="nobody", group="nogroup", extra_groups=[],
                                      capture_output=True, timeout=20)
                self.assertNotEqual(look.returncode, 0)
                self.assertNotIn(b"UC_SECRET", look.stdout)
        with Cluster(app.path, "--direct", "-i", "1", PYTHON, "--user=nobody", "--keep-env", listen=None, env=secret) as cluster:
            seen = json.loads(cluster.get())
            self.assertEqual([seen["UC_SECRET"], seen["HOME"]], ["of root", who.pw_dir])


class Counters(hostile.HostileCase):
    """L11: what a program counts is not believed beyond what is possible."""

    def test_launcher_of_a_program_that_lies_goes_on(self):
        app = Program(self, "app.py", LIES)
        with Cluster(app.path, "--direct", "-i", "1", PYTHON, "--hang-timeout=1s", "--user=nobody") as cluster:
            before = cluster.pids()
            for number in (1 << 62, (1 << 64) - 1, 0, 1 << 40):
                self.assertEqual(cluster.get("/%d" % number), b"lied")
            # Three times the hang time-out: whoever would be taken for stuck is killed by then.
            with self.assertRaises(subprocess.TimeoutExpired):
                cluster.process.wait(3)
            self.assertEqual(cluster.pids(), before)
            self.assertFalse([line for line in cluster.lines if "killed" in line], cluster.lines)
