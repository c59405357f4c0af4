"""A whole set of policies, ready to judge with; never changed, only replaced."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from gateway.checks import Check
from gateway.model import Mode, Write
from gateway.policy.registry import Registry

Condition = Callable[[Write], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A named use of a check, or of conditions alone.

    Empty `integrations`, `tiers`, `teams` and `tags` narrow nothing. Where there is a check,
    `condition` narrows; where there is none, it is the rule: a write of which it holds fails.
    """

    id: str
    policy: str
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
    open_on_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """An exception: rules that do not judge some integrations, to the end of a day (UTC)."""

    rules: frozenset[str]
    integrations: frozenset[str]
    expires: datetime.date
    reason: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySet:
    """All rules in force, who is registered, and the revision that names them.

    Attributes:
        revision: a digest over every file the set came from.
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

    @property
    def enforcing(self) -> bool:
        """Whether any rule can refuse a write."""
        return any(rule.mode.decides for rule in self.rules)
