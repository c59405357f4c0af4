"""Files of earlier versions are brought up to this one, and lose nothing."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from gateway.model import Need, Outcome, Repeated, Settlement
from gateway.state import Terms
from gateway.state.published import as_write
from gateway.state.sqlite import SqliteStore, file, notes, rows, store
from gateway.state.sqlite import uses as uses_
from gateway.state.sqlite.schema import MIGRATIONS, digest, packed
from tests.contract.conftest import KEEP
from tests.contract.test_notes import put
from tests.contract.test_published import published
from tests.contract.test_sharing import others, uses
from tests.contract.test_stores import NOW, asks, cap, charged, found, look, posts, write
from tests.patience import PATIENCE
from tests.samples import PRINT

_WRITE = """
INSERT INTO writes (id, at, request, replaces, outcome, integration, token, author, operation,
                    team, thread, target, post, url, text, event)
VALUES (?, ?, ?, ?, ?, 'help-bot', 'token-1', 'token:token-1', 'question.create', NULL, NULL, ?,
        ?, ?, ?, ?)
"""
_SEEDED = as_write(published()).id


def made_before(path: Path) -> None:
    """A file as the last version left it: a post, a try and its repeat, a seeded post, a key."""
    with sqlite3.connect(path) as db:
        for migration in MIGRATIONS[:2]:
            db.executescript(migration)
        db.execute("PRAGMA user_version = 2")
        db.execute("UPDATE clock SET last = ?", (NOW,))
        url = "https://soe.example.com/q/1"
        digests = (PRINT.text, PRINT.event)
        for values in (
            (_SEEDED, NOW - 4, "", "[]", "ok", "question/11", None, url, *digests),
            ("w1", NOW - 3, "r1", "[]", "ok", None, "question/1", url, *digests),
            ("w2", NOW - 2, "ab" * 16, "[]", "unknown", None, None, None, *digests),
            ("w3", NOW - 1, "ab" * 16, json.dumps(["w2"]), None, None, None, None, *digests),
        ):
            db.execute(_WRITE, values)
        for owner in ("w1", "w2", "w3", None):
            db.execute("INSERT INTO charges VALUES ('a', ?, ?)", (NOW - 1, owner))
        kept = ("key:k", "w1", "r1", NOW - 3, "ok", b"sealed", NOW + 1000)
        db.execute("INSERT INTO kept VALUES (?, ?, ?, ?, ?, ?, ?)", kept)
    db.close()


async def test_a_file_of_the_last_version_keeps_what_it_held(tmp_path: Path) -> None:
    """Its posts, in their order, with all that is told of them; its charges; its keys."""
    made_before(tmp_path / "state.db")
    opened = SqliteStore(tmp_path / "state.db", Terms(keep=KEEP, timeout=PATIENCE))
    needs: dict[str, Need] = {"cap": cap("a", (9, 60.0)), "copies": look()}
    before = await opened.peek(asks(write(9), needs))
    await opened.settle("w3", Settlement(outcome=Outcome.OK))  # it takes the place of w2
    after = await opened.peek(asks(write(9), needs))
    repeat = (await opened.reserve(asks(write(8, key="k", request="r1"), {}))).repeat
    again = await opened.remember([published()], NOW)
    seeded = posts(await opened.peek(asks(write(9), needs)))[0]
    await opened.close()

    assert found(before) == ["w3", "w2", "w1", _SEEDED]
    assert [each.request for each in posts(before)] == ["ab" * 16, "ab" * 16, "r1", ""]
    assert [each.pending for each in posts(before)] == [True, False, False, False]
    assert (posts(before)[2].post, posts(before)[2].url) == (
        "question/1",
        "https://soe.example.com/q/1",
    )
    assert (charged(before).used, charged(after).used) == (5, 4)
    assert found(after) == ["w3", "w1", _SEEDED]
    assert repeat is not None
    assert (repeat.kind, repeat.answer) == (Repeated.ANSWERED, b"sealed")
    assert (again, seeded.write_id) == (0, _SEEDED)


async def test_a_file_of_a_version_without_notes_gets_them(tmp_path: Path) -> None:
    """And loses nothing: its write in flight can be settled."""
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as db:
        db.create_function("digest", 1, digest)
        db.create_function("packed", 1, packed)
        for migration in MIGRATIONS[:3]:
            db.executescript(migration)
        db.execute("PRAGMA user_version = 3")
        db.execute("UPDATE clock SET last = ?, number = 1", (NOW,))
        db.execute(
            "INSERT INTO sources VALUES (1, 'n', 'help-bot', 't', 'token:t', 'o', NULL, ?)", (NOW,)
        )
        db.execute(
            "INSERT INTO writes (seq, id, at, source, flags, text) VALUES (1, 'w1', ?, 1, 0, ?)",
            (NOW, digest(PRINT.text)),
        )
    db.close()
    opened = SqliteStore(path, Terms(keep=KEEP, timeout=PATIENCE))
    before = found(await opened.peek(asks(write(9), {"copies": look()})))
    await opened.settle("w1", Settlement(outcome=Outcome.REFUSED))
    after = found(await opened.peek(asks(write(9), {"copies": look()})))
    is_put = await put(opened, "hold")
    first = others(await uses(opened, 2, "a"))
    second = others(await uses(opened, 3, "b"))
    await opened.close()

    assert (before, after) == (["w1"], [])
    assert (is_put, first, second) == (True, (), ("a",))


def test_statements_use_their_indexes(tmp_path: Path) -> None:
    """Partial indexes serve only who asks in their words."""
    file.open_state(tmp_path / "state.db", Terms(keep=KEEP, timeout=PATIENCE)).close()
    db = sqlite3.connect(tmp_path / "state.db")

    def plan(statement: str) -> str:
        return str(db.execute(f"EXPLAIN QUERY PLAN {statement}", dict.fromkeys(_NAMES)).fetchall())

    by_id = f"{rows._ROW} WHERE {rows._BY_ID}".replace("?", ":id")
    assert "USING INDEX writes_id" in plan(by_id)
    assert "INDEX writes_request" in plan(store._REPLACED)
    assert "INDEX writes_text" in plan(rows._FIND["text"])
    assert "INDEX writes_event" in plan(rows._FIND["event"])
    for statement in (uses_._NAMES, uses_._GIVE_BACK, uses_._KEEP):
        assert "INDEX uses_seq" in plan(statement.replace("?", ":seq"))
    assert "PRIMARY KEY (name=?)" in plan(_numbered(uses_._OF))
    assert "COVERING INDEX notes_at" in plan(_numbered(notes._NAMES))
    assert "COVERING INDEX notes_until" in plan(_numbered(notes._TAKEN))
    assert "TEMP B-TREE" not in plan(_numbered(notes._NAMES))
    db.close()


def _numbered(statement: str) -> str:
    """A statement with another name for what it asks."""
    return statement.replace("?", ":id")


_NAMES = (
    *("seq", "id", "request", "forgotten", "expired"),
    *("digest", "since", "across", "team", "author", "most"),
)
