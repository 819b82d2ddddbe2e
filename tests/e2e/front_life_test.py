"""A program's life behind its worker: new versions that are broken, hangs, its end, and whose rights it has."""

import json
import os
import shutil
import signal
import threading
import unittest

from cluster import Background, Cluster, exists, read_all, read_response, wait_until
from load import Load
from program import NODE_TELLS, PYTHON_TELLS, Program, front, program_pids

NOBODY = 65534

# New versions that must not be put in the place of the old one.
BROKEN_NODE = {
    "syntax error": "this is no program",
    "exits": "process.exit(3)",
    "dies 500 ms after it listens": "setTimeout(() => process.exit(3), 500);" + NODE_TELLS % "3000",
    "never listens": "setInterval(() => {}, 1000)",
    "answers 500": "require('http').createServer((q, s) => { s.statusCode = 500; s.end(); }).listen(3000)",
    "hangs at the probe": "require('http').createServer(() => {}).listen(3000)",
    "stands still when it listens": "require('http').createServer().listen(3000, () => { for (;;); })",
}
BROKEN_PYTHON = {
    "syntax error": "def",
    "exits": "raise SystemExit(3)",
    "dies 500 ms after it listens": "import threading, os\nthreading.Timer(0.5, os._exit, [3]).start()\n" + PYTHON_TELLS % "8000",
    "never listens": "import signal\nsignal.pause()",
    "answers 500": (PYTHON_TELLS % "8000").replace("send_response(200)", "send_response(500)"),
    "hangs at the probe": (PYTHON_TELLS % "8000").replace("body = ", "threading.Event().wait(); body = ")
    .replace("import http.server", "import threading, http.server"),
}

# One request after the other, each as long as it says.
ONE_BY_ONE = """
import http.server, time
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(float(self.path[1:]))
        self.send_response(200)
        self.send_header('Content-Length', '0')
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(('', 8000), Answer).serve_forever()
"""

# It ends its listener as it is asked to, and listens again.
LISTENS_AGAIN = """
import os, socket
def listener():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(('', 8000))
    s.listen()
    return s
s = listener()
while True:
    c, _ = s.accept()
    path = c.recv(65536).split(b' ')[1]
    body = b'%d' % os.getpid()
    c.sendall(b'HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n%s' % (len(body), body))
    c.close()
    if path != b'/':
        s.shutdown(socket.SHUT_RDWR)
    if path == b'/anew':
        s.close()
        s = listener()
    if path == b'/again':
        s.listen()
"""

# Asked to leave it takes its time, and leaves a word.
NODE_SAYS_BYE = """
const fs = require('fs');
process.on('SIGINT', () => setTimeout(() => { fs.appendFileSync(%r, 'bye\\n'); process.exit(0); }, 300));
"""

# A child in its own group, one in another session, and a daemon; their pids, a line each.
STARTS_OTHERS = """
import os, subprocess
with open(%r, 'a') as told:
    for apart in (False, True):
        child = subprocess.Popen(['sleep', '1000'], start_new_session=apart)
        told.write('%%d\\n' %% child.pid)
    told.flush()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            told.write('%%d\\n' %% os.getpid())
            told.flush()
            os.execvp('sleep', ['sleep', '1000'])
        os._exit(0)
    os.wait()
"""

class Case(unittest.TestCase):
    def node(self, where="3000"):
        return Program(self, "app.js", NODE_TELLS % where)

    def serving(self, cluster, count, without):
        pids = program_pids(cluster)
        return len(pids) == count and 0 not in pids and without not in pids

    def read(self, path):
        with open(path) as text:
            return text.read()


class NewVersion(Case):
    def assert_refused(self, app, broken):
        with front(app, "-i", "2", "--listen-timeout=4s", "--probe=/") as cluster:
            before = program_pids(cluster)
            kept = Load(cluster, threads=1, fresh=False)
            with Load(cluster, threads=2) as fresh:
                for what, text in broken.items():
                    with self.subTest(what):
                        app.deploy(text)
                        code, _, err = cluster.cli("reload", cluster.name)
                        self.assertEqual(code, 1, err)
                        self.assertEqual(program_pids(cluster), before)
            kept.stop()
            self.assertEqual(fresh.lost + kept.lost, 0, (fresh.failures + kept.failures)[:5])

    def test_a_broken_new_version_changes_nothing(self):
        self.assert_refused(self.node(), BROKEN_NODE)

    def test_a_broken_new_version_in_python_as_well(self):
        self.assert_refused(Program(self, "app.py", PYTHON_TELLS % "8000"), BROKEN_PYTHON)

    def test_the_death_of_a_new_version_is_told_as_it_was(self):
        app = self.node()
        with front(app, "-i", "1") as cluster:
            app.deploy(BROKEN_NODE["dies 500 ms after it listens"])
            self.assertIn("its program exited with code 3", cluster.cli("reload", cluster.name)[2])

