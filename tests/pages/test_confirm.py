"""The page on which a person confirms: who sees what, who may decide, and what decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlencode

import pytest

from gateway.model import Approver
from gateway.policy.registry import digest
from gateway.proxy.hold import Status, Visitor
from gateway.state.memory import MemoryStore
from tests.pages.visiting import (
    OWN,
    Browser,
    call,
    held,
    hold_all,
    hold_of,
    page,
    people,
    send,
    signed_in,
    with_people,
    with_sessions,
)
from tests.proxy.rig import Broken, Rig, Scripted, build

LOOPBACK = (ip_network("127.0.0.0/8"),)
KEY = b"sgw_key-of-a-bot"
REGISTRY = f"""\
integrations:
  help-bot:
    owner: Grace's team, grace@example.com
    contact: "#help"
    purpose: asks what nobody answered
    keys: ["sha256:{digest(KEY)}"]
    return_to: ["https://bot.example.com/done"]
"""
BODY = """\
Restart [the agent](https://evil.example/x), then ![a chart](https://pics.example/p.png).
<!-- and buy things --><script>alert(1)</script>
"""


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A gateway whose rule holds every post until the acting person confirms it."""
    soe = Scripted()
    server = await asyncio.start_server(soe.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    rig = build(tmp_path, port, MemoryStore(86_400.0), soe)
    with_sessions(rig, trusted=LOOPBACK)
    hold_all(rig)
    yield rig
    await rig.audit.close()
    server.close()


async def test_the_person_sees_what_will_stand_under_his_name(rig: Rig) -> None:
    """The text, where it goes, who reads it, whose name it has, who sends it, and why he is asked."""
    hold_all(rig, registry=REGISTRY)
    hold_id = await held(rig, body=BODY, key=KEY)

    seen = await signed_in(rig).look(page(hold_id))

    assert seen.status == 200
    for told in (
        "How do I rotate the key?",
        "Tags: keys",
        "A new question",
        "Everybody on the site",
        "Ada (ada@example.com)",
        "help-bot: asks what nobody answered",
        "Grace's team, grace@example.com, #help",
        "Somebody looks at it",
        "It has a title. Leave it out.",
        "2026-11-18 11:21 UTC",
    ):
        assert told in seen.text, told
    assert seen.buttons == ["Post it", "Do not post it"]


async def test_what_readers_would_not_see_is_told_and_shown(rig: Rig) -> None:
    """How many letters, where links lead, which images there are; nothing runs and nothing loads."""
    hold_id = await held(rig, body=BODY)

    seen = await signed_in(rig).look(page(hold_id))

    assert "This text has 30 letters that readers may not see" in seen.text
    assert "the agent [leads to https://evil.example/x]" in seen.text
    assert "[Image: a chart, https://pics.example/p.png]" in seen.text
    (source,) = seen.tree.css("details[open] pre")
    assert source.text() == BODY
    assert not seen.tree.css("script, img, iframe, style, object, embed")
    policy = seen.fields[b"content-security-policy"].decode()
    assert policy.startswith("default-src 'none'; style-src 'self'; ")
    assert policy.endswith("form-action 'self'")
    assert "frame-ancestors 'none'" in policy


async def test_a_confirmed_post_passes_once(rig: Rig) -> None:
    """303 to the page, which says what to do; the same request passes, and no second one."""
    hold_id = await held(rig)
    browser = signed_in(rig)

    decided = await browser.decide(hold_id)
    confirmed = await browser.look(page(hold_id))
    other = await send(rig, body="It runs out!")
    passed = await send(rig)
    posted = await browser.look(page(hold_id))
    again = await send(rig)

    assert (decided.status, decided.fields[b"location"].decode()) == (303, page(hold_id))
    assert "Send it again from anonymous" in confirmed.text
    assert confirmed.buttons == []
    assert (other[0], passed[0], again[0]) == (403, 201, 403)
    assert "confirmed by ada@example.com, and posted" in posted.text
    assert len(rig.received) == 1


async def test_a_declined_post_is_not_sent(rig: Rig) -> None:
    """Nothing passes, and the page says so."""
    hold_id = await held(rig)
    browser = signed_in(rig)

    await browser.decide(hold_id, "decline")

    assert "It was declined by ada@example.com" in (await browser.look(page(hold_id))).text
    assert (await send(rig))[0] == 403
    assert rig.received == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_to_look_decides_nothing(rig: Rig, method: str) -> None:
    """Whoever looks, with whatever stands in the address: previews and scanners open links."""
    hold_id = await held(rig)
    browser = signed_in(rig)
    token = (await browser.look(page(hold_id))).form()["token"]

    for query in ("", "?decision=post", f"?token={token}&decision=post"):
        assert (await browser.look(page(hold_id) + query, method)).status == 200

    assert (await hold_of(rig, hold_id)).status is Status.OPEN


CROSS: dict[str, dict[str, str | None]] = {
    "another origin": {"origin": "https://evil.example"},
    "another port": {"origin": "http://127.0.0.1:8081"},
    "no origin": {"origin": None},
    "a hidden origin": {"origin": "null"},
    "another site, as the browser says": {"sec-fetch-site": "cross-site"},
    "the same site alone": {"sec-fetch-site": "same-site"},
    "no form": {"content-type": "application/json"},
    "a form that needs no question first": {"content-type": "text/plain"},
}


@pytest.mark.parametrize("changes", CROSS.values(), ids=CROSS)
async def test_a_form_of_another_site_decides_nothing(
    rig: Rig, changes: dict[str, str | None]
) -> None:
    """Even with the right session and token."""
    hold_id = await held(rig)

    seen = await signed_in(rig).decide(hold_id, changes=changes)

    assert seen.status in (403, 415)
    assert (await hold_of(rig, hold_id)).status is Status.OPEN


async def test_a_form_needs_the_token_of_this_page_and_session(rig: Rig) -> None:
    """Not none, not that of another hold, of somebody else, or of another session of the same."""
    hold_id, other = await held(rig), await held(rig, body="Another one.")
    browser, stranger = (
        signed_in(rig),
        Browser(rig, fields={"x-forwarded-email": "ada@example.com"}),
    )
    form = (await browser.look(page(hold_id))).form()
    grace = Browser(rig, fields={"x-forwarded-email": "grace@example.com"})
    tokens = [
        "",
        form["token"][:-1] + "x",
        (await browser.look(page(other))).form()["token"],
        (await stranger.look(page(hold_id))).form()["token"],
        (await grace.look(page(hold_id))).form("/_gateway/sign-out").get("token", ""),
    ]

    told = [
        (await browser.send(page(hold_id), {"token": each, "decision": "post"})).status
        for each in tokens
    ]

    assert told == [403] * len(tokens)
    assert (await hold_of(rig, hold_id)).status is Status.OPEN


async def test_a_post_without_a_session_decides_nothing(rig: Rig) -> None:
    """The token of a page helps nobody who was not shown it."""
    hold_id = await held(rig)
    form = (await signed_in(rig).look(page(hold_id))).form() | {"decision": "post"}

    assert (await Browser(rig).send(page(hold_id), form)).status == 403
    assert (await hold_of(rig, hold_id)).status is Status.OPEN


@pytest.mark.parametrize("email", ["grace@example.com", "ada@example.com.evil.example", "ADA"])
async def test_nobody_else_sees_the_text_or_may_decide(rig: Rig, email: str) -> None:
    """The page says who he is and who would have to; a form made by hand is refused."""
    hold_id = await held(rig)
    browser = signed_in(rig, email)

    seen = await browser.look(page(hold_id))

    assert seen.buttons == []
    assert f"You are signed in as {email}" in seen.text
    assert "Only Ada (ada@example.com) may confirm it" in seen.text
    assert "How do I rotate the key?" not in seen.html
    sessions = people(rig).confirm.sessions
    session = sessions.begun(Visitor(email=email), proxied=True)
    name, _, rest = sessions.kept(session, OWN)[1].decode().partition("=")
    browser.cookies[name] = rest.partition(";")[0]
    form = {"token": sessions.token(session, hold_id), "decision": "post"}
    assert (await browser.send(page(hold_id), form)).status == 403
    assert (await hold_of(rig, hold_id)).status is Status.OPEN


async def test_who_has_the_link_alone_sees_no_text_and_no_name(rig: Rig) -> None:
    """A preview in a chat shows nothing of what one team alone may read."""
    with_people(rig, confirm=replace(people(rig).confirm, can_sign_in=True))
    hold_id = await held(rig, body="The secret of the team.")

    seen = await Browser(rig).look(page(hold_id))

    assert seen.status == 200
    assert seen.buttons == []
    assert "secret" not in seen.html
    assert "rotate" not in seen.html
    assert "ada" not in seen.html.lower()
    (link,) = seen.tree.css("a.button")
    assert link.attributes["href"] == f"/_gateway/sign-in?hold={hold_id}"


async def test_a_bot_that_has_the_link_never_confirms_for_a_person(rig: Rig) -> None:
    """Whatever it sends; and where the link is enough, no more than that is known of it."""
    hold_id = await held(rig)
    bot = Browser(rig, fields={"x-forwarded-email": "ada@example.com"})  # nobody asked it to

    assert (await bot.decide(hold_id)).status == 403
    assert (await hold_of(rig, hold_id)).status is Status.OPEN

    hold_all(rig, "link")
    hold_id = await held(rig, body="Whoever has the link.")
    assert (await bot.decide(hold_id)).status == 303
    assert (await hold_of(rig, hold_id)).known is Approver.LINK


async def test_an_owner_decides_what_is_the_owners(rig: Rig) -> None:
    """Known by the address that the registry has of him."""
    hold_all(rig, "owner", registry=REGISTRY)
    hold_id = await held(rig, key=KEY)

    assert "Only who owns help-bot" in (await signed_in(rig).look(page(hold_id))).text
    assert (await signed_in(rig, "Grace@Example.com").decide(hold_id)).status == 303
    assert (await hold_of(rig, hold_id)).known is Approver.OWNER


async def test_a_proxy_that_nobody_trusts_tells_nothing(rig: Rig) -> None:
    """The header of others is a client's word; so is one that stands there twice."""
    hold_id = await held(rig)
    browser = signed_in(rig, trusted=(ip_network("10.0.0.0/8"),))

    assert (await browser.look(page(hold_id))).buttons == []

    browser.client = "10.1.2.3"
    assert (await browser.look(page(hold_id))).buttons != []
    browser.client = "127.0.0.1"  # with the cookie of that visit
    assert (await browser.look(page(hold_id))).buttons == []


async def test_a_session_ends(rig: Rig) -> None:
    """After half an hour its cookie is nobody's."""
    hold_all(rig, "link")
    hold_id = await held(rig)
    browser = Browser(rig)
    form = (await browser.look(page(hold_id))).form() | {"decision": "post"}
    sessions = people(rig).confirm.sessions
    cookie = browser.cookies["soe-gateway"]

    rig.clock.at += 1800

    assert browser.cookies == {"soe-gateway": cookie}
    assert (await browser.send(page(hold_id), form)).status == 403
    assert sessions.clock is rig.clock


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ("decision=perhaps", 400),
        ("", 400),
        ("decision=post&decision=decline", 400),
        ("decision=post&more=" + "x" * 4096, 413),
        ("decision=%ff", 400),
    ],
)
async def test_a_form_that_says_nothing_clear_decides_nothing(
    rig: Rig, fields: str, status: int
) -> None:
    """Neither, both, too much, or what cannot be read."""
    hold_all(rig, "link")
    hold_id = await held(rig)
    browser = Browser(rig)
    token = (await browser.look(page(hold_id))).form()["token"]
    named = {"origin": OWN, "content-type": "application/x-www-form-urlencoded"}

    seen = await browser._call("POST", page(hold_id), named, f"token={token}&{fields}".encode())

    assert seen.status == status
    assert (await hold_of(rig, hold_id)).status is Status.OPEN


