"""The law of the index: whatever becomes of the log, it says what the log says."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit.index.entries import Selection
from gateway.audit.index.index import Index
from gateway.soe.addresses import Address
from tests.audit.written import AT, Writer, decision, outcome, pack, told

INTEGRATIONS, PEOPLE, TEAMS = ("help-bot", "ops-bot"), (None, "p1", "p2"), (None, "ops")
OPERATIONS, EFFECTS = ("question.create", "answer.edit"), ("allow", "hold", "refuse", "replay")
OUTCOMES, RULES = ("ok", "unknown", "refused"), ("copies", "acted", "caps")
POSTS = ("question/1", "question/2", "answer/3")

findings = st.lists(
    st.tuples(
        st.sampled_from(RULES),
        st.sampled_from(("enforce", "observe")),
        st.sampled_from(("pass", "fail", "error", "skip")),
        st.sampled_from((None, "duplicate")),
    ),
    max_size=3,
    unique_by=lambda found: found[0],
)
writes = st.fixed_dictionaries(
    {
        "at": st.integers(0, 20).map(lambda after: AT + after),
        "integration": st.sampled_from(INTEGRATIONS),
        "person": st.sampled_from(PEOPLE),
        "explicit_action": st.sampled_from(([], [None], ['act="x", by="p2"'], ["true"])),
        "team": st.sampled_from(TEAMS),
        "operation": st.sampled_from(OPERATIONS),
        "target": st.sampled_from((None, *POSTS)),
        "effect": st.sampled_from(EFFECTS),
        "findings": findings,
    }
)
endings = st.fixed_dictionaries(
    {"outcome": st.sampled_from(OUTCOMES), "post": st.sampled_from((None, *POSTS))}
)
happenings = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("write", "write last")), st.integers(0, 1), writes),
        st.tuples(st.just("end"), st.integers(0, 1), endings),
        st.tuples(st.sampled_from(("rotate", "tear", "pack", "cut", "step")), st.integers(0, 1)),
    ),
    max_size=40,
)


def some(words: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(words), min_size=1, max_size=2).map(tuple)


instants = st.integers(0, 21).map(lambda after: AT + after)
FILTERS: Mapping[str, st.SearchStrategy[Any]] = {
    "since": instants,
    "until": instants,
    "ids": some(("0", "1", "2")),
    "integrations": some(INTEGRATIONS),
    "persons": some(("p1", "p2")),
    "operations": some(OPERATIONS),
    "effects": some(EFFECTS),
    "outcomes": some(OUTCOMES),
    "rules": some(RULES),
    "post": st.builds(
        Address,
        posts=st.sampled_from([(post,) for post in POSTS]),
        team=st.sampled_from(TEAMS),
        anywhere=st.booleans(),
    ),
}
pairs = st.one_of(*(st.tuples(st.just(name), value) for name, value in FILTERS.items()))
selections = st.lists(pairs, max_size=2).map(lambda chosen: Selection(**dict(chosen)))


@dataclass
class Log:
    """Two writers, and what becomes of their files."""

    directory: Path

    def __post_init__(self) -> None:
        self.writers = [Writer(self.directory, name) for name in ("a", "b")]
        self.open: list[list[str]] = [[], []]
        self.ids = count()

    def happens(self, index: Index, kind: str, who: int, facts: Any = None) -> None:
        writer, pending = self.writers[who], self.open[who]
        if kind in ("write", "write last"):
            name = str(next(self.ids))
            writer.write(decision(name, **facts))
            if facts["effect"] == "allow":
                pending.append(name)
            if kind == "write last":
                writer.rotate()
        elif kind == "end" and pending:
            writer.write(outcome(pending.pop(0), **facts))
        elif kind == "rotate":
            writer.rotate()
        elif kind == "tear":
            writer.tear()
        elif kind == "step":
            index.step(3)
        elif kind in ("pack", "cut"):
            self.loses(writer, kind)

    def loses(self, writer: Writer, kind: str) -> None:
        """The oldest plain segment that is written no more is packed, or the oldest of all cut."""
        done = sorted(self.directory.glob(f"audit-{writer.name}-*"))
        done = [path for path in done if not path.name.startswith(writer.path.name)]
        if kind == "cut" and done:
            done[0].unlink()
        elif plain := [path for path in done if path.suffix != ".gz"]:
            pack(plain[0])


def scan(directory: Path, selection: Selection) -> list[str]:
    """The ids of what fits, newest first, out of a plain reading of all records."""
    records = told(directory)
    ended = {each["write_id"]: each for each in records if each["kind"] == "outcome"}
    fits = [
        each
        for each in records
        if each["kind"] == "decision" and fit(each, ended.get(each["write_id"]), selection)
    ]
    return [each["write_id"] for each in sorted(fits, key=place, reverse=True)]


def place(told: Mapping[str, Any]) -> tuple[float, str]:
    return told["at"], told["write_id"]


def fit(told: Mapping[str, Any], end: Mapping[str, Any] | None, wanted: Selection) -> bool:
    found = {each["rule"] for each in told["findings"] if each["result"] in ("fail", "error")}
    became = end and end["outcome"]
    return all(
        (
            wanted.since is None or told["at"] >= wanted.since,
            wanted.until is None or told["at"] < wanted.until,
            not wanted.ids or told["write_id"] in wanted.ids,
            not wanted.integrations or told["integration"] in wanted.integrations,
            not wanted.persons or bool(who(told) & set(wanted.persons)),
            not wanted.operations or told["operation"] in wanted.operations,
            not wanted.effects or told["effect"] in wanted.effects,
            not wanted.outcomes or became in wanted.outcomes,
            not wanted.rules or bool(found & set(wanted.rules)),
            wanted.post is None or means(told, end, wanted.post),
        )
    )


def who(told: Mapping[str, Any]) -> set[str | None]:
    return {told["person"], *("p2" for act in told["explicit_action"] if act and "p2" in act)}


def means(told: Mapping[str, Any], end: Mapping[str, Any] | None, post: Address) -> bool:
    there = {told["target"], end["post"]["id"] if end else None}
    return bool(there & set(post.posts)) and (post.anywhere or told["team"] == post.team)


@settings(max_examples=120, deadline=None)
@given(
    happened=happenings,
    is_close=st.booleans(),
    wanted=st.lists(selections, min_size=3, max_size=6),
)
def test_the_index_finds_what_a_reading_of_the_log_finds(
    happened: list[tuple[Any, ...]], is_close: bool, wanted: list[Selection]
) -> None:
    """Rotated, torn, packed and cut, followed at any time: both find the same writes."""
    with tempfile.TemporaryDirectory() as folder:
        log = Log(Path(folder) / "audit")
        index = Index(log.directory)
        try:
            for each in happened:
                log.happens(index, *each)
                if is_close:
                    index.step(3)
            while index.step(3):
                pass
            found = [[each.id for each in index.newest(one, 1000)] for one in wanted]
            forth = [[each.id for each in index.entries(one)] for one in wanted]
        finally:
            index.close()

        assert found == [scan(log.directory, one) for one in wanted]
        assert forth == [list(reversed(ids)) for ids in found]
