"""Which header fields cross the gateway, in both directions. Pure.

Laws: what names a caller, a route or a trust decision of ours is never taken from the client; the
target and the body are not touched here or anywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address

from gateway.model import Headers
from gateway.proxy.exchange import Exchange, one
from gateway.soe.credentials import TOKEN_FIELDS

_HOP_BY_HOP = frozenset(
    # RFC 9110 section 7.6.1, and the older ones that proxies still meet.
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_OURS = frozenset(
    {b"x-explicit-action", b"x-gateway-key", b"x-gateway-dry-run", b"idempotency-key"}
)
_NOT_FORWARDED = (
    _HOP_BY_HOP
    | _OURS
    | {b"host", b"content-length", b"cookie", b"expect", b"forwarded", b"http2-settings"}
    # Fields by which servers and frameworks learn who calls, and from where, of a proxy they trust.
    | {b"proxy", b"true-client-ip", b"cf-connecting-ip", b"fastly-client-ip", b"x-host"}
    | {b"x-real-ip", b"x-client-ip", b"x-cluster-client-ip", b"x-original-host", b"ssl-client-cert"}
)
_NOT_FORWARDED_PREFIXES = (
    b"x-forwarded-",
    b"x-gateway-",
    b"gateway-",
    b"x-arr-",
    b"x-ms-client-principal",
    b"x-client-cert",
    b"x-ssl-",
)
_NOT_RETURNED = _HOP_BY_HOP | {b"set-cookie", b"set-cookie2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """What is forwarded on this site.

    Attributes:
        authority: SOE's host and port, for `Host`.
        url: SOE's origin, lower case, without a trailing slash.
        trusted: networks of proxies before us whose `X-Forwarded-For` is continued.
        private: the field in which these tell a client's certificate; empty where there is none.
    """

    authority: bytes
    url: bytes
    trusted: tuple[IPv4Network | IPv6Network, ...] = ()
    private: bytes = b""

    def to_upstream(
        self, exchange: Exchange, framing: tuple[bytes, bytes] | None
    ) -> list[tuple[bytes, bytes]]:
        """Give the fields that go to SOE, in order; `X-Forwarded-*` are set anew.

        Args:
            framing: the `content-length` or `transfer-encoding` field of the body, None without.
        """
        fields = [(b"host", self.authority)]
        fields += [each for each in _crossing(exchange.headers) if each[0] != self.private]
        if (
            exchange.credential is not None
        ):  # the one case in which a credential is not the client's
            fields = [each for each in fields if each[0] not in TOKEN_FIELDS]
            fields.append(exchange.credential)
        if framing is not None:
            fields.append(framing)
        fields.append((b"x-forwarded-for", self._forwarded_for(exchange)))
        fields.append((b"x-forwarded-proto", exchange.scheme.encode()))
        fields.append((b"x-forwarded-host", one(exchange.headers, b"host") or b""))
        return fields

    def _forwarded_for(self, exchange: Exchange) -> bytes:
        client = exchange.client.encode()
        if not self.trusted or not any(ip_address(exchange.client) in net for net in self.trusted):
            return client
        before = [value for name, value in exchange.headers if name == b"x-forwarded-for"]
        return b", ".join([*before, client])

    def to_client(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        """Give SOE's response fields that the client gets."""
        named = _named_by_connection(headers)
        return [
            (name, self._relocated(value) if name == b"location" else value)
            for name, value in headers
            if name not in _NOT_RETURNED and name not in named
        ]

    def _relocated(self, location: bytes) -> bytes:
        """Make a location on SOE's own host relative, so that clients stay with the gateway."""
        rest = location[len(self.url) :]
        # `https://soe.example.com.evil/` begins like SOE's own host and is not it.
        if not location.lower().startswith(self.url) or rest[:1] not in (b"", b"/", b"?", b"#"):
            return location
        return rest or b"/"


@lru_cache(128)
def _crossing(headers: Headers) -> Headers:
    return tuple([field for field in headers if _crosses(field[0])])


def _crosses(name: bytes) -> bool:
    plain = name.replace(b"_", b"-") if b"_" in name else name
    return plain not in _NOT_FORWARDED and not plain.startswith(_NOT_FORWARDED_PREFIXES)


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    options = [value for name, value in headers if name == b"connection"]
    return _options(b",".join(options)) if options else frozenset()


@lru_cache(64)
def _options(value: bytes) -> frozenset[bytes]:
    return frozenset(option.strip().lower() for option in value.split(b","))
