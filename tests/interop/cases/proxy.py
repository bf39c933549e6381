"""The framework's own HTTP proxy, where it is installed: it runs on Python 2.7 only."""
import os
import socket
import subprocess
import sys

from tornado import gen
from tornado.iostream import IOStream

from client import case, eventually, text

PROXY = os.path.join(os.path.dirname(sys.executable), "cocaine-tornado-proxy")


def proxy_case(function):
    return case(function) if os.path.exists(PROXY) else function


@proxy_case
def proxy_serves_an_app(node):
    """By path and by headers; what is not there; its health, which asks the locator for the cluster."""
    address = os.path.join(node.daemon.folder, "proxy")
    proxy = _start(node, address)
    try:
        assert (yield eventually(lambda: os.path.exists(address), timeout=10)), "the proxy does not listen"
        for path, headers in [
            ("/py/http/rest?a=1", []),
            ("/rest?a=1", ["X-Cocaine-Service: py", "X-Cocaine-Event: http"]),
        ]:
            reply = yield _ask(address, "POST", path, headers + ["Content-Length: 4"], "body")
            assert reply.startswith("HTTP/1.1 202 ") and "X-Interop: python" in reply, reply
            assert '"body": "body"' in reply and '"query": {"a": "1"}' in reply, reply
            assert "\r\ntail\r\n" in reply, reply
        reply = yield _ask(address, "GET", "/no-such-app/http/")
        assert reply.startswith("HTTP/1.1 503 "), reply
        reply = yield _ask(address, "GET", "/py/fail/")
        assert reply.startswith("HTTP/1.1 500 "), reply
    finally:
        proxy.kill()
        proxy.wait()


def _start(node, address):
    command = [sys.executable, PROXY, "--endpoints=unix://" + address, "--locators=%s:%d" % node.daemon.locator]
    log = os.path.join(node.daemon.folder, "proxy.log")
    with open(log, "wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=output)


@gen.coroutine
def _ask(address, method, path, headers=(), body=""):
    """One HTTP request; gives the reply with its head."""
    stream = IOStream(socket.socket(socket.AF_UNIX))
    yield stream.connect(address)
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: interop", "Connection: close"] + list(headers) + ["", body]
    yield stream.write("\r\n".join(lines).encode("ascii"))
    reply = yield stream.read_until_close()
    raise gen.Return(text(reply))
