"""The way of a read: streamed both ways, judged by nothing, stopped by nothing of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import perf_counter

from gateway.errors import RequestError
from gateway.policy.policyset import PolicySet
from gateway.ports import Upstream
from gateway.proxy.exchange import Exchange, Response, one
from gateway.proxy.forward import Forwarding
from gateway.proxy.identify import Identifier, admit_read
from gateway.soe.api import Route, body_limit
from gateway.soe.read import credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Passthrough:
    """Streams reads.

    Attributes:
        anonymous: `allow` or `refuse` for the reads of callers that nobody registered.
        identifier: names callers.
    """

    upstream: Upstream
    forwarding: Forwarding
    anonymous: str
    identifier: Identifier

    async def handle(self, exchange: Exchange, route: Route, policies: PolicySet) -> Response:
        """Forward a read and return SOE's answer, still streaming."""
        presented = credentials(route, exchange.headers, None)
        if policies.registry.integrations or self.anonymous != "allow":
            # Where reads are for everybody, they ask state nothing.
            caller = await self.identifier.caller(
                exchange, policies.registry, presented, route, ask=self.anonymous != "allow"
            )
            exchange.integration = caller.name
            admit_read(caller, self.anonymous)
        if route.endpoint.redirects:  # people sign in at SOE itself: its cookies belong there
            location = self.forwarding.url + exchange.target
            return Response(302, ((b"location", location), (b"content-length", b"0")))
        framing = _framing(exchange)
        started = perf_counter()
        upstream = await self.upstream.send(
            exchange.method,
            exchange.target,
            self.forwarding.to_upstream(exchange, framing),
            _bounded(exchange, body_limit(route)) if framing else None,
        )
        exchange.upstream_seconds = perf_counter() - started
        fields = self.forwarding.to_client(upstream.headers)
        return Response(upstream.status, tuple(fields), rest=upstream)


def _framing(exchange: Exchange) -> tuple[bytes, bytes] | None:
    if one(exchange.headers, b"transfer-encoding") is not None:
        return (b"transfer-encoding", b"chunked")
    length = one(exchange.headers, b"content-length")
    return (b"content-length", length) if length else None


async def _bounded(exchange: Exchange, limit: int) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in exchange.chunks():
        size += len(chunk)
        if size > limit:
            raise RequestError(413, "body_too_large", f"The body may have at most {limit} bytes.")
        yield chunk
