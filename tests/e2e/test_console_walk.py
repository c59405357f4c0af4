"""Somebody looks into a refusal on the console, in a real browser, and shuts the integration out."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from gateway.policy.registry import digest
from tests import local
from tests.e2e.a_day import COPY, SECRET, begin, send, write_now
from tests.e2e.browser import browser as real_browser
from tests.e2e.process import Running, gateway
from tests.e2e.stack import sandbox
from tests.patience import until
from tests.shared import ROOT

pytestmark = pytest.mark.slow
OPERATOR, VIEWER = "sgw_of-an-operator", "sgw_of-a-viewer"
WHOLE = ("console-overview", "console-decision", "console-policies", "console-caps")
SHOWN = (*WHOLE, "console-decisions", "console-overview-phone")
"""Pictures for the documentation: of the whole page, or of what a screen shows of it."""
PAGES = ("overview", "decisions", "policies", "caps", "holds")
"""That of integrations is looked over in `test_console`."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser."""
    with real_browser() as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway after a busy day, which keeps texts."""
    folder = tmp_path_factory.mktemp("console")
    begin(folder, folder / "policies")
    environ = {
        "SOE_GATEWAY_CONSOLE_OPERATORS": f"sha256:{digest(OPERATOR.encode())}",
        "SOE_GATEWAY_CONSOLE_VIEWERS": f"sha256:{digest(VIEWER.encode())}",
        "SOE_GATEWAY_AUDIT_CONTENT": "full",
    }
    words = ("--policies", str(folder / "policies"))
    with sandbox() as soe, gateway(soe, folder, *words, environ=environ) as process:
        write_now(process)
        until(lambda: is_followed(process))
        yield process


def is_followed(running: Running) -> bool:
    """Whether the console has read the log up to what was written now: no refusal was of docs-sync."""
    place = f"{running.admin}/console/decisions?integration=docs-sync&effect=refuse"
    told = local.get(place, headers={"authorization": f"Bearer {VIEWER}"}).json()
    return bool(told.get("decisions"))


class Walk:
    """A browser before a console, that is looked over on every page."""

    def __init__(
        self, browser: Browser, admin: str, scheme: str, width: int, *, script: bool
    ) -> None:
        self._admin = admin
        self._context = browser.new_context(
            color_scheme=scheme,  # type: ignore[arg-type]
            viewport={"width": width, "height": 900},
            bypass_csp=not script,  # axe is a script, and ours must run under the policy as it is
        )
        self._width = width
        self.page: Page = self._context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def sign_in(self, token: str) -> None:
        """Come in by a token."""
        self.page.goto(f"{self._admin}/console")
        self.page.get_by_label("Token of the console").fill(token)
        self.page.keyboard.press("Enter")
        expect(self.page.get_by_role("heading", name="The last day")).to_be_visible()

    def go(self, place: str) -> None:
        """Open a page."""
        self.page.goto(f"{self._admin}/console/{place}")

    def look(self, name: str) -> list[tuple[str, str]]:
        """What axe finds on this page, and whether it is wider than the screen; take its picture."""
        folder, name = os.environ.get("PICTURES"), name if self._width > 1000 else f"{name}-phone"
        if folder and name in SHOWN:
            self.page.screenshot(path=ROOT / folder / f"{name}.png", full_page=name in WHOLE)
        found = [(name, each["id"]) for each in Axe().run(self.page).response["violations"]]
        if self.page.evaluate("document.documentElement.scrollWidth") > self._width:
            found.append((name, "wide"))
        return found

    def close(self) -> None:
        """End it."""
        self._context.close()


def test_everybody_can_read_every_page(browser: Browser, running: Running) -> None:
    """No finding of axe, in light and dark, at a desk and on a phone; a viewer sees no team's text."""
    found: list[tuple[str, str]] = []
    bearer = {"authorization": f"Bearer {VIEWER}"}
    for scheme, width, token in (("light", 1180, OPERATOR), ("dark", 390, VIEWER)):
        walk = Walk(browser, running.admin, scheme, width, script=False)
        walk.sign_in(token)
        for name in PAGES:
            walk.go(name)
            found += walk.look(f"console-{name}")
        walk.go("decisions?integration=build-alerts&effect=refuse")
        walk.page.get_by_role("row", name="already-posted").first.get_by_role("link").click()
        expect(walk.page.get_by_role("heading", name="The write")).to_be_visible()
        found += walk.look("console-decision")
        walk.go("decisions?integration=docs-sync&effect=refuse")
        walk.page.get_by_role("row", name="already-posted").first.get_by_role("link").click()
        expect(walk.page.get_by_role("heading", name="The write")).to_be_visible()
        is_told = SECRET[1] in walk.page.content()
        assert is_told is (token == OPERATOR)
        walk.close()
    assert found == []
    context = browser.new_context(java_script_enabled=False, extra_http_headers=bearer)
    page = context.new_page()
    page.goto(f"{running.admin}/console/decisions?effect=refuse")
    page.get_by_role("link", name="Refresh").click()
    expect(page.get_by_role("row")).not_to_have_count(0)
    sent = context.request.post(f"{running.admin}/console/caps/reset", form={"cap": "questions-per-integration"})  # fmt: skip
    assert (sent.status, sent.json()["code"]) == (403, "viewer")
    context.close()


def test_a_refusal_is_found_and_its_integration_shut_out(
    browser: Browser, running: Running
) -> None:
    """By integration, with the post that it copied; its next write is refused, and comes by itself."""
    walk = Walk(browser, running.admin, "light", 1100, script=True)
    page = walk.page
    walk.sign_in(OPERATOR)
    page.get_by_role("link", name="Decisions").click()
    page.get_by_label("Integration").select_option("build-alerts")
    page.get_by_label("Decision", exact=True).select_option("refuse")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/decisions?*build-alerts*")
    shared = page.url
    page.get_by_role("row", name="already-posted").first.get_by_role("link").click()

    because = page.get_by_role("region", name="already-posted")
    expect(because).to_contain_text("like somebody else's earlier post")
    expect(because.get_by_role("link", name="/questions/")).to_have_count(1)
    because.get_by_role("link", name="See how it was decided").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("allowed question.create of help-bot")

    walk.go("integrations")
    page.get_by_text("Switch build-alerts off").first.click()
    page.get_by_label("Reason, which it is told").and_(page.locator(":visible")).fill("It copies.")
    page.get_by_role("button", name="Switch build-alerts off").click()
    expect(page.get_by_role("status")).to_contain_text("It is switched off")
    page.goto(shared)
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    before = page.locator("#live tbody tr").count()
    refused = send(running, "build-alerts", *COPY)
    assert (refused.status_code, refused.json()["code"]) == (403, "integration_disabled")
    newest = page.locator("#live tbody tr").first
    expect(newest).to_contain_text("switched-off")
    expect(page.locator("#live-says")).to_have_text("1 new decision")
    assert page.locator("#live tbody tr").count() == min(50, before + 1)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    walk.close()
    assert walk.errors == []
