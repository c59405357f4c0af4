"""An operator walks the console in a real browser and shuts an integration out, everywhere."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from gateway.policy.registry import digest
from gateway.sandbox.oidc import CLIENT_ID, CLIENT_SECRET, PATH
from tests import local
from tests.e2e.browser import browser as real_browser
from tests.e2e.confirming import BOT, REGISTRY
from tests.e2e.conftest import ACTION_ONLY
from tests.e2e.process import Running, gateway
from tests.e2e.stack import sandbox
from tests.patience import until
from tests.servers import Valkey
from tests.shared import ROOT

pytestmark = pytest.mark.slow
OPERATOR = "sgw_of-an-operator-who-tests"
_NUMBERS = count(1)
WITHIN = 2.0
"""Seconds in which a switch holds everywhere. A busy machine only lengthens it: the least counts."""
ATTEMPTS = 6


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser."""
    with real_browser() as running:
        yield running


@dataclass
class Site:
    """A state, a sandbox, and how gateways are started before them."""

    soe: str
    valkey: Valkey
    policies: Path
    environ: dict[str, str]
    folder: Path

    @contextmanager
    def replica(self, name: str, *words: str) -> Iterator[Running]:
        """Run a replica, with a disk of its own."""
        data = self.folder / name
        data.mkdir(exist_ok=True)
        flags = ("--policies", str(self.policies), "--state", self.valkey.url, *words)
        with gateway(self.soe, data, *flags, environ=self.environ) as running:
            yield running


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """One registered integration; Ada may look at the console, a token may act."""
    policies, key = tmp_path / "policies", tmp_path / "audit.key"
    policies.mkdir()
    (policies / "action.yaml").write_text(ACTION_ONLY)
    (policies / "integrations.yaml").write_text(REGISTRY)
    key.write_text("k" * 64)
    valkey = Valkey()
    with sandbox() as soe:
        environ = {
            "SOE_GATEWAY_CONSOLE_OPERATORS": f"sha256:{digest(OPERATOR.encode())}",
            "SOE_GATEWAY_CONSOLE_VIEWERS": "ada@example.com",
            "SOE_GATEWAY_SIGN_IN_ISSUER": soe + PATH,
            "SOE_GATEWAY_SIGN_IN_CLIENT_ID": CLIENT_ID,
            "SOE_GATEWAY_SIGN_IN_CLIENT_SECRET": CLIENT_SECRET,
            "SOE_GATEWAY_AUDIT_KEY_FILE": str(key),
            "SOE_GATEWAY_STATE_AFTER_LOSS": "accept",
        }
        yield Site(soe, valkey, policies, environ, tmp_path)
    valkey.close()


def write(running: Running) -> tuple[int, str]:
    """Let the integration ask something on a connection of its own; gives status and code."""
    number = next(_NUMBERS)
    question = {
        "title": f"How is key {number} rotated?",
        "body": f"Key {number} ends.",
        "tags": ["a"],
    }
    headers = {"authorization": "Bearer ada", "x-gateway-key": BOT, "x-explicit-action": "true"}
    answer = local.post(
        f"{running.proxy}/api/v3/questions",
        json=question,
        headers=headers,
    )
    return answer.status_code, answer.json().get("code", "")


def seconds_until(true: Callable[[], bool]) -> float:
    """How long it takes until something comes about."""
    began = time.monotonic()
    until(true)
    return time.monotonic() - began


def sign_in(page: Page, admin: str) -> None:
    """Come in by the token, with the keyboard alone."""
    page.goto(f"{admin}/console")
    page.get_by_label("Token of the console").focus()
    page.keyboard.type(OPERATOR)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The last day")).to_be_visible()
    page.get_by_role("link", name="Integrations").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Integrations")).to_be_visible()


def switch_off(page: Page, name: str, reason: str) -> None:
    """Switch an integration off, with the keyboard alone."""
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.locator("summary:focus", has_text=f"Switch {name} off").count():
            break
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type(reason)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("It is switched off")


