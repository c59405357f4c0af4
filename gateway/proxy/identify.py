"""Who is calling: the integration behind a request's credentials.

What a caller presents may earn: a gateway key, a client certificate, an SOE token that is
registered, or that SOE gave to a registered OAuth client. What it merely says (User-Agent, v2.3
key, path, Origin) never does. Two that belong to different integrations are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network, ip_address
from types import MappingProxyType

from gateway.errors import RequestError
from gateway.model import ANONYMOUS, Api, Headers
from gateway.policy.registry import Integration, Registry, digest
from gateway.ports import Clock
from gateway.proxy.certificates import names_in_field
from gateway.proxy.cors import foreign_origin, origin_of
from gateway.proxy.exchange import Exchange, one
from gateway.proxy.tokens import (
    EXCHANGE,
    IMPERSONATION,
    PARENTS_AT_MOST,
    Minted,
    Tokens,
    keyed,
    parents_of,
)
from gateway.soe.api import Route
from gateway.soe.credentials import Credentials, token_field


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls: `integration` is None for a caller that nobody registered.

    `token` and `credential` as of `Write`; `presented` is the keyed digest of the token as it came,
    which differs from `token` where that one was exchanged for it; `names` are those in its certificate; `held` is the SOE
    token that the gateway sends for it, and `foreign` tells that it is a page of the web whose
    origin nobody registered.
    """

    integration: Integration | None
    token: str | None
    presented: str | None = None
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
        tokens: tells where tokens come from.
        trusted: networks of proxies before us.
        told_in: the header field in which these tell a client's certificate, in lower case; empty
            where none does.
    """

    secret: bytes = field(repr=False)
    clock: Clock
    tokens: Tokens | None = None
    trusted: tuple[IPv4Network | IPv6Network, ...] = ()
    told_in: bytes = b""

    async def caller(
        self,
        exchange: Exchange,
        registry: Registry,
        presented: Credentials,
        route: Route | None = None,
        fields: Mapping[str, str] | None = None,
        *,
        ask: bool = True,
    ) -> Caller:
        """Name the caller of a request; where the gateway holds its token, let that be sent.

        Args:
            route: where it goes; None where it is for us.
            fields: of its query and form, where these were read.
            ask: whether state is asked where a token comes from that nobody registered.

        Raises:
            RequestError: as of `identify`; `untrusted_certificate` or `ambiguous_certificate`
                (400); `ambiguous_credentials` (400) for a token beside the one that is held, or
                for another integration's page; `key_in_browser` or `integration_expired` (403).
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
        client, parents = _exchanging(route, fields or {})
        minted = {}
        if ask:
            for token in filter(None, (presented.token, *parents)):
                minted[token] = await self._minted(registry, token)
        caller = identify(
            registry,
            exchange.headers,
            presented,
            self.secret,
            names=names,
            minted=minted,
            parents=parents,
            client=client,
        )
        if origin is not None:
            caller = _from_page(caller, registry.by_origin(origin))
        if caller.held and route is not None:
            self._lend(exchange, caller, presented, route.endpoint.api)
        return caller

    async def _minted(self, registry: Registry, token: str) -> Minted | None:
        """Tell where a token comes from, if it is not registered and can come from anywhere."""
        if self.tokens is None or not (registry.has_clients or registry.mints):
            return None
        return None if registry.by_token(digest(token.encode())) else await self.tokens.of(token)

    def _lend(self, exchange: Exchange, caller: Caller, presented: Credentials, api: Api) -> None:
        """Let the token that the gateway holds go to SOE, in place of one of the caller's own."""
        integration = caller.integration
        if integration is not None and is_over(integration, self.clock.now()):
            raise _over(integration)
        exchange.credential = token_field(api, caller.held)
        if exchange.credential is not None and presented.token is not None:
            raise RequestError(
                400,
                "ambiguous_credentials",
                f"The gateway holds the SOE token of {caller.name} and sends it: leave out yours.",
            )

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
    *,
    names: tuple[str, ...] = (),
    minted: Mapping[str, Minted | None] = MappingProxyType({}),
    parents: tuple[str, ...] = (),
    client: str = "",
) -> Caller:
    """Name the caller from its gateway key, its certificate and its SOE token.

    Args:
        secret: keys the digest under which the token is known to rules, state and audit.
        names: in its certificate.
        minted: where tokens come from.
        parents: tokens that it exchanges for others: without one of its own, it is known by them.
        client: OAuth client for which it exchanges a code; SOE will see whether it is that.

    Raises:
        RequestError: `unknown_gateway_key` (401), or `ambiguous_credentials` (400) where they
            belong to two integrations.
    """
    found: list[tuple[str, Integration | None]] = [*_by_key(registry, headers)]
    found += [("certificate", registry.by_certificate(name)) for name in names]
    holder = next((one for _, one in found if one), None)
    held = holder.upstream_token.secret if holder and holder.upstream_token else ""
    tokens = tuple(filter(None, (credentials.token, *parents)))
    found += [("SOE token", _by_token(registry, each, minted.get(each))) for each in tokens]
    found.append(("OAuth client", registry.by_client(client)))
    integration = _only([(what, one) for what, one in found if one is not None])
    sent = tokens[0] if tokens else held
    if not sent:
        return Caller(integration=integration, token=None, names=names)
    source = minted.get(sent) or Minted()
    credential = source.credential or digest(sent.encode())
    own = keyed(sent, secret)
    return Caller(
        integration=integration,
        token=source.parent or own,
        presented=own,
        credential=f"sha256:{credential}" if integration is None else None,
        names=names,
        held=held,
    )


