"""Starters for tests of what waits for a person: holds over any state, and who decides."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from gateway.audit.record import Keeping
from gateway.model import Decision, Effect, Finding, Mode, Person, Result, Violation, Write
from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer
from gateway.policy.policyset import Rule
from gateway.policy.registry import Integration
from gateway.ports import AuditLog, Store
from gateway.proxy.hold import Hold, Visitor
from gateway.proxy.holds import Holds
from gateway.seal import Seal
from gateway.soe.api import OPERATIONS
from tests.proxy.rig import Quiet, Ticking
from tests.recording import Log

JANE = Visitor(email="Jane@Example.com", name="Jane")
OWNER = Visitor(email="it@example.com", name="Olga")
OTHER = Visitor(email="max@example.com", name="Max")
PERSON = Person(id="17", name="Jane", email="jane@example.com")
BOT = Integration(name="help-bot", owner="it-service", contact="IT <it@example.com>", purpose="p")

_IDS = count(1)


def a_rule(name: str = "looked-at", **changes: Any) -> Rule:
    """A rule that holds."""
    usual: dict[str, Any] = {
        "id": name,
        "policy": "people-look",
        "owner": "knowledge-team",
        "title": f"Somebody looks ({name})",
        "mode": Mode.HOLD,
        "operations": OPERATIONS,
    }
    return Rule(**(usual | changes))


def held(*rules: Rule) -> Decision:
    """The decision by which they hold a write."""
    violation = Violation(code="condition_met", status=400, message="Not so.", fix="Else.")
    findings = tuple(
        Finding(rule=rule.id, check="", mode=rule.mode, result=Result.FAIL, violation=violation)
        for rule in rules
    )
    return Decision(effect=Effect.HOLD, revision="r", findings=findings)


def holds_over(
    store: Store, clock: Ticking, audit: AuditLog | None = None, **changes: Any
) -> Holds:
    """Holds in a state; their ids are 1, 2, … over all of them."""
    return Holds(
        store=store,
        audit=audit or Log(clock, Keeping()),
        clock=clock,
        observer=Observer(Quiet(), Metrics()),
        seal=Seal(b"h" * 32),
        new_id=lambda: f"{next(_IDS):032x}",
        **changes,
    )


async def opened(holds: Holds, write: Write, *rules: Rule, person: Person | None = PERSON) -> Hold:
    """A hold of a write by some rules, by one if none is named."""
    asking = rules or (a_rule(),)
    found = await holds.open(write, held(*asking), asking, integration=BOT, person=person)
    assert isinstance(found, Hold), found
    return found


def counted(holds: Holds) -> Callable[[str], float]:
    """Gives how many holds came to a status."""
    registry = holds.observer._metrics.registry
    return lambda status: registry.get_sample_value("soe_gateway_holds_total", {"status": status}) or 0  # fmt: skip
