"""What a rule can ask of a write: one file a check, one line each in `CHECKS`.

A check is a frozen dataclass whose fields are its YAML. It asks state at most one question
(`need`) and judges with the answer (`judge`); it reads no clock and holds no state. To add one:
a file here, a line in the table, and its keys in `policy/parameters`.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.checks.attribution import Attribution
from gateway.checks.base import Check
from gateway.checks.boilerplate import Boilerplate
from gateway.checks.duplicate import Duplicate
from gateway.checks.explicit_action import ExplicitAction
from gateway.checks.hidden_text import HiddenText
from gateway.checks.log_text import LogText
from gateway.checks.rate_cap import RateCap
from gateway.checks.shared_token import SharedToken

_ALL: tuple[type[Check], ...] = (
    ExplicitAction,
    RateCap,
    Duplicate,
    Boilerplate,
    LogText,
    HiddenText,
    SharedToken,
    Attribution,
)

CHECKS: Mapping[str, type[Check]] = {check.name: check for check in _ALL}

LIKENESS = frozenset([Duplicate.name, Boilerplate.name])
"""The checks that refuse a text because it is like others."""

__all__ = ["CHECKS", "LIKENESS", "Check"]
