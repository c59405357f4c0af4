"""A port for a program that must be told one, and cannot take any that is free by itself."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def kept_port() -> Iterator[int]:
    """Keep a port: nobody gets it by chance, and who is told it may listen there.

    It is bound and not listened on, which Linux lets another listener share that says SO_REUSEADDR
    as well (inet_csk_bind_conflict), as servers do.
    """
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]
