"""No secret, wherever it came in, stands in anything that the gateway emits."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson
import pytest

from gateway.cli import main
from gateway.policy.registry import digest
from gateway.sandbox.oidc import CLIENT_ID, CLIENT_SECRET, PATH
from tests import local
from tests.e2e.planting import Planted, files, forms
from tests.e2e.process import CONTACT, Running, gateway
from tests.e2e.recorder import Answer, Recorded, created, recorder
from tests.e2e.stack import sandbox
from tests.patience import PATIENCE
from tests.servers import Valkey

pytestmark = pytest.mark.slow

RULES = """\
policy: tests
owner: tests
rules:
  acted: {title: T, mode: warn, for: ["*"], explicit_action: {evidence: asserted}}
  copies: {title: T, mode: observe, for: ["*"], duplicate: {within: 1d}}
  named: {title: T, mode: observe, for: ["*"], if: {user_agent: {contains: [nobody]}}}
  few: {title: T, mode: observe, for: ["*"], rate_cap: {limit: 1, window: 1d, per: [person]}}
  looked-at: {title: T, mode: hold, approver: link, for: ["article.create"], if: {title: {contains: [hold]}}}
"""
REGISTRY = """\
integrations:
  key-bot: {{owner: o, contact: c, purpose: p, keys: ["sha256:{key}"], upstream_token: {{file: {token}}}}}
