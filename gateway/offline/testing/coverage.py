"""What policies leave alone, and which of their rules no test would miss.

Each rule is really taken away and the tests are played again: those that met it, for the others
cannot notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.errors import Problem
from gateway.model import Mode
from gateway.offline.testing.play import Played, Stage
from gateway.offline.testing.suite import Suite
from gateway.parse import Mapping as MappingNode
from gateway.parse import Reader
from gateway.policy.load import INTEGRATIONS, OVERRIDES
from gateway.policy.policyset import PolicySet, Rule
from gateway.soe.api import OPERATIONS

Progress = Callable[[Sequence[Rule]], Iterable[Rule]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What was found.

    Attributes:
        unwatched: the operations that no rule looks at.
        watched: those that rules observe or warn of, and none decides about.
        failing: tests that fail as it is; then no rule was tried.
        tried: how many rules were taken away.
        untested: the rules, with their places, whose removal no test notices.
    """

    unwatched: tuple[str, ...]
    watched: tuple[str, ...]
    failing: tuple[Played, ...]
    tried: int
    untested: tuple[Problem, ...]


def cover(suite: Suite, progress: Progress = iter) -> Coverage:
    """Look at what a suite covers.

    Args:
        progress: shows how far it is with the rules.
    """
    policies = suite.policies
    decided = _operations(policies, lambda mode: mode.decides)
    looked_at = _operations(policies, lambda mode: mode is not Mode.DISABLED)
    stage = Stage(suite.cases, policies.registry)
    played = stage.play(policies)
    failing = tuple(each for each in played if each.failure is not None)
    places = _places(suite)
    rules = [
        rule for rule in policies.rules if rule.id in places and rule.mode is not Mode.DISABLED
    ]
    untested = (
        [] if failing else [r for r in progress(rules) if not _is_missed(stage, suite, played, r)]
    )
    return Coverage(
        unwatched=tuple(sorted(OPERATIONS - looked_at)),
        watched=tuple(sorted(looked_at - decided)),
        failing=failing,
        tried=0 if failing else len(rules),
        untested=tuple(replace(places[rule.id], text=rule.id) for rule in untested),
    )


def _operations(policies: PolicySet, wanted: Callable[[Mode], bool]) -> frozenset[str]:
    return frozenset().union(*(rule.operations for rule in policies.rules if wanted(rule.mode)))


def _is_missed(stage: Stage, suite: Suite, played: Sequence[Played], rule: Rule) -> bool:
    """Whether some test fails without a rule."""
    without = tuple(each for each in suite.policies.rules if each.id != rule.id)
    which = (place for place, each in enumerate(played) if rule.id in each.judged)
    return stage.fails(replace(suite.policies, rules=without), which)


def _places(suite: Suite) -> Mapping[str, Problem]:
    """Where the rules of the suite's own files stand."""
    places: dict[str, Problem] = {}
    for source in suite.files:
        if source.path.endswith((INTEGRATIONS, OVERRIDES)):
            continue
        root = Reader(source.path).compose(source.text)
        rules = root.items.get("rules") if root else None
        for name, mark in rules.keys.items() if isinstance(rules, MappingNode) else ():
            places[name] = Problem(source.path, mark.line, mark.column, name)
    return places
