#!/usr/bin/env python
"""Starts a daemon, and runs every case against it with the unmodified Python framework.

    suite.py DAEMON [--title TEXT] [--only WORD]... [--keep]

Needs an interpreter that has the framework (`.ci/real-frameworks` makes one); Python 2.7 and 3 both do.
Prints one line a case and `TITLE: N passed, N failed` at the end. Exit code 0 if all passed, 1 if not.
"""
from __future__ import print_function

import argparse
import logging
import os
import platform
import sys
import time
import traceback
from datetime import timedelta

from tornado import gen
from tornado.ioloop import IOLoop

import cases  # noqa: F401
from client import BESIDE, CASES, IN_TURN, LAST, Node
from daemon import Daemon

# How long one case may take, in seconds.
LIMIT = {IN_TURN: 30, BESIDE: 45, LAST: 30}


@gen.coroutine
def run(name, coroutine, when, daemon):
    """One case with connections of its own; gives whether it passed."""
    node, started, failure = Node(daemon), time.time(), None
    try:
        yield gen.with_timeout(timedelta(seconds=LIMIT[when]), coroutine(node))
    except gen.TimeoutError:
        failure = "no end within %d s, or no reply in time\n" % LIMIT[when] + own_frames()
    except Exception:
        failure = own_frames()
    node.disconnect()
    print("%-4s %6.2f s  %s" % ("FAIL" if failure else "ok", time.time() - started, name))
    if failure:
        print(indented(failure))
    sys.stdout.flush()
    raise gen.Return(not failure)


@gen.coroutine
def run_all(chosen, daemon):
    """All cases at their times; gives what became of each."""
    results = []
    beside = [run(*one, daemon=daemon) for one in chosen if one[2] is BESIDE]
    for one in [one for one in chosen if one[2] is IN_TURN]:
        results.append((yield run(*one, daemon=daemon)))
    results += yield beside
    print("     resident memory of the daemon: %.1f MiB" % daemon.memory())
    for one in [one for one in chosen if one[2] is LAST]:
        results.append((yield run(*one, daemon=daemon)))
    raise gen.Return(results)


def own_frames():
    """The exception at hand, with the frames of the suite only."""
    kind, error, frames = sys.exc_info()
    here = os.path.dirname(os.path.abspath(__file__))
    own = [frame for frame in traceback.extract_tb(frames) if os.path.abspath(frame[0]).startswith(here)]
    return "".join(traceback.format_list(own) + traceback.format_exception_only(kind, error))


def indented(text):
    return "\n".join("     | " + line for line in text.rstrip().splitlines())


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("daemon", help="the daemon's binary")
    parser.add_argument("--title", default="Python " + platform.python_version(), help="begins the last line")
    parser.add_argument("--only", action="append", default=[], help="only cases whose name has this word")
    parser.add_argument("--keep", action="store_true", help="keep the daemon's folders")
    return parser.parse_args()


def main():
    options = arguments()
    # A failing handler on the other side is what some cases are about.
    logging.getLogger("tornado").setLevel(logging.CRITICAL)
    chosen = [one for one in CASES if not options.only or any(word in one[0] for word in options.only)]
    started, daemon = time.time(), None
    print("Python %s against %s, %d cases" % (platform.python_version(), options.daemon, len(chosen)))
    daemon = Daemon(options.daemon)
    try:
        results = IOLoop.current().run_sync(lambda: run_all(chosen, daemon))
        if not all(results) or not results:
            print(daemon.last_words())
    finally:
        daemon.close(keep=options.keep)
    failed = results.count(False)
    passed, seconds = len(results) - failed, time.time() - started
    print("%s: %d passed, %d failed, in %.1f s" % (options.title, passed, failed, seconds))
    return 0 if results and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
