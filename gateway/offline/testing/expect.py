"""What a step of a test expects, and how what it met differs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.model import Decision, Effect, Finding
from gateway.parse import Node, Reader, Scalar, nearest
from gateway.policy.decide import IDEMPOTENCY
from gateway.policy.language import EXPECT

WORDS: Mapping[str, Effect] = {"pass": Effect.ALLOW, "replayed": Effect.REPLAY}
_STOPPED_BY = ("refused_by", "held_by")
_RULES = (*_STOPPED_BY, "warned_by", "observed_by")
_TOLD = ("code", "status", "error_id", "retry_after")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a step expects; what is not there is not looked at.

    Attributes:
        effect: what was decided.
        rules: by `refused_by` and the like, all rules that have to stand there.
        told: what the answer of the gateway says: `code`, `status`, `error_id`, `retry_after`.
        message: texts that have to stand in what failing rules say.
    """

    effect: Effect | None = None
    rules: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    told: Mapping[str, str | int] = field(default_factory=dict)
    message: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """What became of a step.

    Attributes:
        decision: None where the write was refused before any rule looked at it.
        told: as in `Expected`, of an answer that the gateway gives itself.
        detail: what that answer says in words.
        problem: why the step could not be played as it stands.
    """

    effect: Effect
    decision: Decision | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
    detail: str = ""
    problem: str = ""

    @property
    def failing(self) -> tuple[Finding, ...]:
        """The findings that say something, confirmed or not."""
        return tuple(f for f in self.decision.findings if f.violation) if self.decision else ()

    def rules(self, key: str) -> tuple[str, ...]:
        """The rules that stand under `refused_by` and the like, in order of the alphabet."""
        decision = self.decision
        if decision is None:
            return ()
        found: Mapping[str, list[Finding]] = {
            "refused_by": [f for f in decision.findings if f.refuses],
            "held_by": [f for f in decision.findings if f.holds],
            "warned_by": list(decision.warnings),
            "observed_by": list(decision.observed),
        }
        return tuple(sorted(f.rule for f in found[key]))


@dataclass(frozen=True, slots=True)
class Difference:
    """One key under `expect`, with what it says and what was found."""

    key: str
    expected: str
    found: str


def read_expected(reader: Reader, node: Node, rules: Collection[str] | None) -> Expected:
    """Read what stands under `expect`.

    Args:
        rules: all that there are; None where that is not known.
    """
    if isinstance(node, Scalar):
        return Expected(effect=WORDS.get(reader.choice(node, WORDS) or ""))
    mapping = reader.mapping(node, keys=EXPECT.rows)
    items = mapping.items if mapping else {}
    if mapping is not None and not mapping.keys:
        reader.problem(node, "nothing is expected here")
    named = {key: _rules(reader, items[key], rules) for key in _RULES if key in items}
    return Expected(
        effect=_implied(items),
        rules=named,
        told=_told(reader, items),
        message=(reader.texts(items["message"]) or ()) if "message" in items else (),
    )


def _implied(items: Mapping[str, Node]) -> Effect | None:
    """What the keys say together: held is not refused, and only warned of has passed."""
    if "refused_by" in items:
        return None
    if "held_by" in items:
        return Effect.HOLD
    told = any(key in items for key in _TOLD)
    return None if told or not any(key in items for key in _RULES) else Effect.ALLOW


def _rules(reader: Reader, node: Node, rules: Collection[str] | None) -> tuple[str, ...]:
    named = reader.texts(node) or ()
    if rules is not None:
        known = {*rules, IDEMPOTENCY}
        for name in named:
            if name not in known:
                reader.problem(node, f"no rule is called {name!r}{nearest(name, known)}")
    return tuple(sorted(named))


def _told(reader: Reader, items: Mapping[str, Node]) -> dict[str, str | int]:
    read: dict[str, str | int | None] = {}
    if "code" in items:
        read["code"] = reader.text(items["code"])
    for key, most in (("status", 599), ("error_id", 999)):
        if key in items:
            read[key] = reader.integer(items[key], at_least=100, at_most=most)
    if "retry_after" in items:
        seconds = reader.duration(items["retry_after"])
        read["retry_after"] = None if seconds is None else int(seconds)
    return {key: value for key, value in read.items() if value is not None}


# ── differences ──────────────────────────────────────────────────────────────────────────────


def differences(expected: Expected, met: Met) -> tuple[Difference, ...]:
    """Tell how what was met differs; empty where it does not."""
    if met.problem:
        return (Difference("confirm", "a hold to confirm", met.problem),)
    found: list[Difference] = []
    if expected.effect is not None and met.effect is not expected.effect:
        found.append(Difference("expect", _EFFECTS[expected.effect], effect_of(met)))
    for key, rules in expected.rules.items():
        if met.rules(key) != rules:
            found.append(Difference(key, _listed(rules), _listed(met.rules(key))))
    for key, value in expected.told.items():
        if met.told.get(key) != value:
            found.append(Difference(key, str(value), str(met.told.get(key, "nothing"))))
    said = said_by(met)
    found += [
        Difference("message", f"“{text}”", said or "nothing")
        for text in expected.message
        if text not in said
    ]
    return tuple(found)


def said_by(met: Met) -> str:
    """Give all that failing rules, or the gateway itself, say of a write."""
    said = [
        part for f in met.failing if f.violation for part in (f.violation.message, f.violation.fix)
    ]
    return " ".join(filter(None, said)) or met.detail


_EFFECTS: Mapping[Effect, str] = {
    Effect.ALLOW: "pass",
    Effect.REPLAY: "replayed",
    Effect.HOLD: "held",
    Effect.REFUSE: "refused",
}


def effect_of(met: Met) -> str:
    """Say what was decided, and by which rules."""
    by = met.rules("refused_by" if met.effect is Effect.REFUSE else "held_by")
    if met.effect is Effect.REFUSE and not by:
        return f"refused before any rule: {met.told.get('code')}"
    word = "passed" if met.effect is Effect.ALLOW else _EFFECTS[met.effect]
    return f"{word} by {_listed(by)}" if by else word


def _listed(rules: tuple[str, ...]) -> str:
    return ", ".join(rules) or "nothing"
