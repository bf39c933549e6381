"""Lives and ends: of workers, of apps, of the daemon."""
import json
import time

from tornado import gen

from client import case, eventually, last_case, long_case, lost, refused, replies, same, text, texts

LOST, TERMINATED = (21503, 10), (21503, 12)
STOPPED, NOT_AVAILABLE = (12, 32), (10, 1)


@long_case
def worker_lives_through_its_heartbeats(node):
    """The framework beats every 20 s and leaves if no answer comes within 5 s."""
    before = yield node.json("quiet", "about")
    yield gen.sleep(27)
    same((yield node.json("quiet", "about"))["pid"], before["pid"])


@case
def worker_gets_what_it_is_promised(node):
    about = yield node.json("py", "about")
    options = about["options"]
    same(sorted(options), ["--app", "--endpoint", "--locator", "--protocol", "--uuid"])
    same((options["--app"], options["--protocol"]), ("py", "1"))
    assert "%s:%d" % node.daemon.locator in options["--locator"].split(","), options
    assert about["leader"], "the worker does not lead a process group"


@case
def crash_is_reported_and_the_worker_replaced(node):
    before = yield node.json("crash", "about")
    waiting = node.json("crash", "slow", b'{"seconds": 5}')
    yield gen.sleep(0.2)
    reason = yield refused(node.call("crash", "crash", b"x"), LOST)
    assert before["options"]["--uuid"] in reason, reason
    yield refused(waiting, LOST)
    started = time.time()
    after = yield node.json("crash", "about")
    assert after["pid"] != before["pid"] and time.time() - started < 3, (before, after)
    info = texts((yield node.ask("node", "info", "crash", 1)))
    same(info["pool"]["total:crashed"], 1)


@case
def crash_log_is_kept_in_storage(node):
    keys = []
    for _ in range(200):
        keys = texts((yield node.ask("storage", "find", "crashlogs", ["crash"])))
        if keys:
            break
        yield gen.sleep(0.02)
    same(len(keys), 1)
    kept = yield node.ask("storage", "read", "crashlogs", keys[0])
    assert b"about to crash" in kept, kept


@case
def killed_worker_is_replaced(node):
    before = yield node.json("killed", "about")
    yield refused(node.call("killed", "killed"), LOST)
    after = yield node.json("killed", "about")
    assert after["pid"] != before["pid"], after


@case
def worker_that_terminates_itself_is_replaced(node):
    """The request was answered: its client sees no error, and it is no crash."""
    gone = yield node.json("retire", "retire", b"x")
    # A request that overtakes the worker's `terminate` would rightly meet the same worker, and its end.
    assert (yield eventually(lambda: gone["pid"] not in node.daemon.workers())), "it said goodbye, but it lives"
    after = yield node.json("retire", "about")
    assert after["pid"] != gone["pid"], after
    info = texts((yield node.ask("node", "info", "retire", 1)))
    same((info["pool"]["total:spawned"], info["pool"]["total:crashed"]), (2, 0))


@case
def worker_that_terminates_itself_midway(node):
    channel = yield node.service("retire-midway").enqueue("retire_midway")
    same((yield channel.rx.get(timeout=10)), b"started")
    yield refused(replies(channel), TERMINATED)
    same((yield node.call("retire-midway", "ping", b"next")), [b"next"])


@case
def pool_grows_to_its_limit(node):
    """One request a worker, three workers: six requests take twice as long as one."""
    asked = json.dumps({"seconds": 0.5}).encode("ascii")
    seen = yield [node.json("pool", "slow", asked) for _ in range(6)]
    same(len(set(reply["pid"] for reply in seen)), 3)
    info = texts((yield node.ask("node", "info", "pool", 1)))
    same(info["pool"]["capacity"], 3)


@case
def worker_calls_another_app(node):
    same((yield node.call("pool", "relay", b"py", b"one", b"", b"two")), [b"one", b"", b"two"])


@case
def same_client_works_after_the_app_was_restarted(node):
    client, service = node.service("bounce"), node.service("node")
    before = yield node.json(client, "about")
    yield node.ask(service, "pause_app", "bounce")
    assert not any(pid == before["pid"] for pid in node.daemon.workers()), "paused, but its worker still runs"
    assert "bounce" not in texts((yield node.ask(service, "list")))
    error = yield lost(node.json(client, "about"))
    assert (getattr(error, "category", None), getattr(error, "code", None)) in [STOPPED, NOT_AVAILABLE], repr(error)
    yield node.ask(service, "start_app", "bounce", "bounce")
    after = yield node.json(client, "about")
    assert after["pid"] != before["pid"], after


@case
def restarts_one_after_the_other(node):
    """A client that calls on and on sees errors only while the app is away, and never hangs."""
    client, service = node.service("bounce"), node.service("node")
    for _ in range(3):
        yield node.ask(service, "pause_app", "bounce")
        yield node.ask(service, "start_app", "bounce", "bounce")
        same((yield node.call(client, "ping", b"again")), [b"again"])


@case
def pause_lets_running_requests_end(node):
    client = node.service("sealed")
    yield node.call(client, "ping", b"a worker is there")
    running = node.json(client, "slow", b'{"seconds": 1}')
    yield gen.sleep(0.4)
    paused = node.ask("node", "pause_app", "sealed")
    assert (yield running)["pid"] > 0
    yield paused
    yield refused(node.call("sealed", "ping", b"x"), NOT_AVAILABLE)


@long_case
def pause_does_not_wait_for_ever(node):
    """What still runs when the profile's `stop-timeout` is over is told so, and the worker goes."""
    before = yield node.json("stuck", "about")
    running = refused(node.json("stuck", "slow", b'{"seconds": 60}'), STOPPED)
    yield gen.sleep(0.3)
    started = time.time()
    yield node.ask("node", "pause_app", "stuck")
    yield running
    assert 1 < time.time() - started < 8, "it took %.1f s" % (time.time() - started)
    assert before["pid"] not in node.daemon.workers()


@case
def nobody_is_left_unwaited_for(node):
    """Workers have crashed, were killed, retired and were stopped by now."""
    yield eventually(lambda: not node.daemon.zombies())
    same(node.daemon.zombies(), [])


@last_case
def daemon_stops_politely(node):
    """An open request is answered; no process is left; the exit code is 0; all within 20 s."""
    process = node.daemon.process
    yield node.call("py", "ping", b"a worker is there")
    running = node.json("py", "slow", b'{"seconds": 1}')
    yield gen.sleep(0.3)
    workers = node.daemon.workers()
    started = time.time()
    node.daemon.terminate()
    assert (yield running)["pid"] in workers
    code = yield eventually(lambda: process.poll() is not None, timeout=20)
    assert code, "still running %d s after SIGTERM" % (time.time() - started)
    same(process.returncode, 0)
    same(node.daemon.workers(), [])
