"""What is deployed in tests of deploys."""

import os
import shutil
import tempfile

from cluster import fixture


class App:
    """A shared object that is replaced as one deploys: a new file, by rename."""

    def __init__(self, test, build):
        self.directory = tempfile.mkdtemp(prefix="uc-app-")
        test.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.path = os.path.join(self.directory, "libapp.so")
        self.deploy(build)

    def deploy(self, build):
        shutil.copy(fixture(build), self.path + ".new")
        os.rename(self.path + ".new", self.path)
