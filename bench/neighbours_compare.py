"""Both designs beside each other on SQLite and on Valkey (an experiment, kept by history alone)."""

from __future__ import annotations

import fcntl
import multiprocessing as mp
import os
import sqlite3
import struct
import sys
import time
from array import array
from pathlib import Path

from neighbours_posts import Posts

from gateway.state.neighbours import PRAGMAS, Neighbour, SqliteNeighbours, from_redis

SITE = "{soe-gateway}"
POSTS = Posts()


def rss():
    told = dict(
        line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line
    )
    return int(told["RssAnon"].split()[0]) / 1024


def pick(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


class Sqlite:
    def __init__(self, kind, path, at_least=2):
        self.kind, self.at_least = kind, at_least
        self.db = db = sqlite3.connect(path, isolation_level=None, timeout=30)
        for pragma in (*os.environ.get("PRAG", ";".join(PRAGMAS)).split(";"), "PRAGMA synchronous = NORMAL"):
            db.execute(pragma)
        t = time.perf_counter()
        if kind == "B":
            from neighbours_log import SqliteLog

            self.log = SqliteLog(db)
        if kind[0] == "D":
            from neighbours_table import opened

            self.table = opened(path + "-prints", 1 << int(os.environ.get("BITS", "20")))
        self.near = SqliteNeighbours(db)
        self.turn = os.open(path + ".turn", os.O_CREAT | os.O_RDWR) if kind[-1] == "t" else None
        self.started = time.perf_counter() - t

    def reserve(self, write_id, at, prints):
        db, near, clock = self.db, self.near, time.perf_counter
        t0 = clock()
        if self.kind == "B":
            self.log.catch_up()
            seen, numbers = self.log.index.known, self.log.index.find(prints, self.at_least)
        elif self.kind[0] == "D":
            from gateway.state.neighbours import most_hits

            seen = near.last()
            numbers = most_hits(self.table.find(prints), self.at_least)
        elif self.kind != "A1":
            ahead = near.ahead(prints, self.at_least)
            seen, numbers = ahead.seen, ahead.numbers
        t1 = clock()
        if self.turn is not None:
            fcntl.flock(self.turn, fcntl.LOCK_EX)
        db.execute("BEGIN IMMEDIATE")
        t2 = clock()
        if self.kind == "A1":
            ahead = near.ahead(prints, self.at_least)
            seen, numbers = ahead.seen, ahead.numbers
        newer = near.since(seen)
        if self.kind == "B":
            self.log.add(write_id, at, prints)
        elif self.kind[0] == "D":
            self.db.execute("UPDATE numbers SET last = last + 1")
            number = near.last()
            self.db.execute("INSERT INTO posts VALUES (?, ?, ?, ?)", (number, write_id, at, prints))
            self.table.add(number, prints)
        else:
            near.add(write_id, at, prints, ahead.full)
        t3 = clock()
        db.execute("COMMIT")
        t4 = clock()
        if self.turn is not None:
            fcntl.flock(self.turn, fcntl.LOCK_UN)
        found = near.read([*numbers, *newer])
        t5 = clock()
        return found, (t5 - t0, t1 - t0, t2 - t1, t4 - t2, t4 - t3, t5 - t4, len(found))


class Valkey:
    def __init__(self, kind, path, at_least=2):
        import redis

        self.kind, self.at_least = kind, at_least
        self.redis = redis.Redis(unix_socket_path=path)
        lua = Path(__file__).parents[1].joinpath("gateway/state/neighbours.lua").read_text()
        drive = Path(f"{os.environ['NEIGHBOURS']}/drive{kind[0]}.lua").read_text()
        self.sha = self.redis.script_load(lua + drive if kind[0] in "AR" else drive)
        t = time.perf_counter()
        if kind == "B":
            self.load()
        self.started = time.perf_counter() - t

    def load(self):
        import numpy as np
        from neighbours_log import PrintIndex, parts

        self.index = PrintIndex()
        last = int(self.redis.get(f"{SITE}:near:last") or 0)
        got = []
        for low in range(1, last + 1, 2000):
            numbers = range(low, min(last + 1, low + 2000))
            posts = self.redis.mget([f"{SITE}:near:post:{n}" for n in numbers])
            rows = [(n, p[p.index(b"\0", 8) + 1 :][:64]) for n, p in zip(numbers, posts) if p]
            got.append(parts(rows))
        self.index.load(np.concatenate([g[0] for g in got]), np.concatenate([g[1] for g in got]), last)

    def reserve(self, write_id, at, prints):
        clock = time.perf_counter
        t0 = clock()
        if self.kind == "R":
            keys = [b"{soe-gateway}:near:" + (v & 0xFFFFF).to_bytes(3, "little") for v in prints]
            answer = self.redis.evalsha(
                self.sha, 1 + len(keys), SITE, *keys, prints.tobytes(), write_id, self.at_least, 8000000
            )
            found = [Neighbour(p[p.index(b"w0000") :][:32].decode(), array("I")) for p in answer[1]]
        elif self.kind == "A":
            answer = self.redis.evalsha(self.sha, 1, SITE, prints.tobytes(), write_id, at, self.at_least, 0, 8000000, 4)
            found = [from_redis(post) for post in answer[1]]
        else:
            while True:
                index = self.index
                known = index.known
                numbers = index.find(prints, self.at_least)
                answer = self.redis.evalsha(
                    self.sha, 1, SITE, prints.tobytes(), write_id, at, known, array("I", numbers).tobytes(), 8000000
                )
                if answer[0]:
                    break
                while index.known < answer[1]:
                    numbers = range(index.known + 1, min(answer[1], index.known + 256) + 1)
                    for n, post in zip(numbers, self.redis.mget([f"{SITE}:near:post:{n}" for n in numbers])):
                        index.add(n, from_redis(post).prints if post else array("I"))
            found = [from_redis(post) for post in answer[2]]
            for n, post in enumerate(answer[3], known + 1):
                each = from_redis(post)
                found.append(each)
                index.add(n, each.prints)
            index.add(answer[0], prints)
        t5 = clock()
        return found, (t5 - t0, 0, 0, 0, 0, 0, len(found))


def worker(engine, kind, path, numbers, loaded, barrier, out, at_least, pace):
    mine = [(n, *POSTS.post(n)) for n in numbers]
    mine = [(n, packed_48(prints), original) for n, prints, original in mine]
    state = engine(kind, path, at_least)
    before = rss()
    barrier.wait()
    served = cpu_of(path) if engine is Valkey else 0.0
    barrier.wait()
    t = time.perf_counter()
    cpu = time.process_time()
    times, asked, right = [], 0, 0
    for i, (n, prints, original) in enumerate(mine):
        if pace:
            time.sleep(max(0, t + i * pace - time.perf_counter()))
        found, took = state.reserve(f"w{n:031x}", float(n), prints)
        times.append(took)
        if original is not None and original < loaded:
            asked += 1
            right += f"w{original:031x}" in {each.write_id for each in found}
    out.put((times, asked, right, time.perf_counter() - t, time.process_time() - cpu, state.started, rss(), before, served))


def packed_48(prints):
    return array("I", [v & 0xFFFFFFFF for v in prints])


def round_(engine, kind, path, first, loaded, procs, count, at_least=2, pace=0.0):
    barrier, out = mp.Barrier(procs), mp.Queue()
    ps = [
        mp.Process(
            target=worker,
            args=(engine, kind, path, range(first + k, first + procs * count, procs), loaded, barrier, out, at_least, pace),
        )
        for k in range(procs)
    ]
    [p.start() for p in ps]
    got = [out.get() for _ in ps]
    [p.join() for p in ps]
    return got


def tell(label, got, count):
    times = [t for g in got for t in g[0]]
    wall = max(g[3] for g in got)
    cols = list(zip(*times))
    us = lambda c, s: round(pick(cols[c], s) * 1e6)
    total = len(times)
    line = (
        f"{label:16} call p50 {us(0, .5)} p99 {us(0, .99)} | ahead p50 {us(1, .5)} p99 {us(1, .99)} wait p50 {us(2, .5)} p99 {us(2, .99)}"
        f" lock p50 {us(3, .5)} p99 {us(3, .99)} mean {sum(cols[3]) / total * 1e6:.0f} (commit p50 {us(4, .5)}) read p50 {us(5, .5)}"
        f" | {total / wall:.0f}/s cpu {sum(g[4] for g in got) / total * 1e6:.0f} us | found {sum(cols[6]) / total:.1f}"
        f" recall {sum(g[2] for g in got)}/{sum(g[1] for g in got)} start {pick([g[5] for g in got], .5):.2f}s rss {pick([g[6] for g in got], .5):.0f} MiB"
    )
    print(line, flush=True)


def cpu_of(path):
    import redis

    told = redis.Redis(unix_socket_path=path).info("cpu")
    return told["used_cpu_user_main_thread"] + told["used_cpu_sys_main_thread"]


if __name__ == "__main__":
    what, loaded, procs, count, rounds, pace = sys.argv[1], *map(int, sys.argv[2:6]), float(sys.argv[6])
    first = loaded + int(sys.argv[7])
    for r in range(rounds):
        if what == "sqlite":
            for kind, at_least in [(k, 2) for k in os.environ.get("KINDS", "A1 A2 A2t B").split()]:
                path = f"{os.environ['NEIGHBOURS']}/data/{kind[0]}-{'1m' if loaded == 1000000 else '10m' if loaded == 10**7 else '20k' if loaded == 20000 else '100k'}.db"
                c = sqlite3.connect(path); c.execute("PRAGMA wal_checkpoint(TRUNCATE)"); c.close()
                tell(f"{kind} atleast{at_least}", round_(Sqlite, kind, path, first, loaded, procs, count, at_least, pace), count)
                first += procs * count
        else:
            for kind, at_least in (("R", 2), ("B", 2)):
                path = f"{os.environ['NEIGHBOURS']}/vk{'A' if kind == 'B' else 'B'}/s"
                before = cpu_of(path)
                got = round_(Valkey, kind, path, first, loaded, procs, count, at_least, pace)
                tell(f"vk {kind} atleast{at_least}", got, count)
                print(f"    server cpu {(cpu_of(path) - got[0][8]) / procs / count * 1e6:.0f} us/call")
                first += procs * count
