#!/usr/bin/env python
"""A worker on the Python framework, for the interop suite. Runs on Python 2.7 and 3.

The first `python` of the search path runs it: activate an environment that has the framework.
Each handler is one event; what the suite expects of it is said where the suite calls it.
"""
from __future__ import print_function

import binascii
import hashlib
import json
import os
import signal
import sys

from tornado import gen

from cocaine.decorators import http
from cocaine.exceptions import ChokeEvent
from cocaine.logger import Logger
from cocaine.services import EmptyResponse, Service
from cocaine.worker import Worker
from cocaine.worker.request import RequestError

worker = Worker()
interrupted = []


def text(value):
    return value.decode("utf-8") if isinstance(value, bytes) else value


def as_json(value):
    return json.dumps(value, sort_keys=True).encode("utf-8")


@gen.coroutine
def each_chunk(request, use):
    """Calls `use` with every chunk until the client closes its half."""
    while True:
        try:
            chunk = yield request.read()
        except ChokeEvent:
            return
        use(chunk)


# Chunks and streams. Handlers are plain generators: the framework itself makes coroutines of them.

def ping(request, response):
    chunk = yield request.read()
    response.write(chunk)


def echo_all(request, response):
    try:
        yield each_chunk(request, response.write)
    except RequestError as error:
        interrupted.append([error.category, error.code])
        raise


def interruptions(_, response):
    response.write(as_json(interrupted))


def digest(request, response):
    """Takes the whole stream, then says how much it was."""
    seen, sizes = hashlib.sha256(), []

    def use(chunk):
        seen.update(chunk)
        sizes.append(len(chunk))

    yield each_chunk(request, use)
    response.write(as_json({"chunks": len(sizes), "bytes": sum(sizes), "sha256": seen.hexdigest()}))


def burst(request, response):
    """So many numbered chunks of such a size, `{"chunks": n, "bytes": n}`."""
    asked = json.loads(text((yield request.read())))
    for number in range(asked["chunks"]):
        mark = str(number).encode("ascii") + b" "
        response.write(mark + b"." * (asked["bytes"] - len(mark)))


def unread(_, response):
    """Answers and closes without having read anything."""
    response.write(b"early")


def slow(request, response):
    """Answers `{"seconds": s}` after so many seconds with its process id."""
    asked = json.loads(text((yield request.read())))
    yield gen.sleep(asked["seconds"])
    response.write(as_json({"pid": os.getpid()}))


# Errors.

def fail(_, response):
    response.error(77, "boom")


def fail_midway(_, response):
    response.write(b"one")
    response.write(b"two")
    response.error(78, "enough")


def throw(_, __):
    raise ValueError("thrown")


# What the worker was given.

def about(_, response):
    options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
    here = {"pid": os.getpid(), "cwd": os.getcwd(), "options": options, "leader": os.getpgrp() == os.getpid()}
    response.write(as_json(here))


def headers(request, response):
    seen = dict((text(name), text(binascii.hexlify(value))) for name, value in request.headers.items())
    response.write(as_json(seen))


@http
def over_http(request, response):
    """Echoes what the HTTP decorator made of the request."""
    request = yield request.read()
    seen = {
        "method": request.meta["method"],
        "version": request.meta["version"],
        "host": request.meta["host"],
        "query": request.request,
        "body": text(request.body),
    }
    response.write_head(202, [("X-Interop", "python"), ("Content-Type", "application/json")])
    response.write(as_json(seen))
    response.write(b"")
    response.write(b"tail")
    response.close()


# The worker as a client of its node.

def store(request, response):
    """Writes the chunk under a key, finds, reads and removes it; replies with what it read."""
    chunk = yield request.read()
    storage = Service("storage")
    yield (yield storage.write("interop", "from-worker", chunk, ["interop", "worker"])).rx.get(timeout=5)
    found = yield (yield storage.find("interop", ["worker"])).rx.get(timeout=5)
    kept = yield (yield storage.read("interop", "from-worker")).rx.get(timeout=5)
    yield (yield storage.remove("interop", "from-worker")).rx.get(timeout=5)
    left = yield (yield storage.find("interop", ["worker"])).rx.get(timeout=5)
    response.write(as_json({"found": [text(key) for key in found], "left": len(left)}))
    response.write(kept)


def log(request, response):
    """Emits the chunk as a message; on Python 2 with the framework's own logger too."""
    message = text((yield request.read()))
    logging = Service("logging")
    yield logging.emit(1, "app/interop", message + " by service", [["source", "interop"], ["negative", -3]])
    if sys.version_info[0] == 2:
        # On Python 3 this class writes bytes into a buffer of text, and nothing is ever sent.
        Logger().error(message + " by logger", extra={"source": "interop"})
        yield gen.sleep(0.2)
    level = yield (yield logging.verbosity()).rx.get(timeout=5)
    response.write(as_json({"verbosity": level}))


def relay(request, response):
    """Passes the stream on to event `echo_all` of another app, and its replies back."""
    name = text((yield request.read()))
    # A service object closes its connection when nobody holds it any more.
    service = Service(name)
    channel = yield service.enqueue("echo_all")
    chunks = []
    yield each_chunk(request, chunks.append)
    for chunk in chunks:
        yield channel.tx.write(chunk)
    yield channel.tx.close()
    while True:
        reply = yield channel.rx.get(timeout=5)
        if isinstance(reply, EmptyResponse):
            return
        response.write(reply)


# Ends of a worker.

def retire(request, response):
    """Replies, then terminates the worker by itself: nobody's request is lost."""
    response.write(as_json({"pid": os.getpid()}))
    response.close()
    worker.terminate(1, "retired")


def retire_midway(_, response):
    """Terminates the worker by itself while this very request is open."""
    response.write(b"started")
    worker.terminate(1, "retired midway")
    yield gen.sleep(3600)


def crash(_, response):
    print("about to crash", file=sys.stderr)
    sys.stderr.flush()
    os._exit(7)


def killed(_, response):
    os.kill(os.getpid(), signal.SIGKILL)


def shout(request, response):
    """Floods both outputs with so many lines, then replies."""
    lines = int(text((yield request.read())))
    for stream in (sys.stdout, sys.stderr):
        for number in range(lines):
            print("line %d of %d" % (number, lines), "." * 100, file=stream)
        stream.flush()
    response.write(b"shouted")


HANDLERS = [
    ping, echo_all, interruptions, digest, burst, unread, slow, fail, fail_midway, throw, about, headers,
    store, log, relay, retire, retire_midway, crash, killed, shout,
]

if __name__ == "__main__":
    binds = dict((handler.__name__, handler) for handler in HANDLERS)
    binds["http"] = over_http
    worker.run(binds)
