"""Writes that wait for a person: opened, decided, and passed by once. State keeps all of it.

A hold is the note `hold/<id>`; `held/<Write.request>` leads from a request to its newest one, and
`hold-text/<id>.<n>` are the pieces of its text. All is sealed but the ids. The SOE token is never
kept. A page shows a hold by `get` and `text`, asks `Hold.objection` whether its visitor may decide,
and lets him by `confirm` or `decline`; the pipeline calls the rest.

Laws: every change is one compare-and-set, so of all replicas one makes it; what is decided or has
expired stays as it is; a confirmation passes one request that is byte for byte the one that was
held, and only the rules that the page named; where state is away, nothing passes by a hold.
"""

from __future__ import annotations

import contextlib
import json
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from gateway.audit.record import plain
from gateway.errors import AuditError, StoreError
from gateway.model import (
    Approver,
    Charge,
    Charged,
    Confirmed,
    Decision,
    Outcome,
    Person,
    Post,
    Reservation,
    Violation,
    Window,
    Write,
)
from gateway.observe.observer import Observer
from gateway.policy.policyset import Rule
from gateway.policy.registry import Integration
from gateway.ports import Clock, Notes, Recorder, Store
from gateway.proxy.hold import Asking, Hold, Objection, Status, Visitor, packed, unpacked
from gateway.seal import Seal

