"""Programs of a test: written into a folder of its own, run by a cluster, replaced as one deploys."""

import os
import shutil
import tempfile

from cluster import Cluster

NODE_HTTP = """
const http = require('http');
const version = %s;
http.createServer((request, response) => {
  response.end(JSON.stringify({pid: process.pid, slot: process.env.NODE_APP_INSTANCE, version}));
}).listen(%s);
"""


NODE_TELLS = """
const http = require('http');
const server = http.createServer((request, response) => {
  const told = {headers: request.headers, local: request.socket.localPort, family: request.socket.remoteFamily,
                remote: request.socket.remoteAddress, address: server.address(), pid: process.pid};
  const wait = Number(new URL(request.url, 'http://a').searchParams.get('wait') || 0);
  setTimeout(() => response.end(JSON.stringify(told)), wait);
});
server.on('upgrade', (request, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: echo\\r\\nConnection: Upgrade\\r\\n\\r\\n');
  socket.pipe(socket);
});
server.listen(%s);
"""

PYTHON_TELLS = """
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        body = ('%%s %%d' %% (self.client_address[0], os.getpid())).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(('', %s), Answer)
server.serve_forever()
"""


class Program:
    def __init__(self, test, name, text):
        self.directory = tempfile.mkdtemp(prefix="uc-program-")
        os.chmod(self.directory, 0o755)
        test.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.path = os.path.join(self.directory, name)
        self.deploy(text)

    def deploy(self, text):
        with open(self.path + ".new", "w") as out:
            out.write(text)
        os.chmod(self.path + ".new", 0o755)
        os.rename(self.path + ".new", self.path)


def program_pids(cluster):
    return sorted(worker["program_pid"] for worker in cluster.workers())


def front(program, *words, **options):
    """A cluster of it, behind workers."""
    return Cluster(program.path, *words, **{"listen": "127.0.0.1:0", **options})
