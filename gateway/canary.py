"""The canary: now and then a write that must be refused goes the way of all writes, but to no SOE.

It comes from the tests of the policies in force: the first step of a test that an enforcing rule
refuses without asking state. If it is not refused, the gate is open, whatever else looks well.

Laws: it never reaches SOE, state only reads for it, and it is in no record, metric or log but its own;
where state is asked, that call is one of those that state's metrics tell of.
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
from gateway.offline.testing.cases import START, read_cases
from gateway.offline.testing.play import play
from gateway.offline.testing.requests import Request
from gateway.policy.load import Source
from gateway.policy.policyset import PolicySet
from gateway.ports import Notes, Store, Switches, UpstreamResponse
from gateway.proxy.app import ProxyApp
from gateway.proxy.switches import nobody
from gateway.soe.api import BodyKind

_CASES_AT_MOST = 200
"""So many tests are looked at for one that serves."""
_HOURS = (*range(24), *range(24, 7 * 24, 24))
"""When it must be refused, each hour of a Monday and each day: a rule for quiet hours would cry
wolf by day."""
_SAID = ("title", "body", "user_agent", "action", "team")
_MEDIA_TYPES = {
    BodyKind.OBJECT: b"application/json",
    BodyKind.IDS: b"application/json",
    BodyKind.FORM: b"application/x-www-form-urlencoded",
    BodyKind.IMAGE: b"image/png",
}


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
            rules = first.expect.rules.get("refused_by")
            if not rules or first.state_down:
                continue
            anonymous = replace(first, request=_anonymous(first.request))
            at_all_times = [replace(anonymous, at=START + hour * 3600.0) for hour in _HOURS]
            stories = [replace(case, steps=(step,)) for step in at_all_times]
            if not any(each.failure for each in play(policies, stories)):
                return _sent(anonymous.request, frozenset(rules))
    return None


def _anonymous(request: Request) -> Request:
    """The same write of a caller who presents nothing: so it is what the request says."""
    facts = {name: request.facts[name] for name in _SAID if name in request.facts}
    return replace(request, facts={**facts, "as": ANONYMOUS})


def _sent(request: Request, rules: frozenset[str]) -> Canary:
    endpoint, body = request.route.endpoint, request.body
    fields = [(b"host", b"canary.invalid"), (b"content-length", b"%d" % len(body))]
    if body and endpoint.body in _MEDIA_TYPES:
        fields.append((b"content-type", _MEDIA_TYPES[endpoint.body]))
    named = ((b"user-agent", "user_agent"), (b"x-explicit-action", "action"))
    fields += [
        (name, request.facts[key].encode("latin-1")) for name, key in named if key in request.facts
    ]
    return Canary(
        rules=rules,
        method=endpoint.method,
        target=request.route.path.encode(),
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
        looking = _Looking(app.pipeline.store)
        self._app = replace(
            app,
            observer=silent,
            pipeline=replace(
                app.pipeline,
                off=nobody,
                store=looking,
                audit=_Unrecorded(),
                confirming=replace(
                    app.pipeline.confirming,
                    holds=replace(app.pipeline.confirming.holds, store=looking),
                    observer=silent,
                    persons=None,
                    titles=None,
                ),
                upstream=self._inert,
                observer=silent,
                anonymous="allow",
                persons=None,
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
            try:
                await self.once()
            except Exception as error:  # noqa: BLE001  # what cannot be tried proves nothing
                self._observer.crashed(error)
                self._observer.no_canary(self._app.policies.current.revision)
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
        self._store = store
        self.peek = store.peek
        self.reserve = store.peek

    async def settle(self, write_id: str, settlement: Settlement) -> None:
        """There is nothing to settle."""

    async def keep_answer(self, write_id: str, answer: bytes) -> None:
        """There is nothing to keep."""

    async def close(self) -> None:
        """It is another's."""

    @property
    def notes(self) -> Notes:
        """None are there, and none may be put: no canary waits for a person."""
        raise StoreError("a canary has no notes")

    @property
    def switches(self) -> Switches:
        """None are there, and none may be put: a canary switches nothing."""
        raise StoreError("a canary has no switches")


class _Unrecorded:
    """An audit log of what never happened."""

    async def decided(self, write: Write, decision: Decision) -> None:
        """As `AuditLog.decided`."""

    def sending(self, write_id: str) -> None:
        """As `AuditLog.sending`."""

    async def settled(self, write: Write, settlement: Settlement, status: int | None) -> None:
        """As `AuditLog.settled`."""

    def told(self, event: str, *, person: str = "", **facts: object) -> None:
        """As `AuditLog.told`."""

    async def close(self) -> None:
        """As `AuditLog.close`."""


class _Silent(Observer):
    """Tells of bugs alone."""

    def __init__(self, observer: Observer) -> None:
        self._loud = observer

    def crashed(self, error: Exception) -> None:
        """As `Observer.crashed`: a bug is one here, too."""
        self._loud.crashed(error)

    def began(self) -> None:
        """As `Observer.began`."""

    def left(self) -> None:
        """As `Observer.left`."""

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
