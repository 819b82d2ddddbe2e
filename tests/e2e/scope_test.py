"""Link-local IPv6 addresses: they have an interface, in --listen and in what a program binds."""

import os
import shutil
import subprocess
import tempfile
import unittest

import network
from cluster import Cluster

PYTHON = """
import os, socket, sys
server = socket.socket(socket.AF_INET6)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("fe80::1", int(sys.argv[1]), 0, socket.if_nametoindex("lo")))
server.listen()
name = server.getsockname()
while True:
    client, _ = server.accept()
    client.recv(65536)
    body = "%d %s %d" % (os.getpid(), name[0], name[3])
    client.sendall(("HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body)).encode())
    client.close()
"""


def setUpModule():
    """A network namespace of this process's own, whose loopback has a link-local address."""
    try:
        network.leave_network()
    except OSError as error:
        raise unittest.SkipTest("no network namespace for us: %s" % error)
    subprocess.run(["ip", "address", "add", "fe80::1/64", "dev", "lo", "nodad"], check=True)


class Listen(unittest.TestCase):
    def get(self, port):
        command = ["curl", "-s", "-g", "--max-time", "20", "http://[fe80::1%%25lo]:%d/" % port]
        return subprocess.run(command, capture_output=True, text=True).stdout

    def test_by_the_name_of_the_interface_and_by_its_number(self):
        for scope in ("lo", "1"):
            with Cluster("hello", "-i", "2", listen="[fe80::1%%%s]:24210" % scope) as cluster:
                self.assertEqual(cluster.addresses, ["[fe80::1%lo]:24210"])
                self.assertEqual(self.get(24210), "Hello from uring-cluster\n")
                cluster.ok("reload", cluster.name)
                cluster.ok("scale", cluster.name, "3")
                self.assertEqual(self.get(24210), "Hello from uring-cluster\n")

    def test_the_next_coordinator_knows_the_address_again(self):
        with Cluster("hello", "-i", "1", listen="[fe80::1%lo]:24211") as cluster:
            cluster.process.kill()
            cluster.process.wait()
            with Cluster("hello", listen="[fe80::1%1]:24211", base=cluster.base) as heir:
                self.assertEqual(self.get(24211), "Hello from uring-cluster\n")
                heir.ok("reload", heir.name)

    def test_what_a_program_binds(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "app.py")
        with open(path, "w") as file:
            file.write(PYTHON)
        with Cluster(path, "-i", "2", "--interpreter=/usr/bin/python3", "--", "24212", listen=None) as cluster:
            self.assertEqual(cluster.addresses, ["[fe80::1%lo]:24212"])
            self.assertEqual(self.get(24212).split()[1:], ["fe80::1", "1"])
            self.assertEqual(len({self.get(24212).split()[0] for _ in range(60)}), 2)
            cluster.ok("reload", cluster.name)
            self.assertEqual(self.get(24212).split()[1:], ["fe80::1", "1"])

    def test_what_cannot_be_is_one_line(self):
        for listen, said in (
            ("[fe80::1]:24213", "a link-local address needs its interface"),
            ("[fe80::1%nowhere]:24213", "behind '%' there is no interface"),
            ("[fe80::2%lo]:24213", "no interface of this machine has that address"),
            ("[::ffff:127.0.0.1]:24213", "an IPv4 address in the form of IPv6"),
        ):
            with Cluster("hello", listen=listen, wait=False) as cluster:
                self.assertEqual(cluster.wait_exit(), 2)
                self.assertEqual(len(cluster.lines), 1, cluster.lines)
                self.assertIn(said, cluster.lines[0])
                self.assertNotIn("Invalid argument", cluster.lines[0])


if __name__ == "__main__":
    unittest.main()
