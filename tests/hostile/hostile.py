"""Users of a test: ids that no account has, so that limits per user (RLIMIT_MEMLOCK) are shared with no other test."""

import os
import subprocess
import unittest

ATTACKER = 64001
VICTIM = 64002


def as_user(uid):
    """For `preexec_fn`: this user, its group of the same number and no other."""

    def become():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)

    return become


def run_as(uid, command, **options):
    """The finished process of `command` as that user, its output as text."""
    return subprocess.run(command, preexec_fn=as_user(uid), capture_output=True, text=True, timeout=60, **options)


class HostileCase(unittest.TestCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("only root can be two users")