"""
QUESTION: dict[str, Any] = {"title": "How do I rotate it?", "body": "It runs out.", "tags": ["a"]}
ARTICLE = QUESTION | {"title": "hold", "type": "howToGuide"}
ME = {"id": 17, "accountId": 17, "name": "Jane", "email": "jane@example.com"}


@dataclass
class Client:
    """Sends bytes, and keeps what comes back."""

    running: Running
    answers: list[bytes] = field(default_factory=list)

    def raw(self, request: bytes) -> bytes:
        """Send them as they are, and read to the end."""
        with socket.create_connection(
            ("127.0.0.1", self.running.port), timeout=PATIENCE
        ) as connection:
            connection.sendall(request)
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                while more := connection.recv(65_536):
                    answer += more
        self.answers.append(answer)
        return answer

    def send(self, method: str, target: str, body: Any = None, **fields: str) -> bytes:
        """Send a request; a dict goes as JSON, a list of pairs as a form."""
        media_type = "application/json"
        if isinstance(body, list):
            body, media_type = urlencode(body).encode(), "application/x-www-form-urlencoded"
        elif isinstance(body, dict):
            body = orjson.dumps(body)
        named = {"host": "gateway", "connection": "close"}
        if body is not None:
            named |= {"content-type": media_type, "content-length": str(len(body))}
        named |= {name.replace("_", "-"): value for name, value in fields.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        return self.raw(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + (body or b""))


def write_everywhere(client: Client, planted: Planted) -> None:
    """Writes that pass or are judged, with a secret in every place."""
    client.send(
        "POST",
        f"/api/v3/questions?access_token={planted('query of v3')}",
        QUESTION,
        authorization=f"Bearer {planted('token beside another')}",
    )
    client.send(
        "POST",
        f"/api/v3/questions?{planted('name in a query')}={planted('value in a query')}",
        QUESTION
        | {
            "token": planted("member of a body"),
            "author": {"credentials": [{"password": planted("nested member")}]},
            planted("name of a member"): 1,
        },
        authorization=f"Bearer {planted('bearer token')}",
        cookie=f"session={planted('cookie')}",
        proxy_authorization=f"Basic {planted('proxy credentials')}",
        idempotency_key=planted("idempotency key"),
        referer=f"https://x.example.com/?token={planted('referer')}",
        user_agent=f"bot/1 {planted('word in user agent')} (token={planted('token in user agent')}; "
        f"https://me:{planted('password in user agent')}@x.example.com)",
        x_explicit_action=f'act="click", by="jane@example.com", at=@1, why="{planted("act")}"',
        x_forwarded_for=planted("forwarded for"),
        x_forwarded_user=planted("forwarded user"),
        x_request_id=planted("request id"),
        traceparent=planted("traceparent"),
        baggage=f"key={planted('baggage')}",
        accept=planted("accept"),
        prefer=planted("prefer"),
        **{f"x-{planted('name of a field')}": planted("unknown field")},
    )
    for value in (planted("literal act"), f"({planted('unreadable act')}", f'act="key={planted("key in act")}"'):  # fmt: skip
        client.send("POST", "/api/v3/questions", QUESTION, x_explicit_action=value)
    client.send(
        "POST",
        f"/api/2.3/questions/add?key={planted('key of v2.3')}",
        [
            ("title", "How do I rotate it?"), ("body", "It runs out."), ("tags", "a"),
            ("access_token", planted("token in a form")),
            ("client_secret", planted("secret in a form")),
            ("request_id", planted("request id in a form")),
            (planted("name in a form"), "1"),
        ],
    )  # fmt: skip
    client.send(
        "POST",
        f"/api/2.3/questions/add?access_token={planted('token in a query')}&key={planted('key in a query')}",
        [("title", "How do I rotate it?"), ("body", "It runs out."), ("tags", "a")],
    )
    client.send(
        "POST",
        "/oauth/access_token/json",
        [
            ("client_id", "7"),
            ("client_secret", planted("client secret")),
            ("code", planted("code")),
        ],
    )
    client.send("POST", f"/api/2.3/access-tokens/exchange?access_tokens={planted('exchanged')}")
    client.send("GET", f"/api/2.3/access-tokens/{planted('token in a path')}/invalidate")
    client.send("GET", f"/api/2.3/apps/{planted('app in a path')}/de-authenticate")
    image = (
        f'--b\r\ncontent-disposition: form-data; name="file"; filename="{planted("file name")}"\r\n'
        f"x-token: {planted('field of a part')}\r\n\r\n{planted('part')}\r\n--b--\r\n"
    ).encode()
    client.send("POST", "/api/v3/images/upload", image, content_type="multipart/form-data; boundary=b")  # fmt: skip
    client.send("POST", "/api/v3/questions", QUESTION, x_gateway_key=planted("unknown gateway key"))


def read_everywhere(client: Client, planted: Planted) -> None:
    """Reads and pages."""
    client.send("GET", f"/api/v3/questions?token={planted('query of a read')}")
    client.send("GET", f"/api/2.3/me?access_token={planted('token of a read')}&key={planted('key of a read')}")  # fmt: skip
    client.send("GET", f"/_gateway/holds/{planted('hold')}?token={planted('query of a page')}")
    client.send(
        "GET",
        f"/_gateway/signed-in?code={planted('code of a sign-in')}&state={planted('state')}",
        cookie=f"__Host-sign-in={planted('cookie of a page')}",
    )
    client.send("POST", f"/_gateway/holds/{'0' * 32}/confirm", [("token", planted("form of a page"))])  # fmt: skip
    client.send("GET", "/_gateway/rules", authorization=f"Bearer {planted('token of a page')}")


def sign_in(client: Client, planted: Planted, hold: str) -> None:
    """Sign somebody in at the provider to see a hold, and watch for all that this takes."""
    with local.client(base_url=client.running.proxy) as browser:
        sent = browser.get("/_gateway/sign-in", params={"hold": hold})
        asked = urlsplit(sent.headers["location"])
        page = local.get(sent.headers["location"]).text
        chosen = dict(parse_qsl(asked.query)) | {"person": page.partition('name="person" value="')[2].partition('"')[0]}  # fmt: skip
        back = local.post(asked._replace(query="").geturl(), data=chosen)
        planted.also(chosen["state"], "state of a sign-in")
        planted.also(dict(parse_qsl(urlsplit(back.headers["location"]).query))["code"], "redeemed code")  # fmt: skip
        attempt = dict(browser.cookies)
        done = browser.get(back.headers["location"])
        assert (done.status_code, len(browser.cookies)) == (303, 1)
        for cookie in (attempt | dict(browser.cookies)).values():
            planted.also(cookie, "cookie of somebody who signed in")


def break_everything(client: Client, planted: Planted) -> None:
    """Requests of each kind that is refused before it is a write, and some that are cut off."""
    post = "POST /api/v3/questions HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n"
    for name, request in {
        "two framings": "content-length: 5\r\ntransfer-encoding: chunked\r\nx-a: {}\r\n\r\n0\r\n\r\n",
        "bad chunk": "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{}\r\n",
        "bad field": "{}\r\n\r\n",
        "field with a space": "x {}: 1\r\n\r\n",
        "bad length": "content-length: {}\r\n\r\n",
        "coding": "content-encoding: {}\r\ncontent-length: 2\r\n\r\n{{}}",
        "transfer coding": "transfer-encoding: {}\r\n\r\n",
        "method override": "x-http-method-override: {}\r\ncontent-length: 2\r\n\r\n{{}}",
        "media type": "content-type: text/{}\r\ncontent-length: 2\r\n\r\n{{}}",
        "large head": "x-a: {}" + "a" * 40_000 + "\r\n\r\n",
    }.items():
        client.raw((post + request.format(planted(name))).encode())
    client.raw(f"{planted('method')} /api/v3/questions HTTP/1.1\r\nhost: g\r\n\r\n".encode())
    client.raw(f"GET / HTTP/1.1 {planted('request line')}\r\n\r\n".encode())
    client.raw(f"GET http://me:{planted('absolute')}@x/ HTTP/1.1\r\nhost: g\r\n\r\n".encode())
    for name, body in {
        "bad JSON": '{{"title": {}',
        "JSON twice": '{{"{0}": 1, "{0}": 2}}',
        "JSON of another kind": '["{}"]',
        "deep JSON": "[" * 60 + '"{}"' + "]" * 60,
        "no text": '{{"title": "\udcff{}"}}',
        "wrong member": '{{"title": {{"{}": 1}}, "body": 1, "tags": 1}}',
        "large": '{{"body": "{}' + "x" * 1_100_000 + '"}}',
    }.items():
        told = body.format(planted(name)).encode("utf-8", "surrogateescape")
        client.send("POST", "/api/v3/questions", told)
    for target in (
        "/api/v3/{}",
        "/api/2.3/questions/{}/edit",
        "/api/v3/questions/1%2f{}",
        "/x;{}/y",
    ):
        client.send("POST", target.format(planted(f"target {target}")), QUESTION)
    for pairs in ("a={0}&a={0}", "title=x&title={}", "callback={}&title=a&body=b&tags=c", "%zz={}"):
        told = pairs.format(planted(f"form {pairs}")).encode()
        client.send("POST", "/api/2.3/questions/add", told, content_type="application/x-www-form-urlencoded")  # fmt: skip


def told_by_commands(
    data: Path, policies: Path, capfd: pytest.CaptureFixture[str]
) -> dict[str, bytes]:
    """What the commands print that look at what the gateway left."""
    where = ["--data", str(data)]
    calls = [
        ["replay", *where, "--policies", str(policies), "--json"],
        ["integrations", "propose", *where, "--json"],
        ["audit", "people", *where, "--json"],
        ["audit", "verify", *where],
        ["audit", "query", *where, "--json"],
        ["audit", "export", *where, "--format", "ecs"],
        ["audit", "export", *where, "--format", "ocsf"],
        ["state", "release", "nothing", *where, "--json"],
        ["serve", "--upstream", "https://me:pw@x", "--workers", "none", *where],
    ]
    told = {}
    for call in calls:
        capfd.readouterr()
        main(call)
        told[" ".join(call)] = "".join(capfd.readouterr()).encode()
    return told


def dump(valkey: Valkey, password: str) -> dict[str, bytes]:
    """All that a server holds, as it would lie on its disk."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(valkey.path))
        connection.sendall(f"AUTH {password}\r\nCONFIG SET rdbcompression no\r\nSAVE\r\n".encode())
        told = b""
        while told.count(b"+OK") < 3:
            told += connection.recv(4096)
    return files(valkey.path.parent)