def switch_on(page: Page, name: str) -> None:
    """Let an integration write again."""
    page.get_by_role("button", name=f"Switch {name} on").click()
    expect(page.get_by_role("status")).to_contain_text("It is switched on again")


def test_who_is_switched_off_writes_nowhere_and_stays_off(browser: Browser, site: Site) -> None:
    """On all workers and replicas within two seconds; after a restart and a loss of the state, too."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    with ExitStack() as replicas:
        first = replicas.enter_context(site.replica("first", "--workers", "2"))
        with site.replica("second") as second:
            assert [write(each)[0] for each in (first, second)] == [201, 201]
            sign_in(page, first.admin)
            switch_off(page, "help-bot", "It floods the site.")
            dealt_out = (second, *[first] * 12)  # to both workers
            off = {(403, "integration_disabled")}
            took = seconds_until(lambda: {write(each) for each in dealt_out} == off)
            for _ in range(ATTEMPTS):
                if took < WITHIN:
                    break
                switch_on(page, "help-bot")
                until(lambda: {write(each)[0] for each in dealt_out} == {201})
                switch_off(page, "help-bot", "It floods the site.")
                took = min(took, seconds_until(lambda: {write(each) for each in dealt_out} == off))
            assert took < WITHIN
        site.valkey.kill()
        with site.replica("second") as second:  # the state is away
            assert write(second) == (403, "integration_disabled")
            site.valkey.start()  # and comes back, empty
            page.goto(f"{second.admin}/console/integrations")  # all replicas read the same cookie
            expect(page.get_by_role("region", name="help-bot switched off")).to_be_visible()
            kept = ("HVALS", "{soe-gateway}:switches")
            until(lambda: b"It floods the site." in site.valkey.ask(*kept))
            assert write(second)[1] == "integration_disabled"

            page.goto(f"{first.admin}/console/integrations")
            switch_on(page, "help-bot")
            until(lambda: [write(each)[0] for each in (first, second)] == [201, 201])
    context.close()
    admin = [each for each in first.audit() if each["kind"] == "admin" and "reason" in each]
    told = [(each["event"], each["integration"], each["reason"]) for each in admin]
    assert told == [
        ("integration.disabled", "help-bot", "It floods the site."),
        ("integration.enabled", "help-bot", ""),
    ] * (len(told) // 2)
    assert told


def test_everybody_can_use_the_console(browser: Browser, site: Site) -> None:
    """No finding of axe, in light and dark, on a phone and at a desk; by name, and by token."""
    found: list[tuple[str, str]] = []
    with site.replica("only") as running:
        for scheme, width in (("light", 1100), ("dark", 390)):
            context = browser.new_context(
                color_scheme=scheme,  # type: ignore[arg-type]
                viewport={"width": width, "height": 900},
                bypass_csp=True,  # axe is a script
            )
            page = context.new_page()

            def look(name: str, page: Page = page, width: int = width) -> None:
                told = Axe().run(page).response["violations"]
                found.extend((name, each["id"]) for each in told)
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                folder = os.environ.get("PICTURES")
                if folder and width > 1000 and name == "console-integrations":
                    page.screenshot(path=ROOT / folder / f"{name}.png", full_page=True)

            page.goto(f"{running.admin}/console")
            look("console-sign-in")
            page.get_by_role("link", name="Sign in with your account").click()
            page.get_by_role("button", name="Ada").click()
            expect(page.get_by_text("ada@example.com, viewer")).to_be_visible()
            page.goto(f"{running.admin}/console/integrations")
            expect(page.get_by_role("button", name="help-bot")).to_have_count(0)
            look("console-viewer")
            page.get_by_role("button", name="Sign out").click()
            expect(page.get_by_label("Token of the console")).to_be_visible()
            sign_in(page, running.admin)
            switch_off(page, "other-bot", "Its owner asks for it.")
            page.get_by_text("Switch help-bot off").first.click()
            look("console-integrations")
            switch_on(page, "other-bot")
            page.goto(f"{running.admin}/console/nothing")
            look("console-wrong")
            context.close()

    assert found == []
