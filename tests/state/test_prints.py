"""The table of prints: what it lists, what it forgets, and what it keeps whatever comes."""

from __future__ import annotations

import random
from array import array
from dataclasses import replace
from mmap import mmap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Lookup, Reservation
from gateway.state import print_rows
from gateway.state.print_rows import salted
from gateway.state.prints import (
    ACROSS,
    REMEMBERED,
    PrintTable,
    listed,
    rows_for,
    salt,
    salts,
    table_size,
)
from tests.samples import PRINT, a_write

ROWS = 1 << 6


def a_table(rows: int = ROWS) -> PrintTable:
    """An empty table."""
    return PrintTable(mmap(-1, table_size(rows)))


def some(seed: int, size: int = REMEMBERED) -> array[int]:
    """Prints of some text."""
    chance = random.Random(seed)
    return array("I", sorted(chance.getrandbits(32) for _ in range(size)))


def in_one_row(count: int) -> array[int]:
    """Prints that all stand in the first row."""
    return array("I", [mark << 16 for mark in range(count)])


def hits(table: PrintTable, prints: array[int]) -> list[int]:
    """The posts that share prints, once for each."""
    return print_rows.hits(table.memory, prints, ACROSS)


def held(table: PrintTable, prints: array[int]) -> set[int]:
    """The posts that share prints."""
    return set(hits(table, prints))


def test_a_post_is_hit_once_for_each_print() -> None:
    """However often it was added."""
    table = a_table()
    for _ in range(2):
        table.add(7, some(1), 1)

    assert hits(table, some(1)) == [7] * REMEMBERED
    assert hits(table, some(2)) == []


def test_what_is_removed_is_hit_no_more() -> None:
    """And nothing else goes with it, in the same row or under the same print."""
    table = a_table()
    for number in (1, 2):
        table.add(number, in_one_row(3), 1)
    table.remove(1, in_one_row(2))
    table.remove(1, some(5))

    assert sorted(hits(table, in_one_row(3))) == [1, 2, 2, 2]


@pytest.mark.parametrize("order", [range(1, 40), range(39, 0, -1), [*range(20, 40), *range(1, 20)]])
def test_of_one_print_the_oldest_and_the_newest_stay(order: range | list[int]) -> None:
    """In whichever order they come."""
    table = a_table()
    for number in order:
        table.add(number, in_one_row(1), 1)

    assert held(table, in_one_row(1)) == {1, 2, 3, 4, *range(32, 40)}


def test_in_a_full_row_the_oldest_of_other_prints_goes() -> None:
    """So a flood of copies pushes out what it has nothing to do with, and not its original."""
    table = a_table()
    prints = in_one_row(17)
    for number, value in enumerate(prints[:16], 1):
        table.add(number, array("I", [value]), 1)
    for number in (17, 18, 19):
        table.add(number, prints[:1], 1)

    assert held(table, prints[:1]) == {1, 17, 18, 19}
    assert held(table, prints[1:16]) == set(range(5, 17))


def test_posts_that_are_gone_make_room() -> None:
    """Those below the first that is there, among the oldest of a print too."""
    table = a_table()
    for number in range(1, 17):
        table.add(number, in_one_row(1), 1)
    table.add(17, in_one_row(2)[1:], 5)
    table.add(18, in_one_row(1), 5)

    assert {number for number in held(table, in_one_row(1)) if number >= 5} == {*range(9, 17), 18}


def test_a_number_beyond_the_last_is_not_listed() -> None:
    """Nothing breaks then."""
    table = a_table()
    table.add(2**32, some(1), 1)

    assert hits(table, some(1)) == []


def test_the_most_hit_come_first_and_one_hit_is_none() -> None:
    """The newer first among equals; none that is gone, and none that came later."""
    table = a_table()
    for number, shared in ((1, 2), (3, 2), (4, 1), (5, 2), (6, 3), (9, 2)):
        table.add(number, some(1)[:shared], 1)

    assert table.most_hit(some(1), 2, 8) == [6, 5, 3]


def test_a_salt_keeps_apart_what_differs() -> None:
    """Prints under it differ as they did, and stand elsewhere in each list."""
    prints = some(1)
    lists = {tuple(salted(prints.tobytes(), each)) for each in (salt("red"), salt(None), ACROSS)}

    assert len({value for each in lists for value in each}) == 3 * REMEMBERED
    assert salted(salted(prints.tobytes(), salt("red")).tobytes(), salt("red")) == prints


