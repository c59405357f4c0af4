"""State at its simplest: all is kept in lists, and looked through each time.

What engines are compared with. It is written from the words of `ports.Store` and `model`, not from
an engine: where one answers otherwise, one of the two is wrong.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from gateway.model import (
    Answer,
    Charge,
    Charged,
    Found,
    Lookup,
    Need,
    Outcome,
    Published,
    Remembered,
    Repeat,
    Repeated,
    Reservation,
    Reserved,
    Settlement,
    Shared,
    Sharers,
    Window,
    Write,
)
from gateway.ports import ANY
from gateway.state.accounting import KEY_SECONDS, LOST_SECONDS, PENDING_SECONDS
from gateway.state.notes import Wanted
from gateway.state.print_rows import AT_LEAST
from gateway.state.prints import CANDIDATES, REMEMBERED
from gateway.state.published import as_write

CAPS = {
    "a": Charge(cap="a", windows=(Window(limit=2, seconds=10), Window(limit=3, seconds=30))),
    "b": Charge(cap="b", windows=(Window(limit=1, seconds=5),)),
    "tries": Charge(cap="tries", windows=(Window(limit=3, seconds=20),), attempts=True),
    "observed": Charge(cap="observed", windows=(Window(limit=1, seconds=15),)),
}
"""The caps that the tests of laws ask about."""
_FOUND_AT_MOST = 64
_ALIKE_AT_MOST = 12
"""Near-copies that share all their prints, of which engines list every one."""


@dataclass(eq=False)
class Known:
    """A write that was remembered, and all that became of it."""

    write: Write
    at: float
    replaces: list[Known]
    outcome: Outcome | None = None
    post: str | None = None
    url: str | None = None
    answer: bytes | None = None
    gone: bool = False
    """Released, or replaced by a repeat that was kept."""
    forgotten: bool = False
    """Its text is: it is found no more."""
    keyless: bool = False
    """It ended so that its key is free again."""
    across: bool = False
    """It was asked about across teams, so it is listed for all of them."""
    late: bool = False
    """SOE took it, as one heard when it counted as unknown, and might have been sent again."""

    @property
    def id(self) -> str:
        """Of its write."""
        return self.write.id

    def outcome_at(self, now: float) -> Outcome | None:
        """None while in flight; `unknown` where nobody settled it in time."""
        if self.outcome is None and now - self.at >= PENDING_SECONDS:
            return Outcome.UNKNOWN
        return self.outcome


@dataclass(frozen=True, eq=False)
class Made:
    """A charge; a try belongs to nobody, so that nobody gives it back."""

    cap: str
    at: float
    owner: Known | None


@dataclass(frozen=True, eq=False)
class Used:
    """A use; once it was kept it belongs to nobody, so that nobody gives it back."""

    name: str
    member: str
    at: float
    owner: Known | None


@dataclass(frozen=True)
class Note:
    """A note, and when it was put."""

    value: bytes
    at: float
    until: float


@dataclass
class Model:
    """What a store must answer."""

    known: list[Known] = field(default_factory=list)
    made: list[Made] = field(default_factory=list)
    used: list[Used] = field(default_factory=list)
    notes: dict[str, Note] = field(default_factory=dict)
    lost: dict[str, Repeat] = field(default_factory=dict)
    lost_at: dict[str, float] = field(default_factory=dict)
    last: float = 0.0

    # ── as `ports.Store` ─────────────────────────────────────────────────────────────────────

    def reserve(self, asked: Reservation) -> Reserved:
        """Answer, charge and remember."""
        write = asked.write
        if write.preview:
            return self.peek(asked)
        now = self.last = max(write.at, self.last)
        repeat = self.repeat(write, now)
        if repeat is not None:
            if repeat is self.lost.get(write.request):
                del self.lost[write.request]  # given once
            return Reserved(answers={}, taken=False, repeat=repeat)
        reserved = self.peek(asked)
        across = any(
            isinstance(need, Lookup) and need.near and need.across_teams
            for group in asked.groups
            for need in group.values()
        )
        entry = Known(write, now, self.repeatable(write, now), across=across)
        held = reserved.taken and asked.remember
        for group in asked.groups:
            charges = [need for need in group.values() if isinstance(need, Charge)]
            fits = all(_accepted(reserved.answers[rule]) for rule in group)
            for charge in charges:
                if charge.attempts:
                    self.made.append(Made(charge.cap, now, None))
                elif held and fits:
                    self.made.append(Made(charge.cap, now, entry))
        if held:
            self.known.append(entry)
            self.used += [
                Used(need.name, need.member, now, entry)
                for group in asked.groups
                for need in group.values()
                if isinstance(need, Sharers)
            ]
        return reserved

    def peek(self, asked: Reservation) -> Reserved:
        """Answer."""
        now = max(asked.write.at, self.last)
        without = self.repeatable(asked.write, now)
        answers: dict[str, Answer] = {
            rule: self._answer(need, asked.write, now, without)
            for group in asked.groups
            for rule, need in group.items()
        }
        taken = all(_accepted(answers[rule]) for rule in asked.groups[0])
        overdue = tuple(sorted(each.id for each in without if each.outcome is None))
        return Reserved(answers=answers, taken=taken, overdue=overdue)

    def settle(self, write_id: str, settlement: Settlement) -> None:
        """Keep or release what is in flight."""
        entry = self.find(write_id)
        if entry is None or entry.outcome is not None:
            return
        outcome = settlement.outcome
        refused_for_now = outcome is Outcome.REFUSED and settlement.answer is None
        overdue = not self.in_flight(entry)
        freed = refused_for_now or outcome is Outcome.NOT_SENT
        entry.keyless = freed and not entry.replaces
        entry.outcome, entry.answer = outcome, None if freed else settlement.answer
        if freed and entry.replaces:  # for its key, the earlier try is as unknown as it was
            entry.outcome = Outcome.UNKNOWN
        if outcome is Outcome.NOT_SENT and settlement.template:
            entry.outcome = Outcome.REFUSED
            entry.replaces = []
            self._give_back(entry)
            return
        entry.post, entry.url = settlement.post, settlement.url
        if not outcome.keeps:
            self._drop(entry)
            return
        self.used = [
            replace(each, owner=None) if each.owner is entry else each for each in self.used
        ]
        entry.late = outcome is Outcome.OK and overdue
        for old in entry.replaces:
            if old.outcome is not Outcome.OK:
                self._drop(old)
        if settlement.lost is not None:
            self.keep_answer(write_id, settlement.lost)

    def keep_answer(self, write_id: str, answer: bytes) -> None:
        """Keep the answer of what SOE took."""
        entry = self.find(write_id)
        if entry is not None and entry.outcome is Outcome.OK and entry.write.request:
            repeat = Repeat(kind=Repeated.ANSWERED, write_id=write_id, answer=answer)
            self.lost[entry.write.request] = repeat
            self.lost_at[entry.write.request] = self.last

    # ── as `ports.Notes` ─────────────────────────────────────────────────────────────────────

    def get(self, name: str, at: float) -> bytes | None:
        """Give what has not ended."""
        note = self.notes.get(name)
        return note.value if note is not None and note.until > max(at, self.last) else None

    def put(self, name: str, value: bytes, at: float, until: float, expected: Wanted) -> bool:
        """Put what was expected to go there."""
        now = self.last = max(at, self.last)
        if expected is not ANY and self.get(name, at) != expected:
            return False
        self.notes[name] = Note(value, now, until)
        return True

    def noted(self, at: float) -> dict[str, bytes]:
        """Give all that have not ended, the last put first."""
        values = {name: value for name in self.notes if (value := self.get(name, at)) is not None}
        names = sorted(values, key=lambda name: (self.notes[name].at, name), reverse=True)
        return {name: values[name] for name in names}

    def drop(self, name: str, at: float) -> bool:
        """Take one away."""
        self.last = max(at, self.last)
        there = self.get(name, at) is not None
        self.notes.pop(name, None)
        return there

    # ── as `ports.Administered` ──────────────────────────────────────────────────────────────

    def remember(self, posts: Sequence[Published], at: float) -> int:
        """Take posts that stand on the site."""
        self.last = max(at, self.last)
        return sum(self._remembered(as_write(post), post.url) for post in posts)

    def _remembered(self, write: Write, url: str | None) -> bool:
        known = self.find(write.id)
        if known is not None:
            self._drop(known)
        self.known.append(Known(write, self.last, [], outcome=Outcome.OK, url=url))
        same = known is not None and known.write.fingerprint == write.fingerprint
        return not same or (known is not None and known.forgotten)

    def forget(self, post: str) -> int:
        """Forget the text of a post."""
        chosen = [each for each in self._findable() if post in (each.post, each.write.target)]
        for each in chosen:
            each.forgotten = True
        return len(chosen)

    def release(self, write_id: str) -> bool:
        """Take back what nobody knows to be written."""
        entry = self.find(write_id)
        if entry is None or entry.outcome is Outcome.OK:
            return False
        entry.keyless = True
        self._drop(entry)
        return True

    def reset(self, cap: str) -> int:
        """Empty the counters of a cap."""
        before = {each.cap for each in self.made}
        self.made = [each for each in self.made if not f"{each.cap}|".startswith(f"{cap}|")]
        return len(before) - len({each.cap for each in self.made})

    # ── parts ────────────────────────────────────────────────────────────────────────────────

    def find(self, write_id: str) -> Known | None:
        """What is held of a write."""
        return next((each for each in self.known if each.id == write_id and not each.gone), None)

    def in_flight(self, entry: Known) -> bool:
        """Whether it is held, nobody settled it, and it has not kept itself yet."""
        return not entry.gone and entry.outcome_at(self.last) is None

    def is_replaced(self, entry: Known) -> bool:
        """Whether a repeat that is held stands for it."""
        return any(entry in each.replaces for each in self.known if not each.gone)

    def repeatable(self, write: Write, now: float) -> list[Known]:
        """The earlier tries of a request of which nobody can tell that they took effect."""
        return [
            each
            for each in self.known
            if each.write.request == write.request != ""
            and not each.gone
            and each.outcome_at(now) in (Outcome.FAILED, Outcome.UNKNOWN)
        ]

    def _drop(self, entry: Known) -> None:
        entry.gone = True
        self._give_back(entry)

    def _give_back(self, entry: Known) -> None:
        self.made = [each for each in self.made if each.owner is not entry]
        self.used = [each for each in self.used if each.owner is not entry]

    def _answer(self, need: Need, write: Write, now: float, without: Collection[Known]) -> Answer:
        if isinstance(need, Charge):
            return self._charged(need, now, without)
        if isinstance(need, Lookup):
            return self._found(need, write, now, without)
        last = {
            each.member: each.at
            for each in sorted(self.used, key=lambda each: each.at)
            if each.name == need.name and each.member != need.member and each.at > now - need.within
        }
        return Shared(others=tuple(sorted(last, key=lambda each: (last[each], each))[::-1]))

    def repeat(self, write: Write, now: float) -> Repeat | None:
        """How a request repeats an earlier one."""
        under_key = self._under_key(write.key, now)
        if under_key is not None:
            kind, answer = None, under_key.answer
            in_flight = under_key.outcome is None and now - under_key.at < PENDING_SECONDS
            if under_key.write.request != write.request:
                kind, answer = Repeated.MISMATCH, None
            elif answer is not None:
                kind = Repeated.ANSWERED
            elif under_key.outcome is Outcome.OK:
                kind = Repeated.UNKEPT
            elif in_flight:
                kind = Repeated.IN_FLIGHT
            if kind is not None:
                return Repeat(kind=kind, write_id=under_key.id, answer=answer)
        if write.request in self.lost and now - self.lost_at[write.request] < LOST_SECONDS:
            return self.lost[write.request]
        return None

    def _under_key(self, key: str | None, now: float) -> Known | None:
        """The newest write under a key; where that gave it back, nobody has it."""
        under = [each for each in self.known if key is not None and each.write.key == key]
        if not under or under[-1].keyless or now - under[-1].at >= KEY_SECONDS:
            return None
        return under[-1]

    def _times(self, cap: str, without: Collection[Known]) -> list[float]:
        return [each.at for each in self.made if each.cap == cap and each.owner not in without]

    def _charged(self, charge: Charge, now: float, without: Collection[Known]) -> Charged:
        times = self._times(charge.cap, without)
        used = {window: _held(window, times, now) for window in charge.windows}
        if all(used[window] < window.limit for window in charge.windows):
            window = min(charge.windows, key=lambda each: each.limit - used[each])
            oldest = min((at for at in times if at > now - window.seconds), default=now)
            reset = oldest + window.seconds - now
            return Charged(
                accepted=True, window=window, used=used[window] + 1, retry_after=0.0, reset=reset
            )
        counted = [*times, now] if charge.attempts else times
        waits = {window: _wait(window, counted, now) for window in charge.windows}
        window = max(charge.windows, key=lambda each: waits[each])
        return Charged(
            accepted=False,
            window=window,
            used=min(_held(window, counted, now), window.limit),
            retry_after=waits[window],
            reset=0.0,
        )

    def _findable(self) -> list[Known]:
        return [
            each
            for each in self.known
            if each.write.publishes
            and each.write.fingerprint is not None
            and not each.gone
            and not each.forgotten
        ]

    def _found(self, lookup: Lookup, write: Write, now: float, without: Collection[Known]) -> Found:
        asked_for = [
            each
            for each in reversed(self._findable())
            if each.at > now - lookup.within
            and (lookup.across_teams or each.write.team == lookup.team)
            and lookup.author in (None, each.write.author)
            and each not in without
        ]
        equal = [each for each in asked_for if _digest(each, lookup.compare) == lookup.digest]
        equal.sort(key=lambda each: each.outcome is Outcome.REFUSED)  # what stands comes first
        near = [
            each
            for each in asked_for
            if lookup.near
            and each not in equal
            and (each.across or not lookup.across_teams)
            and _shared(write, each) >= AT_LEAST
        ]
        near.sort(
            key=lambda each: _shared(write, each), reverse=True
        )  # the newer first among equals
        return Found(
            posts=(
                *(_as_remembered(each, now, equal=True) for each in equal[:_FOUND_AT_MOST]),
                *(_as_remembered(each, now, equal=False) for each in near[:CANDIDATES]),
            )
        )

    def lists_all(self) -> bool:
        """Whether there are so few posts with prints that an engine lists them all."""
        return sum(bool(_listed(each.write)) for each in self._findable()) <= _ALIKE_AT_MOST


def _digest(entry: Known, compare: str) -> str:
    return str(getattr(entry.write.fingerprint, compare))


def _listed(write: Write) -> set[int]:
    """The prints under which a post is listed."""
    return set(sorted(_prints(write))[:REMEMBERED])


def _prints(write: Write) -> list[int]:
    return list(array("I", write.fingerprint.prints)) if write.fingerprint else []


def _shared(write: Write, entry: Known) -> int:
    return len(_listed(entry.write).intersection(_prints(write)))


def _accepted(answer: Answer) -> bool:
    return not isinstance(answer, Charged) or answer.accepted


def _held(window: Window, times: Collection[float], now: float) -> int:
    return sum(at > now - window.seconds for at in times)


def _wait(window: Window, counted: Collection[float], now: float) -> float:
    """The shortest wait after which a window has room."""
    waits = [0.0, *(at + window.seconds - now for at in counted)]
    return min(
        wait for wait in waits if wait >= 0 and _held(window, counted, now + wait) < window.limit
    )


def _as_remembered(entry: Known, now: float, *, equal: bool) -> Remembered:
    write, outcome = entry.write, entry.outcome_at(now)
    return Remembered(
        write_id=write.id,
        at=entry.at,
        pending=outcome is None,
        outcome=outcome,
        integration=write.integration,
        token=write.token,
        author=write.author,
        operation=write.operation,
        team=write.team,
        thread=write.thread,
        post=entry.post or write.target,
        url=entry.url,
        request=write.request,
        equal=equal,
        overdue=outcome is not None and entry.outcome is None,
        sketch=write.fingerprint.sketch if write.fingerprint else b"",
    )


def told(reserved: Reserved, *, near: bool = True) -> Reserved:
    """An answer without what engines may tell differently.

    Where a cap is full, an engine looks no further back than it must: there may be older tries, so
    only what was accepted has a `reset` that all agree on. Where very many posts share prints, it
    tells some of them: then `near` is false.
    """
    answers = {rule: _told(answer, near=near) for rule, answer in reserved.answers.items()}
    return replace(reserved, answers=answers)


def _told(answer: Answer, *, near: bool) -> Answer:
    if isinstance(answer, Found):
        return Found(posts=tuple(each for each in answer.posts if near or each.equal))
    if isinstance(answer, Shared) or answer.accepted:
        return answer
    return replace(answer, reset=0.0)
