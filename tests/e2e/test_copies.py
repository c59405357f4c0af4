"""Promise 6 on a running gateway: of many copies at once, one is published."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.e2e.process import gateway
from tests.e2e.recorder import Recorded, created, recorder

QUESTION = {
    "title": "How do I rotate the signing key of the payment service?",
    "body": "The key of the payment service runs out next week and I found no run-book for it.",
    "tags": ["security"],
}


def post_many(url: str, count: int) -> list[int]:
    """Send the same question at once, and return the statuses."""

    def post(_: int) -> int:
        return httpx.post(
            f"{url}/api/v3/questions",
            content=json.dumps(QUESTION),
            headers={
                "content-type": "application/json",
                "authorization": "Bearer t",
                "x-explicit-action": "true",
            },
            timeout=20,
            trust_env=False,
        ).status_code

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(post, range(count)))


def test_of_fifty_copies_at_once_exactly_one_is_published(tmp_path: Path) -> None:
    """The shipped policies let one through; the others hear of a copy in flight or of the post."""
    with recorder() as soe, gateway(soe.url, tmp_path) as running:
        statuses = post_many(running.proxy, 50)

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
