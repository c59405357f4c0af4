"""The other design: an ordered log of posts, and each process's own index over it, in numpy."""

from __future__ import annotations

import sqlite3
import struct
import time
from array import array
from collections import Counter

import numpy as np

from gateway.state.neighbours import LISTED, REMEMBERED, Neighbour, from_redis, most_hits

_HOT = 4096
_FAN = 8


class PrintIndex:
    """Sorted segments of (print, number), merged eight to one, and a dict for the newest."""

    def __init__(self):
        self.known = 0
        self.hot = {}
        self.n_hot = 0
        self.segments = []  # (level, prints, numbers)
        self.merge_seconds = []

    def load(self, prints, numbers, last):
        order = np.argsort(prints, kind="stable")
        self.segments.append((9, prints[order], numbers[order]))
        self.known = last

    def add(self, number, prints):
        for value in prints[:REMEMBERED]:
            self.hot.setdefault(value, []).append(number)
        self.n_hot += 1
        self.known = number
        if self.n_hot >= _HOT:
            self.seal()

    def seal(self):
        t = time.perf_counter()
        values = np.fromiter((v for v, ns in self.hot.items() for _ in ns), np.uint32)
        numbers = np.fromiter((n for ns in self.hot.values() for n in ns), np.uint32)
        order = np.argsort(values, kind="stable")
        self.segments.append((0, values[order], numbers[order]))
        self.hot, self.n_hot = {}, 0
        while sum(s[0] == self.segments[-1][0] for s in self.segments) >= _FAN:
            level = self.segments[-1][0]
            same = [s for s in self.segments if s[0] == level]
            values, numbers = (np.concatenate([s[i] for s in same]) for i in (1, 2))
            order = np.argsort(values, kind="stable")
            self.segments = [s for s in self.segments if s[0] != level]
            self.segments.append((level + 1, values[order], numbers[order]))
        self.merge_seconds.append(time.perf_counter() - t)

    def find(self, prints, at_least):
        hot = self.hot
        hits = [n for v in prints for n in hot.get(v, ())[-LISTED:]]
        asked = np.frombuffer(prints, np.uint32)
        for _, values, numbers in self.segments:
            low = np.searchsorted(values, asked, "left")
            high = np.searchsorted(values, asked, "right")
            some = np.nonzero(high > low)[0]
            for i in some.tolist():
                hits.extend(numbers[max(low[i], high[i] - LISTED) : high[i]].tolist())
        return most_hits(hits, at_least)

    def bytes(self):
        return sum(s[1].nbytes + s[2].nbytes for s in self.segments)


def parts(rows):
    """(number, blob head) rows to flat arrays."""
    numbers = np.array([r[0] for r in rows], np.uint32)
    counts = np.array([len(r[1]) // 4 for r in rows])
    flat = np.frombuffer(b"".join(r[1] for r in rows), np.uint32)
    return flat, np.repeat(numbers, counts)


class SqliteLog:
    """Posts by number; no table of prints."""

    def __init__(self, db: sqlite3.Connection):
        self.db = db
        self.index = PrintIndex()
        got, last = [], 0
        while rows := db.execute(
            "SELECT number, substr(prints, 1, 64) FROM posts WHERE number > ? ORDER BY number LIMIT 50000",
            (last,),
        ).fetchall():
            got.append(parts(rows))
            last = rows[-1][0]
        if got:
            self.index.load(np.concatenate([g[0] for g in got]), np.concatenate([g[1] for g in got]), last)

    def catch_up(self, limit=256):
        while True:
            rows = self.db.execute(
                "SELECT number, substr(prints, 1, 64) FROM posts WHERE number > ? ORDER BY number LIMIT ?",
                (self.index.known, limit),
            ).fetchall()
            for number, head in rows:
                self.index.add(number, array("I", head))
            if len(rows) < limit:
                return

    def add(self, write_id, at, prints):
        self.db.execute("UPDATE numbers SET last = last + 1")
        number = self.db.execute("SELECT last FROM numbers").fetchone()[0]
        self.db.execute("INSERT INTO posts VALUES (?, ?, ?, ?)", (number, write_id, at, prints))
        return number
