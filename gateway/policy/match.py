"""Which rules judge a write, by everything but `if`: their narrowing keys, and exceptions."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.model import ANONYMOUS, Write
from gateway.policy.policyset import PolicySet, Rule


def applies(rule: Rule, write: Write, policies: PolicySet) -> bool:
    """Whether a rule judges a write, by everything but `if`."""
    if write.operation not in rule.operations or write.integration in rule.excepted:
        return False
    if rule.integrations and write.integration not in rule.integrations:
        return False
    if rule.tiers and write.tier not in rule.tiers:
        return False
    if rule.teams and (write.team or "") not in rule.teams:
        return False
    if rule.tags and rule.tags.isdisjoint(tag.casefold() for tag in write.post.tags):
        return False
    return not is_waived(rule, write.integration, write.at, policies)


def is_waived(rule: Rule, integration: str, at: float, policies: PolicySet) -> bool:
    """Whether an exception keeps a rule from judging an integration at an instant."""
    if integration == ANONYMOUS or not policies.waived:
        return False
    until = policies.waived.get((rule.id, integration))
    return until is not None and datetime.fromtimestamp(at, UTC).date() <= until
