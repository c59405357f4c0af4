"""How writes, questions and answers look to the scripts, and back. Pure, but for making epochs."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from typing import Any

from gateway.model import Charge, Lookup, Need, Outcome, Remembered, Write
from gateway.state.accounting import PENDING_SECONDS
from gateway.state.redis.journal import Record


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
    """Write sealed bytes as text, empty for none: the client decodes what it gets."""
    return base64.b64encode(sealed) if sealed else b""


def record_of(write: Write) -> Record:
    """A write as `prelude.lua` describes it, as far as the write tells."""
    found = write.fingerprint if write.publishes else None
    facts = (
        *(write.integration, write.token, write.author, write.operation),
        *(write.team, write.thread, write.target),
    )
    return {
        "id": write.id,
        "request": write.request,
        "key": write.key or "",
        "text": found.text if found else "",
        "event": found.event if found else "",
        "facts": [fact or "" for fact in facts],
    }


def need_of(need: Need) -> dict[str, Any]:
    """Write a question as `reserve.lua` reads it."""
    if isinstance(need, Charge):
        windows = [{"limit": each.limit, "seconds": each.seconds} for each in need.windows]
        return {"cap": need.cap, "windows": windows, "attempts": need.attempts}
    assert isinstance(need, Lookup)
    return {
        "compare": need.compare,
        "digest": need.digest,
        "within": need.within,
        "team": need.team or "",
        "across_teams": need.across_teams,
        "author": need.author or "",
    }


def remembered(row: Sequence[str], now: float) -> Remembered:
    """Read an earlier post as `reserve.lua` tells it, at the instant `now`."""
    write_id, at, outcome, post, url, request, *facts = row
    integration, token, author, operation, team, thread, target = facts
    pending = not outcome and now - float(at) < PENDING_SECONDS
    return Remembered(
        write_id=write_id,
        at=float(at),
        pending=pending,
        outcome=None if pending else Outcome(outcome or "unknown"),
        integration=integration,
        token=token or None,
        author=author,
        operation=operation,
        team=team or None,
        thread=thread or None,
        post=post or target or None,
        url=url or None,
        request=request,
    )