@given(size=st.integers(0, 600), more=st.integers(0, 600))
def test_the_more_prints_a_post_has_the_more_are_listed(size: int, more: int) -> None:
    """The smallest; all of a short text, and never many."""
    prints = some(1, size)
    found = array("I", listed(prints.tobytes()))

    assert found == prints[: len(found)]
    assert min(size, REMEMBERED) <= len(found) <= 28
    assert len(found) <= len(listed(some(1, size + more).tobytes())) // 4


def test_look_ups_in_one_list_are_one_search() -> None:
    """Only those that ask for near-copies, of a write that has prints."""

    def look(team: str | None, *, near: bool = True, across: bool = False) -> Lookup:
        return Lookup(
            compare="text", digest="d", within=1, team=team, near=near, across_teams=across
        )

    needs = {"a": look("red"), "b": look("red"), "c": look("red", across=True)}
    printed = replace(PRINT, prints=some(1).tobytes())
    asked = [
        Reservation(write=a_write(fingerprint=each), groups=(group,))
        for each, group in (
            (printed, needs),
            (printed, {"a": look("red", near=False)}),
            (PRINT, needs),
        )
    ]

    assert [salts(each) for each in asked] == [{salt("red"), ACROSS}, frozenset(), frozenset()]


def test_a_table_has_room_for_its_posts() -> None:
    """In rows whose number is a power of two."""
    assert [rows_for(posts) for posts in (1, 2, 3, 1 << 20, (1 << 20) + 1)] == [
        *(1, 2, 4),
        1 << 20,
        1 << 21,
    ]
    assert table_size(rows_for(1 << 20)) == 4096 + 96 * 2**20
    with pytest.raises(ValueError, match="no power of two"):
        table_size(3)


def test_a_full_table_forgets_the_oldest() -> None:
    """More posts than it has room for: the newest are found, and nothing grows."""
    table = a_table()
    for number in range(1, 1000):
        table.add(number, some(number), 1)
    near = [bool(table.most_hit(some(number), 1, 1000)) for number in range(1, 1000)]

    assert not any(near[:700])
    assert all(near[-60:])


@given(
    rows=st.sampled_from([1, 2, 64]),
    posts=st.lists(
        st.tuples(
            st.integers(1, 60),
            st.lists(st.integers(0, 3 << 17) | st.integers(0, 2**32 - 1), max_size=8),
            st.integers(1, 30),
            st.sampled_from([ACROSS, salt("red")]),
        ),
        max_size=60,
    ),
)
def test_rows_are_the_same_with_a_compiler_and_without(
    rows: int, posts: list[tuple[int, list[int], int, int]]
) -> None:
    """What one process wrote another reads, and a row never depends on how it was written."""
    compiled = pytest.importorskip("gateway.state.print_rows_c")
    one, other = mmap(-1, table_size(rows)), mmap(-1, table_size(rows))
    for number, values, first, mixed in posts:
        prints = array("I", values)
        compiled.add(one, prints, mixed, number, first)
        print_rows.add(other, prints.tobytes(), mixed, number, first)
        found = compiled.most_hit(one, prints, mixed, first, 2 * first)

        assert found == print_rows.most_hit(other, prints, mixed, first, 2 * first)
        assert one[:] == other[:]


@given(
    one=st.sets(st.integers(0, 9) | st.integers(0, 2**32 - 1), max_size=40),
    other=st.sets(st.integers(0, 9) | st.integers(0, 2**32 - 1), max_size=40),
)
def test_shared_prints_are_counted(one: set[int], other: set[int]) -> None:
    """With a compiler and without."""
    compiled = pytest.importorskip("gateway.state.print_rows_c")
    some, others = array("I", sorted(one)), array("I", sorted(other))

    assert compiled.shared(some, others) == print_rows.shared(some, others) == len(one & other)


def test_what_is_no_table_is_not_written_to() -> None:
    """Its size tells."""
    compiled = pytest.importorskip("gateway.state.print_rows_c")
    with pytest.raises(ValueError, match="no table"):
        compiled.add(mmap(-1, table_size(4) - 1), some(1), ACROSS, 1, 1)
