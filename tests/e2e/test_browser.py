"""Clients that are pages: a script signs somebody in, writes, and reads why it was refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser import browser, origin, told
from tests.e2e.conftest import ACTION_ONLY
from tests.e2e.stack import Stack, stack

pytestmark = pytest.mark.slow

PAGE = """
<!doctype html><meta charset="utf-8"><title>A client</title><script>
const gateway = new URLSearchParams(location.search).get("gateway") || sessionStorage.gateway;
sessionStorage.gateway = gateway;
const token = new URLSearchParams(location.hash.slice(1)).get("access_token");
async function ask(title, headers) {
  const answer = await fetch(gateway + "/api/v3/questions", {
    method: "POST",
    headers: { Authorization: "Bearer " + token, "Content-Type": "application/json", ...headers },
    body: JSON.stringify({ title, body: "It runs out on Friday.", tags: ["keys"] }),
  });
  const document = await answer.json();
  return { status: answer.status, decision: answer.headers.get("Gateway-Decision"), ...document };
}
async function run() {
  const told = {};
  try {
    told.refused = await ask("How do I rotate the signing key?", {});
    told.made = await ask(
      "How do I rotate the signing key?", { "X-Explicit-Action": "true", "Idempotency-Key": "k1" });
    told.read = (await (await fetch(gateway + "/api/v3/questions", {
      headers: { Authorization: "Bearer " + token } })).json()).items.length;
    told.key = await ask("With a key?", { "X-Gateway-Key": "sgw_k" }).catch((error) => error.name);
  } catch (error) { told.failed = error.name; }
  window.told = told;
}
if (token) run();
else location = gateway + "/oauth/dialog?" + new URLSearchParams(
  { client_id: "7", scope: "write_access", redirect_uri: location.origin + "/back" });
</script>
"""


WITH_A_CODE = """
<!doctype html><meta charset="utf-8"><title>A client with PKCE</title><script>
const here = new URLSearchParams(location.search);
const gateway = here.get("gateway") || sessionStorage.gateway;
sessionStorage.gateway = gateway;
const act = { "X-Explicit-Action": "true" };
const redirect_uri = location.origin + "/back";
const text = (bytes) => btoa(String.fromCharCode(...bytes)).replace(/[+]/g, "-")
  .replace(/[/]/g, "_").replace(/=/g, "");
async function ask(token) {
  const answer = await fetch(gateway + "/api/v3/questions", {
    method: "POST",
    headers: { Authorization: "Bearer " + token, "Content-Type": "application/json", ...act },
    body: JSON.stringify({ title: "Who am I?", body: "A page, with a token.", tags: ["keys"] }),
  });
  return { status: answer.status, ...(await answer.json()) };
}
async function run(code) {
  const told = {};
  try {
    told.stranger = await ask("a-token-of-nobody");
    const exchanged = await fetch(gateway + "/oauth/access_token/json", {
      method: "POST", headers: act,
      body: new URLSearchParams(
        { client_id: "7", code, redirect_uri, code_verifier: sessionStorage.verifier }),
    });
    told.made = await ask((await exchanged.json()).access_token);
  } catch (error) { told.failed = error.name; }
  window.told = told;
}
async function begin() {
  sessionStorage.verifier = text(crypto.getRandomValues(new Uint8Array(48)));
  const verifier = new TextEncoder().encode(sessionStorage.verifier);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", verifier));
  location = gateway + "/oauth?" + new URLSearchParams({ client_id: "7", redirect_uri,
    scope: "write_access", code_challenge: text(digest), code_challenge_method: "S256" });
}
here.has("code") ? run(here.get("code")) : begin();
</script>
"""


@dataclass(frozen=True, slots=True)
class Pages:
    """A gateway, and two origins of which it knows the first."""

    running: Stack
    known: str
    foreign: str


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for all tests."""
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def pages(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """Two pages that do the same; writers need not be registered, but their origin must."""
    with origin(PAGE) as known, origin(PAGE) as foreign:
        policies = tmp_path_factory.mktemp("policies")
        (policies / "action.yaml").write_text(ACTION_ONLY)
        (policies / "integrations.yaml").write_text(registered(known))
        with stack(tmp_path_factory.mktemp("data"), policies) as running:
            yield Pages(running, known, foreign)


def registered(page: str) -> str:
    """A registration of a page's origin and of the client that it is for SOE."""
    return (
        "integrations:\n  page-app:\n    owner: o\n    contact: c\n    purpose: p\n"
        f'    oauth_clients: ["7"]\n    origins: ["{page}"]\n'
    )


def test_a_page_signs_in_writes_and_reads_why_it_was_refused(
    chromium: Browser, pages: Pages
) -> None:
    """SOE's implicit flow through the gateway; SOE gets no preflight, and one write."""
    pages.running.reset()
    page = chromium.new_page()
    page.goto(f"{pages.known}/?gateway={pages.running.url}")
    found = told(page)
    page.close()

    assert found["refused"]["status"] == 403
    assert "X-Explicit-Action" in found["refused"]["detail"]
    assert found["refused"]["decision"] == found["refused"]["decision_id"]
    assert found["made"]["status"] == 201
    assert found["made"]["decision"]
    assert found["read"] >= 1
    assert found["key"] == "TypeError"  # no page is allowed to send one
    assert [each["method"] for each in pages.running.writes()] == ["POST"]


def test_a_page_that_nobody_registered_gets_nowhere(chromium: Browser, pages: Pages) -> None:
    """The browser sends nothing of it to the gateway but what it asks before."""
    pages.running.reset()
    page = chromium.new_page()
    page.goto(f"{pages.foreign}/?gateway={pages.running.url}")
    found = told(page)
    page.close()

    assert found == {"failed": "TypeError"}
    assert pages.running.writes() == []


def test_a_page_that_exchanges_its_code_here_is_known_by_its_token(
    chromium: Browser, tmp_path: Path
) -> None:
    """Where writers must be registered: a code with PKCE, and the token names the client."""
    policies, data = tmp_path / "policies", tmp_path / "data"
    policies.mkdir()
    data.mkdir()
    with origin(WITH_A_CODE) as known:
        (policies / "action.yaml").write_text(ACTION_ONLY)
        (policies / "integrations.yaml").write_text(registered(known))
        with stack(data, policies, environ={}) as running:
            page = chromium.new_page()
            page.goto(f"{known}/?gateway={running.url}")
            found = told(page)
            page.close()
            decided = [each for each in running.running.audit() if each["kind"] == "decision"]

    assert found["stranger"]["code"] == "unregistered_caller"
    assert "knowledge@example.com" in found["stranger"]["detail"]
    assert found["made"]["status"] == 201
    assert [each["integration"] for each in decided] == ["page-app"] * 2
