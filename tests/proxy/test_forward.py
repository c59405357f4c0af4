"""Which fields cross the gateway."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from gateway.model import Headers
from gateway.proxy.exchange import Exchange
from gateway.proxy.forward import Forwarding

SITE = Forwarding(authority=b"soe.example.com", url=b"https://soe.example.com")


def an_exchange(*fields: tuple[bytes, bytes], client: str = "10.0.0.9") -> Exchange:
    scope = {
        "method": "GET",
        "raw_target": b"/api/v3/tags",
        "headers": [(b"host", b"gateway:8080"), *fields],
        "client": (client, 5000),
        "scheme": "http",
    }

    async def receive() -> object:
        raise AssertionError

    async def send(message: object) -> None:
        raise AssertionError

    return Exchange(scope, receive, send, lambda: "id")


@pytest.mark.parametrize(
    "name",
    [
        b"x-explicit-action",
        b"x-gateway-key",
        b"x-gateway-dry-run",
        b"idempotency-key",
        b"cookie",
        b"expect",
        b"te",
        b"proxy-authorization",
        b"forwarded",
        b"x-forwarded-prefix",
        b"x_forwarded_for",
        b"x-real-ip",
        b"x-ms-client-principal-name",
        b"x-gateway-decision",
        b"proxy",
    ],
)
def test_a_field_of_ours_or_of_trust_does_not_go_upstream(name: bytes) -> None:
    """What names a caller or a trust decision to a server is never taken from the client."""
    sent = SITE.to_upstream(an_exchange((name, b"forged")), None)

    assert b"forged" not in [value for _, value in sent]


def test_other_fields_keep_their_order_and_bytes() -> None:
    """User-Agent, trace context and repeated list fields pass as they came."""
    fields = (
        (b"user-agent", b"bot/1 (caf\xe9)"),
        (b"accept-language", b"en"),
        (b"traceparent", b"00-1-2-01"),
        (b"accept-language", b"fr"),
        (b"authorization", b"Bearer t"),
    )

    sent = SITE.to_upstream(an_exchange(*fields), None)

    assert [field for field in sent if field in fields] == list(fields)


def test_the_gateway_says_for_whom_it_forwards() -> None:
    """Host is SOE's, and the forwarding fields are set anew."""
    sent = dict(SITE.to_upstream(an_exchange((b"x-forwarded-for", b"9.9.9.9")), None))

    assert sent[b"host"] == b"soe.example.com"
    assert sent[b"x-forwarded-for"] == b"10.0.0.9"
    assert sent[b"x-forwarded-host"] == b"gateway:8080"
    assert sent[b"x-forwarded-proto"] == b"http"


def test_behind_a_trusted_proxy_the_chain_is_continued() -> None:
    """Only a configured proxy may say who called before it."""
    site = Forwarding(authority=b"soe", url=b"https://soe", trusted=(ip_network("10.0.0.0/8"),))

    sent = dict(site.to_upstream(an_exchange((b"x-forwarded-for", b"9.9.9.9")), None))

    assert sent[b"x-forwarded-for"] == b"9.9.9.9, 10.0.0.9"


def test_hop_by_hop_fields_and_cookies_do_not_come_back() -> None:
    """The client gets neither SOE's cookies nor what was said to the gateway alone."""
    fields: Headers = (
        (b"connection", b"keep-alive, X-Hop"),
        (b"x-hop", b"1"),
        (b"keep-alive", b"timeout=5"),
        (b"set-cookie", b"prov=1"),
        (b"x-burst-throttle-calls-left", b"49"),
    )

    assert SITE.to_client(fields) == [(b"x-burst-throttle-calls-left", b"49")]


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (b"https://soe.example.com/api/v3/tags?x=1", b"/api/v3/tags?x=1"),
        (b"HTTPS://SOE.example.com/a", b"/a"),
        (b"https://soe.example.com", b"/"),
        (b"/api/v3/tags", b"/api/v3/tags"),
        (b"https://soe.example.com.evil/a", b"https://soe.example.com.evil/a"),
        (b"https://elsewhere.example/a", b"https://elsewhere.example/a"),
    ],
)
def test_a_location_on_soe_itself_leads_to_the_gateway(location: bytes, expected: bytes) -> None:
    """A redirect never leads a client around the gate."""
    assert SITE.to_client(((b"location", location),)) == [(b"location", expected)]
