"""Recorded writes under other policies: what would have been decided, and why.

State is rebuilt in memory from what would have passed. A write that passed then and now ends as the
log says; one that passes only now is taken to end well.

Law: under the revision that decided, with nothing in state before the first record, every decision
and every finding comes out as recorded (docs/operations.md says what concurrency may change).
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from gateway.errors import StoreError
from gateway.model import (
    ANONYMOUS,
    Consulted,
    Decision,
    Effect,
    Finding,
    Mode,
    Outcome,
    Reservation,
    Reserved,
    Settlement,
)
from gateway.offline.records.decision import Recorded
from gateway.offline.records.order import Decided, Done, Ended, Event
from gateway.offline.records.read import ANSWER
from gateway.offline.replaying.rejudge import Judged, Rejudging, finding_of, reasons, same
from gateway.policy.decide import decide, is_template, repeated, reservation, unanswered_key
from gateway.policy.policyset import PolicySet
from gateway.policy.posture import unregistered
from gateway.policy.registry import Integration
from gateway.proxy.holds import RULE as HOLDS
from gateway.proxy.identify import Caller, objection
from gateway.proxy.switches import RULE as SWITCHED_OFF
from gateway.proxy.templates import Templates
from gateway.proxy.waiting import cannot_wait
from gateway.state.memory import MemoryStore

_KEEP = 90 * 86_400.0
_POSTS = 1 << 18
_AT_A_STRETCH = 256
"""Events that are replayed before Ctrl-C is heard."""
_AWAY = StoreError("state was out of reach then")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A decision that comes out otherwise, and the findings that decided, then and now."""

    decision: Recorded
    before: tuple[Finding, ...]
    now: Decision


@dataclass(slots=True)
class RuleTally:
    """What a rule found, then and now, and the refusals that it has a part in now and had not."""

    before: int = 0
    now: int = 0
    newly: int = 0


@dataclass(slots=True)
class IntegrationTally:
    """The writes of an integration, as the policies name it, and how many did not pass."""

    writes: int = 0
    refused_before: int = 0
    refused_now: int = 0
    changed: int = 0


@dataclass(slots=True)
class Replayed:
    """What a replay found.

    Attributes:
        writes: decisions that were replayed.
        changed: of them, those that come out otherwise.
        to_refusal: of them, those that passed, and would not.
        unlike: decisions under the very revision that come out otherwise, which no policy explains.
        other_reasons: decisions that stay, but some rule finds otherwise.
        changes: the first of them.
        effects: how often which effect became which.
        lacking: by rule and fact that was not kept, in how many writes nothing can be said of the
            rule, and in how many the record's own word stands in.
        unjudged: writes of which some rule could not be judged.
        first, last: instants of the first and the last write.
    """

    writes: int = 0
    changed: int = 0
    to_refusal: int = 0
    unlike: int = 0
    other_reasons: int = 0
    changes: list[Change] = field(default_factory=list)
    effects: Counter[tuple[Effect, Effect]] = field(default_factory=Counter)
    rules: defaultdict[str, RuleTally] = field(default_factory=lambda: defaultdict(RuleTally))
    integrations: defaultdict[str, IntegrationTally] = field(
        default_factory=lambda: defaultdict(IntegrationTally)
    )
    lacking: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    unjudged: int = 0
    revisions: Counter[str] = field(default_factory=Counter)
    first: float = 0.0
    last: float = 0.0


