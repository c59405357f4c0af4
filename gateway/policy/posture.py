"""The posture `discover`: every rule tells, none decides, so that nobody is stopped by surprise.

It has an end, after which the rules decide again, whatever the settings still say.
"""

from __future__ import annotations

import datetime
from dataclasses import replace

from gateway.errors import RequestError
from gateway.model import Finding, Mode, Result, Violation
from gateway.policy.policyset import PolicySet

LONGEST = 30
"""Days for which the posture may be `discover`."""
DISCOVERING = "-discover"
"""How a revision ends in that posture."""
REGISTRATION = "registration"
"""The rule of the gateway's own by which a caller must be registered for what it writes."""


def discovering(policies: PolicySet) -> PolicySet:
    """Let each rule that would refuse or hold warn; the revision says so, too."""
    rules = tuple(
        replace(rule, mode=Mode.WARN) if rule.mode.decides else rule for rule in policies.rules
    )
    return replace(
        policies, rules=rules, revision=policies.revision + DISCOVERING, discovering=True
    )


def ends(until: datetime.date) -> float:
    """Give the instant at which the last day of the posture is over, in UTC."""
    after = datetime.datetime.combine(until, datetime.time(), datetime.UTC)
    return (after + datetime.timedelta(days=1)).timestamp()


def unregistered(error: RequestError) -> Finding:
    """Warn of what the gateway would refuse a caller who is not registered for this."""
    violation = Violation(code=error.code, status=error.status, message=error.detail)
    return Finding(
        rule=REGISTRATION,
        check=REGISTRATION,
        mode=Mode.WARN,
        result=Result.FAIL,
        violation=violation,
    )
