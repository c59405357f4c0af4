"""SOE is asked as fast as it allows, and no faster."""

from __future__ import annotations

import pytest

from gateway.offline.reading.pace import Pace, until_again, until_next
from tests.offline.rig import Time


async def test_requests_keep_their_distance() -> None:
    """Of two at once the second waits for its turn; one that comes later does not."""
    time = Time()
    pace = Pace(5, sleep=time.sleep, now=time.now)

    await pace.turn()
    await pace.turn()
    time.at += 60
    await pace.turn()

    assert time.waits == [0.2]
    assert pace.waited == pytest.approx(0.2)


async def test_a_hold_is_longer_than_the_distance() -> None:
    """What SOE asks for counts, and the longest of it."""
    time = Time()
    pace = Pace(5, sleep=time.sleep, now=time.now)

    pace.hold(30)
    pace.hold(10)
    await pace.turn()

    assert time.waits == [30]


@pytest.mark.parametrize(
    ("headers", "document", "seconds"),
    [
        ({}, {}, 0),
        ({}, {"backoff": 10}, 11),
        ({}, {"backoff": "soon"}, 0),
        ({"x-burst-throttle-calls-left": "1", "x-burst-throttle-seconds-until-full": "2"}, {}, 0),
        ({"x-burst-throttle-calls-left": "0", "x-burst-throttle-seconds-until-full": "2"}, {}, 2),
        (
            {
                "x-burst-throttle-calls-left": "0",
                "x-burst-throttle-seconds-until-full": "1.5",
                "x-token-bucket-calls-left": "0",
                "x-token-bucket-seconds-until-next-refill": "42",
                "x-token-bucket-seconds-until-full": "3000",
            },
            {},
            42,
        ),
    ],
)
def test_an_answer_says_how_long_it_wants_no_other(
    headers: dict[str, str], document: dict[str, object], seconds: float
) -> None:
    """By v2.3's `backoff`, rounded up, and by the buckets of v3 that are empty."""
    assert until_next(headers, document) == seconds


@pytest.mark.parametrize(
    ("headers", "document", "seconds"),
    [
        ({"retry-after": "7"}, {}, 7),
        ({"retry-after": "soon"}, {}, 0),
        ({"retry-after": "Mon, 23 Nov 2026 10:00:30 GMT"}, {}, 0),
        (
            {
                "retry-after": "Mon, 23 Nov 2026 10:00:30 GMT",
                "date": "Mon, 23 Nov 2026 10:00:00 GMT",
            },
            {},
            30,
        ),
        ({}, {"error_id": 502, "backoff": 60}, 61),
        (
            {},
            {
                "error_message": "too many requests from this IP, more requests available in 79 seconds"
            },
            79,
        ),
        ({"retry-after": "7"}, {"backoff": 60}, 61),
    ],
)
def test_a_throttled_request_is_told_when_to_come_again(
    headers: dict[str, str], document: dict[str, object], seconds: float
) -> None:
    """In any of the ways in which SOE says it; a date counts by SOE's own clock."""
    assert until_again(headers, document) == seconds
