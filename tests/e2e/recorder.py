"""An upstream that records every byte it gets; what it says counts, not what SOE would say."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it arrived."""

    method: str
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """The first value of a field."""
        return next((value for field, value in self.headers if field == name), None)


Answer = Callable[[Recorded], bytes | None]
"""Gives the bytes of an answer; None closes the connection without one."""


def created(_: Recorded) -> bytes:
    """SOE's usual answer to a write."""
    body = b'{"id":4711,"webUrl":"http://soe.example/questions/4711"}'
    return (
        b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n%s" % (len(body), body)
    )


@dataclass
class Recorder:
    """A listening recorder; `requests` and `bytes` grow while it runs."""

    answer: Answer = created
    requests: list[Recorded] = field(default_factory=list)
    bytes: int = 0
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        with connection, stream, contextlib.suppress(OSError):
            while request := self._read(stream):
                self.requests.append(request)
                answer = self.answer(request)
                if answer is None:
                    return
                connection.sendall(answer)

    def _read(self, stream: object) -> Recorded | None:
        read = stream.readline  # type: ignore[attr-defined]  # a buffered socket file
        start = read()
        if not start:
            return None
        self.bytes += len(start)
        headers = []
        while (line := read()) not in (b"\r\n", b""):
            self.bytes += len(line)
            name, _, value = line.partition(b":")
            headers.append((name.strip().lower(), value.strip()))
        length = int(dict(headers).get(b"content-length", b"0"))
        body = stream.read(length)  # type: ignore[attr-defined]
        self.bytes += len(body)
        method, target, _ = start.split(b" ", 2)
        return Recorded(method.decode(), target, tuple(headers), body)


@contextlib.contextmanager
def recorder(answer: Answer = created) -> Iterator[Recorder]:
    """Run a recorder on a free port."""
    running = Recorder(answer)
    accepting = threading.Thread(target=running._accept, daemon=True)
    accepting.start()
    try:
        yield running
    finally:
        # Else it would go on in `accept`, and take a later recorder's connections: its number is free.
        running._listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
        running._listener.close()
