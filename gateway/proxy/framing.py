"""Where a request's body ends, decoded strictly. Pure but for its own position."""

from __future__ import annotations

import re

from gateway.proxy.head import HeadError

_SIZE = re.compile(rb"(0|[1-9A-Fa-f][0-9A-Fa-f]{0,7})\r\n")


class Counted:
    """A body of a known length."""

    __slots__ = ("_left",)

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def ended(self) -> bool:
        """Whether the whole body was taken."""
        return self._left == 0

    def take(self, buffer: bytearray) -> bytes:
        """Take what is here of the body out of the buffer."""
        taken = bytes(buffer[: self._left])
        del buffer[: len(taken)]
        self._left -= len(taken)
        return taken


class Chunked:
    """A chunked body (RFC 9112 section 7.1): no extensions, no trailers, no leniency."""

    __slots__ = ("_left", "ended")

    def __init__(self) -> None:
        self.ended = False
        self._left = -2  # of the chunk, its CRLF among it; at -2 a size is next

    def take(self, buffer: bytearray) -> bytes:
        """Take what is here of the body out of the buffer.

        Raises:
            HeadError: the framing is not exactly RFC 9112's.
        """
        taken = b""
        while not self.ended:
            if self._left == -2:
                size = self._size(buffer)
                if size is None:
                    break
                if size == 0:
                    if len(buffer) < 2:
                        buffer[:0] = b"0\r\n"  # its empty line is not here yet
                        break
                    if buffer[:2] != b"\r\n":
                        raise HeadError(400, "no_trailers")
                    del buffer[:2]
                    self.ended = True
                    break
                self._left = size
            piece = bytes(buffer[: max(0, self._left)])
            del buffer[: len(piece)]
            taken += piece
            self._left -= len(piece)
            if self._left > 0 or len(buffer) < 2:
                break
            if buffer[:2] != b"\r\n":
                raise HeadError(400, "bad_chunk")
            del buffer[:2]
            self._left = -2
        return taken

    def _size(self, buffer: bytearray) -> int | None:
        end = buffer.find(b"\r\n")
        if end < 0:
            if len(buffer) > 9 or (buffer and not re.fullmatch(rb"[0-9A-Fa-f]+\r?", buffer)):
                raise HeadError(400, "bad_chunk")
            return None
        found = _SIZE.fullmatch(buffer, 0, end + 2)
        if found is None:
            raise HeadError(400, "bad_chunk")
        size = int(found[1], 16)
        del buffer[: end + 2]
        return size
