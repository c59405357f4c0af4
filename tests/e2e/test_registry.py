"""Whom the gateway knows, as real processes: by certificate, by a token it holds, by an exchange."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography import x509

from gateway.policy.registry import digest
from tests import local
from tests.authority import SERVER, Authority, Issued
from tests.e2e.conftest import ACTION_ONLY
from tests.e2e.process import Running, gateway
from tests.e2e.stack import sandbox
from tests.patience import PATIENCE, until
from tests.ports import kept_port
from tests.servers import Valkey

pytestmark = pytest.mark.slow

KEY, SERVICE, OLD, NEW = "sgw_key", "service-token", "the-first-token", "the-second-token"
QUESTION = {"title": "How do I rotate the key?", "body": "It runs out.", "tags": ["keys"]}
ACT = {"X-Explicit-Action": "true"}
REGISTERED = """\
integrations:
  mesh-bot: {{owner: o, contact: c, purpose: p, certificates: ["URI:spiffe://example.com/bot"]}}
  web-app: {{owner: o, contact: c, purpose: p, oauth_clients: ["7"]}}
  service-bot: {{owner: o, contact: c, purpose: p, tokens: ["sha256:{service}"]}}
  key-bot:
    owner: o
    contact: c
    purpose: p
    keys: ["sha256:{key}"]
    upstream_token: {{file: {file}}}
"""


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """Registrations, a rule, and a token that the gateway holds."""
    (tmp_path / "token").write_text(OLD)
    directory = tmp_path / "policies"
    directory.mkdir()
    (directory / "action.yaml").write_text(ACTION_ONLY)
    told = {"service": digest(SERVICE.encode()), "key": digest(KEY.encode())}
    registered = REGISTERED.format(**told, file=tmp_path / "token")
    (directory / "integrations.yaml").write_text(registered)
    return directory


def ask(running: Running, token: str | None, title: str, **more: str) -> httpx.Response:
    """Ask a question."""
    fields = ACT | more | ({"Authorization": f"Bearer {token}"} if token else {})
    question = QUESTION | {"title": title, "body": f"It runs out. {title}"}
    url = f"{running.proxy}/api/v3/questions"
    return local.post(url, json=question, headers=fields)


def said(*folders: Path) -> str:
    """Everything that gateways wrote: logs, audit, errors."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return "".join(path.read_text(errors="replace") for path in files if path.suffix != ".db")


@pytest.fixture
def replicas(policies: Path, tmp_path: Path) -> Iterator[tuple[Running, Running, str]]:
    """Two gateways over one state and one key, before one site."""
    (tmp_path / "audit.key").write_text("k" * 64)
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    valkey = Valkey()
    words = ("--policies", str(policies), "--state", valkey.url)
    environ = {"SOE_GATEWAY_AUDIT_KEY_FILE": str(tmp_path / "audit.key")}
    try:
        with (
            sandbox() as soe,
            gateway(soe, one, *words, environ=environ) as first,
            gateway(soe, other, *words, environ=environ) as second,
        ):
            yield first, second, soe
    finally:
        valkey.close()


def code(soe: str, client: str) -> str:
    """Sign in at the site, as a person's browser does."""
    asked = {"client_id": client, "redirect_uri": "https://app.example.com/back"}
    answer = local.get(f"{soe}/oauth", params=asked)
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


def exchange(running: Running, soe: str, client: str) -> httpx.Response:
    """Exchange a code for a token, as the vendor's clients do: all of it in the query."""
    asked = {
        "client_id": client,
        "client_secret": "the-secret-of-the-client",
        "code": code(soe, client),
        "redirect_uri": "https://app.example.com/back",
    }
    url = f"{running.proxy}/oauth/access_token/json"
    return local.post(url, params=asked, headers=ACT)


def test_a_client_is_known_on_every_replica_by_what_it_exchanged(
    replicas: tuple[Running, Running, str], tmp_path: Path
) -> None:
    """A code at one, a post at the other; who is no registered client exchanges nothing."""
    one, other, soe = replicas
    stranger = exchange(one, soe, "8")
    token = exchange(one, soe, "7").json()["access_token"]
    answers = [ask(each, token, f"From {each.proxy}?") for each in (one, other)]

    assert (stranger.status_code, stranger.json()["code"]) == (401, "unknown_caller")
    assert [answer.status_code for answer in answers] == [201, 201]
    decided = [each for each in (*one.audit(), *other.audit()) if each["kind"] == "decision"]
    assert [each["integration"] for each in decided] == ["web-app"] * 3
    told = said(tmp_path / "one", tmp_path / "other")
    assert [secret in told for secret in (token, "the-secret-of-the-client")] == [False, False]


def test_impersonation_stays_with_the_service_that_does_it(
    replicas: tuple[Running, Running, str], tmp_path: Path
) -> None:
    """Whoever it writes as, on whichever replica: its integration, and its token in the record."""
    one, other, _ = replicas
    asked = {"access_tokens": SERVICE, "exchange_type": "impersonate"}
    minted = [
        local.post(
            f"{one.proxy}/api/2.3/access-tokens/exchange",
            params=asked | {"account_id": account},
            headers=ACT | {"X-API-Key": "k"},
        ).json()["items"][0]["access_token"]
        for account in ("2", "3")
    ]
    own = ask(one, SERVICE, "By the service itself?")
    answers = [ask(other, token, f"As another {token[:3]}?") for token in minted]
    ended = local.get(
        f"{one.proxy}/api/2.3/access-tokens/{minted[0]}/invalidate",
        headers=ACT | {"X-API-Access-Token": minted[0], "X-API-Key": "k"},
    )

    assert [own.status_code, *(each.status_code for each in answers)] == [201] * 3
    assert answers[0].json()["owner"]["name"] == "Grace"
    assert ended.status_code == 200
    assert ask(one, minted[0], "After its end?").json()["code"] == "unregistered_caller"
    decided = [each for each in (*one.audit(), *other.audit()) if each["kind"] == "decision"]
    assert {each["integration"] for each in decided} == {"service-bot"}
    assert len({each["token"] for each in decided}) == 1
    told = said(tmp_path / "one", tmp_path / "other")
    assert [secret in told for secret in (*minted, SERVICE)] == [False] * 3


