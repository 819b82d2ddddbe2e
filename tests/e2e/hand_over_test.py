"""Keep-alive connections change their worker with their descriptor: no FIN, no reconnect, nothing lost."""

import collections
import os
import resource
import select
import signal
import socket
import tempfile
import unittest

from app import App
from cluster import Background, Cluster, fixture, read_response, wait_until
from load import Load

FIXTURE = fixture("libfixture.so")


def request(path):
    return b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode()


class Client:
    """One keep-alive connection for its whole life: a server that ends it fails the test."""

    def __init__(self, cluster):
        self.socket = cluster.connect()
        self.rest = b""

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        head, body, self.rest = read_response(self.socket, self.rest)
        return head, body

    def ask(self, path):
        self.send(request(path))
        head, body = self.receive()
        if not head.startswith(b"HTTP/1.1 200") or b"connection: close" in head.lower():
            raise AssertionError("%s: %r" % (path, head))
        return body

    def worker(self):
        """(pid, slot) of who answers."""
        pid, slot, _ = map(int, self.ask("/pid").split())
        return pid, slot

    def quiet(self):
        """No byte and no FIN has come."""
        return not select.select([self.socket], [], [], 0)[0]


class Case(unittest.TestCase):
    def cluster(self, *arguments):
        """It ends after its clients: one that is asked to stop while they are there lingers for them."""
        cluster = Cluster(*arguments)
        self.addCleanup(cluster.close)
        return cluster

    def clients(self, cluster, count):
        clients = [Client(cluster) for _ in range(count)]
        for client in clients:
            self.addCleanup(client.socket.close)
            client.worker()
        return clients

    def draining(self, cluster):
        wait_until(lambda: cluster.workers("draining"), "a worker drains")


class Idle(Case):
    def moves(self, cluster, clients, *words):
        """After this verb each client is answered by another process than before if its own has left, on the same
        socket."""
        before = {client: client.worker() for client in clients}
        cluster.ok(*words)
        left = {pid for pid, _ in before.values()} - set(cluster.pids())
        self.assertTrue(all(client.quiet() for client in clients))
        for client in clients:
            pid, _ = client.worker()
            self.assertIn(pid, cluster.pids())
            self.assertEqual(pid != before[client][0], before[client][0] in left)
        return len(left)

    def test_to_the_successor_on_a_roll(self):
        cluster = self.cluster(FIXTURE, "-i", "2")
        clients = self.clients(cluster, 40)
        slots = [client.worker()[1] for client in clients]
        for _ in range(3):
            self.assertEqual(self.moves(cluster, clients, "reload", cluster.name), 2)
        self.assertEqual([client.worker()[1] for client in clients], slots)
        self.assertEqual(cluster.view()["totals"]["handed_over"], 120)
        self.assertEqual(cluster.view()["totals"]["closed"], 0)

    def test_to_those_that_stay_on_scaling_down(self):
        cluster = self.cluster(FIXTURE, "-i", "4")
        clients = self.clients(cluster, 40)
        self.moves(cluster, clients, "scale", cluster.name, "1")
        self.assertEqual(len({client.worker() for client in clients}), 1)

    def test_to_the_others_when_one_slot_restarts(self):
        cluster = self.cluster(FIXTURE, "-i", "3", "--norebalance")
        clients = self.clients(cluster, 30)
        self.assertEqual(self.moves(cluster, clients, "restart", cluster.name, "--worker=1"), 1)
        self.assertNotIn(1, {client.worker()[1] for client in clients})

    def test_to_a_new_build(self):
        app = App(self, "libversion1.so")
        cluster = self.cluster(app.path, "-i", "1", "--name=web")
        (client,) = self.clients(cluster, 1)
        self.assertEqual(client.ask("/version"), b"1\n")
        app.deploy("libversion2.so")
        cluster.ok("reload", "web")
        self.assertEqual(client.ask("/version"), b"2\n")

    def test_many_at_one_time(self):
        cluster = self.cluster(FIXTURE, "-i", "1")
        clients = self.clients(cluster, 150)
        self.moves(cluster, clients, "reload", cluster.name)

    def test_also_to_workers_that_may_have_few_connections(self):
        cluster = self.cluster(FIXTURE, "-i", "1", "--max-connections=8")
        clients = self.clients(cluster, 8)
        self.moves(cluster, clients, "reload", cluster.name)

    def test_also_when_those_that_stay_are_full(self):
        cluster = self.cluster(FIXTURE, "-i", "2", "--max-connections=8")
        clients = self.clients(cluster, 8)
        # Whoever stays may get more than its maximum: better than to keep somebody waiting for ever.
        more = []
        while len({client.worker()[1] for client in clients + more}) < 2 and len(more) < 4:
            more += self.clients(cluster, 1)
        self.moves(cluster, clients + more, "scale", cluster.name, "1")

    def test_clients_that_never_pause_notice_nothing_in_ten_rolls(self):
        with Cluster("hello", "-i", "2") as cluster, Load(cluster, threads=8, fresh=False) as load:
            opened = wait_until(lambda: cluster.view()["totals"]["accepted"] == 8, "all are there")
            self.assertTrue(opened)
            for _ in range(10):
                cluster.ok("reload", cluster.name)
            load.stop()
            self.assertEqual(load.lost, 0, load.failures)
            self.assertEqual(cluster.view()["totals"]["accepted"], 8)  # nobody had to come again