def _by_key(registry: Registry, headers: Headers) -> Iterator[tuple[str, Integration | None]]:
    key = one(headers, b"x-gateway-key")
    if key is None:
        return
    found = registry.by_key(digest(key))
    if found is None:
        raise RequestError(
            401,
            "unknown_gateway_key",
            "No integration has this gateway key: it was mistyped, or replaced by a new one.",
        )
    yield "gateway key", found


def _by_token(registry: Registry, token: str, minted: Minted | None) -> Integration | None:
    """Give whose a token is: registered itself, or exchanged for what is."""
    found = registry.by_token(digest(token.encode()))
    if found is None and minted is not None:
        found = registry.by_token(minted.credential) or registry.by_client(minted.client)
    return found


def _exchanging(route: Route | None, fields: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Give the client and the tokens that an exchange is about.

    Raises:
        RequestError: `too_many_tokens` (400).
    """
    operation = route.endpoint.operation if route is not None else ""
    client = fields.get("client_id", "") if operation == EXCHANGE else ""
    parents = parents_of(fields) if operation == IMPERSONATION else ()
    if len(parents) > PARENTS_AT_MOST:
        told = f"SOE exchanges {PARENTS_AT_MOST} tokens at a time."
        raise RequestError(400, "too_many_tokens", told)
    return client, parents


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


_TWO = {"certificate": "Two names in the certificate", "SOE token": "Two of the SOE tokens"}


def _only(found: list[tuple[str, Integration]]) -> Integration | None:
    """Give the one integration that is named, by however many things."""
    for what, integration in found[1:]:
        first, other = found[0]
        if integration.name != other.name:
            both = f"The {first} and the {what}" if first != what else _TWO[what]
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
    if is_over(integration, at):
        return _over(integration)
    if not any(fnmatchcase(operation, allowed) for allowed in integration.operations):
        return RequestError(
            403,
            "operation_not_registered",
            f"{integration.name} is not registered for {operation}.",
        )
    return None


def is_over(integration: Integration, at: float) -> bool:
    """Whether the last day of a registration is over, in UTC."""
    last = integration.expires
    return last is not None and datetime.fromtimestamp(at, UTC).date() > last


def _over(integration: Integration) -> RequestError:
    return RequestError(
        403,
        "integration_expired",
        f"The registration of {integration.name} ended on {integration.expires}.",
    )


def _unregistered(caller: Caller) -> RequestError:
    tell = (
        "Tell the contact named here what you will post, where, and which action of a user "
        "starts it; then send the gateway key that you get as X-Gateway-Key."
    )
    if caller.token is None and not caller.names:
        return RequestError(401, "unknown_caller", f"The request names no caller. {tell}")
    return RequestError(403, "unregistered_caller", f"This integration is not registered. {tell}")
