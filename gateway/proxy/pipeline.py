"""The way of a write, from its bytes to its outcome; reads top to bottom.

Laws: a refused write sends no byte of itself upstream; no write is sent before its decision is
durable; each decided write gets one outcome, and the client's answer leaves after it is recorded;
one instant and one policy set hold throughout; nothing is repeated.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter

from gateway.errors import AuditError, StoreError, UpstreamError
from gateway.model import (
    Consulted,
    Contact,
    Decision,
    Effect,
    Finding,
    Outcome,
    Person,
    Repeat,
    Repeated,
    Reply,
    Reservation,
    Reserved,
    Settlement,
    Switch,
    Write,
)
from gateway.observe.observer import Observer
from gateway.policy.decide import (
    consulted,
    decide,
    is_template,
    judge,
    repeated,
    reservation,
    select,
    unanswered_key,
    wants_person,
)
from gateway.policy.policyset import PolicySet
from gateway.policy.posture import unregistered
from gateway.ports import AuditLog, Clock, Persons, Store, Upstream, UpstreamResponse
from gateway.proxy import switches
from gateway.proxy.coding import inflated
from gateway.proxy.compose import acting, compose
from gateway.proxy.dry_run import too_many
from gateway.proxy.exchange import Exchange, Response, one
from gateway.proxy.forward import Forwarding
from gateway.proxy.identify import Caller, Identifier, objection
from gateway.proxy.stored import packed, unpacked
from gateway.proxy.templates import Templates
from gateway.proxy.tokens import OPERATIONS as TOKEN_OPERATIONS
from gateway.proxy.waiting import Confirming
from gateway.seal import Seal
from gateway.soe import answers
from gateway.soe.api import BodyKind, Route, body_limit
from gateway.soe.read import credentials, read_write

_Ask = Callable[[Reservation], Awaitable[Reserved]]

_REPLY_KEPT = 65_536
"""Bytes of SOE's reply to a write that are read before the client is answered."""
_ENDED_WITHIN = 50.0
"""Seconds that an exchange with SOE about a write may take, whatever the settings allow: after 60
an unsettled hold keeps itself, and the same request may be sent again."""


@dataclass(slots=True)
class _Delivery:
    """How far a write got; what it says last is what is recorded and settled.

    `reply` is SOE's whole answer to a post that it took, until state keeps it for a lost client.
    """

    outcome: Outcome = Outcome.NOT_SENT
    status: int | None = None
    post: str | None = None
    url: str | None = None
    answer: bytes | None = None
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class _Decided:
    """A decision about a write whose author is known, and what follows from it.

    `held` tells whether state may hold something for it, `answer` is one that is given again, and
    `template` that a refused text stays known to the counters of its template.
    """

    write: Write
    decision: Decision
    held: bool = False
    answer: Reply | None = None
    template: bool = False