def test_a_token_that_the_gateway_holds_is_replaced_while_it_runs(
    policies: Path, tmp_path: Path
) -> None:
    """The integration knows its key alone; the new token is used within seconds, and told nowhere."""
    data = tmp_path / "data"
    data.mkdir()
    key = {"X-Gateway-Key": KEY}
    with (
        sandbox("--token", NEW) as soe,
        gateway(soe, data, "--policies", str(policies), environ={}) as running,
    ):
        before = ask(running, None, "With the old one?", **key)
        beside = ask(running, "mine", "With two?", **key)
        (tmp_path / "token").write_text(NEW + "\n")
        until(lambda: ask(running, None, "With the new one?", **key).status_code != 401)
        after = ask(running, None, "And once more?", **key)

    assert before.status_code == 401  # SOE's word
    assert (beside.status_code, beside.json()["code"]) == (400, "ambiguous_credentials")
    assert after.status_code == 201
    told = said(data)
    assert [secret in told for secret in (OLD, NEW, KEY)] == [False] * 3


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_certificate_names_its_integration(policies: Path, tmp_path: Path, workers: str) -> None:
    """With the settings of an operator, in every worker; a stranger's ends the handshake."""
    authority = Authority(tmp_path)
    own = authority.issue(SERVER)
    shown = authority.issue(x509.UniformResourceIdentifier("spiffe://example.com/bot"))
    (tmp_path / "others").mkdir()
    stranger = Authority(tmp_path / "others").issue()
    data = tmp_path / "data"
    data.mkdir()
    words = ("--tls-cert", str(own.cert), "--tls-key", str(own.key), "--workers", workers)
    environ = {"SOE_GATEWAY_SERVER_TLS_CLIENT_CA": str(authority.path)}
    with (
        sandbox() as soe,
        gateway(soe, data, "--policies", str(policies), *words, environ=environ) as running,
    ):
        known = write(running, authority.client(shown))
        unknown = write(running, authority.client())
        with pytest.raises(httpx.TransportError):
            write(running, authority.client(stranger))

    assert known.status_code == 201
    assert (unknown.status_code, unknown.json()["code"]) == (403, "unregistered_caller")
    decided = [each for each in running.audit() if each["kind"] == "decision"]
    assert [each["integration"] for each in decided] == ["mesh-bot"]


def write(running: Running, context: ssl.SSLContext, at: str = "", **more: str) -> httpx.Response:
    """Ask a question over TLS, of the gateway or of what is before it."""
    fields = ACT | {"Authorization": "Bearer anybodys"} | more
    with local.client(verify=context) as client:
        url = f"{at or running.proxy}/api/v3/questions"
        return client.post(url, json=QUESTION, headers=fields)


NGINX = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {cert};
    ssl_certificate_key {key};
    ssl_client_certificate {authority};
    ssl_verify_client optional;
    location / {{
      proxy_pass {gateway};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Client-Cert $ssl_client_escaped_cert;
    }}
  }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, behind: str, own: Issued, authority: Authority) -> Iterator[str]:
    """Run nginx before a gateway, as the documents say; gives its address."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        pytest.skip("nginx is not installed (apt-get install nginx-light): it cannot be tried")
    with kept_port() as port:
        told = {"port": port, "cert": own.cert, "key": own.key, "authority": authority.path}
        (folder / "nginx.conf").write_text(NGINX.format(**told, folder=folder, gateway=behind))
        process = subprocess.Popen([found, "-p", str(folder), "-c", str(folder / "nginx.conf")])
        try:
            until(lambda: listens(port) or process.poll() is not None)
            assert process.poll() is None, (folder / "error.log").read_text()
            yield f"https://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(PATIENCE)


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def test_nginx_tells_whose_certificate_it_saw(policies: Path, tmp_path: Path) -> None:
    """As the documents have it; what a client says of itself, nginx puts its own word over."""
    authority = Authority(tmp_path)
    own = authority.issue(SERVER)
    shown = authority.issue(x509.UniformResourceIdentifier("spiffe://example.com/bot"))
    data, folder = tmp_path / "data", tmp_path / "nginx"
    data.mkdir()
    folder.mkdir()
    environ = {
        "SOE_GATEWAY_PROXY_TRUSTED": "127.0.0.0/8",
        "SOE_GATEWAY_PROXY_CLIENT_CERTIFICATE": "x-client-cert",
    }
    forged = {"X-Client-Cert": "URI=spiffe://example.com/bot"}
    with (
        sandbox() as soe,
        gateway(soe, data, "--policies", str(policies), environ=environ) as running,
        nginx(folder, running.proxy, own, authority) as front,
    ):
        known = write(running, authority.client(shown), front)
        unknown = write(running, authority.client(), front)
        lying = write(running, authority.client(), front, **forged)

    assert known.status_code == 201
    assert [each.json()["code"] for each in (unknown, lying)] == ["unregistered_caller"] * 2
    decided = [each for each in running.audit() if each["kind"] == "decision"]
    assert [each["integration"] for each in decided] == ["mesh-bot"]
