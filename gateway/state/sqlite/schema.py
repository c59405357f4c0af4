"""The schema of the file, from each version to the next.

A write is a row by its number. What many share (who wrote) stands once, in `sources`; digests are
numbers, of which the indexes hold the lower half; hex is bytes. The `url` of a write in flight is a
blob that keeps room: a row that grows breaks its page in two. A charge's number is that of its write and its place among its charges, so
that what a write was charged is found without an index; from `OF_NOBODY` on, nobody gives it back.
"""

from __future__ import annotations

import sqlite3
from hashlib import blake2b

MIGRATIONS = (
    """
CREATE TABLE writes (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at REAL NOT NULL, request TEXT NOT NULL,
    replaces TEXT NOT NULL, outcome TEXT, integration TEXT NOT NULL, token TEXT,
    author TEXT NOT NULL, operation TEXT NOT NULL, team TEXT, thread TEXT, target TEXT,
    post TEXT, url TEXT, text TEXT, event TEXT
);
CREATE INDEX writes_request ON writes (request) WHERE request != '';
CREATE INDEX writes_text ON writes (text, at) WHERE text IS NOT NULL;
CREATE INDEX writes_event ON writes (event, at) WHERE event IS NOT NULL;
CREATE INDEX writes_at ON writes (at);
CREATE TABLE charges (cap TEXT NOT NULL, at REAL NOT NULL, write_id TEXT);
CREATE INDEX charges_cap ON charges (cap, at, write_id);
CREATE INDEX charges_write ON charges (write_id) WHERE write_id IS NOT NULL;
CREATE INDEX charges_at ON charges (at);
CREATE TABLE clock (last REAL NOT NULL);
INSERT INTO clock VALUES (0);
""",
    """
CREATE TABLE kept (
    name TEXT PRIMARY KEY, write_id TEXT NOT NULL, request TEXT NOT NULL, at REAL NOT NULL,
    outcome TEXT, answer BLOB, until REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX kept_write ON kept (write_id);
CREATE INDEX kept_until ON kept (until);
ALTER TABLE clock ADD COLUMN epoch TEXT NOT NULL DEFAULT '';
ALTER TABLE clock ADD COLUMN lost TEXT NOT NULL DEFAULT '[]';
ALTER TABLE clock ADD COLUMN accepted TEXT NOT NULL DEFAULT '[]';
UPDATE clock SET epoch = lower(hex(randomblob(8)));
""",
    """
ALTER TABLE writes RENAME TO old_writes;
ALTER TABLE charges RENAME TO old_charges;
CREATE TABLE sources (
    source INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, integration TEXT NOT NULL, token TEXT,
    author TEXT NOT NULL, operation TEXT NOT NULL, team TEXT, used REAL NOT NULL
);
INSERT INTO sources (name, integration, token, author, operation, team, used)
SELECT json_array(integration, token, author, operation, team),
       integration, token, author, operation, team, max(at)
FROM old_writes GROUP BY 1;
CREATE TABLE writes (
    seq INTEGER PRIMARY KEY, id BLOB NOT NULL, at REAL NOT NULL, source INTEGER NOT NULL,
    outcome TEXT, request BLOB, replaces TEXT, flags INTEGER NOT NULL, thread TEXT, target TEXT,
    post TEXT, url TEXT, text INTEGER, event INTEGER, prints BLOB, sketch BLOB
);
INSERT INTO writes
SELECT seq,
       CASE WHEN id LIKE 'published:%' THEN digest(id) ELSE packed(id) END,
       at,
       (SELECT source FROM sources
        WHERE name = json_array(integration, token, author, operation, team)),
       outcome, nullif(packed(request), ''),
       CASE WHEN replaces != '[]' THEN
           (SELECT json_group_array(seq) FROM old_writes AS tried
            WHERE tried.id IN (SELECT value FROM json_each(old_writes.replaces))) END,
       2 * (id IN (SELECT write_id FROM kept)),
       thread, target, post, '=' || url, digest(text), digest(event), NULL, NULL
FROM old_writes ORDER BY seq;
CREATE TABLE charges (id INTEGER PRIMARY KEY, cap TEXT NOT NULL, at REAL NOT NULL);
INSERT INTO charges
SELECT coalesce((seq << 10) + row_number() OVER (PARTITION BY write_id ORDER BY old_charges.rowid),
                old_charges.rowid - (1 << 40)), cap, old_charges.at
FROM old_charges LEFT JOIN old_writes ON old_writes.id = write_id
WHERE write_id IS NULL OR seq IS NOT NULL;
ALTER TABLE clock ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE clock ADD COLUMN origin TEXT;
UPDATE clock SET number = (SELECT coalesce(max(seq), 0) FROM writes);
DROP TABLE old_writes;
DROP TABLE old_charges;
CREATE INDEX sources_used ON sources (used);
CREATE UNIQUE INDEX writes_id ON writes (id) WHERE outcome IS NOT 'ok' OR typeof(id) = 'integer';
CREATE INDEX writes_request ON writes (request) WHERE request IS NOT NULL AND outcome IS NOT 'ok';
CREATE INDEX writes_text ON writes (text & 0x7fffffff) WHERE text IS NOT NULL;
CREATE INDEX writes_event ON writes (event & 0x7fffffff) WHERE event IS NOT NULL;
CREATE INDEX charges_cap ON charges (cap, at);
""",
    """
CREATE TABLE notes (
    name TEXT PRIMARY KEY, at REAL NOT NULL, until REAL NOT NULL, size INTEGER NOT NULL,
    value BLOB NOT NULL
);
CREATE INDEX notes_at ON notes (at, name, until);
CREATE INDEX notes_until ON notes (until, size);
CREATE TABLE uses (
    name TEXT NOT NULL, member TEXT NOT NULL, seq INTEGER NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (name, member, seq)
) WITHOUT ROWID;
CREATE INDEX uses_seq ON uses (seq) WHERE seq != 0;
CREATE INDEX uses_at ON uses (at);
""",
    """
-- An address that follows from its post is stored as the number of its form (`rows`).
""",
    """
CREATE TABLE switches (integration TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
""",
)
"""A file says in `user_version` how many it has had."""

