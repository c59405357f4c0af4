"""The command that switches integrations off and on, and drafts registrations that load."""

from __future__ import annotations

import asyncio
import datetime
import getpass
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.errors import PolicyError
from gateway.policy.load import load
from gateway.policy.posture import discovering
from gateway.policy.registry import digest
from gateway.state.memory import MemoryStore
from tests.offline.replaying.test_replay import COPIES, TEXT, a_set
from tests.recording import Sent, play

TODAY = datetime.date(2026, 11, 24)
SENT = [
    Sent(token="h1", agent="help-bot/1.0 (+https://x)", act='act="click", by="jane"'),
    Sent(token="h2", agent="help-bot/1.1", act='act="click", by="joe"', body=TEXT),
    Sent(token="h1", agent="help-bot/1.0 (+https://x)", after=80_000, answers=7, body=TEXT),
    Sent(token="p1", agent="python-requests/2.31.0"),
    Sent(token="p2", agent="python-requests/2.31.0"),
    Sent(token="s", agent="Some Thing/1"),
    Sent(token="s", agent="other_thing"),
    Sent(token="n", agent=""),
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The audit log of a gateway in discover."""
    policies = discovering(a_set(tmp_path / "then", COPIES))
    played = asyncio.run(play(policies, SENT, MemoryStore(9e6), anonymous="refuse"))
    (tmp_path / "audit").mkdir()
    return played.log.write(tmp_path / "audit")


def test_each_caller_stands_there_with_what_was_seen(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who calls itself by a name of its own is one, whatever its tokens; others go by their token."""
    assert main(["integrations", "propose", "--audit", str(log), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["integrations"]
    named = {name: [digest(t.encode()) for t in tokens] for name, tokens in (
        ("help-bot", ["h1", "h2"]), ("some", ["s"]),
    )}  # fmt: skip

    assert {name: told[name]["tokens"] for name in named} == {
        name: sorted(f"sha256:{each}" for each in digests) for name, digests in named.items()
    }
    assert [name for name in told if name not in named] == [
        f"caller-{each[:6]}" for each in sorted(digest(t) for t in (b"p1", b"p2", b"n"))
    ]
    assert told["help-bot"]["people"] == 2
    assert told["help-bot"]["operations"] == {"question.create": 2, "answer.create": 1}
    assert (told["help-bot"]["writes"], told["help-bot"]["busiest_minute"]) == (3, 2)
    assert told["help-bot"]["failed"] == {"registration": 3, "copies": 1}


def test_the_draft_says_what_is_missing_and_loads_when_it_is_there(
    log: Path, tmp_path: Path
) -> None:
    """Owner, contact and purpose are for people to fill in; the rest is right."""
    policies = tmp_path / "then"
    draft = policies / "integrations.yaml"
    assert main(["integrations", "propose", "--audit", str(log), "--out", str(draft)]) == 0
    with pytest.raises(PolicyError) as problems:
        load(policies, today=TODAY)
    filled = re.sub(r"(owner|contact|purpose): #.*", r"\1: somebody", draft.read_text())
    missing = [
        number for number, line in enumerate(draft.read_text().splitlines(), 1)
        if re.search(r"(owner|contact|purpose): #", line)
    ]  # fmt: skip

    assert [problem.line for problem in problems.value.problems] == missing
    draft.write_text(filled)
    registry = load(policies, today=TODAY).registry
    known = registry.by_token(digest(b"h2"))
    assert known is not None
    assert (known.name, known.operations) == ("help-bot", ("answer.create", "question.create"))
    assert len(registry.names) == 5


def test_what_was_seen_stands_in_comments(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Enough to know whom to ask, and to set caps by."""
    assert main(["integrations", "propose", "--audit", str(log)]) == 0
    out = capsys.readouterr().out

    assert '# User-Agent "help-bot/1.0 (+https://x)", "help-bot/1.1"\n' in out
    assert "    # 2 tokens, 2 people named\n" in out
    assert "1.5 a day, 2 on the busiest, 2 in the busiest minute\n" in out
    assert "    # other-thing and some use one token: ask whether these are two\n" in out


def test_callers_that_turn_out_to_be_one_are_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A token that two names use joins all that was seen of both."""
    sent = [
        Sent(token="one", agent="left/1"),
        Sent(token="two", agent="right/1"),
        Sent(token="one", agent="right/1"),
    ]
    policies = discovering(a_set(tmp_path / "then", COPIES))
    played = asyncio.run(play(policies, sent, MemoryStore(9e6), anonymous="refuse"))
    assert (
        main(["integrations", "propose", "--audit", str(played.log.write(tmp_path)), "--json"]) == 0
    )
    [seen] = json.loads(capsys.readouterr().out)["integrations"].values()

    assert len(seen["tokens"]) == 2
    assert seen["user_agents"] == {"right/1": 2, "left/1": 1}
    assert seen["writes"] == 3


def test_a_file_that_is_there_stays(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody may have filled it in."""
    there = tmp_path / "integrations.yaml"
    there.write_text("mine")

    assert main(["integrations", "propose", "--audit", str(log), "--out", str(there)]) == 1
    assert "is there already" in capsys.readouterr().out
    assert there.read_text() == "mine"


def test_without_callers_the_draft_is_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says so in a way that loads."""
    (tmp_path / "audit-w-000001.jsonl").write_text("")

    assert main(["integrations", "propose", "--audit", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "integrations: {}"


REGISTRY = """\
integrations:
  help-bot: {owner: Grace, contact: "#help", purpose: asks}
  news-bot: {owner: Alan, contact: "#news", purpose: tells, tier: trusted}
"""


@dataclass
class Machine:
    """A gateway's data directory and policies, on which the command works."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def run(self, *words: str) -> tuple[int, str]:
        """Run `integrations`; gives exit code and output."""
        flags = ["--data", str(self.folder / "data"), "--policies", str(self.folder / "policies")]
        code = main(["integrations", *words, *flags])
        return code, self.capsys.readouterr().out

    def records(self) -> list[dict[str, object]]:
        """What was recorded of it, in the order of its instants: each run is a writer of its own."""
        lines = b"".join(each.read_bytes() for each in self.folder.rglob("audit-*.jsonl"))
        told = sorted(map(json.loads, lines.splitlines()), key=lambda record: float(record["at"]))
        return [each for each in told if each.get("event", "").startswith("integration.")]


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    """One with two registered integrations."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "integrations.yaml").write_text(REGISTRY)
    return Machine(tmp_path, capsys)


def test_an_operator_switches_off_and_on(machine: Machine) -> None:
    """It says so, the list shows it with who and why, and both are recorded."""
    off = machine.run("disable", "help-bot", "--reason", "It floods\n the site.")
    listed = machine.run("list")[1].splitlines()
    on = machine.run("enable", "help-bot")

    assert off == (0, "help-bot is switched off\n")
    assert listed[0].split() == ["integration", "tier", "owner", "contact", "writes"]
    assert listed[1].startswith("help-bot     probation  Grace  #help    OFF since 20")
    assert listed[1].endswith(f"UTC, by {getpass.getuser()}: It floods the site.")
    assert listed[2].split() == ["news-bot", "trusted", "Alan", "#news", "on"]
    assert on == (0, "help-bot is switched on\n")
    assert "OFF" not in machine.run("list")[1]
    assert [(each["event"], each["integration"]) for each in machine.records()] == [
        ("integration.disabled", "help-bot"),
        ("integration.disabled_done", "help-bot"),
        ("integration.enabled", "help-bot"),
        ("integration.enabled_done", "help-bot"),
    ]


def test_a_switch_outlasts_the_state(machine: Machine) -> None:
    """The data directory knows it, and the state learns it again."""
    machine.run("disable", "news-bot", "--reason", "x")
    for each in (machine.folder / "data").glob("state.db*"):
        each.unlink()
    for each in (machine.folder / "data").glob("*.epoch"):
        each.unlink()
    first = json.loads(machine.run("list", "--json")[1])
    (machine.folder / "data" / "switches.jsonl").unlink()
    second = json.loads(machine.run("list", "--json")[1])

    for told in (first, second):
        assert [each["name"] for each in told["integrations"] if each["disabled"]] == ["news-bot"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["disable", "hepl-bot", "--reason", "x"], 1, "did you mean 'help-bot'?"),
        (["enable", "nobody-knows"], 1, "known: help-bot, news-bot, anonymous"),
        (["disable", "help-bot"], 2, "--reason"),
        (["disable", "help-bot", "--reason", " "], 2, "--reason"),
        (["enable", "help-bot", "--reason", "x"], 2, "--reason"),
        (["disable", "--reason", "x"], 2, "disable NAME"),
        (["list", "help-bot"], 2, "disable NAME"),
        (["disable", "help-bot", "--reason", "x" * 301], 1, "300 characters"),
        (["disable", "help-bot", "--reason", "x", "--state", "memory:"], 1, "console"),
    ],
)
def test_what_cannot_be_meant_is_told(
    machine: Machine, words: list[str], code: int, told: str
) -> None:
    """With what to do instead; nothing is switched."""
    ended, out = machine.run(*words)

    assert ended == code
    assert told in out
    assert machine.records() == []