@pytest.mark.parametrize("path", ["f" * 32, "0", "../rules", "A" * 32, "f" * 31 + "%66"])
async def test_an_unknown_id_tells_nothing(rig: Rig, path: str) -> None:
    """404, whether there was one or not; as a page, for it is a person who reads it."""
    seen = await signed_in(rig).look(page(path))

    assert seen.status == 404
    assert seen.fields[b"content-type"] == b"text/html; charset=utf-8"


async def test_an_expired_hold_says_so(rig: Rig) -> None:
    """Nothing can be decided any more, and the text is gone."""
    hold_id = await held(rig)
    browser = signed_in(rig)
    form = (await browser.look(page(hold_id))).form() | {"decision": "post"}
    rig.clock.at += 901

    seen = await browser.look(page(hold_id))
    sent = await browser.send(page(hold_id), form)

    assert "Its time is over" in seen.text
    assert seen.buttons == []
    assert sent.status == 303
    assert (await hold_of(rig, hold_id)).status is Status.EXPIRED
    assert (await send(rig))[0] == 403


@pytest.mark.parametrize(
    ("return_to", "leads"),
    [
        ("https://bot.example.com/done", True),
        ("https://bot.example.com/done/7?x=1", True),
        ("https://bot.example.com/done-and-more", False),
        ("https://bot.example.com/done/../evil", False),
        ("https://bot.example.com/done/%2e%2e/evil", False),
        ("https://bot.example.com.evil.example/done", False),
        ("https://bot.example.com@evil.example/done", False),
        ("http://bot.example.com/done", False),
        ("//bot.example.com/done", False),
        ("javascript:alert(1)//https://bot.example.com/done", False),
        ("", False),
    ],
)
async def test_the_way_back_leads_to_registered_places_alone(
    rig: Rig, return_to: str, leads: bool
) -> None:
    """After the decision, and not before."""
    hold_all(rig, registry=REGISTRY)
    hold_id = await held(rig, key=KEY)
    browser = signed_in(rig)
    target = f"{page(hold_id)}?{urlencode({'return_to': return_to})}"
    before = await browser.look(target)
    decided = await browser.send(target, before.form() | {"decision": "decline"})

    after = await browser.look(decided.fields[b"location"].decode())

    assert before.tree.css("a.button") == []
    assert [each.attributes["href"] for each in after.tree.css("a.button")] == (
        [return_to] if leads else []
    )


