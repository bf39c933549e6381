"""Requests and their streams: chunks both ways, errors, headers, HTTP."""
import hashlib
import json
import struct

import msgpack
from tornado import gen

from cocaine.detail.trace import Trace

from client import case, eventually, refused, replies, same, text

BIG = 16 * 1024 * 1024


@case
def ping(node):
    same((yield node.call("py", "ping", b"hello")), [b"hello"])


@case
def ping_with_an_empty_chunk(node):
    same((yield node.call("py", "ping", b"")), [b""])


@case
def any_bytes_pass_unchanged(node):
    every = bytes(bytearray(range(256))) + b"\xc4\xd9\x80"
    same((yield node.call("py", "ping", every)), [every])


@case
def sizes_around_every_head_of_a_string(node):
    sizes = [1, 31, 32, 33, 255, 256, 257, 65535, 65536, 65537]
    sent = [b"s" * size for size in sizes]
    same((yield node.call("py", "echo_all", *sent)), sent)


@case
def many_requests_on_one_connection(node):
    service = node.service("py")
    sent = [str(number).encode("ascii") for number in range(200)]
    same((yield [node.call(service, "ping", chunk) for chunk in sent]), [[chunk] for chunk in sent])


@case
def close_without_chunks(node):
    same((yield node.call("py", "echo_all")), [])


@case
def stream_both_ways_chunk_by_chunk(node):
    channel = yield node.service("py").enqueue("echo_all")
    for number in range(50):
        chunk = b"chunk %d" % number if bytes is not str else "chunk %d" % number
        yield channel.tx.write(chunk)
        same((yield channel.rx.get(timeout=10)), chunk)
    yield channel.tx.close()
    same((yield replies(channel)), [])


@case
def stream_with_empty_chunks_inside(node):
    sent = [b"", b"a", b"", b"", b"b", b""]
    same((yield node.call("py", "echo_all", *sent)), sent)


@case
def long_stream_out_of_the_worker(node):
    reply = yield node.call("py", "burst", json.dumps({"chunks": 5000, "bytes": 200}).encode("ascii"))
    same([int(chunk.split()[0]) for chunk in reply], list(range(5000)))
    same(set(len(chunk) for chunk in reply), {200})


@case
def long_stream_into_the_worker(node):
    sent = [b"%06d" % number if bytes is not str else "%06d" % number for number in range(5000)]
    seen = yield node.json("py", "digest", *sent)
    same(seen, {"chunks": 5000, "bytes": 30000, "sha256": hashlib.sha256(b"".join(sent)).hexdigest()})


