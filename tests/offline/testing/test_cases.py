"""Tests of policies are read strictly: what could never fail, or means nothing, is a problem."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import PolicyError
from gateway.offline.testing.suite import read_suite
from tests.offline.testing.stories import TODAY

POLICY = """\
policy: p
owner: o
rules:
  no-copies: {title: T, mode: enforce, for: ['*'], duplicate: {within: 1d}}
tests:
"""
REGISTERED = "integrations: {help-bot: {owner: o, contact: c, purpose: p}}"


def problems(directory: Path, tests: str, **files: str) -> list[str]:
    """What is wrong with tests, as line, column and text."""
    (directory / "p.yaml").write_text(POLICY + tests)
    for name, text in files.items():
        (directory / f"{name.replace('_', '.')}.yaml").write_text(text)
    with pytest.raises(PolicyError) as caught:
        read_suite(directory, today=TODAY)
    return [f"{p.line}:{p.column}: {p.text}" for p in caught.value.problems]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("{answer.create: 11}", "6:3: no step of this test says what to expect"),
        ("{answr.create: 11, expect: pass}",
         "6:16: no operation is called 'answr.create'; did you mean 'answer.create'?"),
        ("{answer.create: 11, exepct: pass}", "6:35: unknown key 'exepct'; did you mean 'expect'?"),
        ("{expect: pass}", "6:15: a step has exactly one operation"),
        ("{answer.create: 1, vote.up: 2, expect: pass}",
         "6:15: a step has exactly one operation"),
        ("pass", "6:15: a step is written as {operation: post, expect: …}"),
        ("{answer.create: eleven, expect: pass}",
         "6:31: a step means a post by its number, 'new', or 'new-1' for what step 1 wrote"),
        ("{answer.create: new-1, expect: pass}",
         "6:31: a step means a post by its number, 'new', or 'new-1' for what step 1 wrote"),
        ("{answer.create: 0, expect: pass}", "6:31: no post has the number 0"),
        ("{answer.create: new, expect: pass}",
         "6:31: answer.create means a post that is there: give its number instead of 'new'"),
        ("{question.create: 11, expect: pass}",
         "6:33: question.create means no post that is there: write 'new'"),
        ("{comment.create: 11, api: v3, expect: pass}", "6:32: v3 has no comment.create"),
        ("{community.join: 11, team: red, expect: pass}",
         "6:32: v3 has no community.join in a team"),
        ("{answer.create: 11, team: 'Red Team', expect: pass}",
         "6:41: 'Red Team' is no team's name in addresses"),
        ("{vote.up: 11, api: v2.3, preview: true, expect: pass}",
         "6:49: v2.3 has no preview of vote.up"),
        ("{answer.create: 11, api: v4, expect: pass}",
         "6:40: 'v4' is none of v2.3, v3, oauth, scim"),
        ("{answer.create: 11, expect: passes}",
         "6:43: 'passes' is none of pass, replayed; did you mean 'pass'?"),
        ("{answer.create: 11, expect: {}}", "6:43: nothing is expected here"),
        ("{answer.create: 11, expect: {refused: [no-copies]}}",
         "6:44: unknown key 'refused'; did you mean 'refused_by'?"),
        ("{answer.create: 11, expect: {refused_by: [no-copys]}}",
         "6:56: no rule is called 'no-copys'; did you mean 'no-copies'?"),
        ("{answer.create: 11, expect: {status: 42}}", "6:52: must be at least 100"),
        ("{answer.create: 11, expect: {retry_after: 42}}",
         "6:57: expected a duration such as 10s, 5m, 2h or 30d, not '42'"),
        ("{answer.create: 11, soe: 99, expect: pass}", "6:40: must be at least 200"),
        ("{answer.create: 11, soe: silent, expect: pass}",
         "6:40: 'silent' is none of timeout, down"),
        ("{answer.create: 11, soe: {file: nothing.json}, expect: pass}",
         "6:47: 'nothing.json' cannot be read: No such file or directory"),
        ("{answer.create: 11, soe: {file: a, body: {}}, expect: pass}",
         "6:40: the body of an answer stands here or in a file, not in both"),
        ("{answer.create: 11, state: gone, expect: pass}", "6:42: 'gone' is none of up, down"),
        ("{answer.create: 11, times: 0, expect: pass}", "6:42: must be at least 1"),
        ("{answer.create: 11, after: soon, expect: pass}",
         "6:42: expected a duration such as 10s, 5m, 2h or 30d, not 'soon'"),
        ("{answer.create: 11, confirm: maybe, expect: pass}",
         "6:44: expected true or false here, not 'maybe'"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_step_is_told_with_its_place(step: str, told: str, tmp_path: Path) -> None:
    """And with the word that may have been meant."""
    assert problems(tmp_path, f"  t: {{steps: [{step}]}}") == [told]


@pytest.mark.parametrize(
    ("test", "told"),
    [
        ("{steps: []}", "6:3: no step of this test says what to expect"),
        ("{given: {}}", "6:6: the key 'steps' is missing"),
        ("{step: [], steps: 1}", "6:7: unknown key 'step'; did you mean 'steps'?"),
        ("{given: {expect: pass}, steps: [{vote.up: 1, expect: pass}]}",
         "6:15: unknown key 'expect'"),
        ("{given: {at: 2026-12-31}, steps: [{vote.up: 1, expect: pass}]}",
         "6:19: expected a time such as 2026-12-31T23:00Z, not '2026-12-31'"),
        ("{given: {at: 2026-13-31T23:00Z}, steps: [{vote.up: 1, expect: pass}]}",
         "6:19: expected a time such as 2026-12-31T23:00Z, not '2026-13-31T23:00Z'"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_test_is_told_with_its_place(test: str, told: str, tmp_path: Path) -> None:
    """Also in what stands for every step."""
    assert told in problems(tmp_path, f"  t: {test}")


def test_all_mistakes_of_rules_and_tests_are_told_at_once(tmp_path: Path) -> None:
    """Nobody mends one file to meet the next mistake."""
    told = problems(
        tmp_path,
        "  t: {steps: [{vote.upp: 1, expect: {refused_by: [x]}}, {vote.up: 1, soe: 1}]}",
        q="policy: q\nowner: o\nrules: {r: {title: T, mode: never, for: [x.y]}}",
        q_test="tests: {t: {steps: [{vote.up: 1, expekt: pass}]}}\nrules: {}",
    )

    assert len(told) == 7, told


def test_a_file_of_tests_holds_nothing_else(tmp_path: Path) -> None:
    """A rule that stands there by mistake would judge nothing."""
    told = problems(tmp_path, "  {}", q_test="rules: {}\ntests: {}")

    assert told == ["1:1: unknown key 'rules'"]


def test_an_integration_that_nobody_registered_is_told(tmp_path: Path) -> None:
    """What an exception frees by its name would be judged, and nobody would know why."""
    step = "{steps: [{vote.up: 1, as: helpbot, expect: pass}]}"

    told = problems(tmp_path, f"  t: {step}", integrations=REGISTERED)

    assert told == ["6:32: no integration is called 'helpbot'; did you mean 'help-bot'?"]


def test_where_nobody_is_registered_anybody_may_write(tmp_path: Path) -> None:
    """So that policies can be tried before integrations are known."""
    (tmp_path / "p.yaml").write_text(
        POLICY + "  t: {steps: [{vote.up: 1, as: helpbot, expect: pass}]}"
    )

    assert len(read_suite(tmp_path, today=TODAY).cases) == 1


def test_tests_apart_are_read_and_are_no_part_of_the_revision(tmp_path: Path) -> None:
    """Who writes a test changes no policy."""
    (tmp_path / "p.yaml").write_text(POLICY + "  t: {steps: [{vote.up: 1, expect: pass}]}")
    before = read_suite(tmp_path, today=TODAY)
    apart = "tests: {u: {steps: [{vote.up: 1, expect: pass}]}}"
    (tmp_path / "more.test.yaml").write_text(apart)

    after = read_suite(tmp_path, today=TODAY)

    assert [case.name for case in after.cases] == ["t", "u"]
    assert after.policies.revision == before.policies.revision
    assert len(after.policies.rules) == 1