class Hang(Case):
    def test_a_program_that_hangs_is_started_again_where_the_operator_asks_for_it(self):
        app = Program(self, "app.js", "process.on('SIGUSR2', () => { for (;;); });" + NODE_TELLS % "3000")
        with front(app, "-i", "1", "--hang-timeout=1s") as cluster:
            of_workers = cluster.pids()
            kept = Load(cluster, threads=2, fresh=False)
            with Load(cluster, threads=2) as fresh:
                for how in (signal.SIGSTOP, signal.SIGUSR2):
                    (before,) = program_pids(cluster)
                    os.kill(before, how)
                    wait_until(lambda: self.serving(cluster, 1, before), "it serves again")
                    cluster.wait_log("has begun no answer within --hang-timeout=1s, not to GET / either, and was killed")
            kept.stop()
            self.assertEqual(fresh.lost + kept.lost, 0, (fresh.failures + kept.failures)[:5])
            self.assertEqual(cluster.pids(), of_workers)
            self.assertIn("has begun no answer", cluster.view()["slots"][0]["last_failure"])

    def test_a_program_that_hangs_is_found_also_where_nobody_asks_it_anything(self):
        with front(self.node(), "-i", "1", "--hang-timeout=1s") as cluster:
            (before,) = program_pids(cluster)
            os.kill(before, signal.SIGSTOP)
            wait_until(lambda: self.serving(cluster, 1, before), "it serves again")

    def test_a_slow_program_is_not_stuck(self):
        """Longer than the default of --hang-timeout, which is about the worker."""
        with front(Program(self, "app.py", ONE_BY_ONE), "-i", "1") as cluster:
            before = program_pids(cluster)
            codes = []
            ask = lambda path: codes.append(cluster.get(path, "-o", "/dev/null", "-w", "%{http_code}"))
            clients = [threading.Thread(target=ask, args=[path]) for path in ("/12", "/0")]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            self.assertEqual(codes, [b"200", b"200"])
            self.assertEqual(program_pids(cluster), before)

    def test_a_program_that_shuts_its_listener_down_may_listen_again(self):
        with front(Program(self, "app.py", LISTENS_AGAIN), "-i", "1") as cluster:
            (program,) = program_pids(cluster)
            for path in ("/anew", "/again", "/anew", "/again", "/again"):
                self.assertEqual(cluster.get(path), b"%d" % program, path)
                self.assertEqual(cluster.get("/"), b"%d" % program, path)


