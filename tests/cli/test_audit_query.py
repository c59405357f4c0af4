"""`soe-gateway audit query` and `audit export` over logs on disk."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.index.file import path_in
from gateway.audit.index.index import Index
from gateway.cli import main
from gateway.cli.audit.people import open_pseudonyms
from gateway.cli.audit.table import Column, Table
from gateway.model import Person
from gateway.settings import load_settings
from tests.audit.written import AT, Writer, decision, outcome, pack

NOON = "2026-11-18T11:06:40"
"""`AT`, as people write it."""


@pytest.fixture
def log(tmp_path: Path) -> Writer:
    """Five writes, in a packed segment and a plain one."""
    log = Writer(tmp_path / "audit")
    log.write(
        decision("w1", AT, text={"title": "Keys", "body": "How do I rotate the signing key?"}),
        outcome("w1", AT, post="question/7", url="https://soe.example.com/questions/7"),
        decision(
            "w2",
            AT + 1,
            integration="ops-bot",
            operation="answer.create",
            person="p2",
            thread="question/7",
        ),
        outcome("w2", AT + 1, post="answer/8", url="https://soe.example.com/a/8"),
    )
    pack(log.path)
    log.rotate()
    log.write(
        decision(
            "w3", AT + 2, effect="refuse", findings=[("copies", "enforce", "fail", "duplicate")]
        ),
        decision("w4", AT + 3, operation="answer.edit", target="answer/8"),
        outcome("w4", AT + 3, outcome="unknown", upstream_status=None),
        decision("w5", AT + 4, operation="comment.create", thread="post/7"),
        outcome("w5", AT + 4, post="comment/9"),
        {"schema": 2, "kind": "admin", "event": "state.reset", "at": AT + 5, "by": "jo"},
    )
    return log


Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(log: Writer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a sub-command over that log; gives exit code, output, and what is said beside it."""

    def run(*words: str, subcommand: str = "query") -> tuple[int, str, str]:
        code = main(["audit", subcommand, "--data", str(tmp_path), *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def ids(out: str) -> list[str]:
    return [json.loads(line)["write_id"] for line in out.splitlines()]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], ["w1", "w2", "w3", "w4", "w5"]),
        (["--limit", "2"], ["w4", "w5"]),
        (["--since", NOON, "--until", "2026-11-18T11:06:42Z"], ["w1", "w2"]),
        (["--since", "2026-11-18", "--until", "2026-11-19"], ["w1", "w2", "w3", "w4", "w5"]),
        (["--since", "2026-11-18T12:06:43+01:00"], ["w4", "w5"]),
        (["--id", "w2", "--id", "w5"], ["w2", "w5"]),
        (["--integration", "ops-bot"], ["w2"]),
        (["--person", "p2"], ["w2"]),
        (["--operation", "answer.*"], ["w2", "w4"]),
        (["--operation", "*.create", "--effect", "allow"], ["w1", "w2", "w5"]),
        (["--rule", "copies"], ["w3"]),
        (["--effect", "refuse"], ["w3"]),
        (["--outcome", "unknown", "--outcome", "refused"], ["w4"]),
        (["--post", "https://soe.example.com/questions/7/rotate-keys"], ["w1"]),
        (["--post", "https://soe.example.com/questions/7/rotate-keys/8#8"], ["w2", "w4"]),
        (["--post", "https://soe.example.com/questions/7/rotate-keys#comment9_7"], ["w5"]),
        (["--post", "https://soe.example.com/api/2.3/answers/8"], ["w2", "w4"]),
        (["--post", "answer/8"], ["w2", "w4"]),
        (["--text", "(?i)SIGNING k"], ["w1"]),
    ],
)
def test_each_filter_finds_what_fits(ask: Ask, words: list[str], found: list[str]) -> None:
    """Over packed and plain segments, in the order of the decisions."""
    code, out, _ = ask("--json", *words)

    assert (code, ids(out)) == (0, found)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--integration", "opsbot"], "did you mean 'ops-bot'?"),
        (["--rule", "copie"], "did you mean 'copies'?"),
        (["--operation", "questoin.create"], "did you mean 'question.create'?"),
        (["--effect", "refused"], "did you mean 'refuse'?"),
        (["--outcome", "unknwon"], "did you mean 'unknown'?"),
        (["--since", "2 hours"], "neither a while, as 90s"),
        (["--until", "2026-13-01"], "--until"),
        (["--post", "8"], "neither an address nor a post as answer/12"),
        (["--text", "("], "not a pattern of RE2: missing )"),
    ],
)
def test_a_filter_that_cannot_be_says_what_could(ask: Ask, words: list[str], said: str) -> None:
    """Nothing is printed, and the exit code is that of a wrong call."""
    code, out, err = ask(*words)

    assert (code, out) == (2, "")
    assert said in err


def test_what_the_policies_know_is_no_wrong_word(ask: Ask) -> None:
    """A rule that found nothing yet has no writes, which is an answer."""
    code, out, err = ask("--rule", "person-asked")

    assert (code, out, err) == (0, "", "soe-gateway: no write fits\n")


def test_nothing_that_fits_is_said_beside(ask: Ask) -> None:
    """The output stays empty, so that what reads it is not told a lie."""
    code, out, err = ask("--id", "w9")

    assert (code, out, err) == (0, "", "soe-gateway: no write fits\n")