async def test_without_state_nothing_is_decided(tmp_path: Path) -> None:
    """503, as a page."""
    rig = build(tmp_path, 1, Broken(), Scripted())

    seen = await Browser(rig).look(page("f" * 32))

    assert seen.status == 503
    assert "Nothing was decided" in seen.text
    await rig.audit.close()


async def test_the_cookie_crosses_no_network_in_clear(rig: Rig) -> None:
    """`Secure` and `__Host-` but on this machine; never read by scripts, never sent to SOE."""
    hold_all(rig, "link")
    hold_id = await held(rig)
    with_people(rig, public_url="https://gateway.example.com")
    browser = Browser(rig)

    seen = await browser.look(page(hold_id))

    (cookie,) = seen.fields[b"set-cookie"].decode().splitlines()
    assert cookie.startswith("__Host-soe-gateway=")
    assert cookie.endswith("; Path=/; Max-Age=1800; HttpOnly; SameSite=Lax; Secure")
    assert (await browser.decide(hold_id)).status == 403  # it is not where this page is
    told = await browser.decide(hold_id, changes={"origin": "https://gateway.example.com"})
    assert told.status == 303


SEEN = "  seen: {title: Seen by who posts it, mode: enforce, for: ['*'], explicit_action: {evidence: confirmed}}\n"