class End(Case):
    def test_the_program_of_a_wrapper_hears_the_signal_and_has_its_time(self):
        waits = "import signal, subprocess, sys\nsignal.signal(signal.SIGINT, lambda *_: None)\n"
        wrappers = {
            "waits": waits + "sys.exit(subprocess.call(%r))",
            "leaves first": "import os, signal, subprocess\np = subprocess.Popen(%r)\n"
            "signal.signal(signal.SIGINT, lambda *_: os._exit(0))\np.wait()",
            "runs it in another session": waits + "sys.exit(subprocess.call(%r, start_new_session=True))",
        }
        for what, text in wrappers.items():
            with self.subTest(what):
                app = Program(self, "app.js", "")
                words = os.path.join(app.directory, "words")
                app.deploy(NODE_SAYS_BYE % words + NODE_TELLS % "3000")
                with front(Program(self, "run.py", text % ["node", app.path]), "-i", "1") as cluster:
                    server = json.loads(cluster.get("/"))["pid"]
                    self.assertNotIn(server, program_pids(cluster))
                    cluster.ok("reload", cluster.name)
                    self.assertFalse(exists(server))
                    self.assertEqual(self.read(words), "bye\n")
                    cluster.ok("stop", cluster.name)
                self.assertEqual(self.read(words), "bye\nbye\n")

    def test_a_shell_script_that_runs_a_program_ends_well(self):
        app = self.node()
        with front(Program(self, "run.sh", "node %s\nexit $?\n" % app.path), "-i", "1") as cluster:
            server = json.loads(cluster.get("/"))["pid"]
            cluster.ok("reload", cluster.name)
            self.assertFalse(exists(server))
            cluster.ok("stop", cluster.name)
            self.assertFalse([line for line in cluster.lines if "while it drained" in line], cluster.lines)

    @unittest.skipUnless(shutil.which("npm"), "there is no npm")
    def test_npm_start(self):
        app = self.node()
        with open(os.path.join(app.directory, "package.json"), "w") as out:
            json.dump({"name": "a", "version": "1.0.0", "scripts": {"start": "node app.js"}}, out)
        with Cluster("npm", "-i", "1", "--cwd=" + app.directory, "--", "start") as cluster:
            server = json.loads(cluster.get("/"))["pid"]
            with Load(cluster, threads=2) as load:
                cluster.ok("reload", cluster.name)
            self.assertEqual(load.lost, 0, load.failures[:5])
            self.assertFalse(exists(server))

    def test_what_a_program_has_started_ends_with_it_wherever_it_has_gone(self):
        app = Program(self, "app.py", "")
        told = os.path.join(app.directory, "pids")
        app.deploy(STARTS_OTHERS % told + PYTHON_TELLS % "8000")
        pids = lambda: [int(line) for line in self.read(told).split()]
        with front(app, "-i", "1") as cluster:
            first = wait_until(lambda: len(pids()) == 3 and pids(), "it has started them")
            self.assertTrue(all(map(exists, first)))
            (before,) = program_pids(cluster)
            os.kill(before, signal.SIGKILL)
            wait_until(lambda: self.serving(cluster, 1, before), "it serves again")
            self.assertFalse([pid for pid in first if exists(pid)])
            second = wait_until(lambda: len(pids()) == 6 and pids()[3:], "the next one has started them")
            (worker,) = cluster.pids()
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda: cluster.pids() not in ([], [worker]), "another worker serves")
            wait_until(lambda: not [pid for pid in second if exists(pid)], "they end though their worker was killed")
            third = wait_until(lambda: len(pids()) == 9 and pids()[6:], "the last one has started them")
            cluster.ok("stop", cluster.name)
            self.assertEqual(cluster.wait_exit(), 0)
            self.assertFalse([pid for pid in third if exists(pid)])

    def test_what_a_program_has_started_ends_after_coordinator_and_worker_were_killed(self):
        app = Program(self, "app.py", "")
        told = os.path.join(app.directory, "pids")
        app.deploy(STARTS_OTHERS % told + PYTHON_TELLS % "8000")
        with front(app, "-i", "1") as cluster:
            wait_until(lambda: self.read(told).count("\n") == 3, "it has started them")
            pids = [int(line) for line in self.read(told).split()]
            workers = cluster.pids()
            cluster.process.kill()
            cluster.process.wait()
            os.kill(workers[0], signal.SIGKILL)
            cluster.cli("stop", cluster.name)
            wait_until(lambda: not [pid for pid in pids if exists(pid)], "stop ends them")

    def test_what_a_program_has_started_ends_also_where_the_program_does_not_leave(self):
        app = Program(self, "app.py", "")
        told = os.path.join(app.directory, "pids")
        app.deploy("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + STARTS_OTHERS % told + PYTHON_TELLS % "8000")
        with front(app, "-i", "1", "--kill-timeout=8s") as cluster:
            wait_until(lambda: self.read(told).count("\n") == 3, "it has started them")
            pids = [int(line) for line in self.read(told).split()]
            cluster.ok("stop", cluster.name)
            cluster.wait_log("does not leave within --kill-timeout, and is killed")
            self.assertFalse([pid for pid in pids if exists(pid)])

    def test_a_tunnel_hears_from_its_program_before_the_drain_is_over(self):
        text = NODE_TELLS % "3000" + """
            const open = [];
            server.on('upgrade', (request, socket) => open.push(socket));
            process.on('SIGINT', () => { for (const one of open) one.end('bye'); setTimeout(() => process.exit(0), 100); });
        """
        with front(Program(self, "app.js", text), "-i", "1", "--kill-timeout=4s") as cluster, cluster.connect() as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            self.assertTrue(read_response(client)[0].startswith(b"HTTP/1.1 101"))
            reload = Background(cluster, "reload", cluster.name)
            self.assertEqual(read_all(client), b"bye")
            self.assertEqual(reload.wait()[0], 0, reload.result)

    def test_nothing_is_left_in_the_shared_folder_when_a_worker_is_killed(self):
        text = """
            import os, socket
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            s.connect(os.environ['NOTIFY_SOCKET'].replace('@', chr(0)))
            s.send(b'READY=1')
        """
        app = Program(self, "app.py", "\n".join(line.strip() for line in text.splitlines()) + PYTHON_TELLS % "8000")
        folder = "/tmp/uring-cluster-lib-%d" % os.geteuid()
        before = None
        with front(app, "-i", "1", "--wait-ready") as cluster:
            before = [name for name in os.listdir(folder) if not name.startswith("preload-")]
            (worker,) = cluster.pids()
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda: cluster.pids() not in ([], [worker]), "another one serves")
            os.kill(cluster.pids()[0], signal.SIGKILL)
        after = [name for name in os.listdir(folder) if not name.startswith("preload-")]
        self.assertLessEqual(set(after), set(before))


