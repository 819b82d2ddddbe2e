"""Programs of a test: written into a folder of its own, run by a cluster, replaced as one deploys."""

import os
import shutil
import tempfile

NODE_HTTP = """
const http = require('http');
const version = %s;
http.createServer((request, response) => {
  response.end(JSON.stringify({pid: process.pid, slot: process.env.NODE_APP_INSTANCE, version}));
}).listen(%s);
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
