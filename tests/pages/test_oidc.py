"""A client of OpenID providers believes what it should, and nothing else."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.pages.oidc import Provider
from gateway.pages.signin import Attempt, ProviderError
from gateway.proxy.hold import Visitor
from tests.pages.providers import CLIENT, KEYS, SECRET, Scripted, provider

ATTEMPT = Attempt("the-state", "the-nonce", "the-verifier", "https://gateway.example.com/back")
CAME = {"code": "the-code", "state": "the-state"}


class Now:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.moved = 0.0
        self._began = time.time()

    def __call__(self) -> float:
        return self._began + self.moved


@pytest.fixture
async def scripted() -> AsyncIterator[Scripted]:
    """A provider that answers rightly until a test says otherwise."""
    async with provider() as running:
        running.nonce = ATTEMPT.nonce
        yield running


def client(scripted: Scripted, now: Now | None = None, issuer: str = "") -> Provider:
    """A client of it."""
    own = issuer or scripted.issuer
    return Provider(own, CLIENT, SECRET, "openid email", now=now or Now())


async def test_somebody_is_sent_there_with_all_that_ties_him_to_his_return(
    scripted: Scripted,
) -> None:
    """State, nonce, and the digest of a verifier that is never sent along."""
    address = urlsplit(await client(scripted).address(ATTEMPT, another=True))

    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{scripted.issuer}/authorize"
    assert asked["state"] == "the-state"
    assert asked["nonce"] == "the-nonce"
    assert (asked["client_id"], asked["redirect_uri"]) == (CLIENT, ATTEMPT.back)
    assert (asked["response_type"], asked["scope"]) == ("code", "openid email")
    assert (asked["code_challenge_method"], asked["prompt"]) == ("S256", "login")
    assert "the-verifier" not in address.query


async def test_two_attempts_share_nothing() -> None:
    """What ties somebody to his return is random."""
    one, other = Attempt.begun("b"), Attempt.begun("b")

    parts = {one.state, one.nonce, one.verifier, other.state, other.nonce, other.verifier}
    assert len(parts) == 6
    assert all(len(part) >= 43 for part in parts)


async def test_a_code_is_redeemed_by_who_asked_for_it(scripted: Scripted) -> None:
    """With the client's secret, both encoded, and the verifier; the person comes back."""
    visitor = await client(scripted).redeem(ATTEMPT, CAME)

    assert visitor == Visitor(email="ada@example.com", subject="7", name="Ada")
    ((authorization, form),) = scripted.redeemed
    given = base64.b64decode(authorization.removeprefix("Basic ")).decode()
    assert given == "gateway+%26+co:a+secret%3A+with+a+colon"
    assert form == {
        "grant_type": "authorization_code",
        "code": "the-code",
        "redirect_uri": ATTEMPT.back,
        "code_verifier": "the-verifier",
    }


async def test_a_provider_that_wants_the_secret_in_the_form_gets_it_there(
    scripted: Scripted,
) -> None:
    """Where it does not take it in the header."""
    scripted.described = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}

    await client(scripted).redeem(ATTEMPT, CAME)

    ((authorization, form),) = scripted.redeemed
    assert authorization == ""
    assert (form["client_id"], form["client_secret"]) == (CLIENT, SECRET)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"email_verified": False}, Visitor(subject="7", name="Ada")),
        ({"email_verified": "false"}, Visitor(subject="7", name="Ada")),
        ({"email_verified": None}, Visitor(email="ada@example.com", subject="7", name="Ada")),
        ({"email_verified": "true"}, Visitor(email="ada@example.com", subject="7", name="Ada")),
        ({"email": None}, Visitor(subject="7", name="Ada")),
        ({"email": 7, "name": ["x"]}, Visitor(subject="7")),
        (
            {"name": None, "preferred_username": "ada"},
            Visitor(email="ada@example.com", subject="7", name="ada"),
        ),
    ],
)
async def test_an_address_counts_unless_the_provider_does_not_vouch_for_it(
    scripted: Scripted, claims: dict[str, Any], expected: Visitor
) -> None:
    """And a number of the provider's is nobody's account."""
    scripted.claims = claims

    assert await client(scripted).redeem(ATTEMPT, CAME) == expected


HOUR = 3600
FOREIGN: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "for somebody else": {"aud": "another"},
    "for nobody": {"aud": None},
    "for several, and not for us to use": {"aud": [CLIENT, "another"]},
    "to be used by another": {"aud": [CLIENT, "another"], "azp": "another"},
    "another attempt": {"nonce": "another"},
    "no attempt": {"nonce": None},
    "an odd attempt": {"nonce": 7},
    "over": {"exp": int(time.time()) - HOUR},
    "without an end": {"exp": None},
    "an odd end": {"exp": "tomorrow"},
    "made in the future": {"iat": int(time.time()) + HOUR},
    "never made": {"iat": None},
    "of nobody": {"sub": None},
}


