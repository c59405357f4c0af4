"""A third design: a table of prints in a mapped file, beside the log of posts in SQLite."""

from __future__ import annotations

import mmap
import os
import sqlite3
from array import array
from pathlib import Path
from struct import Struct

from gateway.state.neighbours import REMEMBERED, most_hits

SLOTS = 16
LISTED = 12
BUCKET = 8 * SLOTS
HALF = 4 * SLOTS
HEADER = 4096
ROW = Struct(f"={SLOTS}I")
PUT = Struct("=I")


class PrintTable:
    def __init__(self, buffer, buckets):
        self.buffer, self.mask = buffer, buckets - 1

    def find(self, prints):
        buffer, mask, unpack, hits = self.buffer, self.mask, ROW.unpack_from, []
        for value in prints:
            at = HEADER + (value & mask) * BUCKET
            row = unpack(buffer, at)
            if value in row:
                numbers = unpack(buffer, at + HALF)
                hits += [n for v, n in zip(row, numbers) if v == value and n]
        return hits

    def add(self, number, prints):
        buffer, mask, unpack, put = self.buffer, self.mask, ROW.unpack_from, PUT.pack_into
        for value in prints[:REMEMBERED]:
            at = HEADER + (value & mask) * BUCKET
            numbers = unpack(buffer, at + HALF)
            row = unpack(buffer, at)
            among = numbers
            if value in row:
                own = [n for v, n in zip(row, numbers) if v == value]
                if number in own:
                    continue
                if len(own) >= LISTED:
                    among = own
            slot = at + 4 * numbers.index(min(among))
            put(buffer, slot + HALF, number)
            put(buffer, slot, value)


def opened(path, buckets):
    size = HEADER + buckets * BUCKET
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if os.fstat(fd).st_size < size:
        os.ftruncate(fd, size)
    mapped = mmap.mmap(fd, size)
    mapped.madvise(mmap.MADV_RANDOM)
    os.close(fd)
    return PrintTable(mapped, buckets)
