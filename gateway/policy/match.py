"""Which rules judge a write, by everything but `if`: their narrowing keys, and exceptions."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.model import ANONYMOUS, Write
from gateway.policy.policyset import PolicySet, Rule


def applies(rule: Rule, write: Write, policies: PolicySet) -> bool:
    """Whether a rule of the write's operation judges it, by everything but `if`."""
    if write.integration in rule.excepted:
        return False
    if rule.integrations and write.integration not in rule.integrations:
        return False
    if rule.tiers and write.tier not in rule.tiers:
        return False
    if rule.teams and (write.team or "") not in rule.teams:
        return False
    if rule.tags and rule.tags.isdisjoint(tag.casefold() for tag in write.post.tags):
        return False
    return not _waived(rule, write, policies)


def _waived(rule: Rule, write: Write, policies: PolicySet) -> bool:
    if write.integration == ANONYMOUS or not policies.waived:
        return False
    until = policies.waived.get((rule.id, write.integration))
    return until is not None and datetime.fromtimestamp(write.at, UTC).date() <= until
