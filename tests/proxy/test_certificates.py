"""Callers that are known by a client certificate: of the handshake, or told by a trusted proxy."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.registry import digest
from gateway.proxy.certificates import names_in_field
from gateway.proxy.identify import Identifier
from gateway.proxy.listener import Listener
from gateway.proxy.server import ServerLimits, strict
from tests.authority import SERVER, Authority, Issued
from tests.proxy.rig import Rig, Ticking

KEY = b"sgw_key-of-the-other"
REGISTERED = f"""\
integrations:
  mesh-bot:
    owner: o
    contact: c
    purpose: p
    certificates: ["URI:spiffe://example.com/Bot", "DNS:Bot.example.com"]
  other-bot:
    owner: o
    contact: c
    purpose: p
    keys: ["sha256:{digest(KEY)}"]
    tokens: ["sha256:{digest(b"others-token")}"]
    certificates: ["email:other@example.com"]
"""
MESH = x509.UniformResourceIdentifier("spiffe://example.com/Bot")
DNS = x509.DNSName("bot.EXAMPLE.com")
OTHER = x509.RFC822Name("other@Example.com")
STRANGER = x509.DNSName("stranger.example.com")
FIELD = b"x-forwarded-client-cert"


async def registered(rig: Rig, identifier: Identifier | None = None) -> Rig:
    """The same gateway, where callers must be registered."""
    (rig.directory.parent / "policies" / "integrations.yaml").write_text(REGISTERED)
    await rig.app.policies.reload()
    used = identifier or rig.app.pipeline.identifier
    rig.app = replace(
        rig.app,
        pipeline=replace(rig.app.pipeline, anonymous="refuse", identifier=used),
        passthrough=replace(rig.app.passthrough, identifier=used),
        pages=replace(rig.app.pages, identifier=used),  # type: ignore[type-var]  # the real pages
    )
    return rig


@dataclass
class Tls:
    """A gateway that listens with TLS and asks for certificates, and who issues them."""

    url: str
    authority: Authority

    async def ask(self, shown: Issued | None = None, **fields: str) -> httpx.Response:
        """Read the rules, which are told to whom they apply."""
        context = self.authority.client(shown)
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        async with httpx.AsyncClient(verify=context, trust_env=False) as client:
            return await client.get(f"{self.url}/_gateway/rules", headers=headers)

    async def write(self, shown: Issued | None = None) -> httpx.Response:
        """Ask a question, with a token that nobody registered."""
        question = {"title": "How do I rotate the key?", "body": "It runs out.", "tags": ["keys"]}
        fields = {"Authorization": "Bearer anybodys", "X-Explicit-Action": "true"}
        context = self.authority.client(shown)
        async with httpx.AsyncClient(verify=context, trust_env=False) as client:
            url = f"{self.url}/api/v3/questions"
            return await client.post(url, headers=fields, json=question)


@pytest.fixture
async def tls(rig: Rig, tmp_path: Path) -> AsyncIterator[Tls]:
    """A gateway that asks for certificates of its authority."""
    await registered(rig)
    authority = Authority(tmp_path)
    own = authority.issue(SERVER)
    listener = Listener(
        rig.app,
        ("127.0.0.1", 0),
        protocol=strict(ServerLimits(), lambda _: None),
        tls=(own.cert, own.key),
        client_ca=authority.path,
    )
    yield Tls(await listener.start(), authority)
    await listener.stop(1)


@pytest.mark.parametrize(
    ("names", "integration"),
    [
        ([MESH], "mesh-bot"),
        ([DNS], "mesh-bot"),
        ([STRANGER, MESH, DNS], "mesh-bot"),
        ([OTHER], "other-bot"),
        ([STRANGER], "anonymous"),
        ([x509.UniformResourceIdentifier("spiffe://example.com/bot")], "anonymous"),
        ([x509.UniformResourceIdentifier("bot.example.com")], "anonymous"),
        ([], "anonymous"),
    ],
)
async def test_a_certificate_names_by_its_alternative_names(
    tls: Tls, names: list[x509.GeneralName], integration: str
) -> None:
    """Type and value must be registered; of domains alone the letter case means nothing."""
    answer = await tls.ask(tls.authority.issue(*names))

    assert answer.json()["integration"] == integration


async def test_nobody_must_show_a_certificate(tls: Tls) -> None:
    """Others are known by what they send, or not at all."""
    nobody = await tls.ask()
    by_key = await tls.ask(x_gateway_key=KEY.decode())

    assert nobody.json()["integration"] == "anonymous"
    assert by_key.json()["integration"] == "other-bot"


async def test_who_is_known_by_a_certificate_may_write(tls: Tls, rig: Rig) -> None:
    """As by a key; whose certificate nobody registered is told whom to ask."""
    known = await tls.write(tls.authority.issue(MESH))
    unknown = await tls.write(tls.authority.issue(STRANGER))

    assert known.status_code == 201
    assert [each["integration"] for each in rig.records("decision")] == ["mesh-bot"]
    assert (unknown.status_code, unknown.json()["code"]) == (403, "unregistered_caller")
    assert "team@example.com" in unknown.json()["detail"]


@pytest.mark.parametrize("days", [(-2, -1), (1, 2)], ids=["expired", "not yet"])
async def test_a_certificate_that_is_not_right_does_not_come_in(
    tls: Tls, tmp_path: Path, days: tuple[int, int]
) -> None:
    """One out of its time, or of an authority that we do not know, ends the handshake."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for shown in (
        tls.authority.issue(MESH, days=days),
        Authority(elsewhere, "stranger").issue(MESH),
        Authority(elsewhere).issue(MESH),  # of the same name
    ):
        with pytest.raises(httpx.TransportError):
            await tls.ask(shown)


