"""A decision is durable when it returns, or there is an error; whatever the disk does."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit import writer as writer_module
from gateway.audit.chain import Chain, verify
from gateway.audit.sinks import Disk, FileSink, StdoutSink
from gateway.audit.writer import AuditWriter
from gateway.errors import AuditError
from gateway.model import Outcome, Settlement
from tests.audit.disks import (
    ALLOW,
    KEY,
    REFUSE,
    Faulty,
    StoppedClock,
    a_log,
    a_sink,
    io_error,
    kinds,
    no_space,
    raw,
    told,
)
from tests.patience import PATIENCE
from tests.samples import a_write

OK = Settlement(outcome=Outcome.OK)


async def decide(log: AuditWriter, name: str = "w1") -> None:
    """Record that a write may pass."""
    await log.decided(a_write(id=name), ALLOW)


async def until(semaphore: threading.Semaphore) -> None:
    """Wait for something that happens in the log's thread."""
    assert await asyncio.to_thread(semaphore.acquire, timeout=PATIENCE)


# ── the way of a write ───────────────────────────────────────────────────────────────────────


async def test_a_write_leaves_its_records_in_order(tmp_path: Path) -> None:
    """Decision, sending, outcome; then the end of the log, and a chain that verifies."""
    log = a_log(a_sink(tmp_path))
    await decide(log)
    log.sending("w1")
    await log.settled(a_write(), OK, 201)
    await log.close()

    assert kinds(tmp_path) == ["decision", "sending", "outcome", "audit.closed"]
    assert verify(raw(tmp_path), KEY) is None


async def test_a_decision_returns_after_a_sync_that_began_after_it(tmp_path: Path) -> None:
    """Not before: a power cut would lose what was promised."""
    faulty = Faulty()
    faulty.may_sync.clear()
    log = a_log(a_sink(tmp_path, faulty))
    first = asyncio.ensure_future(decide(log, "w1"))
    await until(faulty.syncing)
    second = asyncio.ensure_future(decide(log, "w2"))
    await asyncio.sleep(0)
    before = (first.done(), second.done())
    faulty.may_sync.set()
    await asyncio.gather(first, second)
    await log.close()

    assert before == (False, False)
    assert faulty.synced["audit-w-000001.jsonl"] >= 2


async def test_all_that_wait_share_a_sync(tmp_path: Path) -> None:
    """While one sync runs, a hundred come; the next is theirs."""
    faulty = Faulty()
    faulty.may_sync.clear()
    log = a_log(a_sink(tmp_path, faulty))
    first = asyncio.ensure_future(decide(log, "first"))
    await until(faulty.syncing)
    others = [asyncio.ensure_future(decide(log, f"w{number}")) for number in range(100)]
    await asyncio.sleep(0)
    faulty.may_sync.set()
    await asyncio.gather(first, *others)

    assert sum(faulty.synced.values()) == 2
    await log.close()


async def test_the_decisions_of_one_turn_share_a_write(tmp_path: Path) -> None:
    """A hundred that come at once are a hundred lines, in the order in which they came."""
    faulty = Faulty()
    log = a_log(a_sink(tmp_path, faulty))
    await asyncio.gather(*(decide(log, f"w{number}") for number in range(100)))
    writes = faulty.lines
    await log.close()

    assert writes == 1
    assert [each["write_id"] for each in told(tmp_path)] == [f"w{number}" for number in range(100)]
    assert verify(raw(tmp_path), KEY) is None


async def test_a_decision_that_cannot_be_encoded_refuses_no_other(tmp_path: Path) -> None:
    """It never comes into the write that the others of its turn share."""
    log = a_log(a_sink(tmp_path))
    half = log.decided(a_write(id="bad", integration="\ud800"), REFUSE)
    ends = await asyncio.gather(half, decide(log, "good"), return_exceptions=True)
    await log.settled(a_write(id="good"), OK, 201)
    await log.close()

    assert isinstance(ends[0], TypeError)
    assert ends[1] is None
    assert kinds(tmp_path) == ["decision", "outcome", "audit.closed"]


async def test_sending_does_not_wait_for_a_sync(tmp_path: Path) -> None:
    """The line is with the operating system while the disk is busy with others."""
    faulty = Faulty()
    log = a_log(a_sink(tmp_path, faulty))
    await decide(log)
    faulty.may_sync.clear()
    other = asyncio.ensure_future(decide(log, "w2"))
    await asyncio.sleep(0)
    log.sending("w1")
    seen = kinds(tmp_path)
    faulty.may_sync.set()
    await other
    await log.close()

    assert seen == ["decision", "sending"]
    assert kinds(tmp_path) == ["decision", "sending", "decision"]


