"""Bodies: where they end, and what chunks may look like."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.framing import Chunked, Counted
from gateway.proxy.refusals import WireError


def decode(*packets: bytes) -> tuple[bytes, bool, bytes]:
    """Decode packets: the body, whether it ended, and the bytes that are left."""
    body, buffer, decoder = b"", bytearray(), Chunked()
    for packet in packets:
        buffer += packet
        body += decoder.take(buffer)
    return body, decoder.ended, bytes(buffer)


def test_chunks_are_joined_and_what_follows_is_left() -> None:
    """The body ends behind the last chunk; the next request is not touched."""
    assert decode(b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\nGET /") == (
        b"abc0123456789",
        True,
        b"GET /",
    )


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=40), max_size=5),
    cuts=st.lists(st.integers(0, 250), max_size=8),
)
def test_packets_do_not_matter(chunks: list[bytes], cuts: list[int]) -> None:
    """However the bytes are cut into packets, the same body comes out."""
    wire = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    edges = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    packets = [wire[start:end] for start, end in pairwise(edges)]

    assert decode(*packets) == (b"".join(chunks), True, b"")


def test_every_byte_alone_is_enough() -> None:
    """A body that comes byte by byte is the same body."""
    wire = b"3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"

    assert decode(*(bytes([byte]) for byte in wire)) == (b"abc0123456789abcdef", True, b"")


@pytest.mark.parametrize(
    "wire",
    [
        b"3;a=b\r\nabc\r\n",
        b"3 \r\nabc\r\n",
        b" 3\r\nabc\r\n",
        b"3\nabc\r\n",
        b"3\rabc\r\n",
        b"+3\r\nabc\r\n",
        b"0x3\r\nabc\r\n",
        b"03\r\nabc\r\n",
        b"-1\r\n",
        b"g\r\n",
        b"\r\n",
        b"123456789\r\n",
        b"123456789",
        b"3\r\nabcd\r\n",
        b"3\r\nabc\n",
        b"3\r\nabc\rx",
        b"00\r\n\r\n",
    ],
)
def test_a_chunk_has_one_form(wire: bytes) -> None:
    """No extension, no sign, no padding, no other line end, no size that does not fit."""
    with pytest.raises(WireError, match="bad_chunk"):
        decode(wire)


@pytest.mark.parametrize("packets", [(b"0\r\nX: y\r\n\r\n",), (b"0\r\n", b"X"), (b"0\r\n\rX",)])
def test_trailers_are_refused(packets: tuple[bytes, ...]) -> None:
    """Nothing may stand behind the last chunk but its empty line."""
    with pytest.raises(WireError, match="no_trailers"):
        decode(*packets)


@pytest.mark.parametrize(
    "wire", [b"", b"3", b"3\r", b"3\r\nab", b"3\r\nabc\r", b"0\r\n", b"0\r\n\r"]
)
def test_half_a_body_is_waited_for(wire: bytes) -> None:
    """What may still become right has not ended."""
    assert not decode(wire)[1]


def test_a_counted_body_takes_its_bytes_and_no_more() -> None:
    """What follows a body of known length is left for the next request."""
    buffer, body = bytearray(b"abc"), Counted(5)

    assert (body.take(buffer), body.ended) == (b"abc", False)
    buffer += b"defg"
    assert (body.take(buffer), body.ended) == (b"de", True)
    assert buffer == b"fg"
