"""No allocation for a request: a worker that has served some needs no memory for more of the same."""

import os
import struct
import tempfile
import unittest

from cluster import GET, Cluster, read_response

COUNTER = os.path.join(os.environ["UC_TOOLS"], "libcount_allocations.so")
FEW, MANY = 500, 4000
# What goes on beside requests: the coordinator's and the worker's housekeeping.
BESIDE = 200


class Allocations(unittest.TestCase):
    def setUp(self):
        self.counted = tempfile.NamedTemporaryFile()
        self.counted.write(bytes(8))
        self.counted.flush()
        self.environment = {**os.environ, "LD_PRELOAD": COUNTER, "UC_ALLOCATIONS": self.counted.name}

    def tearDown(self):
        self.counted.close()

    def calls(self):
        with open(self.counted.name, "rb") as counter:
            return struct.unpack("<Q", counter.read(8))[0]

    def grown_by(self, work, times):
        before = self.calls()
        for _ in range(times):
            work()
        return self.calls() - before

    def serve(self):
        cluster = Cluster("hello", "-i", "1", env=self.environment)
        self.assertGreater(self.calls(), 0, "nothing is counted: is the allocator linked statically?")
        return cluster

    def test_requests_of_a_kept_connection(self):
        with self.serve() as cluster, cluster.connect() as connection:
            def ask():
                connection.sendall(GET)
                self.assertIn(b"200", read_response(connection)[0])

            self.grown_by(ask, FEW)
            self.assertLess(self.grown_by(ask, MANY), BESIDE)

    def test_new_connections(self):
        with self.serve() as cluster:
            def ask():
                with cluster.connect() as connection:
                    connection.sendall(GET)
                    self.assertIn(b"200", read_response(connection)[0])

            self.grown_by(ask, FEW)
            self.assertLess(self.grown_by(ask, MANY // 2), BESIDE)


if __name__ == "__main__":
    unittest.main()
