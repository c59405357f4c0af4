"""The canary: now and then a write that must be refused goes the way of all writes, but to no SOE.

It comes from the tests of the policies in force: the first step of a test that an enforcing rule
refuses without asking state. If it is not refused, the gate is open, whatever else looks well.

Laws: it never reaches SOE, state only reads for it, and it is in no record, metric or log but its own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.errors import PolicyError, StoreError, UpstreamError
from gateway.model import (
    ANONYMOUS,
    Decision,
    Outcome,
    Settlement,
    Write,
)
from gateway.observe.observer import Observer, Seen
from gateway.offline.cases import Step, read_cases, run_cases
from gateway.policy.load import Source
from gateway.policy.policyset import PolicySet
from gateway.ports import Store, UpstreamResponse
from gateway.proxy.app import ProxyApp
from gateway.soe import v3
from gateway.soe.api import BodyKind, Endpoint

_CASES_AT_MOST = 200
"""So many tests are looked at for one that serves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A write that must be refused, as a request: by which rules, and what it consists of."""

    rules: frozenset[str]
    method: str
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def canary_of(policies: PolicySet, sources: Iterable[Source]) -> Canary | None:
    """Find a canary in the tests of a policy set; None where no test gives one."""
    try:
        cases = read_cases(sources)
    except PolicyError:  # mistakes in tests stop no gateway
        return None
    for case in cases[:_CASES_AT_MOST]:
        for first in case.steps[:1]:
            endpoint, rules = _endpoint(first), first.expect.get("refused_by")
            if endpoint is None or not isinstance(rules, tuple) or not rules:
                continue
            anonymous = _anonymous(first)
            [outcome] = run_cases(policies, [replace(case, steps=(anonymous,))])
            if outcome.failure is None:
                return _request(anonymous, endpoint, frozenset(rules))
    return None


def _anonymous(step: Step) -> Step:
    """The same write of a caller who presents nothing: so it is what the request says."""
    facts = {name: told for name, told in step.facts.items() if name not in ("token", "person")}
    return replace(step, facts={**facts, "as": ANONYMOUS})


def _endpoint(step: Step) -> Endpoint | None:
    """The way by which v3 writes this, where its body is an object or none."""
    is_in_team = "team" in step.facts
    for endpoint in v3.ENDPOINTS:
        fits = (
            endpoint.operation == step.operation and ("{team}" in endpoint.template) == is_in_team
        )
        if fits and endpoint.body in (BodyKind.OBJECT, BodyKind.NONE):
            return endpoint
    return None


def _request(step: Step, endpoint: Endpoint, rules: frozenset[str]) -> Canary:
    facts, text = step.facts, endpoint.text
    slots = {"team": facts.get("team", "")}
    path = "/".join(
        slots.get(part.strip("{}"), "1") if part.startswith("{") else part
        for part in endpoint.template.split("/")
    )
    told: dict[str, Any] = {}
    if text.title:
        told[text.title] = facts.get("title", "")
    if text.body:
        told[text.body[0]] = facts.get("body", "")
    if text.tags:
        told[text.tags] = list(step.tags)
    body = json.dumps(told).encode() if endpoint.body is BodyKind.OBJECT else b""
    fields = [(b"host", b"canary.invalid"), (b"content-length", b"%d" % len(body))]
    if body:
        fields.append((b"content-type", b"application/json"))
    named = ((b"user-agent", "user_agent"), (b"x-explicit-action", "action"))
    fields += [(name, facts[key].encode("latin-1")) for name, key in named if key in facts]
    return Canary(
        rules=rules,
        method=endpoint.method,
        target=path.encode(),
        headers=tuple(fields),
        body=body,
    )


class CanaryRun:
    """Sends the canary of whatever policies are in force through the live pipeline."""

    def __init__(
        self, app: ProxyApp, observer: Observer, sources: Callable[[], Sequence[Source]]
    ) -> None:
        """Take the live app; `sources` reads the policy files, for their tests."""
        self._inert = _Inert()
        silent = _Silent(observer)
        self._app = replace(
            app,
            observer=silent,
            pipeline=replace(
                app.pipeline,
                store=_Looking(app.pipeline.store),
                audit=_Unrecorded(),
                upstream=self._inert,
                observer=silent,
                anonymous="allow",
            ),
            passthrough=replace(app.passthrough, upstream=self._inert),
        )
        self._observer = observer
        self._sources = sources
        self._revision = ""
        self._canary: Canary | None = None

    async def repeat(self, interval: float) -> None:
        """Send it for ever, `interval` seconds apart."""
        while True:
            await self.once()
            await asyncio.sleep(interval)

    async def once(self) -> bool:
        """Send it once; whether there was one and it was refused."""
        policies = self._app.policies.current
        if policies.revision != self._revision:
            self._canary = await asyncio.to_thread(self._found, policies)
            self._revision = policies.revision
            if self._canary is None:
                self._observer.no_canary(policies.revision)
        if self._canary is None:
            return False
        told = await self._answer(self._canary)
        refused = not self._inert.asked and self._canary.rules <= told
        self._observer.canary_sent(policies.revision, refused=refused)
        self._inert.asked = False
        return refused

    def _found(self, policies: PolicySet) -> Canary | None:
        try:
            return canary_of(policies, self._sources())
        except PolicyError:  # the files changed meanwhile: the next set has its own
            return None

    async def _answer(self, canary: Canary) -> frozenset[str]:
        """Give the rules that refuse a canary."""
        messages: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": canary.body, "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        scope = {
            "type": "http",
            "method": canary.method,
            "raw_target": canary.target,
            "headers": canary.headers,
            "client": None,
            "scheme": "http",
        }
        await self._app(scope, receive, send)
        try:
            told = json.loads(b"".join(message.get("body", b"") for message in messages))
            return frozenset(each["rule"] for each in told.get("violations", ()))
        except (ValueError, AttributeError, KeyError):
            return frozenset()


class _Inert:
    """An upstream that sends nothing; `asked` tells whether it should have."""

    asked = False

    async def send(
        self,
        method: str,
        target: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes | AsyncIterator[bytes] | None,
        before_first_byte: Callable[[], None] | None = None,
    ) -> UpstreamResponse:
        self.asked = True
        raise UpstreamError("canary", Outcome.NOT_SENT)


class _Looking:
    """The live state, of which nothing is taken."""

    def __init__(self, store: Store) -> None:
        self.peek = store.peek
        self.reserve = store.peek

    async def settle(self, write_id: str, settlement: Settlement) -> None:
        """There is nothing to settle."""

    async def keep_answer(self, write_id: str, answer: bytes) -> None:
        """There is nothing to keep."""

    async def close(self) -> None:
        """It is another's."""


class _Unrecorded:
    """An audit log of what never happened."""

    async def decided(self, write: Write, decision: Decision) -> None:
        """As `AuditLog.decided`."""

    def sending(self, write_id: str) -> None:
        """As `AuditLog.sending`."""

    async def settled(self, write: Write, settlement: Settlement, status: int | None) -> None:
        """As `AuditLog.settled`."""

    async def close(self) -> None:
        """As `AuditLog.close`."""


class _Silent(Observer):
    """Tells of bugs alone."""

    def __init__(self, observer: Observer) -> None:
        self._loud = observer

    def crashed(self, error: Exception) -> None:
        """As `Observer.crashed`: a bug is one here, too."""
        self._loud.crashed(error)

    def decided(self, write: Write, decision: Decision) -> None:
        """As `Observer.decided`."""

    def settled(self, write: Write, settlement: Settlement) -> None:
        """As `Observer.settled`."""

    def finished(self, seen: Seen, status: int, sent: int, seconds: float) -> None:
        """As `Observer.finished`."""

    def store_failed(self, call: str, error: StoreError) -> None:
        """As `Observer.store_failed`."""

    def upstream_failed(self, error: UpstreamError) -> None:
        """As `Observer.upstream_failed`."""