async def test_an_outcome_is_synced_though_nobody_waits(tmp_path: Path) -> None:
    """Within half a second, by itself."""
    faulty = Faulty()
    log = a_log(a_sink(tmp_path, faulty))
    await decide(log)
    await until(faulty.syncing)
    await log.settled(a_write(), OK, 201)
    await until(faulty.syncing)
    await log.close()


async def test_the_time_of_each_sync_is_told(tmp_path: Path) -> None:
    """For the histogram: one figure for the one sync that somebody waited for."""
    seconds: list[float] = []
    log = a_log(a_sink(tmp_path))
    log._on_sync = seconds.append
    await decide(log)
    await log.close()

    assert len(seconds) == 1


async def test_each_record_is_told_by_its_kind(tmp_path: Path) -> None:
    """For the counter: what was written, and nothing that was not."""
    faulty, seen = Faulty(), list[str]()
    log = a_log(a_sink(tmp_path, faulty))
    log._lines._on_write = seen.append
    await decide(log)
    faulty.writes.append(no_space())
    with pytest.raises(AuditError):
        log.sending("w1")
    await log.settled(a_write(), OK, 201)
    await log.close()

    assert seen == ["decision", "outcome", "admin"]


async def test_what_waits_is_known(tmp_path: Path) -> None:
    """Decisions that a sync is under way for, and those that came since."""
    faulty = Faulty()
    faulty.may_sync.clear()
    log = a_log(a_sink(tmp_path, faulty))
    before = log.waiting
    deciding = [asyncio.ensure_future(decide(log, "w1"))]
    await until(faulty.syncing)
    deciding += [asyncio.ensure_future(decide(log, name)) for name in ("w2", "w3")]
    await asyncio.sleep(0)
    meanwhile = log.waiting
    faulty.may_sync.set()
    await asyncio.gather(*deciding)
    await log.close()

    assert (before, meanwhile, log.waiting) == (0, 3, 0)


async def test_an_end_is_not_told_while_a_write_has_no_outcome(tmp_path: Path) -> None:
    """So that the next start looks for it; a refused write needs none."""
    log = a_log(a_sink(tmp_path))
    await log.decided(a_write(id="refused"), REFUSE)
    await decide(log)
    await log.close()

    assert kinds(tmp_path) == ["decision", "decision"]


# ── faults ───────────────────────────────────────────────────────────────────────────────────


async def test_a_failed_sync_fails_the_decision_and_seals_the_file(tmp_path: Path) -> None:
    """No second sync of that file, which would say that all is well; the next file is good."""
    faulty = Faulty()
    faulty.syncs.append(io_error())
    log = a_log(a_sink(tmp_path, faulty))
    with pytest.raises(AuditError):
        await decide(log, "w1")
    await recovered(log)
    await log.close()

    assert faulty.synced["audit-w-000001.jsonl"] == 1
    assert {each["write_id"] for each in told(tmp_path)[:1]} == {"w1"}
    assert verify(raw(tmp_path), KEY) is None