@pytest.fixture(params=["sqlite", "valkey"])
def valkey(request: pytest.FixtureRequest, planted: Planted) -> Iterator[Valkey | None]:
    """A server with a password, or none."""
    if request.param == "sqlite":
        yield None
        return
    server = Valkey("--requirepass", planted("password of state"))
    yield server
    server.close()


@pytest.fixture
def planted() -> Planted:
    """Nothing yet."""
    return Planted()


@pytest.fixture
def provider() -> Iterator[str]:
    """Where people sign in."""
    with sandbox() as url:
        yield url + PATH


def settings(kept: Path, provider: str, planted: Planted) -> dict[str, str]:
    """Settings with all the secrets that settings may hold."""
    (kept / "audit.key").write_text(planted("audit key") + planted("rest of the audit key"))
    return {
        "SOE_GATEWAY_IDENTIFY_ANONYMOUS": "allow",
        "SOE_GATEWAY_IDENTIFY_PERSON": "lookup",
        "SOE_GATEWAY_AUDIT_KEY_FILE": str(kept / "audit.key"),
        "SOE_GATEWAY_AUDIT_CONTENT": "full",
        "SOE_GATEWAY_SIGN_IN_ISSUER": provider,
        "SOE_GATEWAY_SIGN_IN_CLIENT_ID": CLIENT_ID,
        "SOE_GATEWAY_SIGN_IN_CLIENT_SECRET": planted.also(CLIENT_SECRET, "the gateway's own"),
        "SOE_GATEWAY_LOG_LEVEL": "debug",
        "SOE_GATEWAY_STATE_POSTS": "1000",
        **CONTACT,
    }


