"""The framework's own command-line tool, where it is installed: it runs on Python 2.7 only."""
import json
import os
import sys

from tornado import gen

from client import case, refused, same
from commands import finished
from daemon import APP

TOOL = os.path.join(os.path.dirname(sys.executable), "cocaine-tool")


def tool_case(function):
    return case(function) if os.path.exists(TOOL) else function


@tool_case
def tool_uploads_and_runs_an_app(node):
    yield _run(node, "app", "upload", APP, "--name", "by-tool")
    yield _run(node, "profile", "upload", "-n", "by-tool-profile", "--profile", '{"pool-limit": 1}')
    assert "by-tool" in (yield _json(node, "app", "list"))
    yield _run(node, "app", "start", "-n", "by-tool", "-r", "by-tool-profile")
    same((yield node.call("by-tool", "ping", b"uploaded")), [b"uploaded"])
    info = yield _json(node, "info", "-n", "by-tool", "-m", "-p")
    app = info["apps"]["by-tool"]
    same((app["state"], app["profile"]["name"]), ("running", "by-tool-profile"))
    before = yield node.json("by-tool", "about")
    yield _run(node, "app", "restart", "-n", "by-tool")
    assert (yield node.json("by-tool", "about"))["pid"] != before["pid"]
    yield _run(node, "app", "stop", "-n", "by-tool")
    yield refused(node.call("by-tool", "ping", b"gone"), (10, 1))
    yield _run(node, "app", "remove", "-n", "by-tool")
    yield _run(node, "profile", "remove", "-n", "by-tool-profile")
    assert "by-tool" not in (yield _json(node, "app", "list"))


@tool_case
def tool_shows_every_app(node):
    info = yield _json(node, "info")
    assert info["apps"]["py"]["state"] == "running" and info["count"] == len(info["apps"]), info


@tool_case
def tool_locates_services(node):
    seen = yield _json(node, "locate", "-n", "storage")
    same(seen["api"], {"0": "read", "1": "write", "2": "remove", "3": "find"})
    yield _run(node, "cluster")


@tool_case
def tool_keeps_runlists(node):
    """`create` does not wait for its reply."""
    yield _run(node, "runlist", "create", "-n", "by-tool")
    yield gen.sleep(0.3)
    yield _run(node, "runlist", "add-app", "-n", "by-tool", "--app", "py", "--profile", "py")
    same((yield _json(node, "runlist", "view", "-n", "by-tool")), {"py": "py"})
    yield _run(node, "runlist", "remove", "-n", "by-tool")
    yield gen.sleep(0.3)
    same((yield _json(node, "runlist", "list")), [])


@tool_case
def tool_keeps_and_refreshes_groups(node):
    yield _run(node, "group", "create", "-n", "by-tool", "--content", '{"py": 1}')
    same((yield _json(node, "group", "view", "-n", "by-tool")), {"py": 1})
    yield _run(node, "group", "refresh", "-n", "by-tool")
    yield _run(node, "group", "remove", "-n", "by-tool")
    same((yield _json(node, "group", "list")), [])


@tool_case
def tool_shows_the_log_of_a_crash(node):
    """Of the crash that an earlier case made."""
    listed = yield _run(node, "crashlog", "list", "-n", "crash")
    assert listed.strip(), "no crash log of the app"
    assert "about to crash" in (yield _run(node, "crashlog", "view", "-n", "crash"))


def _run(node, *words):
    """Runs the tool; gives what it wrote."""
    host, port = node.daemon.locator
    return finished([sys.executable, TOOL] + list(words) + ["--host", host, "--port", str(port)])


@gen.coroutine
def _json(node, *words):
    out = yield _run(node, *words)
    raise gen.Return(json.loads(out))
