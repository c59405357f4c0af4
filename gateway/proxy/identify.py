"""Who is calling: the integration behind a request's credentials.

What a caller presents may earn: a gateway key, a client certificate, an SOE token that is
registered, or that SOE gave to a registered OAuth client. What it merely says (User-Agent, v2.3
key, path, Origin) never does. Two that belong to different integrations are refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, ip_address

from gateway.errors import RequestError
from gateway.model import ANONYMOUS, Api, Headers
from gateway.policy.registry import Integration, Registry, digest
from gateway.proxy.certificates import names_in_field
from gateway.proxy.cors import foreign_origin, origin_of
from gateway.proxy.exchange import Exchange, one
from gateway.soe.credentials import Credentials, token_field


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls: `integration` is None for a caller that nobody registered.

    `token` and `credential` as of `Write`; `names` are those in its certificate; `held` is the SOE
    token that the gateway sends for it, and `foreign` tells that it is a page of the web whose
    origin nobody registered.
    """

    integration: Integration | None
    token: str | None
    credential: str | None = None
    names: tuple[str, ...] = ()
    held: str = field(default="", repr=False)
    foreign: bool = False

    @property
    def name(self) -> str:
        """The integration's name for rules, logs and metrics."""
        return self.integration.name if self.integration else ANONYMOUS

    @property
    def tier(self) -> str:
        """The integration's tier; empty where nobody registered it."""
        return self.integration.tier if self.integration else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """Names callers, from all that a request presents.

    Attributes:
        secret: keys the digests of tokens.
        trusted: networks of proxies before us.
        told_in: the header field in which these tell a client's certificate, in lower case; empty
            where none does.
    """

    secret: bytes = field(repr=False)
    trusted: tuple[IPv4Network | IPv6Network, ...] = ()
    told_in: bytes = b""

    async def caller(
        self, exchange: Exchange, registry: Registry, presented: Credentials, api: Api | None = None
    ) -> Caller:
        """Name the caller of a request; where the gateway holds its token, let that be sent.

        Args:
            api: that it is for; None where it is for us.

        Raises:
            RequestError: as of `identify`; `untrusted_certificate` or `ambiguous_certificate`
                (400); `ambiguous_credentials` (400) for a token beside the one that is held, or
                for another integration's page; `key_in_browser` (403).
        """
        origin = origin_of(exchange.headers) if registry.has_origins else None
        if origin is not None and one(exchange.headers, b"x-gateway-key") is not None:
            raise RequestError(
                403,
                "key_in_browser",
                "The request comes from a page of the web and carries a gateway key: a key that is "
                "in a page is published. Ask the contact named here to revoke it.",
            )
        names = (*exchange.certificate, *self._told(exchange))
        caller = identify(registry, exchange.headers, presented, self.secret, names)
        if origin is not None:
            caller = _from_page(caller, registry.by_origin(origin))
        if caller.held and api is not None:
            exchange.credential = token_field(api, caller.held)
            if exchange.credential is not None and presented.token is not None:
                raise RequestError(
                    400,
                    "ambiguous_credentials",
                    f"The gateway holds the SOE token of {caller.name} and sends it: leave out "
                    "yours.",
                )
        return caller

    def _told(self, exchange: Exchange) -> tuple[str, ...]:
        """Give the names in the certificate that a proxy tells of."""
        told = [value for name, value in exchange.headers if name == self.told_in]
        if not self.told_in or not told:
            return ()
        # Dropped, it would leave an operator who forgot `proxy.trusted` to wonder why nobody is
        # known; and nobody but a proxy has a reason to send it.
        if not any(ip_address(exchange.client) in network for network in self.trusted):
            raise RequestError(
                400,
                "untrusted_certificate",
                f"{self.told_in.decode()} tells of a client certificate, and the address that it "
                "comes from is not among the trusted proxies (proxy.trusted).",
            )
        try:
            (value,) = told
            return names_in_field(value)
        except ValueError:
            raise RequestError(
                400,
                "ambiguous_certificate",
                f"{self.told_in.decode()} must tell of one certificate, as one element of Envoy's or "
                "as PEM in URL encoding: let the last proxy set it anew.",
            ) from None


