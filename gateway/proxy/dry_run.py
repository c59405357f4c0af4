"""Dry runs: judged as writes are, nothing sent, nothing charged but a cap of their own.

Without it anybody who may write could try texts for as long as it takes to find one that passes.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.errors import StoreError
from gateway.model import (
    Charge,
    Charged,
    Decision,
    Effect,
    Finding,
    Mode,
    Reservation,
    Result,
    Violation,
    Window,
    Write,
)
from gateway.ports import Store

RULE = "dry-run"
"""The rule of the gateway's own by which dry runs are counted."""
_CAP = Window(limit=600, seconds=60.0)
"""For each integration and token; every try counts. An import of some hundred posts may be tried first."""


async def too_many(store: Store, write: Write, revision: str) -> Decision | None:
    """Count a dry run; give its refusal where there were too many."""
    cap = f"{RULE}|integration={write.integration}|token={write.token or ''}"
    charge = Charge(cap=cap, windows=(_CAP,), attempts=True)
    counted = replace(write, key=None, preview=False)
    asked = Reservation(write=counted, groups=({RULE: charge},), remember=False)
    try:
        reserved = await store.reserve(asked)
    except StoreError:
        return None  # the rules that ask state say so
    answer = reserved.answers.get(RULE)
    if not isinstance(answer, Charged) or answer.accepted:
        return None
    violation = Violation(
        code="dry_run_cap",
        status=429,
        message=f"{_CAP.limit} dry runs in {_CAP.seconds:g} s are used up.",
        fix=f"Wait {answer.retry_after:.0f} s.",
        retry_after=answer.retry_after,
    )
    finding = Finding(
        rule=RULE, check=RULE, mode=Mode.ENFORCE, result=Result.FAIL, violation=violation
    )
    return Decision(effect=Effect.REFUSE, revision=revision, findings=(finding,))