@pytest.mark.parametrize("claims", FOREIGN.values(), ids=FOREIGN)
async def test_a_token_that_is_not_for_us_is_nobodys(
    scripted: Scripted, claims: dict[str, Any]
) -> None:
    """Though it is signed as it should be."""
    scripted.claims = claims

    with pytest.raises(ProviderError, match="foreign_id_token"):
        await client(scripted).redeem(ATTEMPT, CAME)


async def test_a_token_for_several_is_taken_where_we_are_to_use_it(scripted: Scripted) -> None:
    """OpenID Connect Core, section 3.1.3.7."""
    scripted.claims = {"aud": [CLIENT, "another"], "azp": CLIENT}

    assert (await client(scripted).redeem(ATTEMPT, CAME)).signed_in


@pytest.mark.parametrize(
    "forged",
    [
        {"header": {"alg": "HS256"}, "secret_key": SECRET.encode()},
        {"header": {"alg": "HS256"}, "secret_key": KEYS[0].as_pem(private=False)},
        {"token": "eyJhbGciOiJub25lIn0.e30."},
        {"token": "no.token.at-all"},
        {"token": ""},
        {"signs": 1, "header": {"kid": "key-0"}},
        {"header": {"alg": "RS512"}},
    ],
    ids=["our secret", "a public key as a secret", "unsigned", "rubbish", "empty", "another's key", "another algorithm"],
)  # fmt: skip
async def test_a_forged_token_is_nobodys(scripted: Scripted, forged: dict[str, Any]) -> None:
    """The algorithms are named by us, and the keys are the provider's."""
    for name, value in forged.items():
        setattr(scripted, name, value)
    if forged.get("token") == "":
        scripted.body = b'{"id_token": ""}'

    with pytest.raises(ProviderError, match="_id_token"):
        await client(scripted).redeem(ATTEMPT, CAME)


async def test_a_new_key_is_fetched_when_a_token_names_it(scripted: Scripted) -> None:
    """Once; and not at once again, whatever tokens name."""
    now = Now()
    own = client(scripted, now)
    await own.redeem(ATTEMPT, CAME)
    scripted.signs, scripted.publishes = 1, (0, 1)

    with pytest.raises(ProviderError, match="unknown_key"):
        await own.redeem(ATTEMPT, CAME)
    now.moved = 11
    await own.redeem(ATTEMPT, CAME)

    assert scripted.asked.count("keys") == 2
    assert scripted.asked.count("description") == 1


async def test_what_the_provider_said_is_asked_again_after_an_hour(scripted: Scripted) -> None:
    """A key that was withdrawn is not believed for longer."""
    now = Now()
    own = client(scripted, now)
    await own.redeem(ATTEMPT, CAME)
    now.moved, scripted.publishes = 3601, (1,)
    scripted.claims = {"exp": int(time.time()) + 2 * HOUR}

    with pytest.raises(ProviderError, match="unknown_key"):
        await own.redeem(ATTEMPT, CAME)


@pytest.mark.parametrize(
    ("described", "code"),
    [
        ({"issuer": "https://evil.example"}, "other_issuer"),
        ({"issuer": None}, "other_issuer"),
        ({"token_endpoint": "http://evil.example/token"}, "bad_description"),
        ({"token_endpoint": "http://127.0.0.1:1/token"}, "bad_description"),
        ({"jwks_uri": None}, "bad_description"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "bad_description"),
        ({"x": "y" * 300_000}, "answer_too_large"),
    ],
)
async def test_a_description_that_leads_elsewhere_is_refused(
    scripted: Scripted, described: dict[str, Any], code: str
) -> None:
    """It is the issuer's own, its addresses are as safe as its own, and it has an end."""
    scripted.described = described

    with pytest.raises(ProviderError, match=code):
        await client(scripted).address(ATTEMPT)


@pytest.mark.parametrize(
    ("came", "described", "code"),
    [
        ({"error": "access_denied", "state": "the-state"}, {}, "not_signed_in"),
        (CAME | {"iss": "https://evil.example"}, {}, "other_issuer"),
        (CAME, {"authorization_response_iss_parameter_supported": True}, "other_issuer"),
    ],
)
async def test_who_did_not_sign_in_there_is_nobody(
    scripted: Scripted, came: dict[str, str], described: dict[str, Any], code: str
) -> None:
    """No code, or one of another provider's (RFC 9207): no code is sent anywhere."""
    scripted.described = described

    with pytest.raises(ProviderError, match=code):
        await client(scripted).redeem(ATTEMPT, came)
    assert scripted.redeemed == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"{" * 100_000, b'{"id_token": 7}'])
async def test_what_is_no_answer_signs_nobody_in(scripted: Scripted, body: bytes) -> None:
    """Whatever it is."""
    scripted.body = body

    with pytest.raises(ProviderError):
        await client(scripted).redeem(ATTEMPT, CAME)


async def test_a_provider_that_is_away_signs_nobody_in(scripted: Scripted) -> None:
    """And is asked again the next time."""
    with pytest.raises(ProviderError, match="provider_away"):
        await client(scripted, issuer="http://127.0.0.1:1").address(ATTEMPT)
