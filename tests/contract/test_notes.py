"""What every engine does with notes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.errors import StoreError
from gateway.ports import ANY, Administered
from tests.contract.test_stores import NOW, asks, cap, charged, write

HELD = bytes(range(256))


async def put(
    store: Administered, name: str, value: bytes = HELD, after: float = 0.0, **changes: Any
) -> bool:
    """Put a note that lasts a minute, where nothing is, unless said otherwise."""
    usual: dict[str, Any] = {"until": NOW + after + 60, "expected": None}
    return await store.notes.put(name, value, NOW + after, **(usual | changes))


async def test_a_note_is_there_until_its_end(store: Administered) -> None:
    """Its value comes back byte for byte; at its end it is as absent."""
    await put(store, "hold:1")
    seen = [await store.notes.get("hold:1", NOW + after) for after in (0, 59.5, 60, 61)]

    assert seen == [HELD, HELD, None, None]
    assert await store.notes.get("hold:2", NOW) is None


@pytest.mark.parametrize("value", [b"", b"\0", b"x" * 256 * 1024])
async def test_a_note_may_be_empty_or_a_quarter_of_a_mebibyte(
    store: Administered, value: bytes
) -> None:
    """An empty one is there all the same."""
    await put(store, "a", value)

    assert await store.notes.get("a", NOW) == value
    assert not await put(store, "a", value)
    assert await put(store, "a", b"other", expected=value)


@pytest.mark.parametrize(
    ("there", "expected", "is_put"),
    [
        (None, None, True),
        (None, b"a", False),
        (None, b"", False),
        (None, ANY, True),
        (b"a", None, False),
        (b"a", b"a", True),
        (b"a", b"b", False),
        (b"a", b"", False),
        (b"a", ANY, True),
        (b"any", b"none", False),
    ],
)
async def test_a_note_is_put_if_what_is_there_was_expected(
    store: Administered, there: bytes | None, expected: Any, is_put: bool
) -> None:
    """Else it stays as it was, with its end."""
    if there is not None:
        await put(store, "name", there)

    assert await put(store, "name", b"new", 1.0, expected=expected) is is_put
    assert await store.notes.get("name", NOW) == (b"new" if is_put else there)
    assert await store.notes.get("name", NOW + 60.5) == (b"new" if is_put else None)


async def test_a_note_that_has_ended_is_expected_as_nothing(store: Administered) -> None:
    """Its name is free, and its value is worth nothing."""
    await put(store, "a", b"old")

    assert not await put(store, "a", b"new", 60, expected=b"old")
    assert await put(store, "a", b"new", 60, expected=None)
    assert await store.notes.get("a", NOW + 60) == b"new"


async def test_a_note_that_is_put_again_may_end_sooner(store: Administered) -> None:
    """The newest end holds; one that is past ends it at once."""
    await put(store, "a")
    await put(store, "a", b"b", until=NOW + 10, expected=ANY)
    assert await store.notes.get("a", NOW + 10) is None

    await put(store, "c")
    assert await put(store, "c", until=NOW, expected=ANY)
    assert await store.notes.get("c", NOW) is None
    assert await store.notes.names("", 9, NOW) == ["a"]


async def test_of_many_who_put_at_once_one_does(store: Administered) -> None:
    """So that what a person confirmed is used once."""
    await put(store, "hold", b"confirmed")
    answers = await asyncio.gather(
        *(put(store, "hold", b"used %d" % each, expected=b"confirmed") for each in range(30))
    )

    assert answers.count(True) == 1
    assert await store.notes.get("hold", NOW) == b"used %d" % answers.index(True)


async def test_names_come_the_last_put_first(store: Administered) -> None:
    """Those that begin so and have not ended, as many as are asked for."""
    for after, name in enumerate(["hold:1", "hold:2", "token:1", "hold:3"]):
        await put(store, name, after=after)
    await put(store, "hold:2", after=4, expected=ANY)
    names = store.notes.names

    assert await names("hold:", 9, NOW + 5) == ["hold:2", "hold:3", "hold:1"]
    assert await names("hold:", 2, NOW + 5) == ["hold:2", "hold:3"]
    assert await names("hold:", 9, NOW + 61) == ["hold:2", "hold:3"]
    assert await names("", 9, NOW + 5) == ["hold:2", "hold:3", "token:1", "hold:1"]
    assert await names("none", 9, NOW + 5) == []
    assert await names("", 0, NOW + 5) == await names("", -1, NOW + 5) == []


async def test_names_of_one_instant_come_in_one_order(store: Administered) -> None:
    """By their bytes, the last first: in every engine."""
    for name in ("b", "a", "aa", "é", "ÿ", "Z", "\U0001f600", "\ud7ff"):
        await put(store, name)

    expected = ["\U0001f600", "\ud7ff", "ÿ", "é", "b", "aa", "a", "Z"]
    assert await store.notes.names("", 99, NOW) == expected


async def test_at_most_a_thousand_names_are_given(store: Administered) -> None:
    """Whoever asks for all."""
    await asyncio.gather(*(put(store, f"{number:04}") for number in range(1001)))

    named = await store.notes.names("", 10**9, NOW)
    assert named == [f"{number:04}" for number in range(1000, 0, -1)]


@pytest.mark.parametrize("name", ["a\0b", "%_*?[a]", "é" * 100, "\U0001f600", " "])
async def test_any_text_is_a_name(store: Administered, name: str) -> None:
    """It is found by itself alone, and by its beginning."""
    await put(store, "a", b"other")
    await put(store, name)

    assert await store.notes.get(name, NOW) == HELD
    assert await store.notes.names(name, 9, NOW) == [name]
    assert await store.notes.names(f"{name}x", 9, NOW) == []
    assert await store.notes.drop(name, NOW)


@pytest.mark.parametrize("name", ["", "x" * 201, "é" * 101, "\ud800"])
async def test_what_is_no_name_is_told(store: Administered, name: str) -> None:
    """Two hundred bytes are the most."""
    for call in (put(store, name), store.notes.get(name, NOW), store.notes.drop(name, NOW)):
        with pytest.raises(StoreError, match="the name of a note"):
            await call
    assert await store.notes.names("\ud800", 9, NOW) == []


async def test_a_longer_value_is_refused(store: Administered) -> None:
    """And what was there stays."""
    await put(store, "a", b"short")
    with pytest.raises(StoreError, match="262144 are possible"):
        await put(store, "a", bytes(256 * 1024 + 1), expected=ANY)

    assert await store.notes.get("a", NOW) == b"short"


async def test_a_note_can_be_dropped(store: Administered) -> None:
    """Once; what has ended is gone already."""
    for name in ("a", "b"):
        await put(store, name)

    assert [await store.notes.drop("a", NOW) for _ in range(2)] == [True, False]
    assert await store.notes.get("a", NOW) is None
    assert not await store.notes.drop("b", NOW + 60)
    assert await put(store, "a")


async def test_where_there_are_too_many_no_other_is_put(
    store: Administered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None goes for it; but one may take the place of another, and of what has ended."""
    for engine in ("notes", "redis.notes"):
        monkeypatch.setattr(f"gateway.state.{engine}.NOTES_AT_MOST", 3)
    for number in range(3):
        await put(store, f"{number}", after=number)
    with pytest.raises(StoreError, match="no room for another note"):
        await put(store, "3", after=3)

    assert await store.notes.names("", 9, NOW + 3) == ["2", "1", "0"]
    assert not await put(store, "2", after=3)
    assert await put(store, "2", b"again", after=4, expected=ANY)
    assert await put(store, "3", after=60)
    assert await store.notes.names("", 9, NOW + 60) == ["3", "2", "1"]


