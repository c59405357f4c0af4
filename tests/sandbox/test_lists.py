"""The sandbox lists what stands on it as the vendor documents it: pages, orders, filters, waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.sandbox.app import Sandbox, sandbox_app
from gateway.sandbox.site import Site

Get = Callable[..., Any]


@pytest.fixture
def site() -> Site:
    """A site with seven questions more than it begins with."""
    made = Site()
    person = made.user_of("somebody")
    for number in range(7):
        title = f"How do I mend part {number} & the rest?"
        made.add(made.space(None), "question", person, title=title, body=f"It is *{number}* < 9.")
    return made


@pytest.fixture
def client(site: Site) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=sandbox_app(Sandbox(site)))
    headers = {"authorization": "Bearer t"}
    return httpx.AsyncClient(transport=transport, base_url="http://soe", headers=headers)


async def test_v2_pages_say_whether_there_is_more(client: httpx.AsyncClient) -> None:
    """The last page has no more behind it, and every question stands on one page."""
    pages = [
        (await client.get(f"/api/2.3/questions?pagesize=3&page={page}&order=asc")).json()
        for page in (1, 2, 3)
    ]

    assert [page["has_more"] for page in pages] == [True, True, False]
    assert len({item["question_id"] for page in pages for item in page["items"]}) == 8


@pytest.mark.parametrize("query", ["pagesize=101", "page=0", "sort=hats", "min=x", "filter=mine"])
async def test_v2_refuses_parameters_that_it_does_not_know(
    client: httpx.AsyncClient, query: str
) -> None:
    """Everything wrong in a query is a bad parameter."""
    answer = await client.get(f"/api/2.3/questions?{query}")

    assert (answer.status_code, answer.json()["error_id"]) == (400, 400)


async def test_v2_shows_text_only_where_a_filter_names_it(client: httpx.AsyncClient) -> None:
    """No body by default, HTML with `withbody`, Markdown with a filter of one's own."""
    asked = {"include": "question.body_markdown", "unsafe": "true"}
    made = (await client.get("/api/2.3/filters/create", params=asked)).json()["items"][0]

    def listed(name: str) -> dict[str, str]:
        return {"order": "desc", "sort": "creation", "pagesize": "1", "filter": name}

    usual, html, markdown = [
        (await client.get("/api/2.3/questions", params=listed(name))).json()["items"][0]
        for name in ("default", "withbody", made["filter"])
    ]

    assert made["filter_type"] == "unsafe"
    assert not {"body", "body_markdown"} & usual.keys()
    assert html["body"] == "<p>It is <em>6</em> &lt; 9.</p>"
    assert html["title"] == "How do I mend part 6 &amp; the rest?"
    assert markdown["body_markdown"] == "It is *6* < 9."
    assert markdown["title"] == "How do I mend part 6 & the rest?"


async def test_v2_counts_what_a_query_would_give(client: httpx.AsyncClient) -> None:
    """The filter `total` leaves the number alone."""
    answer = await client.get("/api/2.3/questions?filter=total")

    assert answer.json() == {"total": 8}


async def test_an_answer_makes_its_question_active(client: httpx.AsyncClient, site: Site) -> None:
    """Both APIs list by activity the question that was answered last."""
    space = site.space(None)
    for post in space.posts.values():
        post.created = post.created.replace(year=2024)
        post.answered = None
    site.add(space, "answer", site.user_of("x"), body="So it is mended.", parent=4)

    newest = await client.get("/api/2.3/questions?pagesize=1")
    newest_too = await client.get("/api/v3/questions?sort=activity&pageSize=15")

    assert newest.json()["items"][0]["question_id"] == 4
    assert newest_too.json()["items"][0]["id"] == 4


async def test_v3_lists_in_the_order_that_is_asked_for(client: httpx.AsyncClient) -> None:
    """By creation, either way."""
    there = [
        [item["id"] for item in (await client.get(f"/api/v3/questions?{query}")).json()["items"]]
        for query in ("sort=creation&order=asc", "sort=creation&order=desc")
    ]

    assert there[0] == sorted(there[0])
    assert there[1] == there[0][::-1]


async def test_reads_behave_as_told(client: httpx.AsyncClient) -> None:
    """Members and header fields are added, a status takes the answer's place."""
    told: dict[str, Any] = {"reads": True, "members": {"backoff": 7}, "headers": {"x-a": "b"}}
    await client.post("/_sandbox/next", json=told)
    slow = await client.get("/api/2.3/questions")
    await client.post("/_sandbox/next", json={"reads": True, "status": 429})
    never = await client.get("/api/v3/questions")
    again = await client.get("/api/v3/questions")

    assert (slow.json()["backoff"], slow.headers["x-a"]) == (7, "b")
    assert len(slow.json()["items"]) == 8
    assert (never.status_code, again.status_code) == (429, 200)


async def test_v2_compresses_whatever_a_client_accepts(client: httpx.AsyncClient) -> None:
    """As the vendor's documentation says."""
    answer = await client.get("/api/2.3/questions", headers={"accept-encoding": "identity"})

    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.json()["items"]) == 8
