"""Rows of the index as entries, and selections as conditions on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from gateway.audit.index.entries import Entry, Found, Place, Selection
from gateway.soe.addresses import Address

ENTRY = """
SELECT w.id, w.at, integration, person, person_name, on_word_of, operation, team, thread, target, effect, revision, outcome,
  post, url, upstream_status, latency, turn, s.writer, s.number, offset,
  (SELECT json_group_array(json_array(rule, mode, result, code)) FROM
    (SELECT rule, mode, result, code FROM findings WHERE write = w.n ORDER BY rule))
FROM writes w JOIN segments s ON s.id = w.segment
"""
DEED = """
SELECT at, event, facts, s.writer, s.number, offset
FROM deeds w JOIN segments s ON s.id = w.segment
"""
"""What is asked for an entry, and for a deed; a condition follows."""


def entry_of(row: Sequence[Any]) -> Entry:
    """Read a row of `ENTRY`."""
    *told, writer, number, offset, found = row
    (id_, at, integration, person, name, word, operation, team, thread, target, *rest) = told
    effect, revision, outcome, post, url, status, latency, turn = rest
    return Entry(
        id=id_,
        at=at,
        integration=integration,
        person=person,
        person_name=name,
        on_word_of=word,
        operation=operation,
        team=team,
        thread=thread,
        target=target,
        effect=effect,
        revision=revision,
        outcome=outcome,
        post=post,
        url=url,
        upstream_status=status,
        latency=latency,
        turn=turn,
        found=tuple(
            Found(rule=rule, mode=mode, result=result, code=code)
            for rule, mode, result, code in orjson.loads(found)
        ),
        place=Place(writer, number, offset),
    )


def where(selection: Selection) -> tuple[str, list[object]]:
    """Give the condition for a selection, and its values."""
    clauses: list[str] = ["1"]
    values: list[object] = []
    if selection.since is not None:
        clauses.append("w.at >= ?")
        values.append(selection.since)
    if selection.until is not None:
        clauses.append("w.at < ?")
        values.append(selection.until)
    for column, words in (
        ("w.id", selection.ids),
        ("integration", selection.integrations),
        ("operation", selection.operations),
        ("effect", selection.effects),
        ("outcome", selection.outcomes),
    ):
        if words:
            clauses.append(f"{column} IN ({_marks(words)})")
            values += words
    if selection.persons:
        marks = _marks(selection.persons)
        clauses.append(f"(person IN ({marks}) OR on_word_of IN ({marks}))")
        values += [*selection.persons, *selection.persons]
    if selection.rules:
        those = f"rule IN ({_marks(selection.rules)})"
        clauses.append(f"w.n IN (SELECT write FROM findings WHERE {those})")  # noqa: S608 - marks
        values += selection.rules
    if selection.post is not None:
        clause, asked = _of_post(selection.post)
        clauses.append(clause)
        values += asked
    if selection.url is not None:
        clauses.append("url = ?")
        values.append(selection.url)
    return " AND ".join(clauses), values


def _of_post(post: Address) -> tuple[str, list[object]]:
    marks = _marks(post.posts)
    clause, values = f"(post IN ({marks}) OR target IN ({marks}))", [*post.posts, *post.posts]
    if post.anywhere:
        return clause, list(values)
    return f"{clause} AND team IS ?", [*values, post.team]


def _marks(words: Sequence[object]) -> str:
    return ", ".join("?" * len(words))