async def test_where_they_are_too_long_no_other_is_put(
    store: Administered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note that grows counts as what it grows by; one that is refused stays as it was."""
    for engine in ("notes", "redis.notes"):
        monkeypatch.setattr(f"gateway.state.{engine}.BYTES_AT_MOST", 10)
    await put(store, "a", b"12345")
    await put(store, "b", b"12345", after=1)
    for name, value in (("c", b"1"), ("b", b"123456")):
        with pytest.raises(StoreError, match="no room for another note"):
            await put(store, name, value, after=2, expected=ANY)

    assert await store.notes.get("b", NOW + 2) == b"12345"
    assert await put(store, "b", b"1234", after=2, expected=ANY)
    assert await put(store, "c", b"1", after=2)
    assert await store.notes.drop("a", NOW + 2)
    assert await put(store, "d", b"12345", after=2)


async def test_time_is_the_engines(store: Administered) -> None:
    """A write's stamp moves it on for notes, and a note's for writes; it never runs back."""
    await put(store, "a")
    await store.reserve(asks(write(1, 60), {"cap": cap()}))
    assert await store.notes.get("a", NOW) is None

    await put(store, "b", after=100)
    assert charged(await store.peek(asks(write(2, 60), {"cap": cap()}))).retry_after == 20.0


async def test_what_is_asked_moves_no_time_on(store: Administered) -> None:
    """Asking changes nothing."""
    await put(store, "a")
    await store.notes.get("a", NOW + 1000)
    await store.notes.names("", 9, NOW + 1000)

    assert await store.notes.get("a", NOW) == HELD
