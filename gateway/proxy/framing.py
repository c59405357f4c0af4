"""Where a request's body ends, decoded strictly. Pure but for its own position."""

from __future__ import annotations

import re

from gateway.proxy.refusals import WireError

_SIZE = re.compile(rb"(0|[1-9A-Fa-f][0-9A-Fa-f]{0,7})\r\n")
_PART_OF_SIZE = re.compile(rb"(?:(?:0|[1-9A-Fa-f][0-9A-Fa-f]{0,7})\r?)?")
_CRLF = b"\r\n"


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

    __slots__ = ("_last", "_left", "ended")

    def __init__(self) -> None:
        self.ended = False
        self._left: int | None = None  # of the chunk's data; None where a size is next
        self._last = False

    def take(self, buffer: bytearray) -> bytes:
        """Take what is here of the body out of the buffer.

        Raises:
            WireError: `bad_chunk` or `no_trailers`: the framing is not exactly RFC 9112's.
        """
        pieces = []
        while not self.ended and self._in_chunk(buffer):
            assert self._left is not None
            piece = bytes(buffer[: self._left])
            del buffer[: len(piece)]
            pieces.append(piece)
            self._left -= len(piece)
            if self._left or not self._after_data(buffer):
                break
        return b"".join(pieces)

    def _in_chunk(self, buffer: bytearray) -> bool:
        """Read the next size if it is due; whether the bytes that follow belong to a chunk."""
        if self._left is not None:
            return True
        end = buffer.find(_CRLF, 0, 10) + 2
        if end < 2:
            if not _PART_OF_SIZE.fullmatch(buffer):
                raise WireError("bad_chunk")
            return False
        found = _SIZE.fullmatch(buffer, 0, end)
        if found is None:
            raise WireError("bad_chunk")
        self._left = int(found[1], 16)
        self._last = self._left == 0
        del buffer[:end]
        return True

    def _after_data(self, buffer: bytearray) -> bool:
        """Read the line end behind a chunk's data; whether it is here."""
        line_end = bytes(buffer[:2])
        if not _CRLF.startswith(line_end):
            raise WireError("no_trailers" if self._last else "bad_chunk")
        if len(line_end) < 2:
            return False
        del buffer[:2]
        self._left = None
        self.ended = self._last
        return True
