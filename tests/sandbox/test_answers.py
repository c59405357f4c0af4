"""The sandbox answers in the shapes of the vendor's document."""

from __future__ import annotations

import json
from typing import Any

import httpx
import jsonschema_rs
import pytest

from gateway.sandbox.app import Sandbox, sandbox_app
from gateway.sandbox.site import Site
from tests.shared import shared

HEADERS = {"authorization": "Bearer t"}
QUESTION = {"title": "How?", "body": "So.", "tags": ["a"]}
ARTICLE = QUESTION | {"type": "policy", "permissions": {"editableBy": "everyone"}}
CALLS: list[tuple[str, str, Any]] = [
    ("GET", "/questions", None),
    ("POST", "/questions", QUESTION),
    ("GET", "/questions/1", None),
    ("PUT", "/questions/1", QUESTION | {"title": "Other"}),
    ("POST", "/questions/1/upvote", None),
    ("POST", "/questions/1/bookmark", None),
    ("GET", "/questions/1/answers", None),
    ("POST", "/questions/1/answers", {"body": "Thus."}),
    ("POST", "/questions/1/answers/2/accept", None),
    ("GET", "/questions/1/comments", None),
    ("GET", "/questions/1/flags/options", None),
    ("POST", "/articles", ARTICLE),
    ("GET", "/articles", None),
    ("POST", "/collections", {"title": "C", "description": "D", "contentIds": [1]}),
    ("GET", "/collections", None),
    ("GET", "/tags", None),
    ("GET", "/tags/1", None),
    ("POST", "/tags/1/subject-matter-experts/users", [1]),
    ("GET", "/users", None),
    ("GET", "/users/me", None),
    ("GET", "/users/1", None),
    ("GET", "/users/by-external-id/1", None),
    ("POST", "/user-groups", {"name": "G", "userIds": [1]}),
    ("GET", "/user-groups", None),
    ("GET", "/communities/1", None),
    ("POST", "/communities/1/join", None),
    ("GET", "/search?query=log", None),
]


@pytest.fixture
def client() -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=sandbox_app(Sandbox(Site())))
    return httpx.AsyncClient(transport=transport, base_url="http://soe", headers=HEADERS)


def strict(schema: Any) -> Any:
    """OpenAPI 3.0's schemas as JSON Schema: `nullable`, and nothing that is not named."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    told = {name: strict(value) for name, value in schema.items()}
    if told.pop("nullable", False) and isinstance(told.get("type"), str):
        told["type"] = [told["type"], "null"]
    return told


async def test_every_answer_fits_the_vendors_document(client: httpx.AsyncClient) -> None:
    """Status and body of each call are among those that the document allows."""
    document = strict(json.loads(shared("soe-api", "openapi-v3.json").read_text()))
    wrong: list[tuple[object, ...]] = []
    for method, path, body in CALLS:
        answer = await client.request(method, f"/api/v3{path}", json=body)
        template = find(document, method, path)
        told = template["responses"].get(str(answer.status_code))
        if told is None or answer.status_code >= 300:
            wrong.append((method, path, answer.status_code, answer.text))
            continue
        schema = told.get("content", {}).get("application/json", {}).get("schema")
        if schema:
            whole = {**schema, "components": document["components"]}
            for error in jsonschema_rs.iter_errors(whole, answer.json()):
                wrong.append((method, path, error.instance_path, error.message))

    assert wrong == []


def find(document: Any, method: str, path: str) -> Any:
    """The document's operation for a path with numbers in it."""
    asked = path.partition("?")[0].split("/")
    for template, operations in document["paths"].items():
        parts = template.split("/")
        same = len(parts) == len(asked) and all(
            part == word or (part[:1] == "{" and word.isdigit())
            for part, word in zip(parts, asked, strict=True)
        )
        if same and method.lower() in operations:
            return operations[method.lower()]
    raise AssertionError(f"the document has no {method} {path}")


async def test_it_refuses_what_soe_refuses(client: httpx.AsyncClient) -> None:
    """A title that is there, a copy, a text that is too long, a missing field, no token."""
    await client.post("/api/v3/questions", json=QUESTION)
    again = await client.post("/api/v3/questions", json=QUESTION)
    long = await client.post("/api/v3/questions", json=QUESTION | {"title": "x" * 151})
    empty = await client.post("/api/v3/questions", json={"title": "x"})
    nobody = await client.post("/api/v3/questions", json=QUESTION, headers={"authorization": ""})

    assert again.json()["detail"].startswith("A question with that title already exists")
    assert long.json()["detail"] == "Title cannot be longer than 150 characters."
    assert empty.json()["title"] == "One or more validation errors occurred."
    assert (nobody.status_code, nobody.text) == (401, "Invalid access token")


async def test_v2_says_everything_with_a_wrapper(client: httpx.AsyncClient) -> None:
    """Items where it worked, an error_id under HTTP 400 where it did not."""
    form = {"title": "Why?", "body": "Because.", "tags": "a;b", "access_token": "t"}

    made = await client.post("/api/2.3/questions/add/", data=form)
    again = await client.post("/api/2.3/questions/add", data=form)
    looked = await client.post(
        "/api/2.3/questions/add", data=form | {"title": "New", "body": "New", "preview": "true"}
    )

    assert made.json()["items"][0]["tags"] == ["a", "b"]
    assert (again.status_code, again.json()["error_id"]) == (400, 407)
    assert looked.status_code == 200
    assert len((await client.get("/api/2.3/questions")).json()["items"]) == 2


async def test_it_behaves_as_told(client: httpx.AsyncClient) -> None:
    """The next write is answered with the status that was asked for, and only that one."""
    await client.post("/_sandbox/next", json={"status": 503})

    first = await client.post("/api/v3/questions", json=QUESTION)
    second = await client.post("/api/v3/questions", json=QUESTION)

    assert (first.status_code, second.status_code) == (503, 201)


async def test_the_page_shows_text_as_text(client: httpx.AsyncClient) -> None:
    """What was posted is escaped."""
    await client.post("/api/v3/questions", json=QUESTION | {"title": "<script>alert(1)</script>"})

    page = (await client.get("/")).text

    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
