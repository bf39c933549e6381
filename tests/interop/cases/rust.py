"""The published Rust client, where `.ci/real-frameworks` has built it."""
from __future__ import print_function

import os

from client import case
from commands import finished

CLIENT = os.environ.get("COCAINE_INTEROP_RUST_CLIENT")


def rust_case(function):
    return case(function) if CLIENT else function


@rust_case
def rust_client(node):
    """Its own cases, against the same node and the Python worker."""
    out = yield finished([CLIENT, "%s:%d" % node.daemon.locator], timeout=25)
    assert out.count("ok   ") >= 9, out
