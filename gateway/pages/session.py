"""Who looks at a page: a session in a sealed cookie, or what a trusted proxy says.

The cookie holds the session itself, so every replica reads it and none keeps any. It is good for
half an hour, for our own pages alone: no request to SOE is looked at for it, nor carries it on.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

from gateway.model import Headers
from gateway.ports import Clock
from gateway.proxy.exchange import Exchange
from gateway.proxy.hold import ANYBODY, Visitor
from gateway.seal import Seal

LASTS = 1800.0
"""Seconds that a session on the proxy's pages is good for."""
_LONGEST = 4096
"""Characters of a cookie; browsers keep no longer one."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One browser, for a while: `id` binds forms to it, `visitor` is who signed in.

    `proxied` tells that a proxy said so, and has to say it with each request; `key` is the digest of
    the token that was shown instead of a person's name.
    """

    id: str = field(repr=False)
    until: float
    visitor: Visitor = ANYBODY
    proxied: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """Tells who looks, and makes sure that a form was filled in on a page of ours.

    Attributes:
        seal: with a key for cookies alone.
        secret: keys the tokens of forms.
        header: the field in which a trusted proxy tells the address of who signed in there, in
            lower case; empty without one.
        trusted: the networks of these proxies.
        cookie: how cookies are called: two listeners of one host share them.
        lasts: seconds that a session is good for.
    """

    seal: Seal
    clock: Clock
    secret: bytes = field(repr=False)
    cookie: str = "soe-gateway"
    lasts: float = LASTS
    header: bytes = b""
    trusted: Sequence[IPv4Network | IPv6Network] = ()
    new_id: Callable[[], str] = lambda: secrets.token_urlsafe(24)

    def of(self, exchange: Exchange, own: str) -> Session | None:
        """Give the session of a request; None where there is none, or none any more.

        What a trusted proxy says goes before what the cookie says of who it is.

        Args:
            own: our own origin, as `https://host`.
        """
        told = self.opened(exchange, own, "session")
        session = None
        if told is not None:
            session = Session(**told | {"visitor": Visitor(**told["visitor"])})
        visitor = self._told(exchange)
        if visitor is None:
            return session if session is not None and not session.proxied else None
        if session is not None and session.proxied and session.visitor == visitor:
            return session
        return self.begun(visitor, proxied=True)

    def begun(self, visitor: Visitor = ANYBODY, *, proxied: bool = False, key: str = "") -> Session:
        """Begin a session."""
        until = self.clock.now() + self.lasts
        return Session(id=self.new_id(), until=until, visitor=visitor, proxied=proxied, key=key)

    def kept(self, session: Session, own: str) -> tuple[bytes, bytes]:
        """Give the field that makes the browser keep a session."""
        return self.closed(asdict(session), own, "session", session.until)

    def token(self, session: Session, purpose: str) -> str:
        """Give what a form of ours carries, for one session, visitor and purpose."""
        digest = hashlib.blake2b(key=self.secret, digest_size=24)
        for part in (session.id, session.visitor.id, purpose):
            digest.update(b"%d:" % len(part.encode()) + part.encode())
        return digest.hexdigest()

    def accepts(self, session: Session, purpose: str, token: str) -> bool:
        """Whether a form carries what it must."""
        return hmac.compare_digest(self.token(session, purpose).encode(), token.encode())

    # ── cookies ──────────────────────────────────────────────────────────────────────────────

    def opened(self, exchange: Exchange, own: str, kind: str) -> dict[str, Any] | None:
        """Give what a cookie of ours holds, as long as it lasts; None where it cannot be ours."""
        value = _cookie(exchange.headers, self._name(own, kind))
        try:
            sealed = base64.urlsafe_b64decode(value.encode("ascii"))
        except (binascii.Error, ValueError):
            return None
        data = self.seal.open(kind, sealed)
        if data is None:
            return None
        told: dict[str, Any] = json.loads(data)
        return told if self.clock.now() < told["until"] else None

    def closed(
        self, told: dict[str, Any], own: str, kind: str, until: float
    ) -> tuple[bytes, bytes]:
        """Give the field that makes the browser keep something, which is told till when it lasts.

        `Lax`, or it would not come along on the way back from where people sign in.
        """
        sealed = self.seal.close(kind, json.dumps(told | {"until": until}).encode())
        value = base64.urlsafe_b64encode(sealed).decode()
        return self._set_cookie(own, kind, value, int(until - self.clock.now()))

    def ended(self, own: str, kind: str = "session") -> tuple[bytes, bytes]:
        """Give the field that makes the browser forget something."""
        return self._set_cookie(own, kind, "", 0)

    def _name(self, own: str, kind: str) -> str:
        # The prefix keeps other hosts of the domain from setting it; over plain HTTP it may not stand.
        prefix = "__Host-" if is_secure(own) else ""
        return f"{prefix}{self.cookie}{'' if kind == 'session' else f'-{kind}'}"

    def _set_cookie(self, own: str, kind: str, value: str, seconds: int) -> tuple[bytes, bytes]:
        secure = "; Secure" if is_secure(own) else ""
        rules = f"Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
        return b"set-cookie", f"{self._name(own, kind)}={value}; {rules}".encode()

    # ── the header of a trusted proxy ────────────────────────────────────────────────────────

    def _told(self, exchange: Exchange) -> Visitor | None:
        """Who a trusted proxy says it is; told twice, it may be a client's word, and is nobody's."""
        if not self.header or not exchange.client:
            return None
        if not any(ip_address(exchange.client) in network for network in self.trusted):
            return None
        told = [value for name, value in exchange.headers if name == self.header]
        email = told[0].decode("utf-8", "replace").strip() if len(told) == 1 else ""
        return Visitor(email=email) if email else None


def is_secure(own: str) -> bool:
    """Whether cookies of an origin cross no network in clear: they must not, beyond this machine."""
    parts = urlsplit(own)
    return not (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _cookie(headers: Headers, wanted: str) -> str:
    """Find a cookie; given twice, one of them was put there by somebody else."""
    found = []
    for name, value in headers:
        if name == b"cookie":
            pairs = (each.strip().partition("=") for each in value.decode("latin-1").split(";"))
            found += [text for each, _, text in pairs if each == wanted]
    return found[0] if len(found) == 1 and len(found[0]) <= _LONGEST else ""