def identify(
    registry: Registry,
    headers: Headers,
    credentials: Credentials,
    secret: bytes,
    names: tuple[str, ...] = (),
) -> Caller:
    """Name the caller from its gateway key, its certificate and its SOE token.

    Args:
        secret: keys the digest under which the token is known to rules, state and audit.
        names: in its certificate.

    Raises:
        RequestError: `unknown_gateway_key` (401), or `ambiguous_credentials` (400) where they
            belong to two integrations.
    """
    found: list[tuple[str, Integration]] = []
    key = one(headers, b"x-gateway-key")
    if key is not None:
        by_key = registry.by_key(digest(key))
        if by_key is None:
            raise RequestError(
                401,
                "unknown_gateway_key",
                "No integration has this gateway key: it was mistyped, or replaced by a new one.",
            )
        found.append(("gateway key", by_key))
    found += [("certificate", each) for each in map(registry.by_certificate, names) if each]
    held = found[0][1].upstream_token if found else None
    credential = None
    if credentials.token is not None:
        credential = digest(credentials.token.encode())
        by_token = registry.by_token(credential)
        found += [("SOE token", by_token)] if by_token else []
    integration = _only(found)
    sent = credentials.token or (held.secret if held else "")
    return Caller(
        integration=integration,
        token=_keyed(sent, secret) if sent else None,
        credential=f"sha256:{credential}" if credential and integration is None else None,
        names=names,
        held=held.secret if held else "",
    )


def _from_page(caller: Caller, page: Integration | None) -> Caller:
    """Look at the page that a request comes from: it narrows, and names nobody."""
    if page is None:
        return replace(caller, foreign=True)
    if caller.integration is not None and caller.integration.name != page.name:
        raise RequestError(
            400,
            "ambiguous_credentials",
            "The page and what the request presents belong to two different integrations.",
        )
    return caller


def _keyed(token: str, secret: bytes) -> str:
    return hashlib.blake2b(token.encode(), key=secret, digest_size=16).hexdigest()


def _only(found: list[tuple[str, Integration]]) -> Integration | None:
    """Give the one integration that is named, by however many things."""
    for what, integration in found[1:]:
        first, other = found[0]
        if integration.name != other.name:
            both = f"The {first} and the {what}" if first != what else f"Two names in the {what}"
            raise RequestError(
                400,
                "ambiguous_credentials",
                f"{both} belong to two different integrations.",
            )
    return found[0][1] if found else None


def admit_read(caller: Caller, anonymous: str) -> None:
    """Let a read pass, or refuse a caller that nobody registered where reads ask for it."""
    if caller.integration is None and anonymous != "allow":
        raise _unregistered(caller)


def objection(caller: Caller, operation: str, at: float, anonymous: str) -> RequestError | None:
    """Say why a caller may not write this: it is not registered for it.

    `unknown_caller` (401), `foreign_origin`, `unregistered_caller`, `integration_expired` or
    `operation_not_registered` (403); None where it may, and the rules judge.
    """
    integration = caller.integration
    if caller.foreign:
        return foreign_origin()
    if integration is None:
        return None if anonymous == "allow" else _unregistered(caller)
    if integration.expires and datetime.fromtimestamp(at, UTC).date() > integration.expires:
        return RequestError(
            403,
            "integration_expired",
            f"The registration of {integration.name} ended on {integration.expires}.",
        )
    if not any(fnmatchcase(operation, allowed) for allowed in integration.operations):
        return RequestError(
            403,
            "operation_not_registered",
            f"{integration.name} is not registered for {operation}.",
        )
    return None


def _unregistered(caller: Caller) -> RequestError:
    tell = (
        "Tell the contact named here what you will post, where, and which action of a user "
        "starts it; then send the gateway key that you get as X-Gateway-Key."
    )
    if caller.token is None and not caller.names:
        return RequestError(401, "unknown_caller", f"The request names no caller. {tell}")
    return RequestError(403, "unregistered_caller", f"This integration is not registered. {tell}")
