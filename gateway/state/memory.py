"""State in this process alone: for tests, the sandbox, and sites that can forget on a restart."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

from gateway.model import (
    Charge,
    Counted,
    Found,
    Lookup,
    Outcome,
    Published,
    Remembered,
    Reservation,
    Reserved,
    Settlement,
    Write,
)
from gateway.state.accounting import (
    KEY_SECONDS,
    LOOKED_AT_MOST,
    LOST_SECONDS,
    Kept,
    answerable,
    answered,
    charges,
    fullest,
    is_counter_of,
    is_given,
    longest,
    most,
    repeat,
)
from gateway.state.expiring import Expiring
from gateway.state.lists import POSTS_AT_MOST, Entry, Lists, entry_of
from gateway.state.notes import MemoryNotes
from gateway.state.prints import (
    ACROSS,
    CANDIDATES,
    salts,
    searched,
)
from gateway.state.published import as_write
from gateway.state.sharing import Uses, uses_of
from gateway.state.switches import MemorySwitches

_Key = TypeVar("_Key")

_FOUND_AT_MOST = 64
_PRUNED_AT_ONCE = 4
_REPEATABLE = (Outcome.FAILED, Outcome.UNKNOWN)
_NOTHING = Found(posts=())


@dataclass(slots=True)
class _Made:
    """The charges of a cap: their instants, ascending, and whose each is; empty where nobody's."""

    times: list[float] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)

    def add(self, at: float, owner: str) -> None:
        self.times.append(at)
        self.owners.append(owner)

    def take_out(self, at: float, owner: str) -> None:
        """Take back a write's charge of an instant, if it was not pruned before."""
        for index in range(bisect_left(self.times, at), bisect_right(self.times, at)):
            if self.owners[index] == owner:
                del self.times[index], self.owners[index]
                return

    def forget(self, until: float) -> None:
        """Forget what was charged up to an instant."""
        gone = bisect_right(self.times, until)
        del self.times[:gone], self.owners[:gone]


