"""The tests of policy files: writes on a virtual clock, judged by the very decision code.

    tests:
      the second copy is refused:
        given: {as: help-bot, action: "true", body: …}
        steps:
          - {answer.create: 11, expect: pass}
          - {answer.create: 12, after: 1h, soe: 404, expect: {refused_by: [same-answer-elsewhere]}}

`given` stands for every step. A step names its operation with the post it means (`new` for none),
`after` moves the clock, `soe` is the status with which SOE would answer (201).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gateway import model
from gateway.errors import PolicyError, Problem
from gateway.model import Api, Decision, Effect, Post, Settlement, Write, author_of
from gateway.parse import Mapping as MappingNode
from gateway.parse import Mark, Node, Reader, Scalar, Sequence, nearest
from gateway.policy.decide import decide, is_template, judge, reservation, select
from gateway.policy.load import INTEGRATIONS, OVERRIDES, Source
from gateway.policy.policyset import PolicySet
from gateway.soe.answers import outcome, refuse
from gateway.soe.api import OPERATIONS, PUBLISHING
from gateway.state.memory import MemoryStore
from gateway.text.fingerprint import fingerprint

_START = 1_767_600_000.0  # a Monday, 08:00 UTC
_KEEP = 90 * 86_400.0
_TEXTS = ("as", "token", "person", "team", "action", "title", "body", "user_agent")
_GIVEN = (*_TEXTS, "tags")
_STEP = (*_GIVEN, "after", "soe", "expect", "preview")
_BY = {"refused_by": "violations", "warned_by": "warnings", "observed_by": "observed"}
_EXPECT = (*_BY, "code", "status")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One write of a test, and what is expected of it."""

    mark: Mark
    operation: str
    post: str
    facts: Mapping[str, str]
    tags: tuple[str, ...]
    after: float
    soe: int
    expect: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A test: its steps share one state."""

    path: str
    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a test ended: nothing in `failure` where it passed."""

    case: Case
    failure: Problem | None


# ── reading ──────────────────────────────────────────────────────────────────────────────────


def read_cases(sources: Iterable[Source]) -> tuple[Case, ...]:
    """Read the tests of policy files.

    Raises:
        PolicyError: with every mistake in them.
    """
    cases: list[Case] = []
    problems: list[Problem] = []
    for source in sources:
        if source.path.endswith((INTEGRATIONS, OVERRIDES)):
            continue
        reader = Reader(source.path)
        root = reader.compose(source.text)
        tests = root.items.get("tests") if root else None
        mapping = reader.mapping(tests) if tests is not None else None
        for name, node in mapping.items.items() if mapping else ():
            case = _case(reader, name, node)
            if case is not None:
                cases.append(case)
        problems += reader.problems
    if problems:
        raise PolicyError(tuple(problems))
    return tuple(cases)


def _case(reader: Reader, name: str, node: Node) -> Case | None:
    mapping = reader.mapping(node, keys=("given", "steps"), required=("steps",))
    if mapping is None or "steps" not in mapping.items:
        return None
    given = mapping.items.get("given", MappingNode(mapping.mark, {}, {}))
    shared = reader.mapping(given, keys=_GIVEN)
    listed = mapping.items["steps"]
    if not isinstance(listed, Sequence) or shared is None:
        reader.problem(listed, "'steps' takes a list")
        return None
    steps = [_step(reader, shared, item) for item in listed.items]
    return Case(
        path=reader.path, name=name, steps=tuple(step for step in steps if step is not None)
    )


def _step(reader: Reader, given: MappingNode, node: Node) -> Step | None:
    if not isinstance(node, MappingNode):
        reader.problem(node, "a step is written as {operation: post, expect: …}")
        return None
    named = [key for key in node.items if key not in _STEP]
    if len(named) != 1 or named[0] not in OPERATIONS:
        told = "a step has exactly one operation"
        if named and named[0] not in OPERATIONS:
            told = f"no operation is called {named[0]!r}{nearest(named[0], OPERATIONS)}"
        reader.problem(node, told)
        return None
    items = {**given.items, **node.items}
    operation = named[0]
    post = items[operation]
    facts = {key: reader.text(items[key]) or "" for key in _TEXTS if key in items}
    soe = reader.integer(items["soe"], at_least=200, at_most=599) if "soe" in items else 201
    return Step(
        mark=node.mark,
        operation=operation,
        post=post.text if isinstance(post, Scalar) else "new",
        facts=facts,
        tags=(reader.texts(items["tags"]) or ()) if "tags" in items else (),
        after=(reader.duration(items["after"]) or 0.0) if "after" in items else 0.0,
        soe=soe or 201,
        expect=_expect(reader, items["expect"]) if "expect" in items else {},
    )


