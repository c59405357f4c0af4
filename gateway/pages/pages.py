"""The pages of the proxy listener: which there are, and how they are answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.errors import RequestError, StoreError
from gateway.model import Contact, Headers
from gateway.pages.holds import status
from gateway.pages.rules import applying, budgets
from gateway.policy.policyset import PolicySet
from gateway.ports import Clock, Store
from gateway.proxy.app import OWN
from gateway.proxy.exchange import Exchange, Response, one
from gateway.proxy.holds import Holds
from gateway.proxy.identify import Caller, identify
from gateway.soe.api import classify
from gateway.soe.read import credentials

_READ = classify("GET", b"/api/v3/questions")
"""Says where a request carries its credentials."""
_HTML, _JSON, _CSS = b"text/html; charset=utf-8", b"application/json", b"text/css"
_POLICY = (
    b"default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'"
)
_SAFE: Headers = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"vary", b"accept, authorization, x-gateway-key"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Answers what is asked under `/_gateway/`.

    Attributes:
        contact: whom to ask for a registration.
        holds: what waits for a person.
        anonymous: `allow` or `refuse` for the writes of callers that nobody registered.
        secret: keys the digest of tokens.
    """

    store: Store
    holds: Holds
    clock: Clock
    contact: Contact
    anonymous: str
    secret: bytes = field(repr=False)

    async def handle(self, exchange: Exchange, policies: PolicySet) -> Response:
        """Answer a request whose path begins with `/_gateway/`.

        Raises:
            RequestError: `no_page` (404) or `method_not_allowed` (405).
        """
        exchange.operation = "read"
        path = exchange.target.partition(b"?")[0].removeprefix(OWN)
        if path.startswith(b"holds/") and path.endswith(b"/status"):
            return await self._status(exchange, path.split(b"/")[1].decode("latin-1"))
        if path not in (b"", b"rules", b"style.css"):
            raise RequestError(404, "no_page", "There is no such page; /_gateway/ lists them.")
        if exchange.method not in ("GET", "HEAD"):
            raise RequestError(405, "method_not_allowed", "This page is read by GET.")
        if path == b"style.css":
            return _answer(_CSS, _style())
        if path == b"":
            return _answer(_HTML, _rendered("index.html", contact=self.contact))
        told = await self._rules(exchange, policies)
        if b"text/html" in (one(exchange.headers, b"accept") or b""):
            return _answer(_HTML, _rendered("rules.html", **told))
        return _answer(_JSON, orjson.dumps(told))

    async def _status(self, exchange: Exchange, hold_id: str) -> Response:
        """Tell a program how far a hold is."""
        if exchange.method not in ("GET", "HEAD"):
            raise RequestError(405, "method_not_allowed", "This page is read by GET.")
        hold = await self.holds.get(hold_id)
        if hold is None:
            raise RequestError(404, "no_hold", "No write waits here, or none does any more.")
        return _answer(_JSON, orjson.dumps(status(hold)))

    async def _rules(self, exchange: Exchange, policies: PolicySet) -> dict[str, Any]:
        """Tell which rules judge the caller's writes, and how much of each cap it has left."""
        presented = credentials(_READ, exchange.headers)
        caller = identify(policies.registry, exchange.headers, presented, self.secret)
        exchange.integration = caller.name
        now = self.clock.now()
        rules = applying(policies, caller, now)
        try:
            left = await budgets(self.store, rules, caller, now)
        except StoreError:
            left = {}
        return {
            "integration": caller.name,
            "registered": caller.integration is not None,
            "may_write": self._may_write(caller, policies),
            "operations": list(caller.integration.operations) if caller.integration else ["*"],
            "posture": "discover" if policies.discovering else "guard",
            "policy_revision": policies.revision,
            "contact": {
                "name": self.contact.name,
                "url": self.contact.url,
                "email": self.contact.email,
            },
            "rules": [{**rule.told, "budgets": left.get(rule.id, [])} for rule in rules],
        }

    def _may_write(self, caller: Caller, policies: PolicySet) -> bool:
        known = caller.integration is not None
        return known or self.anonymous == "allow" or policies.discovering


def _answer(content_type: bytes, body: bytes) -> Response:
    length = (b"content-length", b"%d" % len(body))
    return Response(200, ((b"content-type", content_type), length, *_SAFE), body)


def _rendered(template: str, **told: Any) -> bytes:
    return _templates().get_template(template).render(**told).encode()


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("gateway.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> bytes:
    return files("gateway.pages").joinpath("templates/style.css").read_bytes()