class Busy(Case):
    """One worker, one successor: what is under way is finished by the old one, then the connection follows."""

    def rolls_during(self, client, begin, end):
        """`begin` and `end` are what the client does before and after the old worker is told to leave."""
        with_one = client.worker()
        begin()
        reload = Background(self.one, "reload", self.one.name)
        self.draining(self.one)
        end()
        self.assertEqual(reload.wait()[0], 0)
        self.assertTrue(client.quiet())
        self.assertNotEqual(client.worker()[0], with_one[0])

    def start(self):
        self.one = self.cluster(FIXTURE, "-i", "1")
        return self.clients(self.one, 1)[0]

    def test_request_in_flight(self):
        client = self.start()

        def answered():
            head, body = client.receive()
            self.assertEqual(body, b"late /defer?ms=700\n")
            self.assertNotIn(b"connection: close", head.lower())

        self.rolls_during(client, lambda: client.send(request("/defer?ms=700")), answered)

    def test_pipelined_requests(self):
        client = self.start()

        def answered():
            self.assertEqual([client.receive()[1] for _ in range(3)], [b"late /defer?ms=700\n", b"0\n", b"fixture 0\n"])

        paths = ("/defer?ms=700", "/version", "/")
        self.rolls_during(client, lambda: client.send(b"".join(map(request, paths))), answered)

    def test_head_that_has_come_by_half(self):
        client = self.start()
        whole = request("/version")

        def rest():
            client.send(whole[20:])
            self.assertEqual(client.receive()[1], b"0\n")

        self.rolls_during(client, lambda: client.send(whole[:20]), rest)

    def test_body_that_has_come_by_half(self):
        client = self.start()

        def rest():
            client.send(b"56789")
            self.assertEqual(client.receive()[1], b"0123456789")

        self.rolls_during(
            client, lambda: client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234"), rest)

    def test_answer_that_is_read_slowly(self):
        client = self.start()
        size = 8_000_000  # more than the sockets hold

        def read():
            self.assertEqual(len(client.receive()[1]), size)

        self.rolls_during(client, lambda: client.send(request("/stream?bytes=%d&length" % size)), read)

    def test_head_of_which_the_rest_never_comes_is_told_so(self):
        cluster = self.cluster(FIXTURE, "-i", "1", "--header-timeout=500ms")
        (client,) = self.clients(cluster, 1)
        client.send(request("/")[:20])
        cluster.ok("reload", cluster.name)
        self.assertIn(b" 408 ", client.receive()[0])


class Share(Case):
    def spread(self, clients):
        return collections.Counter(client.worker()[1] for client in clients)

    def test_newcomers_get_theirs(self):
        cluster = self.cluster(FIXTURE, "-i", "1")
        clients = self.clients(cluster, 40)
        cluster.ok("scale", cluster.name, "4")
        wait_until(lambda: self.spread(clients) == {0: 10, 1: 10, 2: 10, 3: 10}, "equal shares")
        self.assertTrue(all(client.quiet() for client in clients))
        self.assertEqual(cluster.view()["totals"]["accepted"], 40)

    def test_busy_connections_follow_when_they_pause(self):
        with Cluster("hello", "-i", "1") as cluster, Load(cluster, threads=8, fresh=False) as load:
            wait_until(lambda: cluster.view()["totals"]["accepted"] == 8, "all are there")
            cluster.ok("scale", cluster.name, "2")
            wait_until(lambda: [worker["connections"] for worker in cluster.workers()] == [4, 4], "equal shares")
            load.stop()
            self.assertEqual(load.lost, 0, load.failures)
            self.assertEqual(cluster.view()["totals"]["accepted"], 8)

    def test_one_that_replaces_a_dead_worker_gets_its_share(self):
        cluster = self.cluster(FIXTURE, "-i", "2")
        clients = self.clients(cluster, 40)
        dead = next(worker for worker in cluster.workers() if worker["slot"] == 1)
        left = [client for client in clients if client.worker()[1] == 0]
        os.kill(dead["pid"], signal.SIGKILL)
        wait_until(lambda: set(self.spread(left).values()) == {len(left) // 2, (len(left) + 1) // 2}, "equal shares")
        self.assertTrue(all(client.quiet() for client in left))

    def test_norebalance_leaves_them_where_they_are(self):
        cluster = self.cluster(FIXTURE, "-i", "1", "--norebalance")
        clients = self.clients(cluster, 40)
        cluster.ok("scale", cluster.name, "4")
        self.assertEqual(self.spread(clients), {0: 40})
        cluster.ok("reload", cluster.name)  # whatever was to happen after the scaling has happened by now
        self.assertEqual(self.spread(clients), {0: 40})


class Short(Case):
    """Few descriptors, and clients that ask for many files and read none of them."""

    def slow_readers(self, cluster, count):
        for _ in range(count):
            slow = socket.socket()
            self.addCleanup(slow.close)
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect((cluster.host, cluster.port))
            slow.sendall(64 * request("/large"))

    def test_idle_connections_are_not_lost(self):
        root = tempfile.TemporaryDirectory(prefix="uc-short-")
        self.addCleanup(root.cleanup)
        for name, size in (("small", 10), ("large", 4_000_000)):
            with open(os.path.join(root.name, name), "wb") as out:
                out.truncate(size)
        cluster = Cluster(
            "static",
            root.name,
            "-i",
            "2",
            "--kill-timeout=6s",
            preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)),
        )
        self.addCleanup(cluster.close)
        clients = [Client(cluster) for _ in range(100)]
        for client in clients:
            self.addCleanup(client.socket.close)
            self.assertEqual(len(client.ask("/small")), 10)
        self.slow_readers(cluster, 30)
        wait_until(lambda: cluster.view()["totals"]["accepted"] == 130, "all are there")
        cluster.ok("scale", cluster.name, "1")
        self.assertEqual([client.quiet() for client in clients].count(False), 0)
        for client in clients:
            self.assertEqual(len(client.ask("/small")), 10)
        self.assertFalse([line for line in cluster.lines if "were lost" in line])


if __name__ == "__main__":
    unittest.main()
