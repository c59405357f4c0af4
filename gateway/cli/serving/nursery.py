"""The nursery: a process that has imported everything, and does nothing but fork workers.

A worker has its code when it begins, and shares the memory of it with the others: importing would
take it more than a second of processor time, just when nobody else may be left to serve.

Laws: the nursery is forked before the supervisor opens anything, and has no event loop, no thread of
ours, and no file, key or connection but its line to the supervisor; so a worker inherits nothing that
two processes must not share. It ends with the supervisor, and without it no worker can begin: then
the supervisor ends all in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.settings.readers import Address

_LONGEST = 16 * 1024
"""Bytes of what is told at once."""
_FOR_THE_SUPERVISOR = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that may reach a whole group of processes; the supervisor takes them for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newborn:
    """What a worker knows when it begins.

    Attributes:
        listen: where it listens, together with the others.
        files: the directory in which it counts.
        channel: its end of the channel to the supervisor.
    """

    number: int
    listen: Address
    files: str
    channel: socket.socket


def begin() -> Nursery | Newborn:
    """Fork the nursery; comes back in the supervisor, and later in each worker.

    It must come before there are threads, an event loop or anything open.

    Raises:
        OSError: no process is to be had.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sys.stdout.flush()
    gc.freeze()  # what is never looked at stays shared
    if os.fork():
        theirs.close()
        return Nursery(ours)
    ours.close()
    newborn = _nurse(theirs)
    if newborn is None:
        os._exit(0)
    return newborn


class Child:
    """A process that the nursery forked."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._ended: asyncio.Future[int | str] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int | str:
        """Wait for its end; gives its exit status, or text where nobody knows it."""
        return await asyncio.shield(self._ended)

    def ended(self, status: int | str) -> None:
        """Take that it ended."""
        if not self._ended.done():
            self._ended.set_result(status)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it is there."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


class Nursery:
    """The supervisor's side of the nursery."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._line.settimeout(0)
        self._asked: dict[int, asyncio.Future[Child]] = {}
        self._children: dict[int, Child] = {}

    def listen(self, gone: Callable[[], None]) -> None:
        """Take what it tells, from now on; `gone` is called when it ends."""
        asyncio.get_running_loop().add_reader(self._line, self._hear, gone)

    async def fork(self, number: int, listen: Address, files: str, channel: socket.socket) -> Child:
        """Begin a worker, which has `channel` from then on; the rest is as of `Newborn`.

        Raises:
            OSError: no process is to be had, or the nursery is gone.
        """
        told = {"number": number, "listen": listen, "files": files}
        socket.send_fds(self._line, [orjson.dumps(told)], [channel.fileno()])
        self._asked[number] = asyncio.get_running_loop().create_future()
        return await self._asked[number]

    def close(self) -> None:
        """Let it end."""
        asyncio.get_running_loop().remove_reader(self._line)
        self._line.close()

    def _hear(self, gone: Callable[[], None]) -> None:
        line = self._line.recv(_LONGEST)
        if not line:
            self._leave()
            gone()
            return
        told = orjson.loads(line)
        if "status" in told:
            self._children.pop(told["pid"]).ended(told["status"])
        elif "error" in told:
            self._asked.pop(told["number"]).set_exception(OSError(told["error"]))
        else:
            child = self._children[told["pid"]] = Child(told["pid"])
            self._asked.pop(told["number"]).set_result(child)

    def _leave(self) -> None:
        """Ask it nothing any more; its children live on, and when they end, nobody knows how."""
        asyncio.get_running_loop().remove_reader(self._line)
        for asked in self._asked.values():
            asked.set_exception(OSError("the nursery of workers is gone"))
        for child in self._children.values():
            _watch(child)


def _watch(child: Child) -> None:
    """Tell a child that it ended when it has, though it is nobody's here (pidfd_open(2))."""
    loop = asyncio.get_running_loop()
    try:
        process = os.pidfd_open(child.pid)
    except ProcessLookupError:
        child.ended("unknown")
        return

    def ended() -> None:
        loop.remove_reader(process)
        os.close(process)
        child.ended("unknown")

    loop.add_reader(process, ended)


def _nurse(line: socket.socket) -> Newborn | None:
    """Fork a worker for each request; None when the supervisor is gone, else this is the worker."""
    os.setsid()  # Ctrl-C is for the supervisor, who then ends all in order
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for each in _FOR_THE_SUPERVISOR:
        signal.signal(each, signal.SIG_IGN)
    awake, waker = socket.socketpair()
    waker.settimeout(0)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    with contextlib.suppress(OSError):  # the supervisor is gone
        while True:
            ready, _, _ = select.select([line, awake], [], [])
            if awake in ready:
                awake.recv(_LONGEST)
                _tell_ended(line)
            if line not in ready:
                continue
            asked, channels, _, _ = socket.recv_fds(line, _LONGEST, 1, socket.MSG_CMSG_CLOEXEC)
            if not asked:
                break
            told = orjson.loads(asked)
            pid = _forked(line, told["number"])
            if pid == 0:
                signal.set_wakeup_fd(-1)
                for end in (awake, waker, line):
                    end.close()
                return _newborn(told, channels[0])
            os.close(channels[0])
    return None


def _forked(line: socket.socket, number: int) -> int:
    """Fork, and tell whom; gives 0 in the worker."""
    try:
        pid = os.fork()
    except OSError as error:
        line.send(orjson.dumps({"number": number, "error": str(error)}))
        return -1
    if pid:
        line.send(orjson.dumps({"number": number, "pid": pid}))
    return pid


def _newborn(told: dict[str, Any], channel: int) -> Newborn:
    """Take signals as any process does, and read what the supervisor told."""
    for each in (*_FOR_THE_SUPERVISOR, signal.SIGCHLD):
        signal.signal(each, signal.SIG_DFL)
    return Newborn(
        number=told["number"],
        listen=tuple(told["listen"]),
        files=told["files"],
        channel=socket.socket(fileno=channel),
    )


def _tell_ended(line: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError):  # there is none left
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            status = os.waitstatus_to_exitcode(ended[1])
            line.send(orjson.dumps({"pid": ended[0], "status": status}))