def test_text_that_was_not_kept_is_said(ask: Ask) -> None:
    """Who searches learns how much could not be searched."""
    _, _, err = ask("--text", "anything")

    assert "of 4 writes no text was kept (audit.content)" in err


def test_the_list_to_clean_up_by(ask: Ask) -> None:
    """Each address that was published, once; what has none, or may stand there, is said beside."""
    code, out, err = ask("--urls")

    assert code == 0
    assert out.splitlines() == [
        "https://soe.example.com/questions/7",
        "https://soe.example.com/a/8",
    ]
    assert "published, and SOE told no address: comment/9" in err
    assert "perhaps published, nobody can tell: w4" in err


def test_the_csv_has_a_head_and_a_line_for_each_write(ask: Ask) -> None:
    """Read back as CSV it tells the same."""
    _, out, _ = ask("--csv", "--effect", "refuse")
    rows = list(csv.DictReader(io.StringIO(out)))

    assert [(row["at"], row["write_id"], row["findings"]) for row in rows] == [
        ("2026-11-18T11:06:42Z", "w3", "copies")
    ]


def test_the_table_names_what_matters(ask: Ask) -> None:
    """Without a terminal its lines are as long as they are."""
    _, out, _ = ask()
    lines = out.splitlines()

    assert re.split(" {2,}", lines[0]) == [
        "at (UTC)",
        "integration",
        "operation",
        "effect",
        "outcome",
        "post",
        "rules",
        "decision",
    ]
    assert re.split(" {2,}", lines[3]) == [
        "2026-11-18 11:06:42",
        "help-bot",
        "question.create",
        "refuse",
        "copies",
        "w3",
    ]


def test_a_person_is_found_by_name_and_address(ask: Ask, log: Writer, tmp_path: Path) -> None:
    """The people file leads from who they are to what stands for them in the log."""
    settings = load_settings(flags={"data.directory": str(tmp_path)}, environ={}, required=())
    (tmp_path / "people.db").touch()
    with closing(open_pseudonyms(settings)) as people:
        stands = people.person(Person(id="12", name="Jane Doe", email="jane@example.com"))
    log.write(decision("w6", AT + 6, person=stands))

    for who in ("Jane Doe", "jane@example.com", "12", stands):
        assert ids(ask("--json", "--person", str(who))[1]) == ["w6"]


@pytest.mark.parametrize(
    "who", ["jane doe", "jane@example.com", "Jane Doe (jane@example.com)", "12"]
)
def test_a_person_is_found_by_the_name_that_stands_in_the_log(
    ask: Ask, log: Writer, who: str
) -> None:
    """Where people stand by name, account, name and address are in the records themselves."""
    log.write(decision("w6", AT + 6, person="12", person_name="Jane Doe (jane@example.com)"))

    assert ids(ask("--json", "--person", who)[1]) == ["w6"]


def test_an_index_that_is_there_is_used_and_goes_on(ask: Ask, log: Writer, tmp_path: Path) -> None:
    """What it had read it need not read again; what came since is read."""
    path = path_in(tmp_path, log.directory)
    with closing(Index(log.directory, path)) as index:
        while index.step():
            pass
    log.write(decision("w6", AT + 6, effect="hold"))
    code, out, _ = ask("--json")
    with closing(Index(log.directory, path)) as index:
        assert index.count() == 6
        assert index.step() == 0

    assert (code, ids(out)[-1]) == (0, "w6")


def test_a_log_that_is_not_there_is_a_fault(ask: Ask, tmp_path: Path) -> None:
    """An empty answer would look like a quiet day."""
    missing = ask("--audit", str(tmp_path / "elsewhere"))
    empty = ask("--audit", str(tmp_path))

    assert (missing[0], empty[0]) == (1, 1)
    assert "cannot be read" in missing[2]
    assert "holds no audit files" in empty[2]


@pytest.mark.parametrize("form", ["ecs", "ocsf"])
def test_an_export_has_what_fits(ask: Ask, tmp_path: Path, form: str) -> None:
    """Deeds and writes; where writes are chosen, those alone; into a file where one is named."""
    file = tmp_path / "out.jsonl"
    _, everything, _ = ask("--format", form, subcommand="export")
    code, out, err = ask("--format", form, "--rule", "copies", "--output", str(file), subcommand="export")  # fmt: skip
    told: dict[str, Any] = json.loads(file.read_text())

    assert len(everything.splitlines()) == 6
    assert (code, out, err) == (0, "", "soe-gateway: 1 events\n")
    assert "w3" in (told.get("event", {}).get("id"), told.get("metadata", {}).get("uid"))
    assert "signing key" not in everything


@pytest.mark.parametrize(("width", "line"), [(None, "aaaa  bbbbbbbb  c"), (16, "aaaa  bbbbbb…  c"), (11, "aaaa  bbbb…"), (4, "aaaa")])  # fmt: skip
def test_a_table_shrinks_and_then_leaves_out(width: int | None, line: str) -> None:
    """The widest column gives way first; a column that may go does so before the rest is cut."""
    columns = {
        "a": Column[str](lambda _: "aaaa", 1, 4),
        "b": Column[str](lambda _: "bbbbbbbb", 1, 4, may_go=True),
        "c": Column[str](lambda _: "c", 1, 1, may_go=True),
    }
    out = io.StringIO()
    Table(columns, out, width)(["row"])

    assert out.getvalue().splitlines()[1] == line
