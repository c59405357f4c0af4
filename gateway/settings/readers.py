"""How settings are read: one function a kind of value. Each notes what is wrong, and gives None."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from gateway.parse import Node, Reader, Scalar, Sequence
from gateway.proxy.upstream import Origin

Read = Callable[[Reader, Node], Any]
Address = tuple[str, int]
Network = IPv4Network | IPv6Network


def text(reader: Reader, node: Node) -> str | None:
    """Read a text."""
    return reader.text(node)


def field(reader: Reader, node: Node) -> str | None:
    """Read the name of a header field; in lower case."""
    read = reader.text(node)
    if read is not None and not re.fullmatch("[A-Za-z][A-Za-z0-9-]{0,99}", read):
        reader.problem(node, "expected the name of a header field: letters, digits, hyphens")
        return None
    return read and read.lower()


def issuer(reader: Reader, node: Node) -> str | None:
    """Read the address of an OpenID provider, as its tokens name it."""
    shown = "https://host/path; http from this machine alone"
    pattern = (
        r"(?:https://[A-Za-z0-9.-]+|http://(?:localhost|127\.0\.0\.1|\[::1\]))(?::[0-9]{1,5})?"
        r"(?:/[A-Za-z0-9._~%-]+)*/?"
    )
    return _like(reader, node, pattern, shown)


def scopes(reader: Reader, node: Node) -> str | None:
    """Read scopes of OpenID Connect, `openid` among them."""
    read = _like(reader, node, "[!-~]+(?: [!-~]+)*", "scopes, with a space between two")
    if read is not None and "openid" not in read.split():
        reader.problem(node, "openid is missing: without it nobody is told who signed in")
        return None
    return read


def switch(reader: Reader, node: Node) -> bool | None:
    """Read `true` or `false`."""
    return reader.boolean(_bare(node))


def whole(at_least: int, at_most: int) -> Read:
    """Make the reader of a whole number between bounds, both allowed."""
    return lambda reader, node: reader.integer(_bare(node), at_least=at_least, at_most=at_most)


def _bare(node: Node) -> Node:
    """A value without its quotes: in the environment nobody can leave them out."""
    return replace(node, quoted=False) if isinstance(node, Scalar) else node


def word(*words: str) -> Read:
    """Make the reader of one word out of several."""
    return lambda reader, node: reader.choice(node, words)


def seconds(reader: Reader, node: Node) -> float | None:
    """Read a duration that is longer than nothing."""
    read = reader.duration(node)
    if read == 0:
        reader.problem(node, "must be longer than 0")
        return None
    return read


_SIZES = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def size(reader: Reader, node: Node) -> int | None:
    """Read a number of bytes, written as 64MiB."""
    read = _like(
        reader, node, "[1-9][0-9]{0,5}(?:KiB|MiB|GiB)", "a size as 64MiB, in KiB, MiB or GiB"
    )
    return None if read is None else int(read[:-3]) * _SIZES[read[-3:]]


def day(reader: Reader, node: Node) -> date | None:
    """Read a day written as 2026-12-31."""
    return reader.date(node)


def path(reader: Reader, node: Node) -> Path | None:
    """Read a path, there or not."""
    read = reader.text(node)
    return None if read is None else Path(read)


def file(reader: Reader, node: Node) -> Path | None:
    """Read the path of a file that is there."""
    read = path(reader, node)
    if read is not None and not read.is_file():
        reader.problem(node, f"there is no file {read}")
        return None
    return read


def directory(reader: Reader, node: Node) -> Path | None:
    """Read the path of a directory that is there."""
    read = path(reader, node)
    if read is not None and not read.is_dir():
        reader.problem(node, f"there is no directory {read}")
        return None
    return read


def address(reader: Reader, node: Node) -> Address | None:
    """Read `host:port`, an IPv6 address in brackets."""
    read = node.text if isinstance(node, Scalar) else ""
    found = re.fullmatch(r"(\[[^\[\]]+\]|[^:\[\]]+):([0-9]{1,5})", read)
    if found is None or int(found[2]) > 65_535:
        reader.problem(node, f"expected host:port, not {read!r}")
        return None
    return found[1].strip("[]"), int(found[2])


def origin(reader: Reader, node: Node) -> Origin | None:
    """Read where SOE is."""
    read = reader.text(node)
    try:
        return None if read is None else Origin.parse(read)
    except ValueError:  # its words may hold a part of the URL, and that a password
        reader.problem(node, "expected https://host or https://host:port, and nothing more")
        return None


def store(reader: Reader, node: Node) -> str | None:
    """Read the URL of a store; each engine of `STORES` has one."""
    pattern = r"memory:|sqlite:///.+|rediss?://[^/]+.*|unix:///.+"
    shown = "memory:, sqlite:///path, redis://host, rediss://host or unix:///path"
    read = reader.text(node)
    if read is not None and not re.fullmatch(pattern, read):
        reader.problem(node, f"expected {shown}")  # not what was read: it may hold a password
        return None
    return read


def sinks(reader: Reader, node: Node) -> tuple[str, ...]:
    """Read the URLs of sinks; each kind in `SINKS` has one."""
    pattern, shown = r"file:///.+|stdout:", "file:///directory or stdout:"
    read = [_like(reader, item, pattern, shown) for item in _each(node)]
    return tuple(url for url in read if url is not None)


def admitted(reader: Reader, node: Node) -> tuple[str, ...]:
    """Read who is let in: digests of tokens, groups, and e-mail addresses, in lower case."""
    read = [_admitted(reader, item) for item in _each(node)]
    return tuple(each for each in read if each is not None)


def _admitted(reader: Reader, node: Node) -> str | None:
    read = reader.text(node)
    if read is None or re.fullmatch(r"sha256:[0-9a-f]{64}|group:\S.*", read):
        return read
    if re.fullmatch(r"[^@\s:]+@[^@\s:]+", read):
        return read.lower()
    # Not what was read: it may be the token itself.
    reader.problem(
        node, "expected sha256: and the digest of a token, an e-mail address or group:NAME"
    )
    return None


def networks(reader: Reader, node: Node) -> tuple[Network, ...]:
    """Read networks in CIDR notation."""
    return tuple(network for item in _each(node) if (network := _network(reader, item)) is not None)


def _network(reader: Reader, node: Node) -> Network | None:
    read = reader.text(node)
    try:
        return None if read is None else ip_network(read)
    except ValueError:
        reader.problem(node, f"{read!r} is no network such as 10.0.0.0/8")
        return None


def _like(reader: Reader, node: Node, pattern: str, shown: str) -> str | None:
    read = reader.text(node)
    if read is not None and not re.fullmatch(pattern, read):
        reader.problem(node, f"expected {shown}, not {read!r}")
        return None
    return read


def _each(node: Node) -> Iterator[Node]:
    """Give the items of a list, or what stands between the commas of a text."""
    if isinstance(node, Sequence):
        yield from node.items
    elif isinstance(node, Scalar):
        for part in node.text.split(","):
            yield Scalar(node.mark, part.strip(), quoted=node.quoted)
    else:
        yield node
