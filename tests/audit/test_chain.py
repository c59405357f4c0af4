"""Whatever is done to a chain's lines shows, but for a cut at its end."""

from __future__ import annotations

import hmac

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit import record
from gateway.audit.chain import Chain, signing, verify
from gateway.model import Outcome
from tests.audit.disks import KEY, NOW


def chained(count: int, *, writer: str = "w", key: bytes = KEY) -> list[bytes]:
    """The lines of a writer."""
    return Chain(key, writer).lines(
        orjson.dumps(record.recovered(f"write-{number}", Outcome.UNKNOWN, NOW + number))
        for number in range(count)
    )


LINES = chained(12)
PLACES = st.integers(0, len(LINES) - 1)


def test_what_was_written_verifies() -> None:
    """All lines, and any beginning of them: a cut at the end is not to be seen from here."""
    assert [verify(LINES[:count], KEY) for count in range(13)] == [None] * 13


def test_a_line_is_one_json_object() -> None:
    """The chain's members stand among the record's."""
    told = orjson.loads(LINES[1])

    assert (told["seq"], told["writer"], told["write_id"]) == (2, "w", "write-1")
    assert told["prev"] == orjson.loads(LINES[0])["mac"]


@given(place=PLACES, data=st.data())
def test_a_changed_line_is_found(place: int, data: st.DataObject) -> None:
    """Whichever byte, whatever it becomes."""
    line = LINES[place]
    at = data.draw(st.integers(0, len(line) - 2))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[at]))
    spoilt = line[:at] + bytes([byte]) + line[at + 1 :]

    assert verify([*LINES[:place], spoilt, *LINES[place + 1 :]], KEY) == place


@given(place=st.integers(0, len(LINES) - 2))
def test_a_dropped_line_is_found(place: int) -> None:
    """The line after it is the first that is wrong."""
    assert verify([*LINES[:place], *LINES[place + 1 :]], KEY) == place


@given(places=st.lists(PLACES, min_size=2, max_size=2, unique=True).map(sorted))
def test_swapped_lines_are_found(places: list[int]) -> None:
    """Each proves itself, but not at that place."""
    swapped = list(LINES)
    first, second = places
    swapped[first], swapped[second] = swapped[second], swapped[first]

    assert verify(swapped, KEY) == first


@given(place=PLACES)
def test_a_repeated_line_is_found(place: int) -> None:
    """A record counts once."""
    assert verify([*LINES[: place + 1], *LINES[place:]], KEY) == place + 1


def test_a_line_of_another_writer_is_found() -> None:
    """Though its key and number are right."""
    other = chained(1, writer="other")

    assert verify([*other, LINES[1]], KEY) == 1


def test_without_the_key_no_line_can_be_made() -> None:
    """Lines under another key are wrong from the first."""
    assert verify(chained(2, key=b"another"), KEY) == 0


@given(st.binary(max_size=200), st.binary(max_size=2000))
def test_a_line_is_signed_as_the_standard_library_signs(key: bytes, body: bytes) -> None:
    """By HMAC-SHA256, also where a key is longer than a block."""
    assert signing(key)(body) == hmac.new(key, body, "sha256").hexdigest()


@given(st.lists(st.integers(1, 4), max_size=5))
def test_lines_are_the_same_however_many_are_made_at_once(turns: list[int]) -> None:
    """Those of a chain that goes on under another key too, which names it once."""
    encoded = [b'{"number":%d}' % number for number in range(sum(turns))]
    whole, chain = Chain(KEY, "w", key_id="2"), Chain(KEY, "w", key_id="2")
    lines: list[bytes] = []
    for count in turns:
        some = chain.lines(encoded[len(lines) : len(lines) + count])
        chain.advance(some)
        lines += some

    assert lines == whole.lines(encoded)
    assert b"".join(lines).count(b"key_id") == min(1, len(lines))
