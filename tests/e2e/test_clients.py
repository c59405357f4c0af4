"""Real clients through the gateway: their reads work, their writes are told why they are refused."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.e2e.conftest import ACTION_ONLY
from tests.e2e.process import OPEN
from tests.e2e.stack import Stack, stack
from tests.shared import ROOT, shared

EXAMPLES = os.environ.get("DOCUMENT_EXAMPLES", "1")
"""Of each operation of the vendor's document, beside those that stand there; make security sends more."""


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose only rule asks for the user's act."""
    directory = tmp_path_factory.mktemp("policies")
    (directory / "action.yaml").write_text(ACTION_ONLY)
    return directory


@pytest.fixture(scope="module")
def plain(policies: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The pair over plain HTTP."""
    with stack(tmp_path_factory.mktemp("plain"), policies) as running:
        yield running


@pytest.fixture(scope="module")
def tls(policies: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Path]]:
    """The pair over TLS, and the authority that vouches for it."""
    with over_tls(tmp_path_factory.mktemp("tls"), policies, OPEN) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(
    policies: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, Path]]:
    """The same, where only registered integrations may write, and none is."""
    with over_tls(tmp_path_factory.mktemp("guarded"), policies, {}) as running:
        yield running


@contextlib.contextmanager
def over_tls(
    data: Path, policies: Path, environ: Mapping[str, str]
) -> Iterator[tuple[Stack, Path]]:
    """Run the pair over TLS."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(data / "ca.pem")
    certificate.private_key_pem.write_to_path(data / "key.pem")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(data / "cert.pem", append=True)
    cert, key = str(data / "cert.pem"), str(data / "key.pem")
    with stack(data, policies, "--tls-cert", cert, "--tls-key", key, environ=environ) as running:
        yield running, data / "ca.pem"


def python(script: str, *arguments: str, **environ: str) -> Any:
    """Run a script of a client in a process of its own; gives what it prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", **environ},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


SO4T = """
import json, sys
from so4t_api import StackClient
client = StackClient(url=sys.argv[1], token="t", key="k")
told = {"me": client.get_myself()["id"], "read": len(client.get_questions())}
question = dict(title="How do I rotate the signing key?", body="It runs out.", tags=["keys"])
try:
    client.add_question(**question)
except Exception as error:
    told["refused"] = f"{type(error).__name__}: {error}"
client.s.headers["X-Explicit-Action"] = "true"
made = client.add_question(**question)
told["made"] = client.edit_question(made["id"], **{**question, "title": "Edited"})["title"]
told["answer"] = client.add_answer(made["id"], "Ask the team.")["questionId"] == made["id"]
client.delete_question(made["id"])
print(json.dumps(told))
"""


def test_so4t_api_reads_writes_and_shows_the_refusal(tls: tuple[Stack, Path]) -> None:
    """The v3 client of a vendor's employee, over TLS, which it insists on."""
    running, authority = tls

    told = python(SO4T, running.url, REQUESTS_CA_BUNDLE=str(authority))

    assert told["read"] >= 1
    assert "X-Explicit-Action" in told["refused"]
    assert told["refused"].startswith("ForbiddenError")
    assert (told["made"], told["answer"]) == ("Edited", True)
    assert [w["method"] for w in running.writes()] == ["POST", "PUT", "POST", "DELETE"]


STACKAPI = """
import json, sys
from stackapi import StackAPI, StackAPIError
client = StackAPI("stackoverflow", base_url=sys.argv[1] + "/api", key="k", access_token="t")
told = {"read": len(client.fetch("questions")["items"])}
question = dict(title="How do I restart the agent?", body="It hangs.", tags="agent;restart")
try:
    client.send_data("questions/add", **question)
except StackAPIError as error:
    told["refused"] = [error.error, error.code, error.message]
import requests
post = requests.post
requests.post = lambda url, **more: post(url, headers={"X-Explicit-Action": "true"}, **more)
told["made"] = client.send_data("questions/add", **question)["items"][0]["tags"]
print(json.dumps(told))
"""


def test_stackapi_reads_writes_and_shows_the_refusal(plain: Stack) -> None:
    """The v2.3 client that puts a slash behind every URL and its token into the form."""
    plain.reset()

    told = python(STACKAPI, plain.url)

    assert told["read"] >= 1
    assert told["refused"][0] == 407
    assert "X-Explicit-Action" in told["refused"][2]
    assert told["made"] == ["agent", "restart"]
    assert len(plain.writes()) == 1


GENERATED = """
import json, sys
sys.path.insert(0, sys.argv[2])
from soe import AuthenticatedClient
from soe.api.questions_main import get_questions, post_questions
from soe.models import QuestionRequestModel
def client(**headers):
    return AuthenticatedClient(base_url=sys.argv[1] + "/api/v3", token="t", headers=headers)
question = QuestionRequestModel(title="How do I read the key?", body="It is hidden.", tags=["keys"])
told = {"read": get_questions.sync_detailed(client=client()).status_code}
refused = post_questions.sync_detailed(client=client(), body=question)
told["refused"] = [refused.status_code, refused.parsed.detail]
made = post_questions.sync_detailed(client=client(**{"X-Explicit-Action": "true"}), body=question)
told["made"] = [made.status_code, made.parsed.title]
print(json.dumps(told))
"""


def vendors_document(tmp_path: Path) -> Path:
    """The vendor's document, less the `null` scopes that break strict readers."""
    document = json.loads(shared("soe-api", "openapi-v3.json").read_text())
    for path in document["paths"].values():
        for operation in path.values():
            for requirement in operation.get("security", []):
                for name, scopes in requirement.items():
                    requirement[name] = [scope for scope in scopes if scope]
    fixed = tmp_path / "openapi.json"
    fixed.write_text(json.dumps(document))
    return fixed


def test_a_generated_client_reads_writes_and_shows_the_refusal(
    plain: Stack, tmp_path: Path
) -> None:
    """What openapi-python-client makes of the vendor's document decides the calls."""
    document = vendors_document(tmp_path)
    command = [str(Path(sys.executable).parent / "openapi-python-client"), "generate"]
    command += ["--path", str(document), "--meta", "none", "--output-path", str(tmp_path / "soe")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    plain.reset()

    told = python(GENERATED, plain.url, str(tmp_path))

    assert told["read"] == 200
    assert told["refused"][0] == 403
    assert "X-Explicit-Action" in told["refused"][1]
    assert told["made"] == [201, "How do I read the key?"]
    assert len(plain.writes()) == 1


BACKSTAGE = """
const { createStackOverflowService } = require(process.argv[1]);
const url = process.argv[2];
const logger = { error() {}, info() {}, warn() {}, debug() {} };
const told = {};
(async () => {
  const service = await createStackOverflowService({ config: { baseUrl: url }, logger });
  told.read = (await service.getQuestions("t")).items.length;
  try { await service.postQuestions("How do I see it?", "It is hidden.", ["keys"], "t"); }
  catch (error) { told.refused = `${error.status} ${error.responseData.detail}`; }
  const fetched = globalThis.fetch;
  globalThis.fetch = (to, more) =>
    fetched(to, { ...more, headers: { ...more.headers, "X-Explicit-Action": "true" } });
  const made = await service.postQuestions("How do I see it?", "It is hidden.", ["keys"], "t");
  told.made = made.title;
  console.log(JSON.stringify(told));
})();
"""
PLUGIN = "backstage-plugin-stack-overflow-teams-backend"


def backstage() -> Path:
    """The plugin's service module, from its package, which is kept."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed: Backstage's plugin cannot be tried")
    cache = ROOT / ".cache" / "backstage"
    module = cache / "package/dist/services/StackOverflowService/createStackOverflowService.cjs.js"
    if not module.exists():
        cache.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", f"{PLUGIN}@1.4.0", "--silent"]
        done = subprocess.run(command, cwd=cache, capture_output=True, timeout=100, check=False)
        if done.returncode != 0:
            pytest.skip("the npm registry is out of reach: Backstage's plugin cannot be tried")
        archive = next(cache.glob("*.tgz"))
        subprocess.run(["tar", "xzf", archive.name], cwd=cache, check=True)
    return module


def test_backstages_plugin_reads_writes_and_shows_the_refusal(plain: Stack) -> None:
    """The vendor's plugin for Backstage: its service module, as its router calls it."""
    plain.reset()

    done = subprocess.run(
        ["node", "-e", BACKSTAGE, str(backstage()), plain.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["read"] >= 1
    assert "X-Explicit-Action" in told["refused"]
    assert told["made"] == "How do I see it?"
    assert len(plain.writes()) == 1


SO4T_UNREGISTERED = """
import json, sys
from so4t_api import StackClient
client = StackClient(url=sys.argv[1], token="t", key="k")
try:
    client.add_question(title="How do I rotate the signing key?", body="It runs out.", tags=["keys"])
except Exception as error:
    print(json.dumps(f"{type(error).__name__}: {error}"))
"""
STACKAPI_UNREGISTERED = """
import json, sys
from stackapi import StackAPI, StackAPIError
client = StackAPI("stackoverflow", base_url=sys.argv[1] + "/api", key="k", access_token="t")
try:
    client.send_data("questions/add", title="How do I restart it?", body="It hangs.", tags="agent")
except StackAPIError as error:
    print(json.dumps(f"{error.error} {error.code} {error.message}"))
"""
BACKSTAGE_UNREGISTERED = """
const { createStackOverflowService } = require(process.argv[1]);
const logger = { error() {}, info() {}, warn() {}, debug() {} };
(async () => {
  const config = { baseUrl: process.argv[2] };
  const service = await createStackOverflowService({ config, logger });
  try { await service.postQuestions("How do I see it?", "It is hidden.", ["keys"], "t"); }
  catch (error) { console.log(JSON.stringify(`${error.status} ${error.responseData.detail}`)); }
})();
"""


@pytest.mark.parametrize("client", ["so4t_api", "stackapi", "backstage"])
def test_who_is_not_registered_is_shown_whom_to_ask(
    guarded: tuple[Stack, Path], client: str
) -> None:
    """Each client shows its user the contact, and the way to a registration."""
    running, authority = guarded
    running.reset()
    if client == "backstage":
        command = ["node", "-e", BACKSTAGE_UNREGISTERED, str(backstage()), running.url]
        environ = {"PATH": os.environ["PATH"], "NODE_EXTRA_CA_CERTS": str(authority)}
        done = subprocess.run(command, capture_output=True, timeout=60, env=environ, check=True)
        shown = json.loads(done.stdout)
    else:
        script = SO4T_UNREGISTERED if client == "so4t_api" else STACKAPI_UNREGISTERED
        shown = python(script, running.url, REQUESTS_CA_BUNDLE=str(authority))

    assert "This integration is not registered." in shown
    assert "Knowledge Team" in shown
    assert "knowledge@example.com" in shown
    assert running.writes() == []


@pytest.mark.slow
@pytest.mark.parametrize("act", [False, True], ids=["without the act", "with the act"])
def test_all_operations_of_the_vendors_document_are_gated(
    plain: Stack, tmp_path: Path, act: bool
) -> None:
    """Schemathesis sends all 144 operations: no write arrives without the act, and many with it."""
    document = vendors_document(tmp_path)
    plain.reset()
    command = [str(Path(sys.executable).parent / "schemathesis"), "run", str(document)]
    command += ["--url", f"{plain.url}/api/v3", "-H", "Authorization: Bearer t"]
    command += ["--max-examples", EXAMPLES, "--phases", "examples,fuzzing", "--seed", "1"]
    command += ["--checks", "not_a_server_error", "--no-color", "--workers", "2"]
    command += ["--generation-database", "none"]
    command += ["-H", "X-Explicit-Action: true"] if act else []
    # Where the suite keeps them, it finds the tables of characters, which take seconds to make.
    kept = {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(ROOT / ".hypothesis")}

    done = subprocess.run(
        command, capture_output=True, text=True, timeout=200, check=False, cwd=tmp_path, env=kept
    )

    assert "Server error" not in done.stdout, done.stdout[-4000:]
    assert "144" in done.stdout
    arrived = plain.writes()
    assert arrived == [] if not act else len(arrived) >= 20