RULE = "holds"
"""The rule of the gateway's own by which open holds are counted."""
EXPIRE_EVERY = 60.0
"""Seconds between two looks for holds that nobody decided."""
_ID = re.compile(r"[0-9a-f]{32}")
_PIECE = 200 * 2**10
_TRIES = 8
"""So often a change is tried while others change the same hold."""
_IN_FLIGHT_SECONDS = 60.0
"""After so long nobody can tell what became of a write that used a hold, and none waits for it."""
_IN_FLIGHT = Violation(
    code="request_in_flight",
    status=409,
    message="The same request was confirmed, and is being posted at this moment.",
    fix="Wait for its answer: what was confirmed is posted once.",
    retry_after=2.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What became of an attempt to decide: `hold` is how it stands now; None where there is none.

    `done` tells that this attempt decided it. Else it was decided, used or expired before, as its
    status says, or `objection` tells why this visitor may not.
    """

    hold: Hold | None = None
    done: bool = False
    objection: Objection | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A hold that a write passes by, and what was confirmed by it."""

    hold: Hold
    confirmed: Confirmed


@dataclass(frozen=True, slots=True)
class _Kept:
    """A hold as it was read, and the very bytes, by which it is changed."""

    hold: Hold
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """The holds of a site. Raises `StoreError` where state is away.

    Attributes:
        store: counts, and has the notes.
        seal: with a key for holds alone.
        open_for: seconds that a hold waits for its decision, and then for its request.
        per_integration: so many may be opened in that time.
        new_id: gives 128 random bits, as 32 hexadecimal digits.
    """

    store: Store
    audit: Recorder
    clock: Clock
    observer: Observer
    seal: Seal
    new_id: Callable[[], str]
    open_for: float = 900.0
    per_integration: int = 20

    # ── for the page ─────────────────────────────────────────────────────────────────────────

    async def get(self, hold_id: str) -> Hold | None:
        """Give a hold as it stands at this instant; None where there is none, or none any more."""
        kept = await self._kept(hold_id)
        if kept is None:
            return None
        is_due = kept.hold.is_due(self.clock.now())
        return replace(kept.hold, status=Status.EXPIRED) if is_due else kept.hold

    async def text(self, hold: Hold) -> Post | None:
        """Give the text of an open hold; None where it was dropped, as it was decided or expired."""
        pieces = [
            await self._notes.get(_piece(hold, number), self.clock.now())
            for number in range(hold.pieces)
        ]
        whole = b"".join(piece for piece in pieces if piece is not None)
        data = None if None in pieces else self.seal.open(f"text of {hold.id}", whole)
        if data is None:
            return None
        title, body, *tags = map(plain, json.loads(zlib.decompress(data)))
        return Post(title=title, body=body, tags=tuple(tags))

    async def confirm(self, hold_id: str, by: Visitor) -> Answered:
        """Let a visitor confirm a hold, if it is open and he may; `open_for` begins anew."""
        return await self._answer(hold_id, by, Status.CONFIRMED)

    async def decline(self, hold_id: str, by: Visitor) -> Answered:
        """Let a visitor decline a hold, if it is open and he may; the request stays refused."""
        return await self._answer(hold_id, by, Status.DECLINED)

    async def _answer(self, hold_id: str, by: Visitor, status: Status) -> Answered:
        for _ in range(_TRIES):
            kept = await self._kept(hold_id)
            now = self.clock.now()
            if kept is None:
                return Answered()
            hold = kept.hold
            if hold.is_due(now):
                await self._expire(kept)
                return Answered(hold=replace(hold, status=Status.EXPIRED))
            if hold.status is not Status.OPEN:
                return Answered(hold=hold)
            objection = hold.objection(by)
            if objection is not None:
                return Answered(hold=hold, objection=objection)
            decided = replace(
                hold,
                status=status,
                by=by,
                known=hold.known_as(by)[0],
                decided=now,
                until=now + self.open_for if status is Status.CONFIRMED else hold.until,
            )
            if await self._change(kept, decided):
                await self._drop_text(hold)
                self._tell(decided)
                return Answered(hold=decided, done=True)
        raise StoreError("a hold was changed by others all the time")

    def _tell(self, hold: Hold) -> None:
        """Record who decided; the confirmation stands, for the write's own record tells it, too."""
        assert hold.by is not None
        try:
            self.audit.told(
                f"hold.{hold.status}",
                person=hold.by.id,
                hold=hold.write_id,
                known=hold.known,
                integration=hold.integration,
                operation=hold.operation,
            )
        except AuditError as error:  # the line is owed
            self.observer.audit_failed(error)

    async def waiting(self, limit: int) -> list[Hold]:
        """Give the open holds, the newest first: so many at most, among the newest 1,000."""
        found: list[Hold] = []
        for name in await self._notes.names("hold/", 1000, self.clock.now()):
            hold = await self.get(name.removeprefix("hold/"))
            if hold is not None and hold.status is Status.OPEN:
                found.append(hold)
                if len(found) == limit:
                    break
        return found

    async def expire(self) -> int:
        """Let expire what nobody decided or used in time; gives how many of 1,000 are still open."""
        now, still_open = self.clock.now(), 0
        for name in await self._notes.names("hold/", 1000, now):
            kept = await self._kept(name.removeprefix("hold/"))
            if kept is not None and kept.hold.is_due(now):
                await self._expire(kept)
            elif kept is not None and kept.hold.status is Status.OPEN:
                still_open += 1
        return still_open

    # ── for the pipeline ─────────────────────────────────────────────────────────────────────

    async def take(self, write: Write, rules: Iterable[Rule]) -> Taken | None:
        """Let a write pass by the hold that was confirmed for this very request, if there is one.

        The hold is used from here on, by this write alone; `ended` may give it back.

        Args:
            rules: those that may judge it. Consent covers those that the hold named, where they
                still ask the same person.
        """
        asking = {rule.id: rule.approver for rule in rules if rule.asks}
        if not asking or write.preview or not write.request:
            return None
        _, kept = await self._newest(write)
        if kept is None:
            return None
        hold = kept.hold
        if not hold.passes or write.at >= hold.until or hold.known is None or hold.by is None:
            return None
        named = frozenset(
            each.rule for each in hold.rules if asking.get(each.rule) == each.approver
        )
        used = replace(
            hold,
            status=Status.USED,
            used_by=write.id,
            used=write.at,
            outcome=None,
            again=hold.again or hold.status is Status.USED,
        )
        if not await self._change(kept, used, count=False):
            return None
        by = hold.by.id
        confirmed = Confirmed(hold=hold.write_id, rules=named, by=by, known=hold.known)
        return Taken(hold=used, confirmed=confirmed)

    async def ended(self, taken: Taken, outcome: Outcome, url: str | None = None) -> None:
        """Tell what became of the write that took a hold: if it did not happen, it is given back.

        Args:
            url: where its post stands, if SOE said so.
        """
        kept = await self._kept(taken.hold.id)
        if kept is None or kept.hold.used_by != taken.hold.used_by:
            return
        if outcome.keeps:
            await self._change(kept, replace(kept.hold, outcome=outcome, url=url))
        else:
            back = replace(kept.hold, status=Status.CONFIRMED, used_by=None, used=None)
            await self._change(kept, back, count=False)

    async def open(
        self,
        write: Write,
        decision: Decision,
        rules: Iterable[Rule],
        *,
        integration: Integration | None,
        person: Person | None,
        thread_title: str = "",
    ) -> Hold | Violation:
        """Open a hold for a write, or give the one that there is for the same request.

        That is one that names at least the rules that ask now: open, confirmed meanwhile, or
        declined, as long as it lasts. A violation where the same request is on its way, or where
        too many holds were opened.

        Args:
            decision: that the write is held.
            rules: those that may have judged it.
            integration: None for a caller that nobody registered.
            person: who acts, where known.
        """
        asking = _asking(decision, {rule.id: rule for rule in rules})
        for _ in range(_TRIES):
            before, kept = await self._newest(write)
            if kept is not None and _is_in_flight(kept.hold, write):
                return _IN_FLIGHT
            if kept is not None and _serves(kept.hold, asking, person, write.at):
                return kept.hold
            hold_id = self.new_id()
            refused = await self._count(write, hold_id)
            if refused is not None:
                return refused
            pieces = self._pieces(hold_id, write.post)
            hold = Hold(
                id=hold_id,
                write_id=write.id,
                request=write.request,
                integration=write.integration,
                owner=integration.owner if integration else "",
                contact=integration.contact if integration else "",
                api=write.api,
                operation=write.operation,
                team=write.team,
                thread=write.thread,
                thread_title=thread_title,
                target=write.target,
                person=person,
                rules=asking,
                at=write.at,
                until=write.at + self.open_for,
                pieces=len(pieces),
            )
            if await self._put(hold, pieces, before):
                if kept is not None and _is_replaced(kept.hold, write):
                    await self._notes.drop(f"hold/{kept.hold.id}", write.at)
                    await self._drop_text(kept.hold)
                self.observer.held(Status.OPEN)
                return hold
        raise StoreError("a hold was opened by others all the time")

    async def _count(self, write: Write, hold_id: str) -> Violation | None:
        """Count a hold for its integration; give the refusal where there are too many."""
        window = Window(limit=self.per_integration, seconds=self.open_for)
        cap = f"{RULE}|integration={write.integration}"
        charge = Charge(cap=cap, windows=(window,), attempts=True)
        # As a write of its own: a lost answer to this request is not given to who only counts.
        counted = replace(write, id=hold_id, key=None, preview=False, request="", fingerprint=None)
        asked = Reservation(write=counted, groups=({RULE: charge},), remember=False)
        answer = (await self.store.peek(asked)).answers[RULE]  # who waits is not put off by trying
        if isinstance(answer, Charged) and answer.accepted:
            answer = (await self.store.reserve(asked)).answers[RULE]
        assert isinstance(answer, Charged)
        if answer.accepted:
            return None
        return Violation(
            code="too_many_holds",
            status=429,
            message=(
                f"{write.integration} has had {self.per_integration} writes held in "
                f"{self.open_for:g} s: no more may wait for a person."
            ),
            fix=f"Have those confirmed that wait, and come again in {answer.retry_after:.0f} s.",
            retry_after=answer.retry_after,
        )

    # ── notes ────────────────────────────────────────────────────────────────────────────────

    @property
    def _notes(self) -> Notes:
        return self.store.notes

    async def _newest(self, write: Write) -> tuple[bytes | None, _Kept | None]:
        """Give the note that leads to the newest hold of a request, and that hold."""
        found = await self._notes.get(f"held/{write.request}", write.at)
        kept = None if found is None else await self._kept(found.decode())
        # What leads there is not sealed: nobody who can write it may lead to another request's.
        is_its = kept is not None and kept.hold.request == write.request
        return found, kept if is_its else None

    async def _kept(self, hold_id: str) -> _Kept | None:
        if _ID.fullmatch(hold_id) is None:
            return None
        sealed = await self._notes.get(f"hold/{hold_id}", self.clock.now())
        data = None if sealed is None else self.seal.open(f"hold {hold_id}", sealed)
        return None if sealed is None or data is None else _Kept(unpacked(data), sealed)

    def _pieces(self, hold_id: str, post: Post) -> list[bytes]:
        """Give the sealed text in pieces that notes take."""
        told = zlib.compress(json.dumps([post.title, post.body, *post.tags]).encode(), level=1)
        whole = self.seal.close(f"text of {hold_id}", told)
        return [whole[start : start + _PIECE] for start in range(0, len(whole), _PIECE)]

    async def _put(self, hold: Hold, pieces: list[bytes], before: bytes | None) -> bool:
        """Put a new hold, its text first; false where another one was put for the same request."""
        notes, at, until = self._notes, hold.at, hold.until + 2 * self.open_for
        for number, piece in enumerate(pieces):
            await notes.put(_piece(hold, number), piece, at, until=hold.until, expected=None)
        sealed = self._sealed(hold)
        await notes.put(f"hold/{hold.id}", sealed, at, until=until, expected=None)
        name = f"held/{hold.request}"
        if await notes.put(name, hold.id.encode(), at, until=until, expected=before):
            return True
        await notes.drop(f"hold/{hold.id}", at)
        await self._drop_text(hold)
        return False

    async def _change(self, kept: _Kept, hold: Hold, *, count: bool = True) -> bool:
        """Put a hold in the place of what was read; false where others were faster."""
        put = await self._notes.put(
            f"hold/{hold.id}",
            self._sealed(hold),
            self.clock.now(),
            until=hold.until + self.open_for,
            expected=kept.sealed,
        )
        if put and count:
            self.observer.held(hold.status)
        return put

    async def _expire(self, kept: _Kept) -> None:
        if await self._change(kept, replace(kept.hold, status=Status.EXPIRED)):
            await self._drop_text(kept.hold)

    async def _drop_text(self, hold: Hold) -> None:
        with contextlib.suppress(StoreError):  # it ends by itself
            for number in range(hold.pieces):
                await self._notes.drop(_piece(hold, number), self.clock.now())

    def _sealed(self, hold: Hold) -> bytes:
        return self.seal.close(f"hold {hold.id}", packed(hold))


def _piece(hold: Hold, number: int) -> str:
    return f"hold-text/{hold.id}.{number}"


def _asking(decision: Decision, rules: dict[str, Rule]) -> tuple[Asking, ...]:
    """The rules that ask for a confirmation, and those that had one which was not enough."""
    return tuple(
        Asking(
            rule=finding.rule,
            title=rules[finding.rule].title,
            owner=rules[finding.rule].owner,
            message=finding.violation.message,
            fix=finding.violation.fix,
            approver=Approver(rules[finding.rule].approver),
        )
        for finding in decision.findings
        if finding.violation is not None and (finding.holds or finding.consented)
    )


def _serves(hold: Hold, asking: tuple[Asking, ...], person: Person | None, at: float) -> bool:
    """Whether a hold for the same request is what a write needs that was held."""
    lasting = (Status.OPEN, Status.CONFIRMED, Status.DECLINED)
    named = {(each.rule, each.approver) for each in hold.rules}
    asked = {(each.rule, each.approver) for each in asking}
    is_known = hold.person is not None or person is None
    return hold.status in lasting and at < hold.until and asked <= named and is_known


def _is_in_flight(hold: Hold, write: Write) -> bool:
    """Whether another write has taken a hold, and may still be on its way."""
    if hold.status is not Status.USED or hold.outcome is not None or hold.used is None:
        return False
    return hold.used_by != write.id and write.at < hold.used + _IN_FLIGHT_SECONDS


def _is_replaced(hold: Hold, write: Write) -> bool:
    """Whether a hold that is no longer enough has no other use: what is decided stays to be seen."""
    return hold.status in (Status.OPEN, Status.CONFIRMED) or hold.used_by == write.id
