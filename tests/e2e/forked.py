"""Processes of the gateway, forked off one that has imported it: importing takes each other a second.

    python -m tests.e2e.forked SOCKET

A process of tests has one such process; it ends with it. For each command asked of it, it forks a
keeper, which forks the command, waits for its end and tells it. What begins with imports, as whoever
installs the gateway begins it, is tried where several workers are (`process.gateway`), and in
`test_started` and `tests/cli/test_main.py`.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import IO, Any

import gateway
from gateway.cli import main

_ROOT = Path(__file__).resolve().parents[2]
_LONGEST = 1024 * 1024


class Forked:
    """A process of `soe-gateway`: of `subprocess.Popen` what tests need, told the same way.

    Args:
        words: the command and its arguments.
        out: where its standard output goes, and `errors`, where its errors go: files that are open.
        environ: all of its environment.
    """

    def __init__(self, words: list[str], out: int, errors: int, environ: Mapping[str, str]) -> None:
        self._words = words
        self.returncode: int | None = None
        ended, end = os.pipe()
        self._ended = os.fdopen(ended, "rb", buffering=0)
        asked = json.dumps({"words": words, "environ": {**environ}, "folder": str(Path.cwd())})
        socket.send_fds(_forking(), [asked.encode()], [end, out, errors])
        os.close(end)
        self.pid = self._told()

    def poll(self) -> int | None:
        """Give its exit status, if it ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and give its exit status; minus the number of a signal that ended it."""
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self._words, timeout or 0)
            self.returncode = self._told()
            self._ended.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it did not end."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, if it did not end."""
        self.send_signal(signal.SIGKILL)

    def _told(self) -> int:
        return int(self._ended.readline())


def piped(words: list[str], errors: int, environ: Mapping[str, str]) -> tuple[Forked, IO[bytes]]:
    """Start a command; gives it, and what it writes."""
    reading, writing = os.pipe()
    process = Forked(words, writing, errors, environ)
    os.close(writing)
    return process, os.fdopen(reading, "rb")


def run(
    words: list[str], environ: Mapping[str, str], timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        code = Forked(words, out.fileno(), errors.fileno(), environ).wait(timeout)
        out.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(words, code, out.read(), errors.read())


@cache
def _forking() -> socket.socket:
    """Start the process that forks; gives the line to it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.forked", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            cwd=_ROOT,
        )
    atexit.register(process.wait)
    atexit.register(ours.close)  # comes first
    return ours


def _fork_for(line: socket.socket) -> int | None:
    """Fork for whoever asks; None when nobody will any more, else this is the command, at its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the commands
    while True:
        asked, files, _, _ = socket.recv_fds(line, _LONGEST, 3, socket.MSG_CMSG_CLOEXEC)
        with contextlib.suppress(ChildProcessError):  # there is none
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not asked:
            return None
        if os.fork() == 0:
            line.close()
            return _keep(json.loads(asked), *files)
        for each in files:
            os.close(each)


def _keep(asked: dict[str, Any], end: int, out: int, errors: int) -> int:
    """Fork a command, and tell its process id and its exit status."""
    pid = os.fork()
    if pid == 0:
        os.close(end)
        return _command(asked, out, errors)
    for each in (1, 2, out, errors):  # who reads what the command writes reads to its end
        os.close(each)
    with contextlib.suppress(BrokenPipeError):  # who asked is gone
        os.write(end, b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(end, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _command(asked: dict[str, Any], out: int, errors: int) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for source, target in ((out, 1), (errors, 2)):
        os.dup2(source, target)
        os.close(source)
    os.environ.clear()
    os.environ.update(asked["environ"])
    os.chdir(asked["folder"])
    return main(asked["words"])


def _import_all() -> None:
    for module in pkgutil.walk_packages(gateway.__path__, "gateway."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    gc.freeze()  # what is never looked at stays shared


if __name__ == "__main__":
    _import_all()
    sys.exit(_fork_for(socket.socket(fileno=int(sys.argv[1]))))
