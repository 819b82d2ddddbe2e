"""Two children of multiprocessing's method `spawn` accept at one listener."""

import http.server
import multiprocessing
import socket

from threading_http import Hello


def serve(listener):
    server = http.server.ThreadingHTTPServer(("", 0), Hello, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_address, server.server_name, server.server_port = listener.getsockname(), "a", 8000
    server.serve_forever()


if __name__ == "__main__":
    listener = socket.create_server(("", 8000), reuse_port=False)
    spawn = multiprocessing.get_context("spawn")
    children = [spawn.Process(target=serve, args=(listener,), daemon=True) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