@case
def big_payload_both_ways_in_one_chunk(node):
    payload = b"0123456789abcdef" * (BIG // 16)
    reply = yield node.call("py", "ping", payload)
    same([hashlib.sha256(chunk).hexdigest() for chunk in reply], [hashlib.sha256(payload).hexdigest()])


@case
def big_payload_both_ways_in_chunks(node):
    """The client sends all of it before it reads; the worker's half must not be held up for ever."""
    sent = [struct.pack("<I", number) * 16384 for number in range(BIG // 65536)]
    seen = yield node.json("py", "digest", *sent)
    same(seen["sha256"], hashlib.sha256(b"".join(sent)).hexdigest())
    reply = yield node.call("py", "burst", json.dumps({"chunks": 256, "bytes": 65536}).encode("ascii"))
    same(sum(len(chunk) for chunk in reply), BIG)


@case
def others_are_served_while_a_big_payload_passes(node):
    big = node.call("py", "ping", b"b" * BIG)
    small = yield [node.call("py", "ping", b"small") for _ in range(10)]
    same(small, [[b"small"]] * 10)
    same(len((yield big)[0]), BIG)


@case
def reply_before_the_client_has_closed(node):
    channel = yield node.service("py").enqueue("unread")
    same((yield replies(channel)), [b"early"])
    yield channel.tx.write(b"late")
    yield channel.tx.close()
    same((yield node.call("py", "ping", b"fine")), [b"fine"])


@case
def error_from_the_handler(node):
    same((yield refused(node.call("py", "fail", b"x"), (42, 77))), "boom")


@case
def error_after_some_chunks(node):
    channel = yield node.service("py").enqueue("fail_midway")
    same((yield channel.rx.get(timeout=10)), b"one")
    same((yield channel.rx.get(timeout=10)), b"two")
    same((yield refused(replies(channel), (42, 78))), "enough")


@case
def exception_in_the_handler(node):
    same((yield refused(node.call("py", "throw", b"x"), (42, 100))), "thrown")


@case
def event_without_a_handler(node):
    reason = yield refused(node.call("py", "nobody-handles-this", b"x"), (42, 200))
    assert "nobody-handles-this" in reason, reason


@case
def custom_header_reaches_the_worker_every_time(node):
    """The second and third call name the header by its index in the connection's table."""
    service = node.service("py")
    for _ in range(3):
        seen = yield node.json(service, "headers", authorization="TVM abc")
        same(_custom(seen), {"authorization": _hex(b"TVM abc")})
    same(_custom((yield node.json(service, "headers"))), {})


@case
def header_of_a_chunk_counts_in_the_table(node):
    """Headers of a `write` go no further, but an index of a later call may stand for them."""
    service = node.service("py")
    channel = yield service.enqueue("ping")
    yield channel.tx.write(b"x", tint="blue")
    yield channel.tx.close()
    same((yield replies(channel)), [b"x"])
    same(_custom((yield node.json(service, "headers", tint="blue"))), {"tint": _hex(b"blue")})


@case
def headers_of_two_clients_do_not_mix(node):
    one, two = node.service("py"), node.service("py")
    yield node.json(one, "headers", first="1", second="2")
    yield node.json(two, "headers", other="3")
    same(_custom((yield node.json(two, "headers", other="3"))), {"other": _hex(b"3")})
    same(_custom((yield node.json(one, "headers", first="1", second="2"))), {"first": _hex(b"1"), "second": _hex(b"2")})


@case
def headers_survive_a_full_table(node):
    """Values of a kilobyte push each other out of the 4096 bytes that a table may hold."""
    service = node.service("py")
    for number in list(range(12)) + [11, 10, 2]:
        value = "%d" % number * 1000
        seen = yield node.json(service, "headers", wide=value[:1000])
        same(_custom(seen), {"wide": _hex(value[:1000].encode("ascii"))})


@case
def trace_headers_reach_the_worker(node):
    service = node.service("py")
    trace = Trace(traceid=0x1122334455667788, spanid=0x0102030405060708, parentid=0x1020304050607080)
    wanted = {
        "trace_id": _hex(struct.pack("<Q", trace.traceid)),
        "span_id": _hex(struct.pack("<Q", trace.spanid)),
        "parent_id": _hex(struct.pack("<Q", trace.parentid)),
    }
    for _ in range(2):
        same((yield node.json(service, "headers", trace=trace)), wanted)


@case
def http_event_with_the_frameworks_decorator(node):
    headers = [["Host", "interop"], ["Content-Length", "4"]]
    request = msgpack.packb(["POST", "/path?a=1", "1.1", headers, b"body"])
    reply = yield node.call("py", "http", request)
    code, headers = msgpack.unpackb(reply[0])
    same((code, text(headers[0][0]), text(headers[0][1])), (202, "X-Interop", "python"))
    wanted = {"method": "POST", "version": "1.1", "host": "interop", "query": {"a": "1"}, "body": "body"}
    same(json.loads(text(reply[1])), wanted)
    same(reply[2:], [b"", b"tail"])


@case
def client_that_leaves_midway(node):
    """The handler is told, the worker lives on, and others notice nothing."""
    before = yield node.json("py", "about")
    told = yield node.json("py", "interruptions")
    service = node.service("py")
    channel = yield service.enqueue("echo_all")
    yield channel.tx.write(b"one")
    same((yield channel.rx.get(timeout=10)), b"one")
    service.disconnect()
    for _ in range(100):
        now = yield node.json("py", "interruptions")
        if len(now) > len(told):
            break
        yield gen.sleep(0.02)
    same(len(now), len(told) + 1)
    same((yield node.json("py", "about"))["pid"], before["pid"])


@case
def worker_that_floods_its_outputs(node):
    same((yield node.call("py", "shout", b"20000")), [b"shouted"])
    # `log-output` is set in the profile, and the daemon is verbose: these lines are of the lowest
    # severity. A log may leave out some of a flood, but not all.
    assert (yield eventually(lambda: node.daemon.logged("of 20000 ..."))), "its output is not in the log"


def _hex(value):
    return "".join("%02x" % byte for byte in bytearray(value))


def _custom(headers):
    """Without the trace that a node may add."""
    return dict((name, value) for name, value in headers.items() if name not in ("trace_id", "span_id", "parent_id"))
