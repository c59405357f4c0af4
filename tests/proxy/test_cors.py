"""Pages of the web: those of a registered origin may read what the gateway answers, no others."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gateway.policy.registry import digest
from tests.proxy.rig import Rig

PAGE, OTHERS = b"https://app.example.com", b"https://other.example.com:8443"
KEY = b"sgw_key"
REGISTERED = f"""\
integrations:
  page-app:
    owner: o
    contact: c
    purpose: p
    tokens: ["sha256:{digest(b"pages-token")}"]
    origins: ["{PAGE.decode()}", "http://localhost:3000"]
  other-app:
    owner: o
    contact: c
    purpose: p
    keys: ["sha256:{digest(KEY)}"]
    tokens: ["sha256:{digest(b"others-token")}"]
    origins: ["{OTHERS.decode()}"]
"""
SOES = (
    b"HTTP/1.1 201 Created\r\ncontent-length: 10\r\naccess-control-allow-origin: *\r\n"
    b'access-control-allow-credentials: true\r\nvary: Accept\r\n\r\n{"id": 42}'
)


@pytest.fixture
async def pages(rig: Rig) -> Rig:
    """A gateway where two integrations have pages, and writers must be registered."""
    (rig.directory.parent / "policies" / "integrations.yaml").write_text(REGISTERED)
    await rig.app.policies.reload()
    rig.app = replace(rig.app, pipeline=replace(rig.app.pipeline, anonymous="refuse"))
    return rig


Answer = tuple[int, dict[bytes, bytes], bytes]


async def from_page(
    rig: Rig, origin: bytes, token: bytes = b"pages-token", **more: object
) -> Answer:
    """A write of a script, or what else is said."""
    return await rig.send(fields=((b"origin", origin),), token=token, **more)  # type: ignore[arg-type]


async def asked_before(rig: Rig, origin: bytes, *, field: bytes = b"x-explicit-action") -> Answer:
    """What a browser asks before it sends the write."""
    fields = (
        (b"origin", origin),
        (b"access-control-request-method", b"POST"),
        (b"access-control-request-headers", field),
    )
    return await rig.send(method="OPTIONS", fields=fields, token=None)


async def test_the_gateway_answers_preflights_itself(pages: Rig) -> None:
    """A registered origin is told what it may send; SOE hears nothing of it."""
    status, fields, body = await asked_before(pages, PAGE)

    assert (status, body) == (204, b"")
    assert fields[b"access-control-allow-origin"] == PAGE
    assert fields[b"vary"] == b"Origin"
    allowed = fields[b"access-control-allow-headers"].lower().split(b", ")
    assert {b"authorization", b"content-type", b"idempotency-key", b"x-explicit-action"} <= {
        *allowed
    }
    assert b"x-gateway-key" not in allowed
    assert b"PUT" in fields[b"access-control-allow-methods"]
    assert b"access-control-allow-credentials" not in fields
    assert pages.received == []


@pytest.mark.parametrize(
    "origin", [b"https://evil.example.com", b"null", PAGE + b".evil", b"", PAGE.upper()]
)
async def test_a_foreign_origin_is_refused(pages: Rig, origin: bytes) -> None:
    """Its preflight, and its writes, with the contact and nothing by which a script reads it."""
    asked = await asked_before(pages, origin)
    written = await from_page(pages, origin)
    read = await from_page(pages, origin, method="GET")

    assert [answer[0] for answer in (asked, written)] == [403, 403]
    for _, fields, body in (asked, written):
        assert json.loads(body)["code"] == "foreign_origin"
        assert "team@example.com" in json.loads(body)["detail"]
        assert b"access-control-allow-origin" not in fields
    assert read[0] == 201  # a read is stopped by nothing; the browser keeps it from the script
    assert b"access-control-allow-origin" not in read[1]


async def test_a_script_reads_answers_and_refusals(pages: Rig) -> None:
    """Exactly its origin, whatever SOE says of origins; no cookies."""
    pages.answers.append(SOES)
    written = await from_page(pages, PAGE)
    refused = await from_page(pages, PAGE, act=False)
    unregistered = await from_page(pages, PAGE, token=b"anybodys")
    unreadable = await from_page(pages, PAGE, target=b"/api/v3/questions?callback=x")

    assert [answer[0] for answer in (written, refused, unregistered, unreadable)] == [
        201,
        403,
        403,
        400,
    ]
    for _, fields, _ in (written, refused, unregistered, unreadable):
        assert fields[b"access-control-allow-origin"] == PAGE
        assert b"access-control-allow-credentials" not in fields
        assert b"Gateway-Decision" in fields[b"access-control-expose-headers"]
        assert fields[b"vary"] == b"Origin"


async def test_answers_vary_by_origin_for_who_sends_none_as_well(pages: Rig) -> None:
    """Else a cache would give a page what was answered to a program."""
    pages.answers.append(SOES)
    _, fields, _ = await pages.send(token=b"pages-token")

    assert fields[b"vary"] == b"Origin"
    assert b"access-control-allow-origin" not in fields


async def test_a_key_in_a_page_is_refused(pages: Rig) -> None:
    """It is published; also from its own integration's page, and for reads."""
    for origin, method in ((OTHERS, "POST"), (PAGE, "GET"), (b"https://evil.example.com", "POST")):
        fields = ((b"origin", origin), (b"x-gateway-key", KEY))
        status, _, body = await pages.send(fields=fields, method=method, token=None)
        assert (status, json.loads(body)["code"]) == (403, "key_in_browser")
        assert "team@example.com" in json.loads(body)["detail"]


async def test_an_origin_names_nobody_and_narrows(pages: Rig) -> None:
    """Anybody but a browser can send it: a token of another integration contradicts it."""
    nobody = await from_page(pages, PAGE, token=b"anybodys")
    others = await from_page(pages, PAGE, token=b"others-token")

    assert json.loads(nobody[2])["code"] == "unregistered_caller"
    assert json.loads(others[2])["code"] == "ambiguous_credentials"
    assert pages.received == []


async def test_where_no_origin_is_registered_all_is_as_ever(rig: Rig) -> None:
    """SOE's own fields pass, OPTIONS is not answered, and an origin is a field like others."""
    rig.answers.append(SOES)
    status, fields, _ = await from_page(rig, PAGE)
    asked, _, _ = await asked_before(rig, PAGE)

    assert (status, asked) == (201, 405)
    assert fields[b"access-control-allow-origin"] == b"*"
    assert fields[b"vary"] == b"Accept"


async def test_pages_of_the_gateway_are_for_people(pages: Rig) -> None:
    """A script of another page reads none of them."""
    _, fields, _ = await from_page(pages, PAGE, method="GET", target=b"/_gateway/rules")

    assert b"access-control-allow-origin" not in fields