async def recovered(log: AuditWriter) -> None:
    """Wait until decisions can be recorded again, as clients do."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await decide(log, "later")
                await log.settled(a_write(id="later"), OK, 201)
                return
            except AuditError:
                await asyncio.sleep(0.02)


async def test_a_decision_written_during_a_sync_that_fails_is_lost_too(tmp_path: Path) -> None:
    """Its line stands in the sealed file, which no later sync can make good."""
    faulty = Faulty()
    faulty.may_sync.clear()
    faulty.syncs.append(io_error())
    log = a_log(a_sink(tmp_path, faulty))
    both = [asyncio.ensure_future(decide(log, "w1"))]
    await until(faulty.syncing)
    both.append(asyncio.ensure_future(decide(log, "w2")))
    await asyncio.sleep(0)
    faulty.may_sync.set()
    ends = await asyncio.gather(*both, return_exceptions=True)
    await log.close()

    assert [type(end) for end in ends] == [AuditError, AuditError]


async def test_a_sync_that_fails_later_refuses_nothing_that_is_durable(tmp_path: Path) -> None:
    """Also where the loop hears of both at once."""
    faulty = Faulty()
    sink = a_sink(tmp_path, faulty)
    log = a_log(sink)
    first = asyncio.ensure_future(decide(log, "w1"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    stand_still(lambda: log.durable.seq == 1)
    faulty.syncs.append(io_error())
    log.told("policies.loaded")
    stand_still(lambda: sink._current is None)
    await first
    await recovered(log)
    await log.settled(a_write(), OK, 201)
    await log.close()

    assert verify(raw(tmp_path), KEY) is None


def stand_still(until: Callable[[], bool]) -> None:
    """Keep the loop from hearing of anything until something happened in the log's thread."""
    ends = time.monotonic() + PATIENCE
    while not until():
        assert time.monotonic() < ends
        time.sleep(0.001)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_thread_that_dies_fails_the_decision_in_time(tmp_path: Path) -> None:
    """The loop gives up by itself; nobody has to tell it."""

    def die(_: float) -> None:
        raise SystemExit

    log = a_log(a_sink(tmp_path), durable_within=0.05)
    log._on_sync = die
    with pytest.raises(AuditError, match="in time"):
        await decide(log)
    await log.close()


async def test_a_write_that_took_some_decisions_refuses_all_that_it_carried(
    tmp_path: Path,
) -> None:
    """Those that stand whole have their place in the chain, and get their outcome."""
    faulty = Faulty()
    log = a_log(a_sink(tmp_path, faulty))
    await decide(log, "w0")
    faulty.writes.append(2 * len(raw(tmp_path)[0]) + 200)  # the first is shorter
    names = ["w1", "w2", "w3"]
    ends = await asyncio.gather(*(decide(log, name) for name in names), return_exceptions=True)
    await recovered(log)
    for name in names:
        await log.settled(a_write(id=name), Settlement(outcome=Outcome.NOT_SENT), None)
    await log.settled(a_write(id="w0"), OK, 201)
    await log.close()

    assert [type(end) for end in ends] == [AuditError] * 3
    decided = [each["write_id"] for each in told(tmp_path) if each["kind"] == "decision"]
    ended = [each["write_id"] for each in told(tmp_path) if each["kind"] == "outcome"]
    assert decided == ["w0", "w1", "w2", "later"]
    assert sorted(ended) == sorted(decided)
    assert kinds(tmp_path)[-1] == "audit.closed"
    assert verify(raw(tmp_path), KEY) is None


async def test_a_full_disk_refuses_writes_until_there_is_room(tmp_path: Path) -> None:
    """Nothing was written, so the same file goes on and the chain has no gap."""
    faulty = Faulty()
    log = a_log(a_sink(tmp_path, faulty))
    faulty.writes.extend([no_space(), no_space()])
    for _ in range(2):
        with pytest.raises(AuditError, match="No space left"):
            await decide(log)
    await decide(log)
    await log.settled(a_write(), OK, 201)
    await log.close()

    assert kinds(tmp_path) == ["decision", "outcome", "audit.closed"]
    assert len(list(tmp_path.iterdir())) == 1
    assert verify(raw(tmp_path), KEY) is None


@pytest.mark.parametrize("fault", [40, OSError(errno.EIO, "Input/output error")])
async def test_a_write_that_fails_on_the_way_seals_the_file(
    tmp_path: Path, fault: OSError | int
) -> None:
    """What is torn stays as it is, readers leave it out, and the next file goes on."""
    faulty = Faulty()
    log = a_log(a_sink(tmp_path, faulty))
    faulty.writes.append(fault)
    with pytest.raises(AuditError):
        await decide(log, "torn")
    await recovered(log)
    await log.close()

    assert kinds(tmp_path) == ["decision", "outcome", "audit.closed"]
    assert told(tmp_path)[0]["write_id"] == "later"
    assert verify(raw(tmp_path), KEY) is None


async def test_a_disk_that_hangs_fails_the_decision_in_time(tmp_path: Path) -> None:
    """The caller is not kept waiting; the line may become durable later."""
    faulty = Faulty()
    faulty.may_sync.clear()
    log = a_log(a_sink(tmp_path, faulty), durable_within=0.05)
    with pytest.raises(AuditError, match="in time"):
        await decide(log)
    faulty.may_sync.set()
    await log.settled(a_write(), Settlement(outcome=Outcome.NOT_SENT), None)
    await log.close()

    assert kinds(tmp_path) == ["decision", "outcome", "audit.closed"]