class User(Case):
    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_the_worker_is_the_user_as_the_program_is(self):
        text = "require('fs').writeSync(1, 'a word\\n');" + NODE_TELLS.replace("pid: process.pid", "pid: process.pid, uid: process.getuid(), env: process.env")
        app = Program(self, "app.js", text % "3000")
        secret = {"SECRET_OF_ROOT": "a", "LC_ALL": "C.UTF-8"}
        with front(app, "-i", "2", "--user=nobody", "--env=GIVEN=1", env=secret, listen="127.0.24.7:81") as cluster:
            told = json.loads(cluster.get("/"))
            self.assertEqual(told["uid"], NOBODY)
            self.assertEqual(told["env"].get("GIVEN"), "1")
            self.assertEqual(told["env"].get("USER"), "nobody")
            self.assertNotIn("SECRET_OF_ROOT", told["env"])
            for pid in cluster.pids():
                status = dict(line.rstrip("\n").split(":\t", 1) for line in self.read("/proc/%d/status" % pid).splitlines() if ":\t" in line)
                self.assertEqual(status["Uid"].split(), [str(NOBODY)] * 4)
                for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                    self.assertEqual(int(status[name], 16), 0, name)
                self.assertNotIn("SECRET_OF_ROOT", self.read("/proc/%d/environ" % pid))
            for pid in program_pids(cluster):
                self.assertIn("NoNewPrivs:\t0", self.read("/proc/%d/status" % pid), "sudo is its own affair")
            with Load(cluster, threads=2) as load:
                before = program_pids(cluster)[0]
                os.kill(before, signal.SIGKILL)
                wait_until(lambda: self.serving(cluster, 2, before), "it serves again")
                cluster.ok("reload", cluster.name)
                cluster.ok("scale", cluster.name, "3")
                cluster.ok("scale", cluster.name, "1")
            self.assertEqual(load.lost, 0, load.failures[:5])

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_a_program_of_the_user_writes_its_log_and_says_that_it_is_ready(self):
        text = """
            import os, socket, sys
            open('/dev/stderr', 'w').write('opened again\\n')
            print('a word', flush=True)
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            s.connect(os.environ['NOTIFY_SOCKET'].replace('@', chr(0)))
            s.send(b'READY=1')
        """
        app = Program(self, "app.py", "\n".join(line.strip() for line in text.splitlines()) + PYTHON_TELLS % "8000")
        for way in ((), ("--out-file=%s/out.log" % app.directory, "--error-file=%s/err.log" % app.directory)):
            with self.subTest(way=way):
                with front(app, "-i", "1", "--user=nobody", "--wait-ready", "--interpreter=/usr/bin/python3", *way) as cluster:
                    self.assertTrue(cluster.get("/"))
                    if not way:
                        cluster.wait_log("opened again")
                if way:
                    self.assertIn("a word", self.read(app.directory + "/out-0.log"))
                    self.assertIn("opened again", self.read(app.directory + "/err-0.log"))
