"""Every record has the shape that is published, and every field that is published is in one."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit import record
from gateway.audit.chain import Chain
from gateway.audit.people import Named, Nobody
from gateway.audit.record import SCHEMA, Keeping
from gateway.audit.schema.events import EVENTS
from gateway.audit.schema.fields import MEANINGS
from gateway.audit.schema.published import schema
from gateway.audit.schema.records import KINDS
from gateway.cli.state import _DEEDS as DEEDS
from gateway.model import (
    Api,
    Approver,
    Confirmed,
    Consulted,
    Counts,
    Decision,
    Earlier,
    Effect,
    Finding,
    Fingerprint,
    Mode,
    Outcome,
    Person,
    Post,
    Result,
    Settlement,
    Violation,
    Write,
)
from tests.audit.lines import PUBLISHED, SHAPES, missing, objections
from tests.shared import ROOT

WORDS = st.sampled_from(["", "one", "two", "ä", "\ud800"])
SOME = st.none() | st.sampled_from(["one", "two"])
COUNT = st.integers(0, 9)
EVIDENCE = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["x", 1, 0.5, True]))
VIOLATIONS = st.builds(
    Violation,
    code=st.just("code"),
    status=st.integers(400, 503),
    message=WORDS,
    evidence=EVIDENCE,
    confirmable=st.booleans(),
    earlier=st.none()
    | st.builds(
        Earlier,
        url=SOME,
        at=st.floats(0, 2e9),
        integration=st.just("other-bot"),
        relation=st.just("other"),
        similarity=st.just(0.9),
        passages=st.just(("secret",)),
    ),
)
FINDINGS = st.builds(
    Finding,
    rule=st.just("rule"),
    check=st.sampled_from(["", "rate_cap"]),
    mode=st.sampled_from(Mode),
    result=st.sampled_from(Result),
    violation=st.none() | VIOLATIONS,
    open=st.booleans(),
    consented=st.booleans(),
)
FINGERPRINTS = st.builds(
    Fingerprint,
    text=st.just("t" * 32),
    event=st.just("e" * 32),
    words=COUNT,
    prints=st.sampled_from([b"", b"1234"]),
    sketch=st.sampled_from([b"", b"s"]),
    whole=st.sampled_from([b"", b"s", b"w" * 9000]),
    counts=st.none() | st.builds(Counts, **dict.fromkeys(Counts._fields, COUNT)),
)
WRITES = st.builds(
    Write,
    id=st.just("w1"),
    at=st.floats(0, 2e9),
    integration=st.just("help-bot"),
    tier=st.sampled_from(["", "trusted"]),
    token=SOME,
    credential=st.none() | st.just("sha256:" + "0" * 64),
    person=SOME,
    acting=st.none() | st.builds(Person, id=st.just("17"), name=WORDS, email=WORDS),
    api=st.sampled_from(Api),
    operation=st.just("question.create"),
    team=SOME,
    thread=SOME,
    target=SOME,
    publishes=st.booleans(),
    preview=st.booleans(),
    post=st.builds(Post, title=WORDS, body=WORDS, tags=st.lists(WORDS, max_size=3).map(tuple)),
    fingerprint=st.none() | FINGERPRINTS,
    actions=st.lists(st.sampled_from(["true", "(", 'act="a", by="b"']), max_size=2).map(tuple),
    user_agent=st.text(st.characters(max_codepoint=255), max_size=300),
    request=st.just("r1"),
    key=SOME,
    confirmed=st.none()
    | st.builds(
        Confirmed,
        hold=st.just("w0"),
        rules=st.frozensets(st.sampled_from("ab")),
        by=st.sampled_from(["", "jane"]),
        known=st.sampled_from(Approver),
    ),
)
DECISIONS = st.builds(
    Decision,
    effect=st.sampled_from(Effect),
    revision=st.just("rev-1"),
    findings=st.lists(FINDINGS, max_size=3).map(tuple),
    repeats=SOME,
    consulted=st.none()
    | st.builds(
        Consulted,
        at=st.floats(0, 2e9),
        number=COUNT,
        answered=st.floats(0, 2e9),
        in_flight=st.lists(st.just("w0"), max_size=1).map(tuple),
        failed=st.booleans(),
    ),
)
KEEPING = st.builds(
    Keeping,
    content=st.sampled_from(["none", "excerpt", "full"]),
    people=st.sampled_from([Nobody(), Named()]),
)
SETTLEMENTS = st.builds(
    Settlement,
    outcome=st.sampled_from(Outcome),
    post=SOME,
    url=SOME,
    answer=st.none() | st.just(b"answer"),
)


def line(told: record.Record) -> dict[str, Any]:
    """The record as it stands in the file."""
    [line] = Chain(b"k" * 32, "w", key_id="2").lines([orjson.dumps(told)])
    chained: dict[str, Any] = orjson.loads(line)
    return chained


def made(
    write: Write, decided: Decision, keeping: Keeping, settlement: Settlement
) -> list[dict[str, Any]]:
    """Every record about a write."""
    told = [
        record.decision(write, decided, 1.0, keeping),
        record.sending(write.id, 1.0),
        record.outcome(write, settlement, 201 if settlement.post else None, 2.0),
        record.recovered(write.id, settlement.outcome, 2.0),
    ]
    return [line(each) for each in told]


@given(WRITES, DECISIONS, KEEPING, SETTLEMENTS)
def test_what_is_recorded_of_any_write_has_the_published_shape(
    write: Write, decided: Decision, keeping: Keeping, settlement: Settlement
) -> None:
    """Whatever it is, whatever was found, and however much is kept."""
    for told in made(write, decided, keeping, settlement):
        assert objections(told) == []


FULL = Write(
    id="w1",
    at=1.0,
    integration="help-bot",
    acting=Person(id="17", name="Jane"),
    api=Api.V3,
    operation="question.create",
    post=Post(title="How?", body="So."),
    fingerprint=Fingerprint(
        text="t",
        event="e",
        words=2,
        sketch=b"s",
        whole=b"w",
        counts=Counts(**dict.fromkeys(Counts._fields, 1)),
    ),
    confirmed=Confirmed(hold="w0", rules=frozenset("a"), known=Approver.LINK),
)
FOUND = Finding(
    rule="r",
    check="",
    mode=Mode.HOLD,
    result=Result.FAIL,
    violation=Violation(
        code="c",
        status=400,
        message="No.",
        earlier=Earlier(
            url="https://soe/q/1", at=1.0, integration="a", relation="other", similarity=1
        ),
        confirmable=True,
    ),
    consented=True,
)


def test_every_published_field_of_a_write_is_in_some_record() -> None:
    """Nothing is promised that nobody writes."""
    answered = Consulted(at=1.0, number=1, answered=1.0, in_flight=("w0",))
    failed = Consulted(failed=True)
    told = [
        each
        for consulted in (answered, failed)
        for each in made(
            FULL,
            Decision(effect=Effect.ALLOW, revision="r", findings=(FOUND,), consulted=consulted),
            Keeping(content="full", people=Named()),
            Settlement(outcome=Outcome.OK, post="question/1", url="https://soe/q/1"),
        )
    ]

    for kind in KINDS:
        assert missing(f"{kind}-{SCHEMA}", told) == set(), kind


def test_a_field_that_nobody_published_is_none() -> None:
    """Also where it stands in a part of the record."""
    [told, *_] = made(
        FULL,
        Decision(effect=Effect.ALLOW, revision="r", findings=(FOUND,)),
        Keeping(),
        Settlement(outcome=Outcome.OK),
    )
    told["findings"][0]["secret"] = "x"

    assert objections(told) != []


OLD: list[dict[str, Any]] = [
    {
        "schema": 1, "kind": "decision", "at": 1.0, "write_id": "w1", "effect": "refuse", "revision": "r",
        "repeats": None, "integration": "help-bot", "person": None, "token": "t", "api": "v3",
        "operation": "question.create", "team": None, "thread": None, "target": None, "preview": False,
        "findings": [{"rule": "r", "check": "", "mode": "enforce", "result": "fail", "code": "c", "open": False}],
        "sizes": {"title": 1, "body": 1, "tags": 1}, "digest": "d",
        "fingerprint": {"text": "t", "event": "e", "words": 1},
    },
    {"schema": 1, "kind": "sending", "at": 1.0, "write_id": "w1"},
    {
        "schema": 1, "kind": "outcome", "at": 1.0, "write_id": "w1", "outcome": "ok", "integration": "help-bot",
        "operation": "question.create", "upstream_status": 201, "post": {"id": None, "url": None}, "latency": 0.1,
    },
    {"schema": 1, "kind": "outcome", "at": 1.0, "write_id": "w1", "outcome": "unknown", "recovered": True},
    {"schema": 1, "kind": "admin", "event": "audit.closed", "at": 1.0},
]  # fmt: skip


@pytest.mark.parametrize("told", OLD, ids=lambda told: told["kind"])
def test_records_of_the_first_schema_have_their_shape(told: dict[str, Any]) -> None:
    """As the first release wrote them."""
    assert objections(line(told)) == []


def test_the_second_schema_lacks_nothing_that_it_promised() -> None:
    """A record that says it is of the second, and is of the first, is none."""
    assert objections(line(OLD[0] | {"schema": 2})) != []


def test_what_is_published_is_a_schema_of_all_kinds() -> None:
    """By the rules of JSON Schema 2020-12; it is the one that the code gives."""
    jsonschema_rs.meta.validate(PUBLISHED)
    whole = jsonschema_rs.validator_for(PUBLISHED)

    assert schema() == PUBLISHED
    assert all(whole.is_valid(line(told)) for told in OLD)
    assert set(SHAPES) == {f"{kind}-{n}" for kind in KINDS for n in (1, 2)} | set(EVENTS)


TELLING = ("told", "admin", "tell_durably")
"""What is called with the name of an event, in whatever object."""


def _names(node: ast.expr, constants: dict[str, str]) -> Iterable[str]:
    """The names that an argument may give: an f-string stands for whatever fits it."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.Name):
        return [constants[node.id]] if node.id in constants else []
    if isinstance(node, ast.JoinedStr):
        parts = [
            re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[a-z_]+"
            for part in node.values
        ]
        return [name for name in EVENTS if re.fullmatch("".join(parts), name)]
    return []


def _told(tree: ast.Module) -> Iterable[str]:
    """The events that a module records."""
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if called in TELLING:
            yield from _names(node.args[0], constants)


def test_every_event_is_published_and_no_other() -> None:
    """What is recorded of what was done to the gateway stands in one closed table."""
    sources = [path.read_text() for path in (ROOT / "gateway").rglob("*.py")]
    modules = [ast.parse(text) for text in sources if any(f"{call}(" in text for call in TELLING)]
    told = {name for module in modules for name in _told(module) if "." in name}
    mended = {f"state.{deed.replace('-', '_')}{done}" for deed in DEEDS for done in ("", "_done")}

    assert told | mended == set(EVENTS)


def test_the_page_tells_every_field_and_every_class() -> None:
    """With who could be identified by it."""
    page = (ROOT / "docs" / "reference" / "audit.md").read_text()

    for name in ("`findings[].evidence`", "`fingerprint.prints`", "`post.url`", *map("`{}`".format, EVENTS)):  # fmt: skip
        assert f"| {name} |" in page
    assert all(f"| {privacy.value} |" in page for privacy in MEANINGS)
    assert json.dumps(PUBLISHED).count('"additionalProperties": false') > len(SHAPES)
