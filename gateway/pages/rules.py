"""The rules that apply to a caller, and what its caps still hold, told to its developer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.checks.attribution import Attribution
from gateway.checks.explicit_action import Evidence, ExplicitAction
from gateway.checks.rate_cap import RateCap
from gateway.model import Api, Charge, Charged, Mode, Need, Reservation, Write
from gateway.policy.match import is_waived
from gateway.policy.policyset import PolicySet, Rule
from gateway.ports import Store
from gateway.proxy.identify import Caller
from gateway.soe.api import OPERATIONS

_BY_CALLER = {"integration", "token", "operation"}
"""What a cap may count by, so that what is left of it is known before a write."""


@dataclass(frozen=True, slots=True)
class Applying:
    """A rule that judges some of a caller's writes."""

    rule: Rule

    @property
    def id(self) -> str:
        """The rule's id."""
        return self.rule.id

    @property
    def told(self) -> dict[str, Any]:
        """What a developer may know of it; not how likeness is measured, which would help evading."""
        rule = self.rule
        every = rule.operations == OPERATIONS
        return {
            "rule": rule.id,
            "policy": rule.policy,
            "title": rule.title,
            "mode": rule.mode.value,
            "operations": ["*"] if every else sorted(rule.operations),
            "check": rule.check.name if rule.check else "",
            "wants": _wanted(rule),
            "teams": sorted(rule.teams),
            "tags": sorted(rule.tags),
            "conditional": rule.condition is not None,
            "fix": rule.fix,
            "docs": rule.docs,
        }


def applying(policies: PolicySet, caller: Caller, at: float) -> list[Applying]:
    """Give the rules that judge some of a caller's writes at an instant, in their order."""
    return [Applying(rule) for rule in policies.rules if _judges(rule, policies, caller, at)]


def _judges(rule: Rule, policies: PolicySet, caller: Caller, at: float) -> bool:
    if rule.mode is Mode.DISABLED or caller.name in rule.excepted:
        return False
    if rule.integrations and caller.name not in rule.integrations:
        return False
    if rule.tiers and caller.tier not in rule.tiers:
        return False
    return not is_waived(rule, caller.name, at, policies)


def _wanted(rule: Rule) -> str:
    """Say what a write has to bring, where a rule wants something that can be said beforehand."""
    check = rule.check
    if isinstance(check, ExplicitAction) and check.evidence is Evidence.CONFIRMED:
        return "confirmed by who posts it, on the page that the answer names"
    if isinstance(check, ExplicitAction):
        return f"X-Explicit-Action: {check.example}"
    if isinstance(check, Attribution) and check.user_agent:
        return "User-Agent: NAME/VERSION (URL or mail)"
    if isinstance(check, RateCap):
        windows = " and ".join(f"{each.limit} in {each.seconds:g} s" for each in check.windows)
        counted = "tries" if check.attempts else "posts"
        return f"at most {windows} {counted} per {' and '.join(check.per)}"
    return ""


async def budgets(
    store: Store, rules: Sequence[Applying], caller: Caller, at: float
) -> dict[str, list[dict[str, Any]]]:
    """Tell what is left of the caps that count by the caller alone; nothing is charged.

    Raises:
        StoreError: state did not answer.
    """
    asked: dict[str, tuple[str, str, Need]] = {}
    for each in rules:
        check = each.rule.check
        if not isinstance(check, RateCap) or not _BY_CALLER.issuperset(check.per):
            continue
        split = sorted(each.rule.operations) if "operation" in check.per else [""]
        for operation in split:
            need: Charge = check.need(_write(caller, operation, at), each.id)
            asked[f"{each.id} {operation}"] = (each.id, operation, need)
    if not asked:
        return {}
    groups = tuple({name: need} for name, (_, _, need) in asked.items())
    reserved = await store.peek(Reservation(write=_write(caller, "", at), groups=({}, *groups)))
    left: dict[str, list[dict[str, Any]]] = {}
    for name, (rule, operation, _) in asked.items():
        answer = reserved.answers[name]
        assert isinstance(answer, Charged)
        left.setdefault(rule, []).append(_told(operation, answer))
    return left


def _told(operation: str, answer: Charged) -> dict[str, Any]:
    used = answer.used - answer.accepted  # the write that is only asked about
    return {
        "operation": operation or "*",
        "limit": answer.window.limit,
        "window": answer.window.seconds,
        "left": answer.window.limit - used,
        "retry_after": round(answer.retry_after, 3),
    }


def _write(caller: Caller, operation: str, at: float) -> Write:
    """A write that is asked about and never made."""
    return Write(
        id="",
        at=at,
        integration=caller.name,
        tier=caller.tier,
        token=caller.token,
        api=Api.V3,
        operation=operation,
    )
