"""A person confirms in a real browser what then stands under his name, and nothing else does."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests import local
from tests.e2e.browser import browser as real_browser
from tests.e2e.browser import origin
from tests.e2e.confirming import (
    OTHER_BOT,
    QUESTION,
    Asking,
    confirming,
    post_it,
    sign_in,
)
from tests.e2e.patient import CLOCK_AHEAD
from tests.e2e.stack import Stack
from tests.patience import PATIENCE, until
from tests.shared import ROOT

pytestmark = pytest.mark.slow
PICTURES = "PICTURES"
"""The variable that asks for pictures for the documents, and names their folder."""
SHOWN = ("confirm-phone", "confirm-sign-in-phone")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser."""
    with real_browser() as running:
        yield running


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A gateway that holds every new post until the acting person confirms it."""
    with confirming(tmp_path_factory.mktemp("confirm")) as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that nobody used before, in which no script of a page runs."""
    context = browser.new_context(java_script_enabled=False)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A window of it."""
    return context.new_page()


@pytest.fixture
def bot(stack: Stack) -> Asking:
    """An integration with Ada's token; nothing was posted yet."""
    stack.reset()
    return Asking(stack)


def test_a_person_confirms_and_the_same_request_passes_once(
    bot: Asking, page: Page, request: pytest.FixtureRequest
) -> None:
    """Held, looked at, signed in for, confirmed; it stands under the right name, once."""
    body = f"{QUESTION['body']} {request.node.name}"
    link = bot.held(body=body)
    sign_in(page, link)

    expect(page.get_by_role("heading", name=QUESTION["title"])).to_be_visible()
    expect(page.get_by_text("[leads to https://wiki.example.com/keys]")).to_be_visible()
    expect(page.get_by_text("Ada (ada@example.com)").first).to_be_visible()
    assert bot.posts() == []
    post_it(page)
    expect(page.get_by_role("heading", name="Confirmed")).to_be_visible()
    passed = bot.ask(body=body)
    again = bot.ask(body=body)
    page.reload()

    assert (passed.status_code, again.status_code) == (201, 403)
    assert passed.json()["owner"]["name"] == "Ada"
    assert len(bot.posts()) == 1
    expect(page.get_by_role("heading", name="Posted")).to_be_visible()
    shown = page.get_by_role("status").get_by_role("link")
    expect(shown).to_have_attribute("href", passed.json()["webUrl"])
    page.goto(bot.stack.sandbox)
    expect(page.get_by_text(QUESTION["title"])).to_be_visible()


def test_a_person_declines(bot: Asking, page: Page) -> None:
    """Nothing is posted, then or later."""
    sign_in(page, bot.held(body="Nobody wants this."))

    page.get_by_role("button", name="Do not post it").click()

    expect(page.get_by_role("heading", name="Not posted")).to_be_visible()
    assert bot.ask(body="Nobody wants this.").status_code == 403
    assert bot.posts() == []


def test_what_was_confirmed_passes_for_nothing_else(bot: Asking, page: Page) -> None:
    """Not another body, title, place, token or integration."""
    sign_in(page, bot.held(body="Just this."))
    post_it(page)

    others = [
        bot.ask(body="Just this!"),
        bot.ask(body="Just this.", title="Another title for it"),
        bot.ask("/api/v3/teams/payments/questions", body="Just this."),
        Asking(bot.stack, token="grace").ask(body="Just this."),
        Asking(bot.stack, key=OTHER_BOT).ask(body="Just this."),
    ]

    assert [each.status_code for each in others] == [403] * 5
    assert bot.posts() == []
    assert bot.ask(body="Just this.").status_code == 201


