"""What a process alone keeps of notes and uses does not grow with what was there."""

from __future__ import annotations

from gateway.model import Outcome, Settlement
from gateway.state.memory import MemoryStore
from tests.contract.test_notes import put
from tests.contract.test_sharing import use, uses
from tests.contract.test_stores import NOW

KEEP = 100.0


async def test_notes_that_have_ended_are_forgotten() -> None:
    """As others are put, one by one; so are their bytes."""
    store = MemoryStore(KEEP)
    for number in range(1000):
        await put(store, f"{number}", b"12345", after=number)

    assert len(store.notes._notes) < 100
    assert store.notes._bytes == 5 * len(store.notes._notes)
    assert await store.notes.get("999", NOW + 999) == b"12345"


async def test_uses_that_have_expired_are_forgotten() -> None:
    """Whether they were kept, released, or never settled."""
    store = MemoryStore(KEEP)
    for number in range(1000):
        await store.reserve(use(number, "m", after=number, name=f"{number}"))
        if number % 3:
            outcome = Outcome.OK if number % 3 == 1 else Outcome.REFUSED
            await store.settle(f"w{number}", Settlement(outcome=outcome))

    assert len(store._uses._uses) < 200
    assert len(store._uses._open) < 200


async def test_no_more_uses_than_sixteen_members_are_kept() -> None:
    """However often each uses it."""
    store = MemoryStore(1000.0)
    for number in range(100):
        await uses(store, number, f"m{number % 20}", number)

    kept = store._uses._uses["rule|token=t"]
    assert sorted(kept) == sorted(("", f"m{number}") for number in range(4, 20))
