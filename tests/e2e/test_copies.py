"""Promise 6 on a running gateway: of many copies at once, one is published."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import local
from tests.e2e.process import gateway
from tests.e2e.recorder import Recorded, created, recorder

pytestmark = pytest.mark.slow

QUESTION: dict[str, object] = {
    "title": "How do I rotate the signing key of the payment service?",
    "body": "The key of the payment service runs out next week and I found no run-book for it.",
    "tags": ["security"],
}


GREETINGS = [
    f"Hello {name}, {how}!\n\n"
    for name in ("Jane", "everybody", "team", "Mr Miller", "dear experts")
    for how in ("good morning", "I hope you are well", "long time no see", "sorry to disturb")
]


def the_same(_: int) -> dict[str, object]:
    """The same question for everybody."""
    return QUESTION


def much_the_same(number: int) -> dict[str, object]:
    """The question after a greeting of its own."""
    greeting = GREETINGS[number % len(GREETINGS)]
    return QUESTION | {"body": f"{greeting}{QUESTION['body']} My number is {number}."}


def post_many(
    url: str, count: int, question: Callable[[int], dict[str, object]] = the_same
) -> list[int]:
    """Send questions at once, and return the statuses."""

    def post(number: int) -> int:
        return local.post(
            f"{url}/api/v3/questions",
            content=json.dumps(question(number)),
            headers={
                "content-type": "application/json",
                "authorization": "Bearer t",
                "x-explicit-action": "true",
            },
        ).status_code

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(post, range(count)))


@pytest.mark.parametrize("question", [the_same, much_the_same])
def test_of_fifty_copies_at_once_exactly_one_is_published(
    tmp_path: Path, question: Callable[[int], dict[str, object]]
) -> None:
    """The shipped policies let one through; the others hear of a copy in flight or of the post."""
    with recorder() as soe, gateway(soe.url, tmp_path) as running:
        statuses = post_many(running.proxy, 50, question)

    assert statuses.count(201) == 1
    assert len(soe.requests) == 1
    assert set(statuses) <= {201, 400, 409, 429}


def test_a_copy_passes_after_soe_refused_the_first(tmp_path: Path) -> None:
    """What SOE refused was not published, so it stands in nobody's way."""
    answers = [b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}"]

    def answer(request: Recorded) -> bytes:
        return answers.pop() if answers else created(request)

    with recorder(answer) as soe, gateway(soe.url, tmp_path) as running:
        first = post_many(running.proxy, 50)
        later = post_many(running.proxy, 1)

    assert first.count(404) == 1
    assert (first + later).count(201) == 1
    assert len(soe.requests) == 2
