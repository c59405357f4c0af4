"""How reservations look to the scripts, and their answers to us. Pure, but for making epochs."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.model import Charge, Found, Lookup, Need, Outcome, Reservation, Settlement, Sharers
from gateway.state.redis.records import (
    core_of,
    digested,
    hashed,
    in_order,
    named,
    remembered,
    rows_of,
    salted,
    scope_of,
)
from gateway.state.sharing import Use, uses_of

_ACROSS = bytes(4)
"""The salt of those who look across teams: none."""


def new_epoch() -> str:
    """Name new data, and their first turn."""
    return f"{secrets.token_hex(8)}.{secrets.token_hex(4)}"


def data_of(epoch: str) -> str:
    """Of which data an epoch is a turn."""
    return epoch.partition(".")[0]


def flag(value: bool) -> str:  # noqa: FBT001  # a script's argument
    """Write yes and no as scripts read them."""
    return "1" if value else "0"


def as_text(sealed: bytes | None) -> bytes:
    """Write sealed bytes as text, empty for none."""
    return base64.b64encode(sealed) if sealed else b""


def becomes(settlement: Settlement) -> str:
    """What `settle.lua` makes of a reservation; empty where no trace of it stays."""
    if settlement.outcome.keeps:
        return "keep"
    return "text" if settlement.template and settlement.outcome is Outcome.NOT_SENT else ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What `reserve.lua` is told of a reservation.

    Attributes:
        core: the write, as it is kept.
        key: the name of its key, empty without one.
        looked: of each look-up, what narrows it.
        prints: of each scope in which near-copies are looked for, the rows and the prints.
        uses: what the write itself uses, if it is remembered.
    """

    core: bytes
    key: bytes
    groups: list[list[dict[str, Any]]]
    looked: bytes
    prints: list[bytes] = field(repr=False)
    uses: list[Use]


def asked_of(reservation: Reservation) -> Asked:
    """Write a reservation for the script.

    Raises:
        ValueError: as `core_of`.
    """
    write = reservation.write
    prints = in_order(write.fingerprint.prints) if write.fingerprint else b""
    scopes: dict[bytes, int] = {}
    looked: list[bytes] = []
    groups: list[list[dict[str, Any]]] = []
    for group in reservation.groups:
        groups.append([])
        for need in group.values():
            told = _told(need)
            if isinstance(need, Lookup):
                salt = _ACROSS if need.across_teams else scope_of(need.team)
                is_near = need.near and prints
                told["scope"] = scopes.setdefault(salt, len(scopes) + 1) if is_near else 0
                told["look"] = len(looked)
                looked.append(
                    digested(need.digest) + scope_of(need.team) + hashed(need.author or "")
                )
            groups[-1].append(told)
    return Asked(
        core=core_of(write, across=_ACROSS in scopes),
        key=named(write.key or ""),
        groups=groups,
        looked=b"".join(looked),
        prints=[
            part
            for mixed in (salted(prints, salt) for salt in scopes)
            for part in (rows_of(mixed), mixed)
        ],
        uses=uses_of(reservation),
    )


def _told(need: Need) -> dict[str, Any]:
    if isinstance(need, Charge):
        windows = [{"limit": each.limit, "seconds": each.seconds} for each in need.windows]
        return {"cap": need.cap, "windows": windows, "attempts": need.attempts}
    if isinstance(need, Sharers):
        return {"uses": need.name}
    return {
        "compare": need.compare,
        "within": need.within,
        "across_teams": need.across_teams,
        "of_author": need.author is not None,
    }


class Answers:
    """What `reserve.lua` answered, need by need, in the order of the needs."""

    def __init__(self, told: Sequence[bytes], each: Sequence[Sequence[Any]], now: float) -> None:
        self._posts = [remembered(record, now) for record in told]
        self._each = iter(each)

    def times(self, _: Charge) -> list[float]:
        """The instants of a cap's earlier charges, ascending."""
        return [float(at) for at in reversed(next(self._each))]

    def uses(self, _: Sharers) -> list[tuple[str, float]]:
        """Who used a thing, and when; behind the number of a write in flight."""
        told = next(self._each)
        members = (use.decode().partition(":")[2] for use in told[::2])
        return list(zip(members, map(float, told[1::2]), strict=True))

    def found(self, lookup: Lookup) -> Found:
        """The posts of a look-up. What the script only compared by hashes is compared here."""
        posts = []
        for place in next(self._each):
            post = self._posts[abs(place) - 1]
            in_scope = lookup.across_teams or post.team == (lookup.team or None)
            if in_scope and lookup.author in (None, post.author):
                posts.append(post if place > 0 else post._replace(equal=False))
        return Found(posts=tuple(posts))
