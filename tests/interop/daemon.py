"""One daemon under test: its folders, its apps, its processes. Knows nothing of the framework."""
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
APP = os.path.join(HERE, "app")

# The app `py` is run in place; the others are the same worker, so that a case that hurts its worker
# has an app of its own and the next case begins with a healthy one.
PROFILES = {
    "bounce": {},
    "crash": {},
    "killed": {},
    "quiet": {},
    "retire": {},
    "retire-midway": {},
    "sealed": {},
    "stuck": {"stop-timeout": 2},
    "pool": {"pool-limit": 3, "concurrency": 1, "grow-threshold": 1},
}


class Daemon(object):
    """Starts with `Daemon(binary)`, serves at `locator`, ends with `close()` at the latest."""

    def __init__(self, binary):
        # Socket paths are short on every system, names of temporary folders not.
        self.folder = tempfile.mkdtemp(prefix="interop-", dir="/tmp" if os.path.isdir("/tmp") else None)
        self.log = os.path.join(self.folder, "log")
        self.stderr = os.path.join(self.folder, "stderr")
        self.runtime_dir = os.path.join(self.folder, "run")
        self.process = self._start(binary)
        try:
            self.locator = self._ready(timeout=30)
        except Exception:
            self.close()
            raise

    def _start(self, binary):
        command = [binary, "--listen", "127.0.0.1:0", "--data", os.path.join(self.folder, "data")]
        command += ["--runtime-dir", self.runtime_dir, "--log-file", self.log, "-v", "--app", "py=" + APP]
        for name, profile in sorted(PROFILES.items()):
            command += ["--app", name + "=" + self._app(name, profile)]
        with open(self.stderr, "wb") as stderr:
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, env=environment())

    def _app(self, name, changes):
        folder = os.path.join(self.folder, "apps", name)
        os.makedirs(folder)
        with open(os.path.join(APP, "profile.json")) as file:
            profile = dict(json.load(file), **changes)
        write_json(os.path.join(folder, "manifest.json"), {"slave": os.path.join(APP, "worker.py")})
        write_json(os.path.join(folder, "profile.json"), profile)
        return folder

    def _ready(self, timeout):
        """Waits for the line `ready locator=HOST:PORT ...`; gives the address."""
        deadline, seen = time.time() + timeout, b""
        stdout = self.process.stdout.fileno()
        while b"\n" not in seen:
            left = max(0, deadline - time.time())
            chunk = os.read(stdout, 4096) if select.select([stdout], [], [], left)[0] else b""
            if not chunk:
                raise RuntimeError("the daemon is not ready, it wrote %r; stderr:\n%s" % (seen, self.last_words()))
            seen += chunk
        words = seen.decode("utf-8").split("\n")[0].split()
        pairs = dict(word.split("=", 1) for word in words[1:])
        if words[0] != "ready" or "locator" not in pairs:
            raise RuntimeError("the daemon's first line is not its ready line: %r" % seen)
        host, _, port = pairs["locator"].rpartition(":")
        return host.strip("[]"), int(port)

    def last_words(self, lines=60):
        """The ends of the daemon's error output and log."""
        words = []
        for path in (self.stderr, self.log):
            if os.path.exists(path):
                with open(path, "rb") as file:
                    written = file.read().decode("utf-8", "replace").splitlines()
                words += ["--- " + os.path.basename(path)]
                words += [line[:300] for line in written if "of 20000 ..." not in line][-lines:]
        return "\n".join(words)

    def logged(self, text):
        """The lines of the log that hold this text."""
        if not os.path.exists(self.log):
            return []
        with open(self.log, "rb") as file:
            return [line for line in file.read().decode("utf-8", "replace").splitlines() if text in line]

    def memory(self):
        """Resident memory in MiB."""
        with open("/proc/%d/status" % self.process.pid) as file:
            line = [line for line in file if line.startswith("VmRSS")][0]
        return int(line.split()[1]) / 1024.0

    def zombies(self):
        """Processes that ended under the daemon and were not waited for."""
        return [pid for pid, parent, state in processes() if parent == self.process.pid and state == "Z"]

    def workers(self):
        """Processes that were started with a socket of this daemon, wherever they hang now."""
        socket = os.path.join(self.runtime_dir, "").encode("utf-8")
        found = []
        for pid, _, _ in processes():
            words = command_line(pid)
            if b"--endpoint" in words and any(word.startswith(socket) for word in words):
                found.append(pid)
        return found

    def terminate(self):
        """Asks the daemon to stop."""
        self.process.send_signal(signal.SIGTERM)

    def close(self, keep=False):
        """Ends what is left, by process id, and removes the folders."""
        if self.process.poll() is None:
            self.terminate()
            deadline = time.time() + 25
            while self.process.poll() is None and time.time() < deadline:
                time.sleep(0.05)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.workers():
            print("a worker outlived its daemon: process %d, killed" % pid)
            os.kill(pid, signal.SIGKILL)
        self.process.stdout.close()
        if keep:
            print("kept: " + self.folder)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


def environment():
    """The environment in which `python` is this interpreter."""
    here = os.path.dirname(sys.executable)
    return dict(os.environ, PATH=here + os.pathsep + os.environ.get("PATH", ""))


def write_json(path, value):
    with open(path, "w") as file:
        json.dump(value, file)


def processes():
    """Process id, parent's id and state of every process."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as file:
                    fields = file.read().rpartition(")")[2].split()
            except (IOError, OSError):
                continue
            yield int(name), int(fields[1]), fields[0]


def command_line(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            return file.read().rstrip(b"\0").split(b"\0")
    except (IOError, OSError):
        return []
