"""The pages of the proxy listener: which there are, and how they are answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from gateway.errors import RequestError, StoreError
from gateway.model import Contact
from gateway.pages.page import CSS, HTML, JSON, answer, rendered, style
from gateway.pages.people import People
from gateway.pages.rules import applying, budgets
from gateway.policy.policyset import PolicySet
from gateway.ports import Clock, Store
from gateway.proxy.app import OWN
from gateway.proxy.exchange import Exchange, Response, one
from gateway.proxy.identify import Caller, Identifier
from gateway.soe.api import classify
from gateway.soe.read import credentials

_READ = classify("GET", b"/api/v3/questions")
"""Says where a request carries its credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Answers what is asked under `/_gateway/`.

    Attributes:
        contact: whom to ask for a registration.
        people: the pages on which people sign in and decide.
        anonymous: `allow` or `refuse` for the writes of callers that nobody registered.
        identifier: names callers.
    """

    store: Store
    people: People
    clock: Clock
    contact: Contact
    anonymous: str
    identifier: Identifier

    async def handle(self, exchange: Exchange, policies: PolicySet) -> Response:
        """Answer a request whose path begins with `/_gateway/`.

        Raises:
            RequestError: `no_page` (404) or `method_not_allowed` (405).
        """
        exchange.operation = "read"
        path = exchange.target.partition(b"?")[0].removeprefix(OWN)
        if path.startswith((b"holds/", b"sign")):
            return await self.people.handle(exchange, path, policies)
        if path not in (b"", b"rules", b"style.css"):
            raise RequestError(404, "no_page", "There is no such page; /_gateway/ lists them.")
        if exchange.method not in ("GET", "HEAD"):
            raise RequestError(405, "method_not_allowed", "This page is read by GET.")
        if path == b"style.css":
            return answer(CSS, style())
        if path == b"":
            return answer(HTML, rendered("index.html", contact=self.contact))
        told = await self._rules(exchange, policies)
        if b"text/html" in (one(exchange.headers, b"accept") or b""):
            return answer(HTML, rendered("rules.html", **told))
        return answer(JSON, orjson.dumps(told))

    async def _rules(self, exchange: Exchange, policies: PolicySet) -> dict[str, Any]:
        """Tell which rules judge the caller's writes, and how much of each cap it has left."""
        presented = credentials(_READ, exchange.headers)
        caller = await self.identifier.caller(exchange, policies.registry, presented)
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