class MemoryStore:
    """State as dictionaries. No method awaits between reading and writing, so each is atomic."""

    def __init__(self, keep: float, posts: int = POSTS_AT_MOST) -> None:
        self._keep = keep
        self._lists = Lists(posts)
        self._last = 0.0
        self._number = 0
        self._entries: dict[str, Entry] = {}
        self._charges: OrderedDict[str, _Made] = OrderedDict()
        self._digests: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self._requests: defaultdict[str, list[str]] = defaultdict(list)
        self._keyed = Expiring(KEY_SECONDS)  # by key
        self._lost = Expiring(LOST_SECONDS)  # by request
        self._uses = Uses(keep)
        self.notes = MemoryNotes(self._now, self._advance)
        self.switches = MemorySwitches()

    async def reserve(self, reservation: Reservation) -> Reserved:
        """As `ports.Store.reserve`."""
        write = reservation.write
        if write.preview:
            return await self.peek(reservation)
        now = self._advance(write.at)
        self._prune(now)
        under_key, lost = self._keyed.get(write.key, now), self._lost.get(write.request, now)
        repeated = repeat(under_key, lost, write.request, now)
        if repeated is not None:
            if is_given(under_key, repeated):
                self._lost.drop(write.request)
            return Reserved(answers={}, taken=False, repeat=repeated)
        self._number += 1
        replaced = self._replaced(write, now)
        searched = salts(reservation)
        reserved = self._answers(reservation, searched, replaced, now)
        entry = entry_of(write, now, replaced, across=ACROSS in searched)
        for charge in charges(reservation, reserved.answers):
            owner = "" if charge.attempts else write.id
            self._charges.setdefault(charge.cap, _Made()).add(now, owner)
            if owner:
                entry.caps.append(charge.cap)
        if reserved.taken and reservation.remember:
            self._remember(entry)
            self._uses.record(write.id, uses_of(reservation), now)
            if write.key is not None:
                kept = Kept(write_id=write.id, request=write.request, at=now, outcome=None)
                self._keyed.put(write.key, kept)
        return reserved

    async def peek(self, reservation: Reservation) -> Reserved:
        """As `ports.Store.peek`."""
        now = self._now(reservation.write.at)
        replaced = self._replaced(reservation.write, now)
        return self._answers(reservation, salts(reservation), replaced, now)

    async def settle(self, write_id: str, settlement: Settlement) -> None:
        """As `ports.Store.settle`."""
        entry = self._entries.get(write_id)
        if entry is None or entry.outcome is not None:
            return
        self._settle_key(entry, settlement)
        if settlement.outcome is Outcome.NOT_SENT and settlement.template:
            self._give_back(entry)
            entry.outcome = Outcome.REFUSED
            self._lists.add(entry)
            return
        if not settlement.outcome.keeps:
            self._forget(write_id)
            return
        for old in entry.replaces:
            tried = self._entries.get(old)
            if (
                tried is not None and tried.outcome is not Outcome.OK
            ):  # else it was written after all
                self._forget(old)
        self._uses.keep(write_id)
        entry.outcome = settlement.outcome
        entry.post = settlement.post
        entry.url = settlement.url
        self._lists.add(entry)  # it may have been pushed out meanwhile
        if settlement.lost is not None:
            self._lose(entry, settlement.lost)

    async def keep_answer(self, write_id: str, answer: bytes) -> None:
        """As `ports.Store.keep_answer`."""
        entry = self._entries.get(write_id)
        if entry is not None:
            self._lose(entry, answer)

    async def close(self) -> None:
        """Nothing is held open."""

    # ── for operators ────────────────────────────────────────────────────────────────────────

    async def remember(self, posts: Sequence[Published], at: float) -> int:
        """As `ports.Administered.remember`."""
        self._advance(at)
        return sum(self._remember_published(post) for post in posts)

    async def forget(self, post: str) -> int:
        """As `ports.Administered.forget`."""
        chosen = [
            entry
            for entry in self._entries.values()
            if entry.digests and post in (entry.post, entry.target)
        ]
        for entry in chosen:
            for digest in entry.digests:
                _take_away(self._digests, digest, entry.id)
            self._lists.remove(entry)
            entry.forget_text()
        return len(chosen)

    async def release(self, write_id: str) -> bool:
        """As `ports.Administered.release`."""
        entry = self._entries.get(write_id)
        if entry is None or entry.outcome is Outcome.OK:
            return False
        self._free_key(entry)
        self._forget(write_id)
        return True

    async def counters(
        self, asked: Sequence[tuple[str, float]], at: float
    ) -> list[tuple[Counted, ...]]:
        """As `ports.Caps.counters`."""
        return [self._fullest(rule, self._now(at) - seconds) for rule, seconds in asked]

    async def reset(self, cap: str) -> int:
        """As `ports.Administered.reset`."""
        counters = [counter for counter in self._charges if is_counter_of(counter, cap)]
        for counter in counters:
            del self._charges[counter]
        return len(counters)

    async def accept_loss(self) -> bool:
        """As `ports.Administered.accept_loss`: what is lost with the process is nobody's to accept."""
        return False

    # ── parts ────────────────────────────────────────────────────────────────────────────────

    def _now(self, at: float) -> float:
        return max(at, self._last)

    def _advance(self, at: float) -> float:
        self._last = self._now(at)
        return self._last

    def _answers(
        self,
        reservation: Reservation,
        lists: Iterable[int],
        replaced: Collection[str],
        now: float,
    ) -> Reserved:
        fingerprint = reservation.write.fingerprint
        prints = fingerprint.prints if fingerprint is not None else b""
        near = {salt: self._lists.find(prints, salt) for salt in lists}
        told: dict[str, Remembered] = {}  # several rules are told of the same posts

        def like(entry: Entry) -> Remembered:
            if entry.id not in told:
                told[entry.id] = _remembered(entry, now, equal=False)
            return told[entry.id]

        def find(lookup: Lookup) -> Found:
            found = near.get(searched(lookup), ()) if lookup.near else ()
            return self._find(lookup, found, like, replaced, now)

        return answered(
            reservation,
            lambda charge: self._times(charge, replaced, now),
            find,
            lambda sharers: self._uses.of(sharers.name, now),
            now,
            self._number,
            (each for each in replaced if self._entries[each].outcome is None),
        )

    def _fullest(self, rule: str, since: float) -> tuple[Counted, ...]:
        named = (each for each in self._charges.items() if is_counter_of(each[0], rule))
        return fullest(
            (cap, len(made.times) - bisect_right(made.times, since))
            for cap, made in islice(named, LOOKED_AT_MOST)
        )

    def _times(self, charge: Charge, replaced: Collection[str], now: float) -> Sequence[float]:
        made = self._charges.get(charge.cap)
        if made is None:
            return ()
        first = bisect_right(made.times, now - longest(charge))
        first = max(first, len(made.times) - most(charge) - len(replaced))
        if not replaced:
            return made.times[first:]
        counted = zip(made.times[first:], made.owners[first:], strict=True)
        return [at for at, owner in counted if owner not in replaced]

    def _find(
        self,
        lookup: Lookup,
        near: Sequence[Entry],
        like: Callable[[Entry], Remembered],
        replaced: Collection[str],
        now: float,
    ) -> Found:
        same = self._digests.get((lookup.compare, lookup.digest), ())
        if not same and not near:
            return _NOTHING
        since = now - lookup.within

        def is_asked_for(entry: Entry) -> bool:
            in_scope = lookup.across_teams or entry.team == lookup.team
            by_author = lookup.author is None or lookup.author == entry.author
            return in_scope and by_author and entry.at > since and entry.id not in replaced

        posts: list[Remembered] = []
        refused: list[Remembered] = []
        for write_id in reversed(same):
            entry = self._entries[write_id]
            if entry.at <= since or len(posts) == _FOUND_AT_MOST:
                break
            if is_asked_for(entry):
                told = _remembered(entry, now, equal=True)
                (refused if told.outcome is Outcome.REFUSED else posts).append(told)
        posts += refused[: _FOUND_AT_MOST - len(posts)]
        alike = (
            like(entry)
            for entry in near
            if getattr(entry, lookup.compare) != lookup.digest and is_asked_for(entry)
        )
        return Found(posts=(*posts, *islice(alike, CANDIDATES)))

    def _replaced(self, write: Write, now: float) -> tuple[str, ...]:
        """The earlier tries of the same request of which nobody can tell that they took effect."""
        if not write.request:
            return ()
        return tuple(
            write_id
            for write_id in self._requests.get(write.request, ())
            if self._entries[write_id].outcome_at(now) in _REPEATABLE
        )

    def _remember(self, entry: Entry) -> None:
        self._entries[entry.id] = entry
        if entry.request:
            self._requests[entry.request].append(entry.id)
        for digest in entry.digests:
            self._digests[digest].append(entry.id)
        self._lists.add(entry)

    def _remember_published(self, post: Published) -> bool:
        write = as_write(post)
        known = self._entries.get(write.id)
        self._forget(write.id)  # also what is known: it counts as written at this instant
        entry = entry_of(write, self._last)
        entry.outcome, entry.url = Outcome.OK, post.url
        self._remember(entry)
        return known is None or known.digests != entry.digests

    def _kept_for(self, entry: Entry) -> Kept | None:
        """What is kept under a write's key, where that is still its."""
        kept = self._keyed.get(entry.key, self._last)
        return kept if kept is not None and kept.write_id == entry.id else None

    def _free_key(self, entry: Entry) -> None:
        if entry.key is not None and self._kept_for(entry) is not None:
            self._keyed.drop(entry.key)

    def _settle_key(self, entry: Entry, settlement: Settlement) -> None:
        if not answerable(settlement) and not entry.replaces:
            self._free_key(entry)
            return
        if not answerable(settlement):  # the earlier try is as unknown as it was
            settlement = Settlement(outcome=Outcome.UNKNOWN)
        kept = self._kept_for(entry)
        if entry.key is not None and kept is not None:
            settled = replace(kept, outcome=settlement.outcome, answer=settlement.answer)
            self._keyed.put(entry.key, settled)

    def _lose(self, entry: Entry, answer: bytes) -> None:
        if entry.outcome is Outcome.OK and entry.request:
            kept = Kept(
                write_id=entry.id,
                request=entry.request,
                at=self._last,
                outcome=Outcome.OK,
                answer=answer,
            )
            self._lost.put(entry.request, kept)

    def _forget(self, write_id: str) -> None:
        entry = self._entries.pop(write_id, None)
        if entry is None:
            return
        self._give_back(entry)
        self._lists.remove(entry)
        if entry.request:
            _take_away(self._requests, entry.request, write_id)
        for digest in entry.digests:
            _take_away(self._digests, digest, write_id)

    def _give_back(self, entry: Entry) -> None:
        for cap in entry.caps:
            made = self._charges.get(cap)
            if made is None:
                continue
            made.take_out(entry.at, entry.id)
            if not made.times:
                del self._charges[cap]
        entry.caps = []
        self._uses.give_back(entry.id)

    def _prune(self, now: float) -> None:
        """Forget what is older than `keep`, a few at a time, so that no call pays for many."""
        self._keyed.prune(now)
        self._lost.prune(now)
        self._uses.prune(now)
        forgotten = now - self._keep
        for write_id in list(islice(self._entries, _PRUNED_AT_ONCE)):
            if self._entries[write_id].at > forgotten:
                break
            self._forget(write_id)
        for cap in list(islice(self._charges, _PRUNED_AT_ONCE)):
            self._charges.move_to_end(cap)  # every cap has its turn
            made = self._charges[cap]
            if made.times[0] <= forgotten:
                made.forget(forgotten)
            if not made.times:
                del self._charges[cap]


def _take_away(index: dict[_Key, list[str]], key: _Key, write_id: str) -> None:
    index[key].remove(write_id)
    if not index[key]:
        del index[key]


def _remembered(entry: Entry, now: float, *, equal: bool) -> Remembered:
    outcome = entry.outcome_at(now)
    return Remembered(
        write_id=entry.id,
        at=entry.at,
        pending=outcome is None,
        outcome=outcome,
        integration=entry.integration,
        token=entry.token,
        author=entry.author,
        operation=entry.operation,
        team=entry.team,
        thread=entry.thread,
        post=entry.post or entry.target,
        url=entry.url,
        request=entry.request,
        equal=equal,
        overdue=outcome is not None and entry.outcome is None,
        sketch=entry.sketch,
    )