async def test_time_in_which_the_process_stood_still_does_not_count() -> None:
    """Its thread could not sync either: it has that time later, once."""

    class Loop:
        at = 0.0
        due: Callable[[], None]

        def time(self) -> float:
            return self.at

        def call_later(
            self, _: float, call: Callable[..., None], *told: object
        ) -> asyncio.TimerHandle:
            self.due = partial(call, *told)
            return asyncio.get_running_loop().call_later(0, lambda: None)

        call_at = call_later

    loop = Loop()
    batch = writer_module._Batch(cast("asyncio.AbstractEventLoop", loop), 1.0)
    durable = asyncio.get_running_loop().create_future()
    batch.durable.append(durable)
    ends = []
    for at in (4.0, 7.0):  # three seconds after the time was over, and three later
        loop.at = at
        loop.due()
        ends.append(durable.done())

    assert ends == [False, True]
    with pytest.raises(AuditError, match="in time"):
        await durable


async def test_no_more_than_so_many_may_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be recorded soon is refused at once, not queued without end."""
    monkeypatch.setattr(writer_module, "WAITING_AT_MOST", 3)
    faulty = Faulty()
    faulty.may_sync.clear()
    log = a_log(a_sink(tmp_path, faulty))
    first = asyncio.ensure_future(decide(log))
    await until(faulty.syncing)
    others = [asyncio.ensure_future(decide(log, f"w{number}")) for number in range(5)]
    await asyncio.sleep(0)
    faulty.may_sync.set()
    ends = await asyncio.gather(first, *others, return_exceptions=True)
    await log.close()

    assert [type(end) for end in ends].count(AuditError) == 3


async def test_a_disk_with_little_room_refuses_writes_and_records_how_others_end(
    tmp_path: Path,
) -> None:
    """Until there is room again."""
    room, looked = [100], threading.Semaphore(0)

    def free(_: Path) -> int:
        looked.release()
        return room[0]

    sink = FileSink(tmp_path, "w", disk=Disk(free=free))
    log = AuditWriter([sink], Chain(KEY, "w"), StoppedClock(), durable_within=PATIENCE, min_free=50)
    await decide(log, "w1")
    room[0] = 49
    while log.free_bytes != 49:
        await until(looked)
        await asyncio.sleep(0.001)  # it is told a moment after it was looked at
    with pytest.raises(AuditError, match=r"fewer than audit\.min_free: 50"):
        await decide(log, "w2")
    await log.settled(a_write(id="w1"), OK, 201)
    await log.close()

    assert kinds(tmp_path) == ["decision", "outcome", "audit.closed"]


async def test_an_outcome_that_cannot_be_written_is_written_later(tmp_path: Path) -> None:
    """By itself, when there is room again: every sent write has its outcome."""
    faulty = Faulty()
    log = a_log(a_sink(tmp_path, faulty))
    await decide(log)
    await until(faulty.written)
    faulty.writes.append(no_space())
    with pytest.raises(AuditError):
        await log.settled(a_write(), OK, 201)
    await until(faulty.written)
    await log.close()

    assert kinds(tmp_path) == ["decision", "outcome", "audit.closed"]


async def test_sending_fails_where_its_line_cannot_be_written(tmp_path: Path) -> None:
    """Then the pool sends nothing."""
    faulty = Faulty()
    log = a_log(a_sink(tmp_path, faulty))
    await decide(log)
    faulty.writes.append(no_space())
    with pytest.raises(AuditError):
        log.sending("w1")
    await log.close()


# ── several sinks ────────────────────────────────────────────────────────────────────────────


async def test_a_decision_needs_every_sink(tmp_path: Path) -> None:
    """One that fails refuses the write; when it works again, it gets the line that it lacks first."""
    faulty = Faulty()
    log = a_log(a_sink(tmp_path / "good"), a_sink(tmp_path / "bad", faulty))
    await decide(log, "w1")
    faulty.writes.extend([no_space(), no_space(), 40])
    for _ in range(3):
        with pytest.raises(AuditError):
            await decide(log, "w2")
    await recovered(log)
    await log.close()

    assert raw(tmp_path / "good") == raw(tmp_path / "bad")
    assert [each.get("write_id") for each in told(tmp_path / "bad")][:3] == ["w1", "w2", "later"]
    assert verify(raw(tmp_path / "bad"), KEY) is None


FAULTS = st.sampled_from([None, no_space(), io_error(), 0, 40, 700, 1500])
"""Of the next write: none, an error, or how many bytes it takes."""


@settings(max_examples=30, deadline=None)
@given(
    turns=st.lists(st.integers(1, 4), min_size=1, max_size=6),
    good=st.lists(FAULTS, max_size=6),
    bad=st.lists(FAULTS, max_size=6),
)
def test_whatever_fails_every_sink_holds_the_whole_chain(
    turns: list[int], good: list[OSError | int | None], bad: list[OSError | int | None]
) -> None:
    """And all that was told to be durable, once, and an outcome for each that may pass."""

    async def run(folder: Path) -> list[str]:
        disks = Faulty(), Faulty()
        log = a_log(*(a_sink(folder / str(n), disk) for n, disk in enumerate(disks)))
        for disk, faults in zip(disks, (good, bad), strict=True):
            disk.writes.extend(faults)
        passed = []
        for turn, count in enumerate(turns):
            names = [f"{turn}-{number}" for number in range(count)]
            ends = await asyncio.gather(*(decide(log, n) for n in names), return_exceptions=True)
            passed += [name for name, end in zip(names, ends, strict=True) if end is None]
            for name in names:
                with contextlib.suppress(AuditError):
                    await log.settled(a_write(id=name), OK, 201)
            await asyncio.sleep(0.002)
        for disk in disks:
            disk.writes.clear()
        await recovered(log)
        await log.close()
        return passed

    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer_module, "LAZY_SECONDS", 0.001)
        folder = Path(name)
        passed = asyncio.run(run(folder))
        records = told(folder / "0")
        chains = [raw(folder / str(number)) for number in range(2)]

    assert chains[0] == chains[1]
    assert verify(chains[0], KEY) is None
    ids = [(each["kind"], each.get("write_id", "later")) for each in records]
    decided = Counter(name for kind, name in ids if kind == "decision" and name != "later")
    ended = Counter(name for kind, name in ids if kind == "outcome" and name != "later")
    assert set(passed) <= decided.keys()
    assert decided == ended
    assert set(decided.values()) <= {1}


async def test_an_outcome_that_one_sink_took_is_not_recorded_twice(tmp_path: Path) -> None:
    """The other gets the same line when it works again."""
    faulty = Faulty()
    log = a_log(a_sink(tmp_path / "good"), a_sink(tmp_path / "bad", faulty))
    await decide(log)
    faulty.writes.append(no_space())
    with pytest.raises(AuditError):
        await log.settled(a_write(), OK, 201)
    await log.close()

    assert kinds(tmp_path / "good") == ["decision", "outcome", "audit.closed"]
    assert raw(tmp_path / "good") == raw(tmp_path / "bad")


async def test_a_decision_needs_the_sync_of_every_sink(tmp_path: Path) -> None:
    """What only one disk has is not durable."""
    faulty = Faulty()
    faulty.syncs.append(io_error())
    log = a_log(a_sink(tmp_path / "good"), a_sink(tmp_path / "bad", faulty))
    with pytest.raises(AuditError):
        await decide(log)
    await log.close()


async def test_standard_output_gets_each_line_whole(tmp_path: Path) -> None:
    """Beside a file, with the same chain."""
    reading, writing = os.pipe()
    log = a_log(a_sink(tmp_path), StdoutSink(writing))
    await decide(log)
    await log.settled(a_write(), OK, 201)
    await log.close()
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        lines = pipe.readlines()

    assert lines == raw(tmp_path)


async def test_a_pipe_that_nobody_reads_stops_decisions_and_nothing_else() -> None:
    """The loop goes on; the decision is refused in time."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while True:
        try:
            os.write(writing, b"x" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(writing, True)
    log = a_log(StdoutSink(writing), durable_within=0.05)
    with pytest.raises(AuditError, match="in time"):
        await decide(log)
    os.close(reading)  # its thread gets a broken pipe, and ends
    await log.close()
    os.close(writing)


async def test_a_broken_pipe_fails_the_decision() -> None:
    """Whoever should have read it is gone."""
    reading, writing = os.pipe()
    os.close(reading)
    log = a_log(StdoutSink(writing))
    with pytest.raises(AuditError):
        await decide(log)
    await log.close()
    os.close(writing)
