"""A client that never retries and accounts for every attempt, in threads of its own."""

import collections
import socket
import threading
import time

from cluster import GET, read_response

# README, "Limits": where nothing steers, the last packet of a handshake can meet the moment in which its listener is
# shut down. Once in some two hundred listeners under load.
PLANNED_MAX = {"full": 0, "migrate": 1, "plain": 0}


class Load:
    """`threads` clients, each in a loop until stop(). fresh: a new connection per request; else keep-alive,
    where a response with `Connection: close` is followed by a new connection, as RFC 9112 wants it.
    Every attempt ends in exactly one count, whatever happens: a client that died of a surprise would look
    like one that lost nothing (harness_test holds this)."""

    def __init__(self, cluster, threads=4, fresh=True, pause=0.0, request=GET, patience=10.0):
        self.address = (cluster.host, cluster.port)
        self.patience = patience
        self.fresh, self.pause, self.request = fresh, pause, request
        self.counts = collections.Counter()
        self.bodies = collections.Counter()
        self.failures = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(3 * self.patience)
            if thread.is_alive():
                raise AssertionError("a client does not end: its last attempt is not accounted for")

    @property
    def lost(self):
        return sum(self.counts.values()) - self.counts["ok"]

    def count(self, kind, detail=None):
        with self.lock:
            self.counts[kind] += 1
            if kind != "ok":
                self.failures.append((time.time(), kind, repr(detail)[:300]))

    def attempt(self, connection):
        """One request; returns the connection if it may be used again."""
        try:
            if connection is None:
                connection = socket.create_connection(self.address, self.patience)
            connection.sendall(self.request)
            head, body, _ = read_response(connection)
        except ConnectionRefusedError as error:
            self.count("refused", error)
        except (ConnectionResetError, BrokenPipeError) as error:
            self.count("reset", error)
        except EOFError as error:
            self.count("eof", error)
        except (socket.timeout, TimeoutError) as error:
            self.count("timeout", error)
        except (OSError, ValueError) as error:
            self.count("other", error)
        else:
            if not head.startswith(b"HTTP/1.1 200"):
                self.count("bad", head)
            else:
                self.count("ok")
                with self.lock:
                    self.bodies[body] += 1
                if not self.fresh and b"connection: close" not in head.lower():
                    return connection
        if connection is not None:
            connection.close()
        return None

    def run(self):
        connection = None
        while not self.stopping.is_set():
            connection = self.attempt(connection)
            if self.pause:
                self.stopping.wait(self.pause)
        if connection is not None:
            connection.close()
