"""Where the binary is that a benchmark runs."""

import os


def binary():
    if os.environ.get("UC_BINARY"):
        return os.environ["UC_BINARY"]
    # `bazel run` begins in the folder of the runfiles.
    here = os.path.abspath("tools/uring-cluster")
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return here if os.path.exists(here) else os.path.join(root, ".bazel/bin/tools/uring-cluster")
