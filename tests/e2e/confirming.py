"""A gateway that holds, before a sandbox at which people sign in, and a browser to confirm in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page

from gateway.policy.registry import digest
from gateway.sandbox.oidc import CLIENT_ID, CLIENT_SECRET, PATH
from tests import local
from tests.e2e.process import gateway
from tests.e2e.stack import Stack, sandbox

BOT, OTHER_BOT = "sgw_of-the-help-bot", "sgw_of-another-bot"
RULES = """\
policy: people-look
owner: knowledge-team
rules:
  somebody-looks:
    title: A person has seen it
    mode: hold
    for: ["*.create"]
    if: {body: {words: {at_least: 1}}}
    message: Posts of integrations are looked at before they are posted.
    fix: Ask the person under whose name it will stand.
"""
REGISTRY = f"""\
integrations:
  help-bot:
    owner: Grace's team (grace@example.com)
    contact: "#help-bot"
    purpose: asks here what nobody in the chat could answer
    keys: ["sha256:{digest(BOT.encode())}"]
    return_to: ["https://bot.example.com/done"]
  other-bot:
    owner: Alan's team (alan@example.com)
    contact: "#other-bot"
    purpose: something else
    keys: ["sha256:{digest(OTHER_BOT.encode())}"]
"""
QUESTION: dict[str, Any] = {
    "title": "How do I rotate the signing key?",
    "body": "It runs out **next week**, and the [run-book](https://wiki.example.com/keys) is old.",
    "tags": ["keys"],
}


@contextlib.contextmanager
def confirming(
    data: Path, *arguments: str, registry: str = REGISTRY, **environ: str
) -> Iterator[Stack]:
    """Run both."""
    policies = data / "policies"
    policies.mkdir()
    (policies / "rules.yaml").write_text(RULES)
    (policies / "integrations.yaml").write_text(registry)
    with sandbox() as soe:
        told = {
            "SOE_GATEWAY_SIGN_IN_ISSUER": soe + PATH,
            "SOE_GATEWAY_SIGN_IN_CLIENT_ID": CLIENT_ID,
            "SOE_GATEWAY_SIGN_IN_CLIENT_SECRET": CLIENT_SECRET,
        }
        words = ("--policies", str(policies), *arguments)
        with gateway(soe, data, *words, environ=told | environ) as running:
            yield Stack(soe, running)


@dataclass
class Asking:
    """An integration, which sends what it sends."""

    stack: Stack
    key: str = BOT
    token: str = "ada"

    def ask(self, path: str = "/api/v3/questions", **changes: Any) -> httpx.Response:
        """Send a question, or something else."""
        fields = {"authorization": f"Bearer {self.token}", "x-gateway-key": self.key}
        return local.post(self.stack.url + path, json=QUESTION | changes, headers=fields)

    def held(self, path: str = "/api/v3/questions", **changes: Any) -> str:
        """Send what is held; gives the link."""
        answer = self.ask(path, **changes)
        assert answer.status_code == 403, answer.text
        return str(answer.json()["confirm_url"])

    def posts(self) -> list[dict[str, Any]]:
        """The writes that came to the site, as they were sent."""
        return self.stack.writes()


def sign_in(page: Page, link: str, person: str = "Ada") -> None:
    """Open a link, and sign in at the provider."""
    page.goto(link)
    page.get_by_role("link", name="Sign in", exact=True).click()
    page.get_by_role("button", name=person).click()
    page.wait_for_url(link)


def post_it(page: Page) -> None:
    """Press the button, and wait for what becomes of it."""
    page.get_by_role("button", name="Post it", exact=True).click()
    page.get_by_role("status").wait_for()
