#!/usr/bin/env python3
"""Who competes, each set up to do the same: one worker (or as many as asked), keep-alive, the same body, no access log.

    peers.py NAME PORT FOLDER FILES WORKERS [REQUEST_BYTES]
                                                writes the configuration into FOLDER and becomes that server
    peers.py                                    who is installed, and how to get who is not

A server is a plain program here, so that whoever starts it (the load benchmark, the paired benchmark, a person) owns
its process, and the processes below it are its workers.
"""

import os
import pwd
import resource
import shutil
import sys

BODY = "Hello from uring-cluster\n"

NGINX = """daemon off;
worker_processes {workers};
pid {folder}/pid;
error_log {folder}/error.log;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  sendfile on; tcp_nopush on; tcp_nodelay on;
  keepalive_timeout 75s; keepalive_requests 1000000000;
  default_type application/octet-stream;
  open_file_cache max=1000;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{
    listen 127.0.0.1:{port} reuseport backlog=4096;
    root {files};
    location = / {{ default_type text/plain; return 200 "Hello from uring-cluster\\n"; }}
  }}
}}
"""

# A constant answer is a small file to h2o: its mruby handler costs more.
H2O = """num-threads: {workers}
user: {user}
max-connections: 16384
pid-file: {folder}/pid
error-log: {folder}/error.log
http1-request-timeout: 75
listen:
  host: 127.0.0.1
  port: {port}
hosts:
  default:
    paths:
      "/":
        file.dir: {files}
        file.index: [ "hello.txt" ]
"""

HAPROXY = """global
  nbthread {workers}
  maxconn {pairs}
defaults
  mode http
  timeout client 75s
  timeout http-request 10s
  timeout http-keep-alive 75s
  timeout connect 5s
  timeout server 75s
frontend hello
  bind 127.0.0.1:{port} backlog 4096
  http-request return status 200 content-type text/plain string "Hello from uring-cluster\\n"
"""

NODE = """const http = require('http');
const server = http.createServer((request, response) => {{
  response.writeHead(200, {{'Content-Type': 'text/plain', 'Content-Length': 25}});
  response.end('Hello from uring-cluster\\n');
}});
server.keepAliveTimeout = 75000;
server.listen({{port: {port}, host: '127.0.0.1', backlog: 4096}});
"""

CLUSTER = """const cluster = require('cluster');
if (cluster.isPrimary) {{
  for (let i = 0; i < {workers}; ++i) cluster.fork();
}} else {{
  require('{folder}/server.js');
}}
"""


def root():
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def tool(name):
    """A binary of ours: where Bazel built it, or below $UC_BIN."""
    return os.path.join(os.environ.get("UC_BIN") or os.path.join(root(), ".bazel/bin"), name)


def program(name):
    """The path of an installed program, or ""."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") or ""


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


class Peer:
    def __init__(self, name, needs, cure, static=True, hello=True, pipelines=True):
        self.name, self.needs, self.cure = name, needs, cure
        self.static, self.hello, self.pipelines = static, hello, pipelines

    def missing(self):
        """"" or what to do."""
        path = tool(self.needs) if "/" in self.needs else program(self.needs)
        return "" if path and os.path.exists(path) else self.cure

    def order(self, port, folder, files, workers, request_bytes=None):
        """The words that start it; writes its configuration. Floors that know the size of a request count them by it."""
        values = {"port": port, "folder": folder, "files": files, "workers": workers,
                  "user": pwd.getpwuid(os.getuid()).pw_name,
                  # HAProxy reserves two descriptors for each.
                  "pairs": min(16384, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2 - 100)}
        if self.name in ("epoll-floor", "uring-floor"):
            return [tool(self.needs), str(port), *([request_bytes] if request_bytes else [])]
        if self.name.startswith("uring-cluster"):
            app = ["static", files] if self.name.endswith("-static") else ["hello"]
            return [tool(self.needs), "start", *app, "-i", str(workers), "--listen=127.0.0.1:%d" % port,
                    "--run-dir=" + folder, "--name=bench"]
        if self.name == "nginx":
            return [program("nginx"), "-p", folder, "-c", write(folder, "conf", NGINX.format(**values)), "-e", "stderr"]
        if self.name == "h2o":
            return [program("h2o"), "-c", write(folder, "conf", H2O.format(**values))]
        if self.name == "haproxy":
            return [program("haproxy"), "-db", "-f", write(folder, "conf", HAPROXY.format(**values))]
        server = write(folder, "server.js", NODE.format(**values))
        if self.name == "node":
            return [program("node"), server]
        if self.name == "node-cluster":
            return [program("node"), write(folder, "cluster.js", CLUSTER.format(**values))]
        return [program("node"), os.path.join(os.environ["UC_PM2"], "node_modules/pm2/bin/pm2-runtime"), "start", server,
                "-i", str(workers), "--name", "bench"]


APT = "apt-get install -y --no-install-recommends "
BUILD = "bazel build //tools:uring-cluster //tools/load/... //benchmarks/..."
PEERS = {peer.name: peer for peer in (
    Peer("epoll-floor", "benchmarks/floor/epoll_floor", BUILD, static=False),
    Peer("uring-floor", "benchmarks/floor/uring_floor", BUILD, static=False),
    Peer("uring-cluster", "tools/uring-cluster", BUILD, static=False),
    Peer("uring-cluster-static", "tools/uring-cluster", BUILD, hello=False),
    Peer("nginx", "nginx", APT + "nginx-light"),
    Peer("h2o", "h2o", APT + "h2o"),
    Peer("haproxy", "haproxy", APT + "haproxy", static=False),
    Peer("node", "node", APT + "nodejs", static=False),
    Peer("node-cluster", "node", APT + "nodejs", static=False),
)}


def add_pm2(folder):
    """PM2 comes from npm into a folder of ours; its own state lives there, too."""
    os.environ["UC_PM2"] = folder
    os.environ["PM2_HOME"] = os.path.join(folder, "home")
    PEERS["pm2"] = Peer("pm2", "node", APT + "nodejs", static=False)


def main():
    if len(sys.argv) in (6, 7):
        name, port, folder, files, workers = sys.argv[1:6]
        if name == "pm2":
            add_pm2(os.environ["UC_PM2"])
        words = PEERS[name].order(int(port), folder, files, int(workers), *sys.argv[6:])
        os.execv(words[0], words)
    for peer in PEERS.values():
        print("%-22s %s" % (peer.name, peer.missing() or "installed"))


if __name__ == "__main__":
    main()