def _expect(reader: Reader, node: Node) -> dict[str, object]:
    if isinstance(node, Scalar):
        reader.choice(node, ("pass",))
        return {"refused_by": ()}
    mapping = reader.mapping(node, keys=_EXPECT)
    expected: dict[str, object] = {}
    for key, value in mapping.items.items() if mapping else ():
        if key in _BY:
            expected[key] = tuple(sorted(reader.texts(value) or ()))
        elif key == "status":
            expected[key] = reader.integer(value, at_least=100, at_most=599)
        elif key == "code":
            expected[key] = reader.text(value)
    return expected


# ── running ──────────────────────────────────────────────────────────────────────────────────


def run_cases(policies: PolicySet, cases: Iterable[Case]) -> list[Outcome]:
    """Run tests under a policy set, each in a state of its own."""
    return asyncio.run(_run_all(policies, tuple(cases)))


async def _run_all(policies: PolicySet, cases: tuple[Case, ...]) -> list[Outcome]:
    return [Outcome(case=case, failure=await _run(policies, case)) for case in cases]


async def _run(policies: PolicySet, case: Case) -> Problem | None:
    store = MemoryStore(_KEEP)
    at = _START
    for number, step in enumerate(case.steps, 1):
        at += step.after
        write = _write(policies, step, number, at)
        decision, template = await _decide(policies, store, write)
        await store.settle(write.id, _settlement(decision, step, number, template=template))
        difference = _difference(step.expect, decision)
        if difference:
            told = f"{case.name}: step {number}, {step.operation}: {difference}"
            return Problem(case.path, step.mark.line, step.mark.column, told)
    return None


def _write(policies: PolicySet, step: Step, number: int, at: float) -> Write:
    facts = step.facts
    name = facts.get("as", "someone")
    registered = {each.name: each for each in policies.registry.integrations}
    noun, verb = step.operation.split(".")
    existing = None if step.post == "new" else step.post
    created_in = {"answer": "question", "comment": "post"}.get(noun)
    post = Post(title=facts.get("title", ""), body=facts.get("body", ""), tags=step.tags)
    token, person = facts.get("token", f"token of {name}"), facts.get("person")
    return Write(
        id=f"step-{number}",
        at=at,
        integration=name,
        tier=registered[name].tier if name in registered else "",
        token=token,
        person=person,
        api=Api.V3,
        operation=step.operation,
        team=facts.get("team"),
        thread=f"{created_in}/{existing}" if verb == "create" and created_in and existing else None,
        target=f"{noun}/{existing}" if verb != "create" and existing else None,
        publishes=step.operation in PUBLISHING,
        post=post,
        fingerprint=fingerprint(post, author_of(person, token, name)) if post.has_text else None,
        actions=(facts["action"],) if "action" in facts else (),
        user_agent=facts.get("user_agent", ""),
        request=f"step-{number}",
    )


async def _decide(policies: PolicySet, store: MemoryStore, write: Write) -> tuple[Decision, bool]:
    """Decide, and tell whether a refused text is remembered for its template."""
    rules = select(policies, write)
    findings = judge(rules, write, None)
    asked = reservation(rules, write, findings)
    if asked is None:
        return decide(policies, findings), False
    answers = (await store.reserve(asked)).answers
    decision = decide(policies, judge(rules, write, answers, findings))
    return decision, is_template(decision, write, answers)


def _settlement(decision: Decision, step: Step, number: int, *, template: bool) -> Settlement:
    if decision.effect is not Effect.ALLOW:
        return Settlement(outcome=model.Outcome.NOT_SENT, template=template)
    noun = step.operation.split(".")[0]
    return Settlement(outcome=outcome(Api.V3, step.soe, b""), post=f"{noun}/new-{number}")


def _difference(expected: Mapping[str, object], decision: Decision) -> str:
    """Say how a decision differs from what was expected; nothing where it does not."""
    found: dict[str, object] = {
        key: tuple(sorted(finding.rule for finding in getattr(decision, attribute)))
        for key, attribute in _BY.items()
    }
    if decision.effect is not Effect.ALLOW:
        first = decision.violations[0].violation
        assert first is not None
        found["code"] = first.code
        found["status"] = refuse(Api.V3, decision, "", None).status
    differing = [
        f"expected {key} {_shown(value)}, found {_shown(found.get(key))}"
        for key, value in expected.items()
        if found.get(key) != value
    ]
    return "; ".join(differing)


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "nothing"
    return "nothing" if value is None else str(value)
