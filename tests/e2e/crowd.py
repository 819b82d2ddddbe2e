"""Many long-lived connections, and how evenly a cluster's workers have them."""

import socket

from cluster import GET, read_response, wait_until


class Crowd:
    """Keep-alive connections that have each had one answer and are idle now."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.connections = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leave()

    def come(self, count):
        """All connect before the first one speaks."""
        new = [socket.create_connection(self.target, 20) for _ in range(count)]
        self.connections += new
        self.ask(new)

    def ask(self, connections=None):
        """One request on each; raises when one is not answered."""
        asked = self.connections if connections is None else connections
        for connection in asked:
            connection.sendall(GET)
        for connection in asked:
            read_response(connection)

    def leave(self):
        for connection in self.connections:
            connection.close()
        self.connections = []


def connections(cluster):
    """How many each serving worker has."""
    return sorted(worker["connections"] for worker in cluster.workers())


def await_connections(cluster, count):
    """The workers' counts once they add up: a client knows of its connection's end before its worker does."""

    def counts():
        now = connections(cluster)
        return now if sum(now) == count else None

    return wait_until(counts, "%d connections" % count)


def unevenness(counts):
    """max/mean: 1 is exactly even."""
    return max(counts) * len(counts) / sum(counts)