async def test_two_integrations_are_none(tls: Tls) -> None:
    """A certificate beside the key of another, or with the names of two, is refused."""
    beside = await tls.ask(tls.authority.issue(MESH), x_gateway_key=KEY.decode())
    two = await tls.ask(tls.authority.issue(MESH, OTHER))
    token = await tls.ask(tls.authority.issue(MESH), authorization="Bearer others-token")
    agreeing = await tls.ask(tls.authority.issue(OTHER), authorization="Bearer others-token")

    told = [answer.json() for answer in (beside, two, token)]
    assert [each["code"] for each in told] == ["ambiguous_credentials"] * 3
    assert [each["contact"]["name"] for each in told] == ["Team"] * 3
    assert told[0]["detail"].startswith("The gateway key and the certificate belong to two")
    assert agreeing.json()["integration"] == "other-bot"


# ── told by a proxy ──────────────────────────────────────────────────────────────────────────


BEHIND = Identifier(
    secret=b"s" * 32, clock=Ticking(), trusted=(ip_network("127.0.0.0/8"),), told_in=FIELD
)
ALONE = replace(BEHIND, trusted=(ip_network("10.0.0.0/8"),))
XFCC = b'By=spiffe://example.com/gateway;Hash=abc123;Subject="CN=a, \\"b\\";O=x";URI=spiffe://example.com/Bot'


async def integration(rig: Rig, *values: bytes) -> object:
    """Whom the gateway takes a client for whose certificate is told so; or the code that refuses."""
    _, _, body = await rig.send(
        method="GET",
        target=b"/_gateway/rules",
        fields=tuple((FIELD, value) for value in values),
    )
    told = json.loads(body)
    return told.get("integration") or told["code"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (XFCC, "mesh-bot"),
        (b"dns=stranger.example.com;DNS=BOT.example.com", "mesh-bot"),
        (b"By=spiffe://example.com/Bot;Hash=0", "anonymous"),
        (b'Subject="URI=spiffe://example.com/Bot"', "anonymous"),
        (b"", "anonymous"),
        (XFCC + b"," + XFCC, "ambiguous_certificate"),
        (b"Hash=0;URI=spiffe://a,URI=spiffe://example.com/Bot", "ambiguous_certificate"),
        (b'URI="spiffe://example.com/Bot', "ambiguous_certificate"),
        (b"spiffe://example.com/Bot", "ambiguous_certificate"),
        (b"-----BEGIN CERTIFICATE-----", "ambiguous_certificate"),
        (b"URI=\xff", "ambiguous_certificate"),
    ],
)
async def test_envoys_elements_name(rig: Rig, value: bytes, expected: str) -> None:
    """`URI` and `DNS` are the client's; `By` is the proxy's, and a subject is no name."""
    await registered(rig, BEHIND)

    assert await integration(rig, value) == expected


async def test_a_certificate_in_url_encoding_names(rig: Rig, tmp_path: Path) -> None:
    """As nginx has it in `$ssl_client_escaped_cert`; two of them are none."""
    await registered(rig, BEHIND)
    pem = Authority(tmp_path).issue(STRANGER, DNS).pem
    plain = Authority(tmp_path, "nameless").issue().pem

    assert await integration(rig, quote(pem).encode()) == "mesh-bot"
    assert await integration(rig, quote(plain).encode()) == "anonymous"
    assert await integration(rig, quote(pem + plain).encode()) == "ambiguous_certificate"
    assert await integration(rig, XFCC, XFCC) == "ambiguous_certificate"


async def test_a_forged_field_is_refused(rig: Rig) -> None:
    """From an address that is no trusted proxy nothing is believed, and it is said."""
    await registered(rig, ALONE)
    answers = [await rig.send(fields=((FIELD, XFCC),), method=way) for way in ("POST", "GET")]

    assert [status for status, _, _ in answers] == [400, 400]
    assert [json.loads(body)["code"] for _, _, body in answers] == ["untrusted_certificate"] * 2
    assert rig.received == []


async def test_where_no_proxy_tells_certificates_the_field_means_nothing(rig: Rig) -> None:
    """Without the setting it is a field of trust like others: it names nobody, and ends here."""
    await registered(rig, replace(BEHIND, told_in=b""))

    assert await integration(rig, XFCC) == "anonymous"
    await rig.send(method="GET", target=b"/api/v3/questions", fields=((FIELD, XFCC),))
    assert FIELD not in rig.received[0]


@given(st.binary(max_size=200))
def test_any_field_gives_names_or_is_refused(value: bytes) -> None:
    """Nothing that a proxy could pass on crashes the reading."""
    try:
        assert isinstance(names_in_field(value), tuple)
    except ValueError:
        pass