def test_somebody_else_has_no_button(bot: Asking, page: Page) -> None:
    """He sees who he is and who would have to, not the text; and can sign in as another."""
    link = bot.held(body="Ada alone may see it.")
    page.goto(link)
    expect(page.get_by_text("Ada alone may see it.")).to_have_count(0)

    sign_in(page, link, "Grace")

    expect(page.get_by_text("You are signed in as Grace (grace@example.com)")).to_be_visible()
    expect(page.get_by_text("Only Ada (ada@example.com) may confirm it")).to_be_visible()
    expect(page.get_by_text("Ada alone may see it.")).to_have_count(0)
    expect(page.get_by_role("button", name="Post it", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in", exact=True)).to_be_visible()
    sign_in(page, link, "Ada")
    expect(page.get_by_text("Ada alone may see it.").first).to_be_visible()


def test_a_scanner_that_opens_links_confirms_nothing(bot: Asking) -> None:
    """However often, by whatever method, whatever stands behind the link."""
    link = bot.held(body="Scanned.")

    told = [
        local.request(method, link + query).status_code
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")
        for query in ("", "?decision=post")
    ]

    assert told[:4] == [200] * 4
    assert all(status in (404, 405) for status in told[4:])
    assert local.get(f"{link}/status").json()["status"] == "open"
    assert bot.ask(body="Scanned.").status_code == 403


def test_a_bot_without_a_session_confirms_nothing(bot: Asking) -> None:
    """It has the link, and says what a browser would say."""
    link = bot.held(body="By a bot.")
    own = link.partition("/_gateway")[0]
    fields = {"origin": own, "sec-fetch-site": "same-origin", "x-forwarded-email": "ada@example.com"}  # fmt: skip
    with local.client() as client:
        client.get(link)

        sent = client.post(link, data={"decision": "post", "token": "0" * 48}, headers=fields)

    assert sent.status_code == 403
    assert local.get(f"{link}/status").json()["status"] == "open"


def test_a_form_on_another_site_confirms_nothing(
    bot: Asking, browser: Browser, page: Page, context: BrowserContext
) -> None:
    """Though the person is signed in, in the same browser, and the token were known."""
    link = bot.held(body="Forged.")
    sign_in(page, link)
    token = page.locator("form.decide input[name=token]").get_attribute("value")
    html = (
        f'<form method=post action="{link}"><input name=token value="{token}">'
        "<button name=decision value=post>Win a prize</button></form>"
    )
    evil = context.new_page()

    with origin(html) as url:
        evil.goto(url)
        with evil.expect_response(link) as answered:
            evil.get_by_role("button").click()

    assert answered.value.status == 403
    assert local.get(f"{link}/status").json()["status"] == "open"


def test_nobody_shows_the_page_in_a_frame(bot: Asking, context: BrowserContext) -> None:
    """So no click can be caught for it."""
    link = bot.held(body="Framed.")
    evil = context.new_page()

    with origin(f'<iframe src="{link}"></iframe>') as url:
        evil.goto(url)

    assert evil.frames[-1].url in ("chrome-error://chromewebdata/", "")
    assert "Framed." not in evil.frames[-1].content()


def test_the_way_back_leads_to_the_integration(bot: Asking, page: Page) -> None:
    """Through signing in and deciding, and to where it was registered."""
    link = bot.held(body="And back.") + "?return_to=https%3A%2F%2Fbot.example.com%2Fdone%2F7"
    sign_in(page, link)
    post_it(page)

    expect(page.get_by_role("link", name="Back to help-bot")).to_have_attribute(
        "href", "https://bot.example.com/done/7"
    )


def test_an_answer_names_the_thread(bot: Asking, page: Page) -> None:
    """Its title is asked for while the request is there."""
    link = bot.held("/api/v3/questions/1/answers", body="Ask the team.")
    title = local.get(
        f"{bot.stack.sandbox}/api/v3/questions/1",
        headers={"authorization": "Bearer ada"},
    ).json()["title"]
    sign_in(page, link)

    expect(page.get_by_role("link", name=re.compile(re.escape(title)))).to_have_attribute(
        "href", f"{bot.stack.sandbox}/questions/1"
    )
    post_it(page)
    assert bot.ask("/api/v3/questions/1/answers", body="Ask the team.").status_code == 201


def test_an_expired_link_confirms_nothing(
    browser: Browser, context: BrowserContext, tmp_path: Path
) -> None:
    """The page that was open in time says so."""
    ahead = tmp_path / "ahead"
    ahead.write_text("0")
    with confirming(tmp_path, **{CLOCK_AHEAD: str(ahead)}) as stack:
        bot, page = Asking(stack), context.new_page()
        page.goto(f"{stack.url}/_gateway/sign-in?hold={'0' * 32}")
        page.get_by_role("button", name="Ada").click()
        link = bot.held(body="Soon over.")
        page.goto(link)
        expect(page.get_by_role("button", name="Post it", exact=True)).to_be_visible()
        ahead.write_text(str(15 * 60 + 1))
        until(lambda: local.get(f"{link}/status").json()["status"] != "open")

        page.get_by_role("button", name="Post it", exact=True).click()

        expect(page.get_by_role("heading", name="Too late")).to_be_visible()
        assert bot.ask(body="Soon over.").status_code == 403
        assert bot.posts() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desk"])
def test_everybody_can_use_the_page(bot: Asking, browser: Browser, scheme: str, size: str) -> None:
    """Without serious findings of axe, in light and dark, on a phone and at a desk, by keyboard."""
    width, height = {"phone": (390, 844), "desk": (1100, 900)}[size]
    body = (
        QUESTION["body"]
        + f"\n\n<!-- {scheme} {size} -->\n\n```\nx = 1\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    )
    link = bot.held(body=body)
    context = browser.new_context(
        color_scheme=scheme,  # type: ignore[arg-type]
        viewport={"width": width, "height": height},
        bypass_csp=True,  # axe is a script
    )
    page = context.new_page()
    found: list[tuple[str, str, str]] = []

    def look(name: str) -> None:
        told = Axe().run(page).response["violations"]
        found.extend((name, each["id"], each["impact"]) for each in told)
        folder = os.environ.get(PICTURES)
        if folder and scheme == "light" and f"{name}-{size}" in SHOWN:
            page.screenshot(path=ROOT / folder / f"{name}-{size}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width

    page.goto(link)
    look("confirm-sign-in")
    sign_in(page, link)
    look("confirm")
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText"))
    post_it(page)
    look("confirm-done")
    page.goto(link.rpartition("/")[0] + "/" + "0" * 32)
    look("confirm-unknown")
    context.close()

    assert found == []
    assert reached.index("Post it") < reached.index("Do not post it") < reached.index("Sign out")


def test_the_demo_can_be_tried_as_it_says(page: Page) -> None:
    """Its last command is held; after what it says to do, the same command posts, once."""
    command = [sys.executable, "-m", "gateway", "demo"]
    for flag in ("--listen", "--admin-listen", "--sandbox-listen"):
        command += [flag, "127.0.0.1:0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        lines = list(itertools.takewhile(lambda line: "Ctrl-C" not in line, process.stdout))
        asked = [line.partition(";")[0] for line in lines if line.startswith("curl ")][-1]

        def send() -> str:
            return subprocess.run(shlex.split(asked), capture_output=True, text=True, check=True).stdout  # fmt: skip

        sign_in(page, json.loads(send())["confirm_url"])
        post_it(page)
        posted, again = send(), send()
    finally:
        process.terminate()
        process.wait(2 * PATIENCE)
        process.stdout.close()

    assert "webUrl" in posted
    assert "webUrl" not in again