ACROSS, KEYED, SHARING = 1, 2, 4
"""Flags of a write: its post is listed for all teams too; something is kept under its key; it uses
what others may use."""

CHARGES = 10
"""Bits of a charge's number that are its place among its write's charges."""
OF_NOBODY = 512
"""The first place of charges that nobody gives back: tries."""


def migrate(db: sqlite3.Connection) -> None:
    """Bring a file up to this version.

    Raises:
        sqlite3.DatabaseError: it is of a newer version, or cannot be changed.
    """
    db.execute("BEGIN IMMEDIATE")  # of several processes that start at once, one migrates
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise sqlite3.DatabaseError(
            f"its schema {version} is of a newer gateway, and this one knows {len(MIGRATIONS)}; "
            "start the newer one, or put back the copy that was taken before the upgrade"
        )
    db.create_function("digest", 1, digest, deterministic=True)
    db.create_function("packed", 1, packed, deterministic=True)
    for migration in MIGRATIONS[version:]:
        for statement in migration.strip().split(";\n"):
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    db.execute("COMMIT")


def digest(text: str | None) -> int | None:
    """Give 64 bits that stand for a text: among a million, two agree once in 30 million times."""
    if text is None:
        return None
    found = blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(found, "little", signed=True)


def packed(text: str) -> bytes | str:
    """Give hex as its bytes, which are half as long; anything else as it is."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return text
    return found if found and found.hex() == text else text


def unpacked(stored: bytes | str) -> str:
    """Give back what was packed."""
    return stored.hex() if isinstance(stored, bytes) else stored
