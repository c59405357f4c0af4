"""Where Redis or Valkey is, read from a URL that may hold a password: no words here repeat it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from gateway.errors import StoreError

_PORT = 6379
_FORMS = {
    "redis": "redis://[user:password@]host[:port][/database]",
    "rediss": "rediss://[user:password@]host[:port][/database][?ca_file=/path]",
    "unix": "unix:///path[?db=database&username=user&password=password]",
}
_NAMES = {"redis": {"db"}, "rediss": {"db", "ca_file"}, "unix": {"db", "username", "password"}}
"""By scheme, what may stand in the query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A server and who one is there: a socket's `path`, or `host` and `port`.

    Args:
        user: None with a password is the server's default user.
        tls: how the server is verified; None is a connection without TLS.
    """

    path: str | None = None
    host: str = ""
    port: int = _PORT
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    tls: ssl.SSLContext | None = None

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a URL; user, password and the values of the query are percent-decoded.

        Raises:
            StoreError: the URL is of no known form, or its `ca_file` cannot be read.
        """
        scheme = url.partition(":")[0]
        if scheme not in _FORMS:
            raise StoreError(f"expected one of {', '.join(_FORMS.values())}")
        try:
            parts = urlsplit(url)
            query = _query(parts.query, _NAMES[scheme])
            read = _unix if scheme == "unix" else _network
            return read(parts, query)
        except ValueError:  # its words may hold a part of the URL
            hint = "; what is special in a user or password is written as %XX"
            raise StoreError(f"expected {_FORMS[scheme]}{hint}") from None


def _unix(parts: SplitResult, query: Mapping[str, str]) -> Address:
    path = unquote(parts.path, errors="strict")
    _must(not parts.netloc and len(path) > 1 and "\0" not in path and not parts.fragment)
    user, password = query.get("username"), query.get("password")
    _must(user is None or password is not None)
    database = _database(query.get("db", "0"))
    return Address(path=path, user=user, password=password, database=database)


def _network(parts: SplitResult, query: Mapping[str, str]) -> Address:
    host = parts.hostname or ""
    host.encode("idna")  # what fails here would fail so at each connect
    port = _PORT if parts.port is None else parts.port
    user, password = parts.username or None, parts.password or None
    path = parts.path.removeprefix("/")
    _must(host and port and not parts.fragment)
    _must((user is None or password is not None) and not (path and "db" in query))
    return Address(
        host=host,
        port=port,
        user=None if user is None else unquote(user, errors="strict"),
        password=None if password is None else unquote(password, errors="strict"),
        database=_database(path or query.get("db", "0")),
        tls=_tls(query.get("ca_file")) if parts.scheme == "rediss" else None,
    )


def _query(text: str, names: set[str]) -> Mapping[str, str]:
    pairs = [pair.partition("=") for pair in text.split("&")] if text else []
    read = {name: unquote(value, errors="strict") for name, _, value in pairs}
    _must(len(read) == len(pairs) and read.keys() <= names and all(read.values()))
    return read


def _database(text: str) -> int:
    _must(text.isascii() and text.isdecimal())
    return int(text)


def _must(true: object) -> None:
    if not true:
        raise ValueError


def _tls(ca_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError:  # also what is no certificate
        raise StoreError("its ca_file cannot be read as certificates") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
