"""A URL is read whole or refused, and nothing of a refused one is repeated."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from gateway.errors import StoreError
from gateway.state.redis.address import Address


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://cache", {"host": "cache"}),
        ("redis://cache/", {"host": "cache"}),
        ("redis://cache:7000/2", {"host": "cache", "port": 7000, "database": 2}),
        ("redis://cache?db=3", {"host": "cache", "database": 3}),
        ("redis://[::1]:7000", {"host": "::1", "port": 7000}),
        ("redis://:secret@cache", {"host": "cache", "password": "secret"}),
        ("redis://:@cache", {"host": "cache"}),
        ("redis://me:a%2Fb%40c%20+@cache", {"host": "cache", "user": "me", "password": "a/b@c +"}),
        ("unix:///run/vk.sock", {"path": "/run/vk.sock"}),
        ("unix:///run/v%20k?db=1", {"path": "/run/v k", "database": 1}),
        (
            "unix:///s?username=me&password=a%26+b",
            {"path": "/s", "user": "me", "password": "a&+b"},
        ),
    ],
)
def test_an_address_is_read(url: str, expected: dict[str, Any]) -> None:
    """User, password, path and query are percent-decoded, and nothing else is done to them."""
    assert Address.parse(url) == Address(**expected)


@pytest.mark.parametrize(
    "url",
    [
        "http://cache-7",
        "redis:cache-7",
        "redis:///0-7",
        "redis://cache-7:port-7",
        "redis://cache:0",
        "redis://cache:70000",
        "redis://cache/zero-7",
        "redis://cache/1/2",
        "redis://cache/-1",
        "redis://cache/1?db=1",
        "redis://cache?db=",
        "redis://cache?db=1&db=1",
        "redis://cache?ca_file=/file-7",
        "redis://cache?password=word-7",
        "redis://user-7@cache",
        "redis://user:pass/word-7@cache",
        "redis://user:pass#word-7@cache",
        "redis://user:%ffword-7@cache",
        "redis://[cache-7",
        "redis://a..b-7",
        "rediss://cache?ca_file=/nowhere-7",
        "rediss://cache?ca_file=",
        "unix://",
        "unix:///",
        "unix://host-7/path",
        "unix:///path%00-7",
        "unix:///path?username=user-7",
        "unix:///path?socket_timeout=7",
    ],
)
def test_what_cannot_be_read_is_refused_without_its_text(url: str) -> None:
    """A wrong URL may hold a password at any place of it."""
    with pytest.raises(StoreError) as caught:
        Address.parse(url)

    assert "7" not in str(caught.value)
    assert "cache" not in str(caught.value)


def test_a_password_is_in_no_repr() -> None:
    """A log may show an address."""
    assert "secret" not in repr(Address.parse("redis://me:secret@cache"))


def test_tls_verifies_the_server(tmp_path: Path) -> None:
    """By the system's authorities, or by a file of one's own."""
    file = tmp_path / "a b.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    plain, own = (
        Address.parse(url).tls
        for url in ("rediss://cache", f"rediss://cache/1?ca_file={str(file).replace(' ', '%20')}")
    )

    for context in (plain, own):
        assert context is not None
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
    assert own is not None
    assert len(own.get_ca_certs()) == 1


def test_a_file_without_certificates_is_told(tmp_path: Path) -> None:
    """At the start, not at the first write."""
    (tmp_path / "ca").write_text("none")
    with pytest.raises(StoreError, match="ca_file"):
        Address.parse(f"rediss://cache?ca_file={tmp_path / 'ca'}")
