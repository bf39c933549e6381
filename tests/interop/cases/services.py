"""The services of the node: locator, storage, logging, node; from clients and from inside a worker."""
import hashlib
import io
import json
import os
import sys
import tarfile

import msgpack
from tornado import gen

from client import case, eventually, lost, refused, replies, same, text, texts
from daemon import APP

NOT_AVAILABLE = (10, 1)


@case
def locator_resolves_services_and_apps(node):
    locator = node.locator()
    for name, method in [("storage", "read"), ("logging", "emit"), ("node", "start_app"), ("py", "enqueue")]:
        endpoints, version, graph = yield node.ask(locator, "resolve", name)
        host, port = endpoints[0]
        assert text(host) == "127.0.0.1" and port > 0 and version >= 1, (endpoints, version)
        same(text(graph[0][0]), method)


@case
def locator_does_not_resolve_what_is_not_there(node):
    reason = yield refused(node.ask(node.locator(), "resolve", "no-such-service"), NOT_AVAILABLE)
    same(reason, "service is not available")
    yield refused(node.call("no-such-service", "ping", b"x"), NOT_AVAILABLE)


@case
def locator_cluster_and_uuid(node):
    locator = node.locator()
    cluster = texts((yield node.ask(locator, "cluster")))
    assert isinstance(cluster, dict), cluster
    for uuid, (host, port) in cluster.items():
        assert len(uuid) == 36 and host and port > 0, cluster
    uuid = text((yield node.ask(locator, "uuid")))
    same(len(uuid), 36)
    same(text((yield node.ask(locator, "uuid"))), uuid)


@case
def locator_routing_gives_a_map_at_once(node):
    same((yield node.ask(node.locator(), "routing", "interop-router")), {})


@case
def locator_connect_streams_or_ends(node):
    """A node without a cluster may close at once; with one it writes its services first."""
    # By its name, `connect`, the framework's object opens its socket.
    channel = yield node.locator()._invoke(b"connect", "interop-uuid")
    yield channel.rx.get(timeout=10)


@case
def storage_write_read_find_remove(node):
    storage = node.service("storage")
    yield node.ask(storage, "write", "interop", "key", b"value", ["tag-a", "tag-b"])
    yield node.ask(storage, "write", "interop", "other", b"else", ["tag-b"])
    same((yield node.ask(storage, "read", "interop", "key")), b"value")
    same(texts((yield node.ask(storage, "find", "interop", ["tag-b"]))), ["key", "other"])
    same(texts((yield node.ask(storage, "find", "interop", ["tag-a", "tag-b"]))), ["key"])
    yield node.ask(storage, "write", "interop", "key", b"changed", ["tag-a"])
    same((yield node.ask(storage, "read", "interop", "key")), b"changed")
    for key in ("key", "other"):
        yield node.ask(storage, "remove", "interop", key)
    same((yield node.ask(storage, "find", "interop", ["tag-b"])), [])
    yield refused(node.ask(storage, "read", "interop", "key"), (1, 2), (12, 2))


@case
def storage_without_tags_and_without_content(node):
    storage = node.service("storage")
    yield node.ask(storage, "write", "interop", "empty", b"")
    same((yield node.ask(storage, "read", "interop", "empty")), b"")
    yield node.ask(storage, "remove", "interop", "empty")


@case
def storage_keeps_big_values(node):
    storage, value = node.service("storage"), os.urandom(1 << 20) * 16
    yield node.ask(storage, "write", "interop", "big", value, ["sized"])
    same(hashlib.sha256((yield node.ask(storage, "read", "interop", "big"))).digest(), hashlib.sha256(value).digest())
    yield node.ask(storage, "remove", "interop", "big")


@case
def storage_command_of_a_client_that_leaves_at_once(node):
    """Command-line tools do not wait for the reply: what was written must be carried out."""
    storage = node.service("storage")
    yield storage.write("interop", "hasty", b"kept", ["in-haste"])
    storage.disconnect()
    found = []
    for _ in range(100):
        found = texts((yield node.ask("storage", "find", "interop", ["in-haste"])))
        if found:
            break
        yield gen.sleep(0.02)
    same(found, ["hasty"])


@case
def storage_inside_a_worker(node):
    reply = yield node.call("py", "store", b"kept by a worker")
    same(json.loads(text(reply[0])), {"found": ["from-worker"], "left": 0})
    same(reply[1:], [b"kept by a worker"])