class Replay:
    """Replays events under a policy set.

    Args:
        anonymous: as the setting `identify.anonymous.write`; callers whom the policies' registry
            does not know are judged as anonymous, or refused.
        limit: how many changes are kept.
    """

    def __init__(self, policies: PolicySet, *, anonymous: str = "allow", limit: int = 20) -> None:
        self._policies = policies
        self._anonymous = anonymous
        self._limit = limit
        self._rejudging = Rejudging(policies)
        self._callers = {each.name: each for each in policies.registry.integrations}
        self._store = MemoryStore(_KEEP, _POSTS)
        self._templates: defaultdict[str, Templates] = defaultdict(Templates)
        self._ends: dict[str, Settlement | None] = {}
        self._refused: set[str] = set()
        self.found = Replayed()

    async def run(self, events: Iterable[Event]) -> Replayed:
        """Replay all."""
        for count, event in enumerate(events):
            if count % _AT_A_STRETCH == 0:
                await asyncio.sleep(0)  # nothing else here waits, so Ctrl-C would not be heard
            if isinstance(event, Decided):
                self._tell(event.decision, await self._decided(event.decision, event.writer))
            elif isinstance(event, Ended):
                await self._end(event)
            else:
                await self._do(event)
        return self.found

    # ── one write ────────────────────────────────────────────────────────────────────────────

    async def _decided(self, decision: Recorded, writer: str) -> Decision:
        decision = self._as_registered(decision)
        refused = self._not_admitted(decision)
        if refused is not None:
            self._refused.add(decision.write.id)
            return refused
        if decision.repeats is not None and decision.repeats not in self._refused:
            return self._as_recorded(decision)  # the earlier write decides, and no rule
        if SWITCHED_OFF in decision.findings:
            self._refused.add(decision.write.id)
            return self._as_recorded(decision)  # an operator decided, and no rule
        judged = self._rejudging.begin(decision)
        now, held, template = await self._judge(decision, judged)
        self._note(decision, judged)
        could_not_wait = decision.findings.get(HOLDS)
        if now.effect is Effect.HOLD and could_not_wait is not None:
            now = cannot_wait(now, finding_of(could_not_wait))
        if now.effect is not Effect.ALLOW:
            self._refused.add(decision.write.id)
        if held and now.effect is not Effect.ALLOW:
            template = template and self._templates[writer].takes(
                decision.write.author, decision.write.at
            )
            self._ends[decision.write.id] = Settlement(outcome=Outcome.NOT_SENT, template=template)
        elif held:
            self._ends[decision.write.id] = None
        return now

    async def _judge(self, decision: Recorded, judged: Judged) -> tuple[Decision, bool, bool]:
        """Decide; tell whether state holds something, and whether the text is of a template."""
        write, told = decision.write, decision.consulted
        consent = write.consent
        asked = reservation(judged.rules, write, judged.known, consent)
        if told is not None and told.failed:
            self._rejudging.go_on(judged, decision, _AWAY)
            keyed = (unanswered_key(),) if write.key is not None else ()
            found = (*keyed, *judged.findings)
            return decide(self._policies, found, consent), False, False
        if asked is None:
            return decide(self._policies, tuple(judged.findings), consent), False, False
        reserved = await self._reserve(asked, told)
        if reserved.repeat is not None:
            return repeated(self._policies, reserved.repeat), False, False
        self._rejudging.go_on(judged, decision, reserved.answers)
        now = decide(self._policies, tuple(judged.findings), consent)
        template = is_template(now, write, reserved.answers)
        return now, asked.remember and reserved.taken, template

    async def _reserve(self, asked: Reservation, told: Consulted | None) -> Reserved:
        """Ask state, at the stamp that it gave then."""
        if told is not None and told.at != asked.write.at:
            asked = replace(asked, write=replace(asked.write, at=told.at))
        return await self._store.reserve(asked)

    async def _end(self, ended: Ended) -> None:
        """End a write as it would have ended."""
        if ended.write_id not in self._ends:
            return
        settlement = self._ends.pop(ended.write_id) or ended.outcome
        taken = Settlement(outcome=Outcome.OK, answer=ANSWER)
        await self._store.settle(ended.write_id, settlement or taken)

    async def _do(self, done: Done) -> None:
        """Do to state what operators did."""
        record = done.record
        event, what = record.get("event"), str(record.get("what"))
        if event == "state.forget_done":
            await self._store.forget(what)
        elif event == "state.release_done":
            await self._store.release(what)
        elif event == "state.reset_done":
            await self._store.reset(what)

    # ── who calls ────────────────────────────────────────────────────────────────────────────

    def _as_registered(self, decision: Recorded) -> Recorded:
        """Name the caller as the registry of these policies does, if it knows anybody."""
        if not self._callers:
            return decision
        write, caller = decision.write, self._caller(decision)
        name, tier = (caller.name, caller.tier) if caller else (ANONYMOUS, "")
        if (name, tier) == (write.integration, write.tier) and "tier" not in decision.lacking:
            return decision
        return replace(
            decision,
            write=replace(write, integration=name, tier=tier),
            lacking=decision.lacking - {"tier"},
        )

    def _caller(self, decision: Recorded) -> Integration | None:
        write = decision.write
        if write.credential is not None:
            return self._policies.registry.by_token(write.credential.removeprefix("sha256:"))
        return self._callers.get(write.integration)

    def _not_admitted(self, decision: Recorded) -> Decision | None:
        """Refuse a caller as the gateway would before it judges; None where it would not."""
        write = decision.write
        integration = self._callers.get(write.integration)
        if integration is None and (self._anonymous == "allow" or not self._is_stranger(decision)):
            return None
        caller = Caller(integration=integration, token=write.token)
        error = objection(caller, write.operation, write.at, self._anonymous)
        if error is None:
            return None
        return decide(self._policies, (replace(unregistered(error), mode=Mode.ENFORCE),))

    def _is_stranger(self, decision: Recorded) -> bool:
        """Whether nobody has registered the caller; without a registry the record's word counts."""
        return bool(self._callers) or decision.write.integration == ANONYMOUS

    def _as_recorded(self, decision: Recorded) -> Decision:
        return Decision(
            effect=decision.effect,
            revision=self._policies.revision,
            findings=tuple(map(finding_of, decision.findings.values())),
            repeats=decision.repeats,
        )

    # ── what is told ─────────────────────────────────────────────────────────────────────────

    def _note(self, decision: Recorded, judged: Judged) -> None:
        found = self.found
        found.unjudged += bool(judged.unjudged)
        if not (judged.unjudged or judged.assumed or judged.fixed):
            return
        for place, told in enumerate((judged.unjudged, {**judged.assumed, **judged.fixed})):
            for rule, fact in told.items():
                found.lacking.setdefault((rule, fact), [0, 0])[place] += 1

    def _tell(self, decision: Recorded, now: Decision) -> None:
        found, write = self.found, self._as_registered(decision).write
        is_same = same(decision.findings.values(), now.findings)
        changed = decision.effect is not now.effect
        found.writes += 1
        found.first, found.last = found.first or write.at, max(found.last, write.at)
        found.revisions[decision.revision] += 1
        found.changed += changed
        found.to_refusal += changed and decision.effect is Effect.ALLOW
        found.other_reasons += not changed and not is_same
        found.unlike += not is_same and decision.revision == now.revision
        found.effects[decision.effect, now.effect] += 1
        if changed and len(found.changes) < self._limit:
            before = reasons(map(finding_of, decision.findings.values()))
            found.changes.append(Change(decision=decision, before=before, now=now))
        self._tally(write.integration, decision, now)

    def _tally(self, name: str, decision: Recorded, now: Decision) -> None:
        found = self.found
        of = found.integrations[name]
        of.writes += 1
        of.refused_before += not _passes(decision.effect)
        of.refused_now += not _passes(now.effect)
        of.changed += decision.effect is not now.effect
        for told in decision.findings.values():
            if told["code"] is not None:
                found.rules[told["rule"]].before += 1
        for finding in now.findings:
            if finding.violation:
                tally = found.rules[finding.rule]
                tally.now += 1
                decides = finding.mode.decides and not _passes(now.effect)
                tally.newly += decides and _passes(decision.effect)


def _passes(effect: Effect) -> bool:
    return effect in (Effect.ALLOW, Effect.REPLAY)


def with_modes(policies: PolicySet, modes: Mapping[str, Mode]) -> PolicySet:
    """Give the policies with other modes of some rules, which their revision names."""
    if not modes:
        return policies
    rules = tuple(
        replace(rule, mode=modes[rule.id]) if rule.id in modes else rule for rule in policies.rules
    )
    told = "".join(f"+{rule}={mode.value}" for rule, mode in sorted(modes.items()))
    return replace(policies, rules=rules, revision=policies.revision + told)
