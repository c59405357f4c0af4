"""Reading heeds SOE's throttles, repeats what broke, and ends with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.offline.reading.reader import NotThereError, ReadingError, RefusedError
from tests.offline.rig import Rig

PATH = "/api/2.3/questions"


async def get(rig: Rig, api: str = "v2.3", path: str = PATH) -> dict[str, Any]:
    """One read."""
    return await rig.reader.get(api, path, {})


async def test_a_backoff_is_waited_for_before_the_next_request() -> None:
    """Not before the answer is used, and once."""
    rig = Rig()
    rig.next(members={"backoff": 10})

    first = await get(rig)
    assert rig.time.waits == []
    await get(rig)
    await get(rig)

    assert first["items"]
    assert rig.time.waits == [11]
    assert rig.notes == ["SOE asks for it: waiting 11 s"]


@pytest.mark.parametrize(
    ("behaviour", "wait"),
    [
        ({"status": 429, "headers": {"retry-after": "7"}}, 7),
        ({"status": 400, "members": {"error_id": 502, "backoff": 30}}, 31),
        (
            {
                "status": 429,
                "headers": {
                    "x-token-bucket-calls-left": "0",
                    "x-token-bucket-seconds-until-next-refill": "33",
                },
            },
            33,
        ),
    ],
)
async def test_a_throttled_request_is_sent_again_when_soe_says(
    behaviour: dict[str, Any], wait: float
) -> None:
    """By Retry-After, by v2.3's error 502, by v3's bucket."""
    rig = Rig()
    rig.next(**behaviour)

    told = await get(rig)

    assert told["items"]
    assert rig.time.waits == [wait]


@pytest.mark.parametrize(
    "behaviour",
    [
        {"status": 503},
        {"status": 500},
        {"status": 429},
        {"status": 400, "members": {"error_id": 503}},
    ],
)
async def test_what_fails_for_a_while_is_sent_again_with_growing_pauses(
    behaviour: dict[str, Any],
) -> None:
    """A read may be repeated; the pauses double, more or less by half."""
    rig = Rig()
    rig.next(count=3, **behaviour)

    told = await get(rig)

    assert told["items"]
    assert len(rig.way.requests) == 4
    for wait, usual in zip(rig.time.waits, (0.5, 1, 2), strict=True):
        assert usual * 0.5 <= wait <= usual * 1.5


async def test_a_broken_connection_is_no_end() -> None:
    """Nor is one that breaks twice."""
    rig = Rig()
    rig.way.broken = 2

    assert (await get(rig))["items"]


async def test_what_fails_again_and_again_is_told() -> None:
    """After some tries reading ends, with the reason."""
    rig = Rig()
    rig.way.broken = 100

    with pytest.raises(ReadingError, match=r"cannot be reached \(closed\), 6 times in a row"):
        await get(rig)


@pytest.mark.parametrize(
    "behaviour",
    [
        {"status": 429, "headers": {"retry-after": "3600"}},
        {"members": {"backoff": 3600}},
        {
            "status": 400,
            "members": {"error_id": 502, "error_message": "available in 80000 seconds"},
        },
    ],
)
async def test_nobody_waits_for_an_hour(behaviour: dict[str, Any]) -> None:
    """Where SOE wants a long pause the run ends, and says how long."""
    rig = Rig()
    rig.next(**behaviour)

    with pytest.raises(ReadingError, match=r"asks to wait \d+ s; a later run goes on"):
        await get(rig)
    assert rig.time.waits == []


async def test_the_last_answer_of_a_quota_is_used() -> None:
    """Only the request after it is not sent."""
    rig = Rig()
    rig.next(members={"quota_remaining": 0})

    told = await get(rig)
    with pytest.raises(ReadingError, match="quota"):
        await get(rig)

    assert told["items"]
    assert len(rig.way.requests) == 1


async def test_a_refusal_is_no_failure() -> None:
    """It is told at once, by SOE's name for it."""
    rig = Rig()
    rig.next(status=400, members={"error_id": 402, "error_name": "invalid_access_token"})

    with pytest.raises(RefusedError, match=f"refuses {PATH} with 402: invalid_access_token"):
        await get(rig)
    assert len(rig.way.requests) == 1


@pytest.mark.parametrize(
    ("api", "path"), [("v2.3", "/api/2.3/hats"), ("v3", "/api/v3/hats"), ("v2.3", "/hats")]
)
async def test_a_list_that_is_not_there_is_told_apart(api: str, path: str) -> None:
    """By v2.3's error_id, by v3's status, and where a site knows nothing of the API."""
    with pytest.raises(NotThereError):
        await get(Rig(), api, path)


async def test_a_page_for_people_is_no_answer() -> None:
    """A wrong address often answers with a page to sign in."""
    with pytest.raises(ReadingError, match="no JSON object"):
        await get(Rig(), path="/")


async def test_each_api_gets_its_own_credentials_and_none_goes_into_the_address() -> None:
    """As header fields, with a User-Agent that says whom to ask."""
    rig = Rig()
    await get(rig)
    await get(rig, "v3", "/api/v3/questions")
    two, three = (request.headers for request in rig.way.requests)

    assert (two["x-api-access-token"], two["x-api-key"]) == ("secret-token", "secret-key")
    assert "authorization" not in two
    assert three["authorization"] == "Bearer secret-token"
    assert "x-api-access-token" not in three
    assert two["user-agent"].endswith("(seed; https://wiki.example.com)")
    assert not any("secret" in str(request.url) for request in rig.way.requests)


async def test_a_contact_of_any_characters_fits_a_header_field() -> None:
    """What a comment of `User-Agent` may not hold is left out."""
    rig = Rig(contact="Köln (Team)\r\nX-Own: 1")
    await get(rig)

    agent = rig.way.requests[0].headers["user-agent"]
    assert agent.endswith("(seed; Kln TeamX-Own: 1)")


async def test_cookies_are_not_kept() -> None:
    """What SOE sets is not sent back."""
    rig = Rig()
    rig.next(headers={"set-cookie": "session=1; path=/"})
    await get(rig)
    await get(rig)

    assert all("cookie" not in request.headers for request in rig.way.requests)


async def test_redirects_are_not_followed() -> None:
    """A token does not travel to where an answer points."""
    rig = Rig()
    rig.next(status=302, headers={"location": "http://elsewhere/"})

    with pytest.raises(RefusedError, match="302"):
        await get(rig)
    assert [request.url.host for request in rig.way.requests] == ["soe"]
