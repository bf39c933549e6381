"""What the cases say to a node, in the framework's own terms: services, channels, tornado coroutines."""
from __future__ import print_function

import json

from tornado import gen
from tornado.ioloop import IOLoop

from cocaine.exceptions import ServiceConnectionError, ServiceError
from cocaine.services import EmptyResponse, Locator, Service

# How long one reply may take, in seconds.
PATIENCE = 10

# When a case runs.
IN_TURN, BESIDE, LAST = "one after the other", "beside the others, from the beginning", "when all others are done"

# Name, coroutine and time of every case.
CASES = []


def case(function, when=IN_TURN):
    """Marks a generator function, which takes a `Node`, as a case."""
    coroutine = gen.coroutine(function)
    CASES.append((function.__name__, coroutine, when))
    return coroutine


def long_case(function):
    """A case that takes many seconds, and whose app is not touched by others."""
    return case(function, BESIDE)


def last_case(function):
    """A case that ends the daemon."""
    return case(function, LAST)


class Node(object):
    """A daemon seen by clients; every service object has a connection of its own."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.opened = []

    def service(self, name):
        return self._opened(Service(name, endpoints=[self.daemon.locator]))

    def locator(self):
        return self._opened(Locator(endpoints=[self.daemon.locator]))

    def _opened(self, service):
        self.opened.append(service)
        return service

    def disconnect(self):
        while self.opened:
            self.opened.pop().disconnect()

    @gen.coroutine
    def call(self, app, event, *chunks, **headers):
        """Sends the chunks to an event and closes; gives all chunks of the reply."""
        service = self.service(app) if isinstance(app, str) else app
        channel = yield service.enqueue(event, **headers)
        for chunk in chunks:
            yield channel.tx.write(chunk)
        yield channel.tx.close()
        reply = yield replies(channel)
        raise gen.Return(reply)

    @gen.coroutine
    def json(self, app, event, *chunks, **headers):
        """Like `call`, for events that reply with one chunk of JSON."""
        reply = yield self.call(app, event, *chunks, **headers)
        same(len(reply), 1)
        raise gen.Return(json.loads(text(reply[0])))

    @gen.coroutine
    def ask(self, name, method, *args):
        """Calls a method that has one reply."""
        service = self.service(name) if isinstance(name, str) else name
        channel = yield getattr(service, method)(*args)
        reply = yield channel.rx.get(timeout=PATIENCE)
        raise gen.Return(reply)


@gen.coroutine
def replies(channel):
    """All chunks until the worker closes its half."""
    chunks = []
    while True:
        chunk = yield channel.rx.get(timeout=PATIENCE)
        if isinstance(chunk, EmptyResponse):
            raise gen.Return(chunks)
        chunks.append(chunk)


@gen.coroutine
def refused(future, *codes):
    """The call must fail with one of these `(category, code)`; gives the text."""
    try:
        reply = yield future
    except ServiceError as error:
        if (error.category, error.code) not in codes:
            raise AssertionError("error %d,%d %r; want %r" % (error.category, error.code, error.reason, codes))
        raise gen.Return(text(error.reason))
    raise AssertionError("answered with %.200r; want one of the errors %r" % (reply, codes))


@gen.coroutine
def lost(future):
    """The call must fail, in whatever way; gives the error."""
    try:
        reply = yield future
    except (ServiceError, ServiceConnectionError) as error:
        raise gen.Return(error)
    raise AssertionError("answered with %.200r; want an error" % (reply,))


@gen.coroutine
def eventually(check, timeout=5):
    """Waits until the check gives something true; gives that."""
    deadline = IOLoop.current().time() + timeout
    while True:
        value = check()
        if value or IOLoop.current().time() > deadline:
            raise gen.Return(value)
        yield gen.sleep(0.02)


def same(seen, wanted):
    if seen != wanted:
        raise AssertionError("%.300r is not %.300r" % (seen, wanted))


def text(value):
    return value.decode("utf-8") if isinstance(value, bytes) else value


def texts(value):
    """The value with all bytes in it, names of maps included, as text."""
    if isinstance(value, dict):
        return dict((texts(name), texts(inner)) for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return [texts(inner) for inner in value]
    return text(value)