def failing(words: str) -> Answer:
    """An SOE that knows who acts, and breaks with these words, or without any."""
    said, me = words.encode(), orjson.dumps(ME)
    length = b"content-length: %d\r\n\r\n%s"
    known = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + length % (len(me), me)
    broken = b"HTTP/1.1 500 %s\r\nset-cookie: %s\r\nx-a: %s\r\n" % (said, said, said)

    def answer(request: Recorded) -> bytes | None:
        if request.method == "GET" and b"/me" in request.target:
            return known
        if b"breaks" in request.body:
            return broken + length % (len(said), said)
        return None if b"silence" in request.body else created(request)

    return answer


def test_no_secret_is_in_anything_that_is_emitted(
    tmp_path: Path,
    planted: Planted,
    valkey: Valkey | None,
    provider: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Logs, records, metrics, answers, state, the people file and commands are searched for all."""
    password = next(iter(planted.where), "")
    token, key, fails = planted("held token"), planted("gateway key"), planted("SOE's own words")
    policies, kept, data = (tmp_path / name for name in ("policies", "kept", "data"))
    for folder in (policies, kept, data):
        folder.mkdir()
    (kept / "token").write_text(token)
    (policies / "rules.yaml").write_text(RULES)
    registry = REGISTRY.format(key=digest(key.encode()), token=kept / "token")
    (policies / "integrations.yaml").write_text(registry)
    environ = settings(kept, provider, planted)
    if valkey is not None:
        environ["SOE_GATEWAY_STATE_URL"] = f"{valkey.url}?password={password}"
    with (
        recorder(failing(fails)) as soe,
        gateway(soe.url, data, "--policies", str(policies), environ=environ) as running,
    ):
        client = Client(running)
        write_everywhere(client, planted)
        read_everywhere(client, planted)
        break_everything(client, planted)
        held = client.send("POST", "/api/v3/articles", ARTICLE, x_gateway_key=key)
        sign_in(client, planted, held.partition(b"/_gateway/holds/")[2][:32].decode())
        for body in ("silence", "breaks"):
            client.send("POST", "/api/v3/questions", QUESTION | {"body": body}, x_gateway_key=key)
        broken = client.answers.pop()  # SOE's own words go to whom it answers
        told = {f"answer {n}": each for n, each in enumerate(client.answers)}
        told["metrics"] = local.get(f"{running.admin}/metrics").content
        records = running.audit()
    told |= {} if valkey is None else dump(valkey, password)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    told |= told_by_commands(data, policies, capfd)
    told |= files(data)

    assert planted.found(told) == set()
    # What never came in, or could not be found, would prove nothing.
    assert token.encode() in dict(soe.requests[-1].headers)[b"authorization"]
    assert fails.encode() in broken
    assert {each["kind"] for each in records} == {"decision", "sending", "outcome", "admin"}
    assert sum(each["kind"] == "decision" for each in records) > 10
    assert b"jane@example.com" in told[f"audit people --data {data} --json"]


def test_a_secret_is_found_in_each_of_its_forms(planted: Planted) -> None:
    """Else the search would find nothing, whatever is there."""
    secret = planted("here")
    other = planted("there")

    for form in forms(secret):
        assert planted.found({"x": b"before " + form + b" after"}) == {"here in x"}
    assert planted.found({"x": b"nothing"}) == set()
    assert other not in secret
