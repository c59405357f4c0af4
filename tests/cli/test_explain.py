"""The command that says why: decisions, requests, likeness."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.state.memory import MemoryStore
from tests.offline.replaying.test_replay import COPIES, LONG, SHOUTING, TEXT, a_set
from tests.recording import Sent, play

REGISTRY = "help-bot: {owner: o, contact: c, purpose: p, operations: [question.create]}"
REQUEST = """\
POST /api/v3/questions
Content-Type: application/json
User-Agent: curl/8
X-Explicit-Action: true

{"title": "How do I rotate the signing key?", "body": "Help me now!", "tags": ["keys"]}
"""


@pytest.fixture
def policies(tmp_path: Path) -> list[str]:
    """The argument that names some policies."""
    acted = "acted: {title: A person asked, mode: enforce, for: ['*'], explicit_action: {evidence: literal}}"
    a_set(tmp_path / "policies", COPIES, SHOUTING, LONG, acted, integrations=REGISTRY)
    return ["--policies", str(tmp_path / "policies")]


def request(tmp_path: Path, text: str = REQUEST) -> str:
    """A file with a request."""
    path = tmp_path / "request.http"
    path.write_text(text)
    return str(path)


def test_a_request_meets_every_rule(
    tmp_path: Path, policies: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What judges it and what it found, what does not and why, and the answer."""
    arguments = ["explain", "--request", request(tmp_path), "--as", "help-bot", *policies]
    assert main(arguments) == 0
    out = capsys.readouterr().out

    assert "help-bot (probation): question.create on the main site" in out
    assert "FAIL  shouting (enforce): T\n      body matches: !$: yes\n" in out
    assert "pass  acted (enforce): A person asked" in out
    assert "  long: body words = 3, at least 4: no" in out
    assert "Effect: refuse\nThe client gets 400:\n" in out
    assert '"code": "condition_met"' in out


def test_state_is_asked_as_if_nothing_was_there(
    tmp_path: Path, policies: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The question and the answer are told."""
    text = REQUEST.replace("now!", "now")
    arguments = ["explain", "--request", request(tmp_path, text), "--as", "help-bot", *policies]
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    rules = {each["rule"]: each for each in told["rules"]}

    assert (told["effect"], told["answer"]) == ("allow", None)
    assert rules["copies"]["asked"].startswith("earlier posts of the main site within 86400 s")
    assert rules["copies"]["answered"] == "0 the same, 0 near"
    assert rules["copies"]["result"] == "pass"
    assert rules["long"]["judges"] is False
    assert rules["long"]["conditions"]["text"] == "body words = 3, at least 4"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (REQUEST, "refused before any rule, 401 unknown_caller"),
        (REQUEST.replace("questions", "rubbish"), "refused before any rule, 403 unknown_operation"),
        (REQUEST.replace("/api", "api"), "refused on the wire, 400 bad_"),
        ("GET /api/v3/questions\n", "a read: no rule looks at it"),
    ],
)
def test_what_no_rule_sees_is_told(
    tmp_path: Path,
    policies: list[str],
    capsys: pytest.CaptureFixture[str],
    text: str,
    told: str,
) -> None:
    """Before the rules stands what the gateway itself refuses."""
    assert main(["explain", "--request", request(tmp_path, text), *policies]) == 0
    assert told in capsys.readouterr().out


def test_an_integration_that_is_none_is_a_wrong_call(
    tmp_path: Path, policies: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """With the name that was probably meant."""
    arguments = ["explain", "--request", request(tmp_path), "--as", "help-bto", *policies]

    assert main(arguments) == 2
    assert "did you mean 'help-bot'?" in capsys.readouterr().out


def test_a_decision_is_told_by_its_id(
    tmp_path: Path, policies: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What the record says, what became of it, and how each rule judges it now."""
    then = a_set(tmp_path / "then", COPIES)
    sent = [Sent(body=TEXT), Sent(body=TEXT)]
    played = asyncio.run(play(then, sent, MemoryStore(90 * 86_400.0)))
    (tmp_path / "audit").mkdir()
    played.log.write(tmp_path / "audit")
    name = f"{1:032x}"
    assert main(["explain", name, "--audit", str(tmp_path / "audit"), *policies]) == 0
    out = capsys.readouterr().out

    assert f"{name}: allow at 2026-11-18" in out
    assert "outcome: ok 201 question/2 https://soe.example.com/questions/2" in out
    assert "  fail  copies (observe): duplicate, threshold 0.84, similarity 1.0" in out
    assert "pass  acted (enforce)" in out
    assert "(as the record says:" in out
    assert "  shouting: body: unknown: the body was not kept: unknown" in out


def test_an_id_that_nobody_has_is_a_fault(
    tmp_path: Path, policies: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Rather than an empty page."""
    (tmp_path / "audit-w-000001.jsonl").write_text("")

    assert main(["explain", "0" * 32, "--audit", str(tmp_path), *policies]) == 1
    assert "no decision has this id in 1 files" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["id", "--compare", "a", "b"]])
def test_one_thing_is_explained_at_a_time(arguments: list[str]) -> None:
    """Else it is a wrong call."""
    with pytest.raises(SystemExit, match="2"):
        main(["explain", *arguments])
