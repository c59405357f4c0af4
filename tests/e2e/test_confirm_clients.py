"""Clients that know nothing of the gateway: refused with a link, then the same call passes."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
import trustme
from playwright.sync_api import Browser

from gateway.policy.registry import digest
from tests.e2e.browser import browser as real_browser
from tests.e2e.confirming import confirming, post_it, sign_in
from tests.e2e.stack import Stack
from tests.e2e.test_clients import backstage
from tests.patience import PATIENCE

pytestmark = pytest.mark.slow
REGISTRY = f"""\
integrations:
  old-client:
    owner: Grace's team (grace@example.com)
    contact: "#old-client"
    purpose: was here before the gateway
    tokens: ["sha256:{digest(b"alan")}"]
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser."""
    with real_browser() as running:
        yield running


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Path]]:
    """A gateway that holds, over TLS, and the authority that vouches for it."""
    data = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(data / "ca.pem")
    certificate.private_key_pem.write_to_path(data / "key.pem")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(data / "cert.pem", append=True)
    words = ("--tls-cert", str(data / "cert.pem"), "--tls-key", str(data / "key.pem"))
    with confirming(data, *words, registry=REGISTRY) as stack:
        yield stack, data / "ca.pem"


@dataclass
class Client:
    """A client in a process of its own: it asks, tells how that went, waits, and asks again."""

    answers: IO[str]
    goes_on: IO[str]

    def told(self) -> Any:
        """What it says next."""
        return json.loads(self.answers.readline())

    def ask_again(self) -> Any:
        """Let it call the same once more."""
        self.goes_on.write("again\n")
        self.goes_on.flush()
        return self.told()


@contextlib.contextmanager
def client(command: Sequence[str], **environ: str) -> Iterator[Client]:
    """Run one."""
    process = subprocess.Popen(
        [*command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", **environ},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Client(process.stdout, process.stdin)
    finally:
        process.stdin.close()
        process.wait(PATIENCE)
        process.stdout.close()


def confirm(browser: Browser, refusal: str) -> None:
    """Do what the refusal says: open the link in it, sign in, press the button."""
    found = re.search(r"https?://\S+?/_gateway/holds/[0-9a-f]{32}", refusal)
    assert found is not None, refusal
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    sign_in(page, found[0], "Alan")
    post_it(page)
    context.close()


SO4T = """
import json, sys
from so4t_api import StackClient
client = StackClient(url=sys.argv[1], token="alan", key="k")
def ask():
    try:
        made = client.add_question(title="How do I rotate it?", body="It runs out.", tags=["keys"])
        return {"made": made["owner"]["name"]}
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {error}"}
print(json.dumps(ask()), flush=True)
for _ in sys.stdin:
    print(json.dumps(ask()), flush=True)
"""


def test_so4t_api_posts_what_a_person_confirmed(tls: tuple[Stack, Path], browser: Browser) -> None:
    """The v3 client of a vendor's employee: its error has the link, its next call passes, one more does not."""
    stack, authority = tls
    stack.reset()
    command = [sys.executable, "-c", SO4T, stack.url]

    with client(command, REQUESTS_CA_BUNDLE=str(authority)) as running:
        refused = running.told()["refused"]
        confirm(browser, refused)
        made, again = running.ask_again(), running.ask_again()

    assert refused.startswith("ForbiddenError")
    assert made == {"made": "Alan"}
    assert "refused" in again
    assert len(stack.writes()) == 1


STACKAPI = """
import json, sys
from stackapi import StackAPI, StackAPIError
client = StackAPI("stackoverflow", base_url=sys.argv[1] + "/api", key="k", access_token="alan")
def ask():
    try:
        made = client.send_data("questions/add", title="How do I stop it?", body="It hangs.", tags="a;b")
        return {"made": made["items"][0]["owner"]["display_name"]}
    except StackAPIError as error:
        return {"refused": error.message, "code": error.error}
print(json.dumps(ask()), flush=True)
for _ in sys.stdin:
    print(json.dumps(ask()), flush=True)
"""


def test_stackapi_posts_what_a_person_confirmed(tls: tuple[Stack, Path], browser: Browser) -> None:
    """The v2.3 client, which has its token in the form."""
    stack, authority = tls
    stack.reset()
    command = [sys.executable, "-c", STACKAPI, stack.url]

    with client(command, REQUESTS_CA_BUNDLE=str(authority)) as running:
        refused = running.told()
        confirm(browser, refused["refused"])
        made, again = running.ask_again(), running.ask_again()

    assert refused["code"] == 403
    assert made == {"made": "Alan"}
    assert "refused" in again
    assert len(stack.writes()) == 1


BACKSTAGE = """
const { createStackOverflowService } = require(process.argv[1]);
const url = process.argv[2];
const logger = { error() {}, info() {}, warn() {}, debug() {} };
(async () => {
  const service = await createStackOverflowService({ config: { baseUrl: url }, logger });
  const ask = async () => {
    try {
      const made = await service.postQuestions("How do I see it?", "It is hidden.", ["keys"], "alan");
      return { made: made.owner.name };
    } catch (error) { return { refused: error.responseData.detail, status: error.status }; }
  };
  console.log(JSON.stringify(await ask()));
  for await (const _ of require("readline").createInterface({ input: process.stdin }))
    console.log(JSON.stringify(await ask()));
})();
"""


def test_backstages_plugin_posts_what_a_person_confirmed(
    tls: tuple[Stack, Path], browser: Browser
) -> None:
    """The vendor's plugin for Backstage."""
    stack, authority = tls
    stack.reset()
    command = ["node", "-e", BACKSTAGE, str(backstage()), stack.url]

    with client(command, NODE_EXTRA_CA_CERTS=str(authority)) as running:
        refused = running.told()
        confirm(browser, refused["refused"])
        made, again = running.ask_again(), running.ask_again()

    assert refused["status"] == 403
    assert made == {"made": "Alan"}
    assert "refused" in again
    assert len(stack.writes()) == 1
