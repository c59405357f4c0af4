"""The OpenID provider signs people in over HTTP, and refuses what a real one refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet, RSAKey
from selectolax.lexbor import LexborHTMLParser

from gateway.sandbox.app import Sandbox, sandbox_app
from gateway.sandbox.oidc import CLIENT_ID, CLIENT_SECRET, CODE_SECONDS, TOKEN_SECONDS, Provider
from gateway.sandbox.site import Site
from tests.e2e.stack import sandbox
from tests.patience import PATIENCE
from tests.sandbox.relying import ASKED, VERIFIER, Relying

GIVEN = "https://gateway.example.com/_gateway/signed-in"


@pytest.fixture(scope="module")
def running() -> Iterator[str]:
    """A sandbox that runs, at which one more address is given."""
    with sandbox("--redirect-uri", GIVEN) as url:
        yield url


@pytest.fixture
async def relying(running: str) -> AsyncIterator[Relying]:
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=PATIENCE) as http:
        yield Relying(http, running)


async def keys_of(relying: Relying) -> KeySet:
    """The provider's public keys."""
    told = await relying.http.get((await relying.discover())["jwks_uri"])
    return KeySet.import_key_set(told.json())


async def test_somebody_signs_in(relying: Relying) -> None:
    """Discovery, page, code, token: the claims are those of the person who was chosen."""
    told = await relying.discover()
    back = await relying.sign_in("Grace")
    answer = await relying.redeem(back["code"])
    tokens = answer.json()
    token = jwt.decode(tokens["id_token"], await keys_of(relying), algorithms=["RS256"])

    assert told["issuer"] == relying.issuer
    assert back["state"] == ASKED["state"]
    assert answer.headers["cache-control"] == "no-store"
    checks = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": relying.issuer},
        aud={"essential": True, "value": CLIENT_ID},
        nonce={"essential": True, "value": ASKED["nonce"]},
        exp={"essential": True},
        iat={"essential": True},
    )
    checks.validate(token.claims)
    assert token.claims["exp"] - token.claims["iat"] == tokens["expires_in"]
    about = {name: token.claims[name] for name in ("sub", "email", "name", "preferred_username")}
    assert about == {
        "sub": "sandbox-2",
        "email": "grace@example.com",
        "name": "Grace",
        "preferred_username": "grace",
    }
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    info = await relying.http.get(told["userinfo_endpoint"], headers=bearer)
    assert info.json() == about | {"email_verified": True}


async def test_who_signs_in_is_who_writes(relying: Relying) -> None:
    """The address and number of a token's person at the site are those of the sign-in."""
    bearer = {"Authorization": "Bearer somebody-new"}
    me = (await relying.http.get(f"{relying.base}/api/v3/users/me", headers=bearer)).json()
    back = await relying.sign_in(me["name"])
    tokens = (await relying.redeem(back["code"])).json()
    claims = jwt.decode(tokens["id_token"], await keys_of(relying)).claims

    assert (claims["email"], claims["sub"]) == (me["email"], me["externalId"])


async def test_the_key_is_no_others(relying: Relying) -> None:
    """The signature fits the published key alone, and the private part is not published."""
    back = await relying.sign_in()
    tokens = (await relying.redeem(back["code"])).json()
    published = (await relying.http.get((await relying.discover())["jwks_uri"])).json()["keys"]
    other = RSAKey.generate_key(2048, {"kid": published[0]["kid"]})

    with pytest.raises(BadSignatureError):
        jwt.decode(tokens["id_token"], KeySet([other]), algorithms=["RS256"])
    assert published[0].keys() == {"kty", "n", "e", "use", "alg", "kid"}


async def test_scopes_say_what_a_client_learns(relying: Relying) -> None:
    """Without `email` and `profile` there is nothing but who it is; without a nonce, none."""
    back = await relying.sign_in("Alan", scope="openid", nonce=None)
    tokens = (await relying.redeem(back["code"])).json()
    claims = jwt.decode(tokens["id_token"], await keys_of(relying)).claims

    assert claims.keys() == {"iss", "aud", "iat", "exp", "sub"}


async def test_the_hinted_person_stands_first(relying: Relying) -> None:
    """The page lists everybody as buttons, has no script, and shows its fields as text."""
    nasty = '"><script>alert(1)</script>'
    shown = await relying.ask(login_hint="grace@example.com", state=nasty)

    buttons = [each.text() for each in LexborHTMLParser(shown.text).css("form button")]
    assert buttons[0].startswith("Grace")
    assert {"Ada", "Alan"} <= {text.split()[0] for text in buttons}
    assert "<script" not in shown.text
    assert "script-src" not in shown.headers["content-security-policy"]
    assert shown.headers["content-security-policy"].startswith("default-src 'none'")
    assert dict(httpx.URL((await relying.choose(shown, "Grace")).headers["location"]).params)[
        "state"
    ] == nasty  # fmt: skip