@dataclass(frozen=True, slots=True)
class _Came:
    """A write as it came: its request, who calls, and what was found of him (`told`).

    `token` is the SOE token that it goes with, the caller's or one that the gateway holds for him.
    """

    exchange: Exchange
    route: Route
    policies: PolicySet
    caller: Caller
    fields: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    told: tuple[Finding, ...]
    token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Decides writes, and sends those that pass.

    Attributes:
        anonymous: `allow` or `refuse` for the writes of callers that nobody registered.
        contact: stands in every refusal.
        identifier: names callers.
        secret: keys the digests of requests and idempotency keys.
        seal: seals the answers that state keeps.
        confirming: lets writes wait for a person.
        templates: whose refused texts are remembered, and how often.
        persons: tells who acts; None where nobody may be asked.
        always: asks it for every write, and not only where a rule needs it.
        off: tells by an integration's name which switch of an operator's keeps it from writing.
    """

    store: Store
    audit: AuditLog
    upstream: Upstream
    forwarding: Forwarding
    clock: Clock
    observer: Observer
    contact: Contact
    anonymous: str
    identifier: Identifier
    secret: bytes = field(repr=False)
    seal: Seal
    confirming: Confirming
    templates: Templates = field(default_factory=Templates)
    persons: Persons | None = None
    always: bool = False
    off: Callable[[str], Switch | None] = switches.nobody

    async def handle(self, exchange: Exchange, route: Route, policies: PolicySet) -> Response:
        """Decide a write under one set of policies, then refuse it or send it."""
        at = self.clock.now()
        in_body = route.endpoint.body is BodyKind.FORM  # a form may carry the credentials
        admitted = None if in_body else await self._admit(exchange, route, policies, at, None)
        body = await exchange.body(body_limit(route))
        reading = read_write(route, exchange.headers, body)
        if admitted is None:
            admitted = await self._admit(exchange, route, policies, at, reading.fields)
        caller, told = admitted
        write = await compose(exchange, route, caller, reading, body, at=at, secret=self.secret)
        exchange.integration = write.integration
        token = credentials(route, exchange.headers, reading.fields).token or caller.held or None
        if one(exchange.headers, b"x-gateway-dry-run") == b"true":
            return await self._dry_run(write, policies, told, token)

        came = _Came(exchange, route, policies, caller, reading.fields, body, told, token)
        delivery = _Delivery()
        taken = await self.confirming.take(write, policies)
        if taken is None:
            return await self._pass(came, write, delivery)
        try:
            return await self._pass(came, replace(write, confirmed=taken.confirmed), delivery)
        finally:
            await self.confirming.ended(taken, delivery.outcome, delivery.url)

    async def _pass(self, came: _Came, write: Write, delivery: _Delivery) -> Response:
        """Decide a write, then answer it or send it."""
        exchange, route, policies, token = came.exchange, came.route, came.policies, came.token
        decided = await self._decide(write, policies, self.store.reserve, came.told, token)
        write, decision, waiting = decided.write, decided.decision, None
        if decision.effect is not Effect.ALLOW and decided.held:
            # Before it is recorded: who waits for its place need not wait for the disk as well.
            template = decided.template and self.templates.takes(write.author, write.at)
            await self._release(write, template=template)
        if decision.effect is Effect.HOLD and not write.preview:
            decision, waiting = await self.confirming.wait(
                exchange, write, decision, policies, came.caller, token
            )
        try:
            await self.audit.decided(write, decision)  # durable, or AuditError: nothing was sent
            self.observer.decided(write, decision)
            exchange.effect = decision.effect
            if decided.answer is not None:
                return self._replayed(decided.answer, decision, write.id)
            if decision.effect is not Effect.ALLOW:
                refusal = answers.refuse(write.api, decision, write.id, self.contact, waiting)
                return Response.of(refusal)
            ends = asyncio.get_running_loop().time() + _ENDED_WITHIN
            upstream = await self._send(exchange, write, came.body, delivery, ends)
            response = await self._receive(upstream, route, write, decision, delivery, ends)
            tokens = self.identifier.tokens
            if tokens and write.operation in TOKEN_OPERATIONS and delivery.outcome is Outcome.OK:
                answer = inflated(response.body, response.headers, 16 * _REPLY_KEPT)
                exchanged = (write.operation, exchange.target, came.fields)
                await tokens.learn(*exchanged, answer, policies.registry)
            return response
        finally:
            await self._settle(exchange, write, decided, delivery)

    async def _dry_run(
        self, write: Write, policies: PolicySet, told: tuple[Finding, ...], token: str | None
    ) -> Response:
        """Say what would become of a write."""
        refused = await too_many(self.store, write, policies.revision)
        if refused is not None:
            return Response.of(answers.refuse(write.api, refused, write.id, self.contact))
        decided = await self._decide(write, policies, self.store.peek, told, token)
        return Response.of(answers.dry_run(decided.decision, write.id))

    async def _admit(
        self,
        exchange: Exchange,
        route: Route,
        policies: PolicySet,
        at: float,
        fields: Mapping[str, str] | None,
    ) -> tuple[Caller, tuple[Finding, ...]]:
        """Name the caller; where it may not write, refuse it, or warn of that in discover."""
        presented = credentials(route, exchange.headers, fields)
        caller = await self.identifier.caller(exchange, policies.registry, presented, route, fields)
        exchange.integration = caller.name
        error = objection(caller, route.endpoint.operation, at, self.anonymous)
        if error is None:
            return caller, ()
        if not policies.discovering:
            raise error
        return caller, (unregistered(error),)

    async def _decide(
        self,
        write: Write,
        policies: PolicySet,
        ask: _Ask,
        told: tuple[Finding, ...],
        token: str | None,
    ) -> _Decided:
        """Judge without state, ask who acts and state what is needed, judge with its answers.

        Args:
            told: what was found of the caller already.
            token: of SOE, as it was presented.

        Raises:
            StoreError: it is not known whether the integration is switched off.
        """
        switch = self.off(write.integration)
        if switch is not None:
            return _Decided(write, switches.refused(switch, policies.revision))
        rules = select(policies, write)
        findings = judge(rules, write, None)
        refused = any(found.refuses for found in findings)
        asks = not refused and (self.always or wants_person(rules, findings))
        write = acting(write, await self._person(write, token) if asks else None, self.secret)
        asked = reservation(rules, write, findings, write.consent)
        if asked is None:
            return _Decided(write, decide(policies, (*told, *findings), write.consent))
        try:
            reserved = await ask(asked)
        except StoreError as error:
            self.observer.store_failed("reserve", error)
            keyed = (unanswered_key(),) if write.key is not None else ()
            # Nothing is held: what the store takes too late, it releases by itself.
            judged = judge(rules, write, error, findings)
            unsure = decide(policies, (*told, *keyed, *judged), write.consent)
            return _Decided(write, replace(unsure, consulted=Consulted(failed=True)))
        if reserved.repeat is not None:
            return self._repeated(write, policies, reserved.repeat)
        answered = self.clock.now()
        held = asked.remember and reserved.taken
        decision = None
        try:
            judged = judge(rules, write, reserved.answers, findings)
            decision = decide(policies, (*told, *judged), write.consent)
        finally:
            if decision is None and held and ask == self.store.reserve:
                await self._release(write, template=False)  # a fault of ours must hold nothing
        template = is_template(decision, write, reserved.answers)
        decision = replace(decision, consulted=consulted(reserved, answered))
        return _Decided(write, decision, held=held, template=template)

    async def _person(self, write: Write, token: str | None) -> Person | None:
        """Ask who acts; None where that is not known in time."""
        if self.persons is None or token is None:
            return None
        return await self.persons.of(token, write.api, write.team)

    def _repeated(self, write: Write, policies: PolicySet, repeat: Repeat) -> _Decided:
        """Let the earlier write decide, with its answer where that can be read."""
        kept = repeat.answer and self.seal.open(repeat.write_id, repeat.answer)
        if repeat.kind is Repeated.ANSWERED and not kept:  # sealed by a key that is gone
            repeat = replace(repeat, kind=Repeated.UNKEPT)
        return _Decided(write, repeated(policies, repeat), answer=unpacked(kept) if kept else None)

    def _replayed(self, answer: Reply, decision: Decision, write_id: str) -> Response:
        """Give SOE's stored answer, with the decision that gives it again."""
        fields = (
            *answer.headers,
            (b"idempotent-replayed", b"true"),
            *answers.decision_fields(decision, write_id),
        )
        again = _Delivery(reply=answer)
        when_lost = partial(self._keep_answer, decision.repeats or "", again)
        return Response(answer.status, fields, answer.body, when_lost=when_lost)

    async def _send(
        self, exchange: Exchange, write: Write, body: bytes, delivery: _Delivery, ends: float
    ) -> UpstreamResponse:
        def sending() -> None:
            self.audit.sending(write.id)
            delivery.outcome = Outcome.UNKNOWN  # until SOE's answer tells better

        framing = None
        if body or one(exchange.headers, b"content-length") is not None:
            framing = (b"content-length", b"%d" % len(body))
        fields = self.forwarding.to_upstream(exchange, framing)
        started = perf_counter()
        try:
            async with asyncio.timeout_at(ends):
                return await self.upstream.send(
                    exchange.method, exchange.target, fields, body or None, sending
                )
        except TimeoutError:
            raise UpstreamError("total_timeout", delivery.outcome) from None
        except UpstreamError as error:
            delivery.outcome = error.outcome
            raise
        finally:
            exchange.upstream_seconds = perf_counter() - started

    async def _receive(
        self,
        upstream: UpstreamResponse,
        route: Route,
        write: Write,
        decision: Decision,
        delivery: _Delivery,
        ends: float,
    ) -> Response:
        """Read SOE's reply as far as it tells the outcome; the rest streams to the client."""
        delivery.status = upstream.status
        body = await _read_ahead(upstream, ends)
        plain = inflated(body, upstream.headers, 16 * _REPLY_KEPT)
        delivery.outcome = answers.outcome(route.endpoint.api, upstream.status, plain)
        delivery.post, delivery.url = answers.learn(route, upstream.status, upstream.headers, plain)
        fields = tuple(self.forwarding.to_client(upstream.headers))
        when_lost = None
        if upstream.complete and write.publishes and len(body) <= _REPLY_KEPT:
            reply = Reply(upstream.status, fields, body)
            if write.key is not None and answers.is_final(route.endpoint.api, reply, plain):
                delivery.answer = self.seal.close(write.id, packed(reply))
            if delivery.outcome is Outcome.OK:
                delivery.reply = reply
                when_lost = partial(self._keep_answer, write.id, delivery)
        fields += answers.decision_fields(decision, write.id)
        return Response(upstream.status, fields, body, upstream, when_lost)

    async def _keep_answer(self, write_id: str, delivery: _Delivery) -> None:
        """Keep an answer for the client that left: it will send the same request again."""
        if delivery.reply is None:  # it was kept in settling
            return
        answer = self.seal.close(write_id, packed(delivery.reply))
        try:
            await self.store.keep_answer(write_id, answer)
        except StoreError as error:
            self.observer.store_failed("keep_answer", error)

    async def _settle(
        self, exchange: Exchange, write: Write, decided: _Decided, delivery: _Delivery
    ) -> None:
        decision = decided.decision
        settlement = Settlement(
            outcome=delivery.outcome,
            post=delivery.post,
            url=delivery.url,
            answer=delivery.answer,
        )
        if decision.effect is Effect.ALLOW:
            self.observer.settled(write, settlement)
            try:
                await self.audit.settled(write, settlement, delivery.status)
            except AuditError as error:
                self.observer.audit_failed(error)
            if decided.held:
                if delivery.reply is not None and exchange.client_gone:
                    lost = delivery.answer or self.seal.close(write.id, packed(delivery.reply))
                    settlement, delivery.reply = replace(settlement, lost=lost), None
                await self._end(write, settlement)

    async def _release(self, write: Write, *, template: bool) -> None:
        await self._end(write, Settlement(outcome=Outcome.NOT_SENT, template=template))

    async def _end(self, write: Write, settlement: Settlement) -> None:
        try:
            await self.store.settle(write.id, settlement)
        except StoreError as error:
            self.observer.store_failed("settle", error)


async def _read_ahead(upstream: UpstreamResponse, ends: float) -> bytes:
    """Read up to `_REPLY_KEPT` bytes; a body that is cut, or slow, is read as far as it came."""
    body = b""
    # The head was here, so the outcome is known; the client meets what is missing itself.
    with contextlib.suppress(UpstreamError, TimeoutError):
        async with asyncio.timeout_at(ends):
            while len(body) < _REPLY_KEPT and not upstream.complete:
                body += await upstream.read()
    return body
