"""Undoes what SOE's answers are compressed by, within bounds: v2.3 compresses whatever is asked."""

from __future__ import annotations

import zlib

from gateway.model import Headers
from gateway.proxy.exchange import one


def inflated(body: bytes, headers: Headers, most: int) -> bytes:
    """Undo gzip or deflate, up to so many bytes; what cannot be undone tells nothing."""
    coding = (one(headers, b"content-encoding") or b"").lower()
    if coding not in (b"gzip", b"deflate"):
        return b"" if coding not in (b"", b"identity") else body
    try:
        return zlib.decompressobj(wbits=47).decompress(body, most)
    except zlib.error:
        return b""