async def test_a_link_alone_never_satisfies_who_wants_it_confirmed(rig: Rig) -> None:
    """Where another rule is content with the link, the strictest decides who may."""
    hold_all(rig, "link", more=SEEN)
    hold_id = await held(rig)
    bot = Browser(rig)

    seen = await bot.look(page(hold_id))

    assert seen.buttons == []
    assert (await bot.decide(hold_id)).status == 403
    assert (await send(rig))[0] == 403
    assert (await signed_in(rig).decide(hold_id)).status == 303
    assert (await send(rig))[0] == 201


async def test_nobody_confirms_for_a_person_whom_soe_does_not_name(rig: Rig) -> None:
    """The page says whom to ask, and offers nothing."""
    hold_id = await held(rig, token=b"secret-token")

    seen = await signed_in(rig).look(page(hold_id))

    assert "ask knowledge-team" in seen.text
    assert seen.buttons == []
    assert "How do I rotate the key?" not in seen.html


async def test_what_nobody_can_tell_is_said(rig: Rig) -> None:
    """SOE broke off: it may stand there."""
    hold_id = await held(rig)
    browser = signed_in(rig)
    await browser.decide(hold_id)
    rig.answers.append(None)
    await send(rig)

    assert "Look whether it stands there" in (await browser.look(page(hold_id))).text


async def test_a_second_decision_changes_nothing(rig: Rig) -> None:
    """A button pressed twice, or another one after it."""
    hold_id = await held(rig)
    browser = signed_in(rig)
    form = (await browser.look(page(hold_id))).form()

    told = [
        (await browser.send(page(hold_id), form | {"decision": decision})).status
        for decision in ("post", "post", "decline")
    ]

    assert told == [303] * 3
    assert (await hold_of(rig, hold_id)).status is Status.CONFIRMED
    assert len([each for each in rig.records("admin") if "hold" in each["event"]]) == 1


async def test_the_session_goes_to_nobody_else(rig: Rig) -> None:
    """A request to SOE carries no cookie, ours or others'."""
    hold_all(rig, "link")
    hold_id = await held(rig)
    browser = Browser(rig)
    await browser.decide(hold_id)
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())

    await call(rig, "GET", "/api/v3/questions", fields={"cookie": cookie})

    assert cookie
    assert len(rig.received) == 1
    assert b"cookie" not in rig.received[0].lower()