@case
def logging_from_a_client(node):
    logging = node.service("logging")
    yield logging.emit(1, "app/interop", "three arguments of a client")
    attributes = [["s", "text"], ["i", 7], ["f", 1.5], ["t", True], ["neg", -3]]
    yield logging.emit(3, "app/interop", "attributes of a client", attributes)
    same((yield node.ask(logging, "verbosity")), 0)
    yield logged(node, "three arguments of a client")
    line = yield logged(node, "attributes of a client")
    for word in ("app/interop", "text", "1.5", "-3"):
        assert word in line, line


@case
def logging_verbosity_is_obeyed(node):
    logging = node.service("logging")
    yield node.ask(logging, "set_verbosity", 2)
    same((yield node.ask(logging, "verbosity")), 2)
    yield logging.emit(1, "app/interop", "too quiet to be seen")
    yield logging.emit(2, "app/interop", "loud enough to be seen")
    yield node.ask(logging, "set_verbosity", 0)
    yield logged(node, "loud enough to be seen")
    same(node.daemon.logged("too quiet to be seen"), [])


@case
def logging_inside_a_worker(node):
    same((yield node.json("py", "log", b"words of a worker")), {"verbosity": 0})
    line = yield logged(node, "words of a worker by service")
    assert "interop" in line and "-3" in line, line
    if sys.version_info[0] == 2:
        yield logged(node, "words of a worker by logger")


@gen.coroutine
def logged(node, words):
    """The line of the log that has these words, which may take a moment."""
    lines = yield eventually(lambda: node.daemon.logged(words))
    assert lines, "not in the log: " + words
    raise gen.Return(lines[0])


@case
def node_list_and_info(node):
    service = node.service("node")
    apps = texts((yield node.ask(service, "list")))
    assert "py" in apps and "bounce" in apps and "storage" not in apps, apps
    yield node.call("py", "ping", b"x")
    brief = texts((yield node.ask(service, "info", "py", 0)))
    same(brief["state"], "running")
    full = texts((yield node.ask(service, "info", "py", 7)))
    json.dumps(full)
    same((full["state"], full["pool"]["active"] + full["pool"]["idle"] > 0), ("running", True))
    assert full["requests"]["accepted"] > 0 and full["queue"]["capacity"] > 0, full
    assert full["manifest"]["slave"] == "worker.py" and full["profile"]["data"]["pool-limit"] == 1, full
    same(texts((yield node.ask("py", "info")))["state"], "running")


@case
def node_info_of_an_unknown_app(node):
    yield refused(node.ask("node", "info", "no-such-app", 1), (12, 22))


@case
def node_refuses_to_start_what_runs(node):
    yield refused(node.ask("node", "start_app", "py", "py"), (20991, 5))
    same((yield node.call("py", "ping", b"still")), [b"still"])


@case
def node_refuses_to_start_and_to_pause_the_unknown(node):
    service = node.service("node")
    error = yield lost(node.ask(service, "start_app", "no-such-app", "no-such-profile"))
    reason = text(error.reason)
    assert "no-such-app" in reason or "no-such-profile" in reason, reason
    yield refused(node.ask(service, "pause_app", "never-seen"), (20991, 6))


@case
def node_enqueue_reaches_an_app(node):
    channel = yield node.service("node").enqueue("py", "ping")
    yield channel.tx.write(b"through the node")
    yield channel.tx.close()
    same((yield replies(channel)), [b"through the node"])


@case
def app_uploaded_through_storage_runs(node):
    """Manifest, archive and profile as the command-line tool stores them."""
    storage, service = node.service("storage"), node.service("node")
    yield node.ask(storage, "write", "manifests", "uploaded", msgpack.packb({"slave": "worker.py"}), ["app"])
    yield node.ask(storage, "write", "apps", "uploaded", msgpack.packb(archive()), ["app"])
    yield node.ask(storage, "write", "profiles", "uploads", msgpack.packb({"pool-limit": 2}), ["profile"])
    yield node.ask(service, "start_app", "uploaded", "uploads")
    same((yield node.call("uploaded", "ping", b"fresh")), [b"fresh"])
    about = yield node.json("uploaded", "about")
    assert os.path.realpath(about["cwd"]) != os.path.realpath(APP), about
    yield node.ask(service, "pause_app", "uploaded")
    assert "uploaded" not in texts((yield node.ask(service, "list")))


def archive():
    """The app's folder as a compressed archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in ("worker.py", "manifest.json"):
            tar.add(os.path.join(APP, name), arcname=name)
    return packed.getvalue()