async def test_who_chooses_nobody_is_not_signed_in(relying: Relying) -> None:
    """The client is told so, and gets its state."""
    back = await relying.sign_in("Nobody")

    assert (back["error"], back["state"]) == ("access_denied", ASKED["state"])


@pytest.mark.parametrize(
    "redirect",
    [
        "",
        "http://127.0.0.1.example.com/back",
        "http://127.0.0.1@example.com/back",
        "http://example.com\\@127.0.0.1/back",
        "http://127.0.0.1:99/\\example.com",
        "http://localhost.example.com/",
        "http://127.0.0.1:9999/back#part",
        "http://127.0.0.1:9999/back\r\nX: y",
        "javascript://127.0.0.1/%0aalert(1)",
        "//127.0.0.1/back",
        GIVEN + "/more",
        GIVEN.replace("https", "http"),
    ],
)
async def test_nobody_is_sent_to_an_address_that_is_not_the_clients(
    relying: Relying, redirect: str
) -> None:
    """The page says so, whatever else is asked for, and no button stands on it."""
    for shown in (
        await relying.ask(redirect_uri=redirect),
        await relying.ask(redirect_uri=redirect, state=None),
    ):
        assert (shown.status_code, "location" in shown.headers) == (400, False)
        assert "<form" not in shown.text


@pytest.mark.parametrize(
    "redirect",
    [GIVEN, "http://localhost:5/x?y=1", "http://[::1]:5/x", "https://127.0.0.1", "http://127.0.0.1:7/"],
)  # fmt: skip
async def test_loopback_addresses_and_given_ones_are_the_clients(
    relying: Relying, redirect: str
) -> None:
    """The code arrives there, beside what the address asks for itself."""
    relying.redirect = redirect
    back = await relying.sign_in()

    assert (await relying.redeem(back["code"])).status_code == 200
    assert back.get("y", "1") == "1"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"state": None}, "invalid_request"),
        ({"state": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": "email"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain", "code_challenge": VERIFIER}, "invalid_request"),
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"request_uri": "https://x/y"}, "request_uri_not_supported"),
        ({"prompt": "none"}, "login_required"),
    ],
    ids=str,
)
async def test_a_request_that_is_not_sound_goes_back(
    relying: Relying, changes: dict[str, str | None], error: str
) -> None:
    """The client is told what is wrong, with its state, and nobody is asked."""
    sent = await relying.ask(**changes)

    back = dict(httpx.URL(sent.headers["location"]).params)
    assert back.pop("error") == error
    assert back.pop("error_description")
    assert back == ({"state": ASKED["state"]} if "state" not in changes else {})


async def test_a_field_that_is_given_twice_or_an_unknown_client_goes_nowhere(
    relying: Relying,
) -> None:
    """What two readers could read differently is not read."""
    twice = str(httpx.QueryParams(ASKED).add("scope", "openid"))

    shown = await relying.http.get(f"{relying.issuer}/authorize?{twice}")
    unknown = await relying.ask(client_id="other")

    assert (shown.status_code, unknown.status_code) == (400, 400)


async def test_a_person_in_the_address_signs_nobody_in(relying: Relying) -> None:
    """Only a form that somebody sends decides; the page shows what it would have shown."""
    shown = await relying.ask(person="sandbox-1")

    assert shown.status_code == 200
    assert "location" not in shown.headers
    assert 'name="person" value="sandbox-1"' not in shown.text.partition("<button")[0]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": VERIFIER + "x"}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_grant"),
        ({"code_verifier": ASKED["code_challenge"]}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:9999/other"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"code": "made-up"}, "invalid_grant"),
        ({"code": None}, "invalid_grant"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_secret": None}, "invalid_client"),
        ({"client_id": "other"}, "invalid_client"),
        ({"grant_type": "refresh_token"}, "unsupported_grant_type"),
    ],
    ids=str,
)
async def test_no_token_for_a_wrong_request(
    relying: Relying, changes: dict[str, str | None], error: str
) -> None:
    """The error is the RFC's; 401 for the client itself, 400 for all else."""
    back = await relying.sign_in()

    answer = await relying.redeem(back["code"], **changes)

    assert answer.json()["error"] == error
    assert answer.status_code == (401 if error == "invalid_client" else 400)
    assert ("www-authenticate" in answer.headers) == (error == "invalid_client")
    assert "id_token" not in answer.text


