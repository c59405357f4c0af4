"""The file: its epoch, and what happens to one that is damaged or gone."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from time import time

from gateway.errors import StoreError
from gateway.state.sqlite.schema import MIGRATIONS, migrate
from gateway.state.terms import Terms

_SHARED_LOCK = (510, 0x40000002)
"""The bytes that SQLite locks to read: how many, from where (sqlite.org/fileformat, os_unix.c)."""
_NETWORK = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "gfs2", "lustre", "ncpfs"}
    | {"nfs", "nfs4", "ocfs2", "smb2", "smb3", "smbfs"}
)
"""File systems whose locks and shared memory do not hold between machines (sqlite.org/wal.html)."""


def open_state(path: Path, terms: Terms) -> sqlite3.Connection:
    """Open the file, bring it up to this version, and see whether it is the one that was known.

    A damaged file is set aside under another name, and an empty one takes its place. That is a
    loss, like a file that is gone or another in its place: `Terms.accept_loss` decides.

    Raises:
        StoreError: it cannot be opened, is of a newer version, or on a network file system.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _refuse_network(path)
        with one_at_a_time(path.parent):
            return _open(path, terms)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path} cannot be used as state: {error}") from error


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Of several processes that start at once, one mends what lies in a folder; the others find it."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _open(path: Path, terms: Terms) -> sqlite3.Connection:
    damage = _damage(path)
    if damage and not _is_ours(path, terms):
        raise StoreError(f"{path} is no state of this gateway: {damage}; move it away")
    if damage:
        terms.tell("state.set_aside", file=str(_set_aside(path)), error=damage)
    path.touch(mode=0o600)  # before SQLite makes it readable for all
    db = connect(path, terms)
    try:
        migrate(db)
        _compare(db, terms, damaged=bool(damage))
    except sqlite3.Error:
        db.close()
        raise
    return db


def connect(path: Path, terms: Terms) -> sqlite3.Connection:
    """Connect as every thread here does: WAL, no transaction but our own, no checkpoint of its own.

    A checkpoint syncs, so it is the janitor's.
    """
    db = sqlite3.connect(path, timeout=terms.timeout, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA wal_autocheckpoint = 0")
    return db


def _damage(path: Path) -> str:
    """Tell what is wrong with a file that is there; empty where nothing is."""
    if not path.exists() or not path.stat().st_size:
        return ""
    try:
        db = sqlite3.connect(path, timeout=1.0, isolation_level=None)
        try:
            db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if 0 < version <= len(MIGRATIONS):
                db.execute("SELECT last FROM clock").fetchone()
                for table in ("writes", "charges"):
                    db.execute(f"SELECT max(rowid) FROM {table}").fetchone()  # noqa: S608 - from above
        finally:
            db.close()
    except sqlite3.OperationalError:
        return ""  # locked or out of reach: opening tells
    except sqlite3.DatabaseError as error:
        return str(error)
    return ""


def _is_ours(path: Path, terms: Terms) -> bool:
    """Whether what is damaged was a state, and not a file that was named by mistake."""
    with path.open("rb") as opened:
        begins = opened.read(16)
    return begins in (b"SQLite format 3\0", bytes(16)) or bool(terms.noted())


def _set_aside(path: Path) -> Path:
    """Give a damaged file, and what belongs to it, another name.

    Raises:
        StoreError: another process works on it, and would go on counting there.
    """
    with path.open("rb+") as held:
        try:  # a connection in WAL mode holds a shared lock there all the time
            fcntl.lockf(held, fcntl.LOCK_EX | fcntl.LOCK_NB, *_SHARED_LOCK)
        except OSError as error:
            raise StoreError(f"{path} is damaged and in use: stop what uses it first") from error
    aside = path.with_name(f"{path.name}.damaged-{int(time())}")
    for suffix in ("-shm", "-wal", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _compare(db: sqlite3.Connection, terms: Terms, *, damaged: bool) -> None:
    """Note a loss where this is not the data that was last worked on."""
    db.execute("BEGIN IMMEDIATE")
    epoch, lost, accepted = db.execute("SELECT epoch, lost, accepted FROM clock").fetchone()
    known = terms.noted() or ("damaged" if damaged else "")
    if known and known != epoch and known not in json.loads(accepted):
        terms.tell("state.lost", accepted=terms.accept_loss)
        names, met = {*json.loads(accepted)}, {*json.loads(lost)}
        (names if terms.accept_loss else met).add(known)
        accepted, lost = json.dumps(sorted(names)), json.dumps(sorted(met - names))
        db.execute("UPDATE clock SET lost = ?, accepted = ?", (lost, accepted))
    db.execute("COMMIT")
    if lost == "[]":
        terms.take_note(epoch)


def _refuse_network(path: Path) -> None:
    """Raise where the file would lie on a network file system; what nobody can tell passes."""
    mounts = Path("/proc/self/mountinfo")
    if not mounts.exists():
        return
    there = path.parent.resolve()
    rows = (line.split() for line in mounts.read_text(errors="replace").splitlines())
    by_point = {Path(row[4]): row[row.index("-") + 1] for row in rows}
    kind = next((by_point[point] for point in (there, *there.parents) if point in by_point), "")
    if kind in _NETWORK:
        raise OSError(f"{kind} is a network file system; use a local disk, or Redis for replicas")
