"""A whole set of policies, ready to judge with; never changed, only replaced."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

from gateway.checks import Check
from gateway.checks.explicit_action import Evidence, ExplicitAction
from gateway.model import Mode
from gateway.policy.conditions import Condition
from gateway.policy.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A named use of a check, or of conditions alone.

    Empty `integrations`, `tiers`, `teams` and `tags` narrow nothing. Where there is a check,
    `condition` narrows; where there is none, it is the rule: a write of which it holds fails.
    `owner` answers for its policy, which stands in the file `source`; `approver` says who may confirm what it holds: the acting
    `person`, the `owner` of the integration, or whoever has the `link`.
    """

    id: str
    policy: str
    owner: str = ""
    source: str = ""
    title: str
    mode: Mode
    operations: frozenset[str]
    excepted: frozenset[str] = frozenset()
    integrations: frozenset[str] = frozenset()
    tiers: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    condition: Condition | None = None
    check: Check | None = None
    message: str = ""
    fix: str = ""
    docs: str = ""
    status: int | None = None
    approver: str = "person"
    open_on_error: bool = False

    @property
    def asks(self) -> bool:
        """Whether it may hold a write, for somebody to confirm."""
        if self.mode is Mode.HOLD:
            return True
        check = self.check
        is_act = isinstance(check, ExplicitAction) and check.evidence is Evidence.CONFIRMED
        return self.mode is Mode.ENFORCE and is_act


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """An exception: rules that do not judge some integrations, to the end of a day (UTC)."""

    rules: frozenset[str]
    integrations: frozenset[str]
    expires: datetime.date
    reason: str
    owner: str
    ticket: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySet:
    """All rules in force, who is registered, and the revision that names them.

    Attributes:
        revision: a digest over every file the set came from.
        by_operation: the rules that are not disabled, by the operations they judge, in order.
        waived: the last day of an exception, by rule and integration.
        shipped: whether the rules that come with the gateway are among them.
        discovering: whether the posture is `discover`: no rule decides, and anybody may write.
        warnings: what is not wrong but worth a look, as `path:line:column: text`.
    """

    rules: tuple[Rule, ...]
    waivers: tuple[Waiver, ...]
    registry: Registry
    revision: str
    shipped: bool
    discovering: bool = False
    warnings: tuple[str, ...] = ()
    by_operation: Mapping[str, tuple[Rule, ...]] = field(init=False, repr=False, compare=False)
    waived: Mapping[tuple[str, str], datetime.date] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index what every write asks for: who has many rules must not pay for each of them."""
        rules: dict[str, list[Rule]] = {}
        for rule in self.rules:
            if rule.mode is not Mode.DISABLED:
                for operation in rule.operations:
                    rules.setdefault(operation, []).append(rule)
        waived: dict[tuple[str, str], datetime.date] = {}
        for waiver in self.waivers:
            for pair in product(waiver.rules, waiver.integrations):
                waived[pair] = max(waiver.expires, waived.get(pair, waiver.expires))
        listed = {operation: tuple(each) for operation, each in rules.items()}
        object.__setattr__(self, "by_operation", listed)
        object.__setattr__(self, "waived", waived)

    @property
    def enforcing(self) -> bool:
        """Whether any rule can refuse a write."""
        return any(rule.mode.decides for rule in self.rules)
