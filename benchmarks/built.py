"""Where the binary is that a benchmark runs, and other things that were built."""

import os


def binary():
    if os.environ.get("UC_BINARY"):
        return os.environ["UC_BINARY"]
    return built("tools/uring-cluster")


def built(path):
    # `bazel run` begins in the folder of the runfiles.
    here = os.path.abspath(path)
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return here if os.path.exists(here) else os.path.join(root, ".bazel/bin", path)