async def test_a_wrong_try_spends_the_code(relying: Relying) -> None:
    """Whoever has a code and not its verifier has one guess, and the client learns of it."""
    back = await relying.sign_in()
    await relying.redeem(back["code"], code_verifier="x" * 50)

    assert (await relying.redeem(back["code"])).json()["error"] == "invalid_grant"


async def test_of_many_at_once_one_gets_the_tokens(relying: Relying) -> None:
    """A code works once, also for those who come at the same moment."""
    back = await relying.sign_in()

    answers = await asyncio.gather(*(relying.redeem(back["code"]) for _ in range(12)))

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 11


RIGHT: dict[str, str | None] = {}
TRIES: list[dict[str, str | None]] = [
    RIGHT,
    {"code_verifier": "x" * 50},
    {"redirect_uri": "http://127.0.0.1:9999/other"},
    {"client_secret": "wrong"},
    {"grant_type": "password"},
]
PARTS = Sandbox(Site())


@settings(deadline=None, max_examples=60)
@given(tries=st.lists(st.tuples(st.integers(0, 1), st.sampled_from(TRIES)), max_size=8))
def test_no_code_works_twice(tries: list[tuple[int, dict[str, str | None]]]) -> None:
    """However two codes are tried, each gives tokens once at most, and only on its first true try."""

    async def run() -> None:
        transport = httpx.ASGITransport(app=sandbox_app(PARTS))
        async with httpx.AsyncClient(transport=transport) as http:
            relying = Relying(http, "http://soe")
            codes = [(await relying.sign_in())["code"] for _ in range(2)]
            spent: set[int] = set()
            for which, changes in tries:
                answer = await relying.redeem(codes[which], **changes)

                assert (answer.status_code == 200) == (changes == RIGHT and which not in spent)
                # A client that is not known, or asks for something else, does not touch the code.
                if not changes.keys() & {"client_secret", "grant_type"}:
                    spent.add(which)

    asyncio.run(run())


async def test_the_client_may_say_who_it_is_in_either_way(relying: Relying) -> None:
    """In the header, percent-encoded as RFC 6749 has it, or in the form; not in both."""
    back = [(await relying.sign_in())["code"] for _ in range(3)]
    good = httpx.BasicAuth(quote_plus(CLIENT_ID), quote_plus(CLIENT_SECRET))
    bad = httpx.BasicAuth(CLIENT_ID, "wrong")

    async def send(code: str, auth: httpx.Auth, **more: str) -> Any:
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER}
        form |= {"redirect_uri": relying.redirect, **more}
        told = await relying.http.post(f"{relying.issuer}/token", data=form, auth=auth)
        return told.json().get("error", told.status_code)

    assert await send(back[0], good) == 200
    assert await send(back[1], bad) == "invalid_client"
    assert await send(back[2], good, client_secret=CLIENT_SECRET) == "invalid_request"


async def test_userinfo_wants_a_token_that_it_gave(relying: Relying) -> None:
    """None, a made-up one and an id token are all refused with 401."""
    back = await relying.sign_in()
    tokens = (await relying.redeem(back["code"])).json()
    where = f"{relying.issuer}/userinfo"

    for header in ("", "Bearer made-up", f"Bearer {tokens['id_token']}", "Bearer"):
        answer = await relying.http.get(where, headers={"Authorization": header})
        assert answer.status_code == 401
        assert "invalid_token" in answer.headers["www-authenticate"]


async def test_codes_and_tokens_grow_old() -> None:
    """A code lives for a minute, an access token for an hour."""
    at = 1_800_000_000.0
    parts = Sandbox(Site())
    parts.oidc = Provider(parts.site.people, now=lambda: at)
    transport = httpx.ASGITransport(app=sandbox_app(parts))
    async with httpx.AsyncClient(transport=transport) as http:
        relying = Relying(http, "http://soe")
        late, soon = [(await relying.sign_in())["code"] for _ in range(2)]
        at += CODE_SECONDS - 1
        tokens = (await relying.redeem(soon)).json()
        at += 1
        refused = await relying.redeem(late)
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        young = await http.get(f"{relying.issuer}/userinfo", headers=bearer)
        at += TOKEN_SECONDS
        old = await http.get(f"{relying.issuer}/userinfo", headers=bearer)

    assert refused.json()["error"] == "invalid_grant"
    assert (young.status_code, old.status_code) == (200, 401)


async def test_a_reset_forgets_who_signed_in(relying: Relying) -> None:
    """A code from before is worth nothing."""
    back = await relying.sign_in()
    await relying.http.post(f"{relying.base}/_sandbox/reset")

    assert (await relying.redeem(back["code"])).json()["error"] == "invalid_grant"
