"""The file of the index: what is in it, and how it is opened or made anew.

It holds nothing that the log does not: it may be deleted at any time, and one that is damaged or
of another version is made anew.
"""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

from gateway.errors import AuditError

VERSION = 1
"""Of the tables below; a file of another version is made anew."""
_BUSY_SECONDS = 30.0

_TABLES = """
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counters VALUES ('turn', 0), ('write', 0);

-- What was read of each segment: `read` bytes in whole lines, unpacked, with `crc` over them.
-- `file` is its name, inode, size and time as they were when all of it was read; else empty.
CREATE TABLE segments (
  id INTEGER PRIMARY KEY, writer TEXT NOT NULL, number INTEGER NOT NULL,
  name TEXT NOT NULL, inode INTEGER NOT NULL, file TEXT NOT NULL DEFAULT '',
  read INTEGER NOT NULL DEFAULT 0, crc INTEGER NOT NULL DEFAULT 0,
  spoilt INTEGER NOT NULL DEFAULT 0, UNIQUE (writer, number));

CREATE TABLE writes (
  n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at REAL NOT NULL, integration TEXT NOT NULL,
  person TEXT, person_name TEXT, on_word_of TEXT, operation TEXT NOT NULL, team TEXT, thread TEXT, target TEXT, effect TEXT NOT NULL,
  revision TEXT NOT NULL, outcome TEXT, post TEXT, url TEXT, upstream_status INTEGER, latency REAL,
  turn INTEGER, segment INTEGER NOT NULL, offset INTEGER NOT NULL, ended_in INTEGER);
CREATE INDEX writes_at ON writes (at, id, integration, effect);
CREATE INDEX writes_integration ON writes (integration, at, id, effect);
CREATE INDEX writes_person ON writes (person, at) WHERE person IS NOT NULL;
CREATE INDEX writes_word ON writes (on_word_of) WHERE on_word_of IS NOT NULL;
CREATE INDEX writes_post ON writes (post) WHERE post IS NOT NULL;
CREATE INDEX writes_target ON writes (target) WHERE target IS NOT NULL;
CREATE INDEX writes_turn ON writes (turn) WHERE turn IS NOT NULL;
CREATE INDEX writes_segment ON writes (segment);

-- What rules found against a write; that a rule passed or was skipped, only the log tells.
CREATE TABLE findings (
  write INTEGER NOT NULL, rule TEXT NOT NULL, mode TEXT NOT NULL, result TEXT NOT NULL, code TEXT,
  at REAL NOT NULL, PRIMARY KEY (write, rule)) WITHOUT ROWID;
CREATE INDEX findings_rule ON findings (rule, at, mode, result);

CREATE TABLE deeds (
  at REAL NOT NULL, event TEXT NOT NULL, facts TEXT NOT NULL,
  segment INTEGER NOT NULL, offset INTEGER NOT NULL);
CREATE INDEX deeds_at ON deeds (at);
"""


def path_in(data: Path, directory: Path) -> Path:
    """Give where the index of a directory's log lies in a data directory."""
    name = hashlib.sha256(str(directory.absolute()).encode()).hexdigest()[:8]
    return data / f"audit-index-{name}.db"


def open_file(path: Path | None) -> sqlite3.Connection:
    """Open an index, made where there is none; without a path in memory.

    Raises:
        AuditError: it can be neither opened nor made.
    """
    try:
        try:
            return _opened(path)
        except sqlite3.DatabaseError as error:
            if path is None or isinstance(error, sqlite3.OperationalError):
                raise
            _remove(path)  # no database, or a damaged one
            return _opened(path)
    except (sqlite3.Error, OSError) as error:
        raise AuditError(f"the index {path} cannot be opened: {error}") from error


def _opened(path: Path | None) -> sqlite3.Connection:
    connection = _connected(path)
    try:
        if path is not None and _version(connection) not in (0, VERSION):
            connection.close()
            _remove(path)
            connection = _connected(path)
        if _version(connection) == 0:
            _make(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _connected(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        path.touch(mode=0o600)
    connection = sqlite3.connect(
        path or ":memory:", timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # a lost machine costs the newest alone
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _make(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    if _version(connection) == 0:  # else another process was first
        for statement in _TABLES.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
