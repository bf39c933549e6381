"""Other programs, run beside the suite's own event loop."""
from datetime import timedelta

from tornado import gen
from tornado.process import Subprocess

from client import text


@gen.coroutine
def finished(command, timeout=20):
    """Runs a command, which must end with 0; gives what it wrote."""
    process = Subprocess(command, stdout=Subprocess.STREAM, stderr=Subprocess.STREAM)
    reads = [process.stdout.read_until_close(), process.stderr.read_until_close()]
    try:
        out, error = yield gen.with_timeout(timedelta(seconds=timeout), gen.multi(reads))
    except gen.TimeoutError:
        process.proc.kill()
        raise AssertionError("no end: " + " ".join(command))
    code = yield process.wait_for_exit(raise_error=False)
    assert code == 0, "%s: %d\n%s%s" % (" ".join(command), code, text(out), text(error))
    raise gen.Return(text(out))
