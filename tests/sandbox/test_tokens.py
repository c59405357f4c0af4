"""A token acts for one person, whoever minted it, in both APIs; unknown ones act for nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sandbox.app import Sandbox, sandbox_app
from gateway.sandbox.people import People
from gateway.sandbox.site import Site
from tests.sandbox.relying import CHALLENGE, VERIFIER, changed

REDIRECT = "http://app.example.com/back?x=1"
EXPLICIT = {"client_id": "42", "redirect_uri": REDIRECT, "scope": "write_access", "state": "s"}


def client_of(*tokens: str) -> httpx.AsyncClient:
    """A client of a sandbox that knows these tokens, or any."""
    transport = httpx.ASGITransport(app=sandbox_app(Sandbox(Site(tokens=tokens))))
    return httpx.AsyncClient(transport=transport, base_url="http://soe")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of() as made:
        yield made


async def me(client: httpx.AsyncClient, token: str) -> Any:
    """Whom v3 says that a token acts for."""
    answer = await client.get("/api/v3/users/me", headers={"authorization": f"Bearer {token}"})
    return answer.json() if answer.status_code == 200 else (answer.status_code, answer.text)


async def me_v23(client: httpx.AsyncClient, **how: Any) -> Any:
    """Whom v2.3 says that a token acts for, or the error's number and name."""
    told = (await client.get("/api/2.3/me", **how)).json()
    return told["items"][0]["user_id"] if "items" in told else (told["error_id"], told["error_name"])  # fmt: skip


# ── who a token is ───────────────────────────────────────────────────────────────────────────


@given(tokens=st.lists(st.text(min_size=1), unique=True, max_size=10))
def test_a_token_is_always_the_same_person(tokens: list[str]) -> None:
    """Whatever was asked before; and a site that begins anew knows them by the same numbers."""
    people = People()
    first = {token: people.user_of(token).id for token in tokens}
    people.reset()

    assert {token: people.user_of(token).id for token in reversed(tokens)} == first
    assert all(people.account(number) is not None for number in first.values())


async def test_both_apis_name_the_same_person(client: httpx.AsyncClient) -> None:
    """In every way in which a v2.3 client sends its token."""
    there = (await me(client, "t"))["id"]

    ways: list[dict[str, Any]] = [
        {"headers": {"X-API-Access-Token": "t"}},
        {"headers": {"access_token": "t"}},
        {"headers": {"Authorization": "Bearer t"}},
        {"params": {"access_token": "t", "filter": "default", "pagesize": "100", "page": "1"}},
        {"params": {"access_token": "t", "filter": "!nNPvSNVZJS"}},
    ]
    assert [await me_v23(client, **how) for how in ways] == [there] * len(ways)


async def test_different_tokens_are_different_people(client: httpx.AsyncClient) -> None:
    """Those of the documents have names; `demo` is one of them."""
    ids = {token: (await me(client, token))["id"] for token in ("ada", "grace", "alan", "x", "y")}

    assert len(set(ids.values())) == 5
    assert (await me(client, "demo"))["name"] == "Ada"
    assert (await me(client, "grace"))["email"] == "grace@example.com"


async def test_unknown_tokens_are_answered_as_by_soe() -> None:
    """v3 says 401 in plain text; v2.3 says 402, and 401 where there is none."""
    async with client_of("known") as client:
        assert (await me(client, "known"))["id"] == await me_v23(
            client, headers={"X-API-Access-Token": "known"}
        )
        assert await me(client, "other") == (401, "Invalid access token")
        assert await me_v23(client, params={"access_token": "o"}) == (402, "invalid_access_token")
        assert await me_v23(client, headers={"Authorization": "Bearer o"}) == (
            402,
            "invalid_access_token",
        )
        assert await me_v23(client) == (401, "access_token_required")
        # A read needs a key only, which newer clients send as `Bearer`.
        key = {"Authorization": "Bearer key"}
        assert (await client.get("/api/2.3/questions", headers=key)).status_code == 200


async def test_my_posts_are_those_of_the_tokens_person(client: httpx.AsyncClient) -> None:
    """`me/questions` shows what the person wrote, by whichever API, and nothing of others."""
    question = {"title": "How?", "body": "So.", "tags": ["a"]}
    await client.post("/api/v3/questions", json=question, headers={"authorization": "Bearer grace"})

    for token, titles in (("grace", ["How?"]), ("alan", [])):
        told = await client.get("/api/2.3/me/questions", params={"access_token": token})
        assert [item["title"] for item in told.json()["items"]] == titles


# ── impersonation ────────────────────────────────────────────────────────────────────────────


async def exchange(client: httpx.AsyncClient, **changes: str | None) -> Any:
    """Mint a token as so4t_api does; the item, or the error's number and message."""
    fields = {"access_tokens": "service", "exchange_type": "impersonate", "account_id": "2"}
    key = {} if "key" in changes else {"X-API-Key": "k"}
    changes.pop("key", None)
    asked = changed(fields, **changes)
    answer = await client.post("/api/2.3/access-tokens/exchange", params=asked, headers=key)
    told = answer.json()
    return told["items"][0] if "items" in told else (told["error_id"], told["error_message"])


async def test_an_impersonation_token_writes_as_somebody_else(client: httpx.AsyncClient) -> None:
    """Each is new, is tied to its parent, and the page shows whose name the post carries."""
    first, second = await exchange(client), await exchange(client)
    bearer = {"authorization": f"Bearer {first['access_token']}"}
    post = {"title": "How?", "body": "So.", "tags": ["a"]}

    made = await client.post("/api/v3/questions", json=post, headers=bearer)

    assert first["access_token"] != second["access_token"]
    assert (first["original_access_token"], first["account_id"]) == ("service", 2)
    assert set(first["scope"]) == {"write_access", "custom_timestamps"}
    assert made.json()["owner"]["name"] == "Grace"
    assert (await me(client, first["access_token"]))["id"] == 2
    assert (await me(client, "service"))["id"] != 2
    assert "by Grace" in (await client.get("/")).text


async def test_the_site_itself_can_be_impersonated(client: httpx.AsyncClient) -> None:
    """Account -1 is the Community user."""
    minted = await exchange(client, account_id="-1")

    assert (await me(client, minted["access_token"]))["name"] == "Community"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"key": None}, (405, "key is required")),
        ({"access_tokens": None}, (400, "access_tokens")),
        ({"exchange_type": "other"}, (400, "exchange_type")),
        ({"account_id": "77"}, (400, "account_id")),
        ({"account_id": "x"}, (400, "account_id")),
        ({"access_tokens": ";".join(["t"] * 21)}, (400, "access_tokens")),
    ],
    ids=str,
)
async def test_an_exchange_is_refused(
    client: httpx.AsyncClient, changes: dict[str, str | None], error: tuple[int, str]
) -> None:
    """Without a key, a parent, the right type and an account that is there."""
    assert await exchange(client, **changes) == error


async def test_an_impersonation_token_mints_no_other(client: httpx.AsyncClient) -> None:
    """Only a token of one's own does."""
    minted = await exchange(client)

    number, told = await exchange(client, access_tokens=minted["access_token"])

    assert number == 403
    assert "only allowed via service accounts" in told


async def test_a_parent_has_to_be_known() -> None:
    """A site that knows its tokens knows those that it minted, too, and no others."""
    async with client_of("service") as client:
        minted = await exchange(client)

        assert (await me(client, minted["access_token"]))["id"] == 2
        assert await exchange(client, access_tokens="other") == (400, "access_tokens")


async def test_a_revoked_token_acts_for_nobody(client: httpx.AsyncClient) -> None:
    """Its properties can be read until then; tokens keep their case in a path."""
    minted = (await exchange(client))["access_token"]
    where = f"/api/2.3/access-tokens/{minted}"
    read = (await client.get(where)).json()["items"]
    await client.get(f"{where}/invalidate")

    assert [each["account_id"] for each in read] == [2]
    assert await me(client, minted) == (401, "Invalid access token")
    assert (await client.get(where)).json()["items"] == []


# ── OAuth ────────────────────────────────────────────────────────────────────────────────────


async def code_of(client: httpx.AsyncClient, **changes: str | None) -> str:
    """The code that the consent page sends to the client."""
    sent = await client.get("/oauth", params=changed(EXPLICIT, **changes))
    params = httpx.URL(sent.headers["location"]).params
    assert (params["x"], params["state"]) == ("1", "s")
    return params["code"]


async def redeem(client: httpx.AsyncClient, **changes: str | None) -> httpx.Response:
    """Exchange a code, with everything in the query of a POST, as the vendor's clients do."""
    fields = {"client_id": "42", "client_secret": "c", "redirect_uri": REDIRECT}
    return await client.post("/oauth/access_token/json", params=changed(fields, **changes))


async def test_a_code_is_exchanged_for_a_token_once(client: httpx.AsyncClient) -> None:
    """The token of whoever signed in; as JSON or as a form, by the path, from either place."""
    codes = [await code_of(client, login_hint="grace") for _ in range(2)]

    first = await redeem(client, code=codes[0])
    again = await redeem(client, code=codes[0])
    form = await client.post(
        "/oauth/access_token",
        data={"client_id": "42", "client_secret": "c", "redirect_uri": REDIRECT, "code": codes[1]},
    )

    assert (await me(client, first.json()["access_token"]))["name"] == "Grace"
    assert first.json()["expires"] == 86_400
    assert (again.status_code, again.json()["error"]["type"]) == (400, "OAuthException")
    told = httpx.QueryParams(form.text)
    assert form.headers["content-type"].startswith("text/plain")
    assert (await me(client, told["access_token"]))["name"] == "Grace"


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "43"},
        {"client_id": None},
        {"client_secret": None},
        {"redirect_uri": "http://app.example.com/other"},
        {"code": "made-up"},
    ],
    ids=str,
)
async def test_a_code_belongs_to_the_client_that_asked(
    client: httpx.AsyncClient, changes: dict[str, str | None]
) -> None:
    """Who sees an exchange that works knows which client the token was minted for."""
    code = await code_of(client)

    answer = await redeem(client, **({"code": code} | changes))

    assert answer.status_code == 400
    assert (await redeem(client, code=code)).status_code == (200 if "code" in changes else 400)


async def test_a_challenge_wants_its_verifier(client: httpx.AsyncClient) -> None:
    """With PKCE a public client needs no secret, and a secret does not help without a verifier."""
    asked = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    codes = [await code_of(client, **asked) for _ in range(3)]

    proven = await redeem(client, code=codes[0], code_verifier=VERIFIER, client_secret=None)
    secret = await redeem(client, code=codes[1])
    wrong = await redeem(client, code=codes[2], code_verifier="x" * 50)

    assert [each.status_code for each in (proven, secret, wrong)] == [200, 400, 400]


async def test_a_browser_gets_its_token_in_the_fragment(client: httpx.AsyncClient) -> None:
    """The implicit flow; a token without an end names none."""
    asked = EXPLICIT | {"redirect_uri": "http://app.example.com/back"}
    sent = await client.get("/oauth/dialog", params=asked)
    endless = await client.get("/oauth/dialog", params=asked | {"scope": "write_access,no_expiry"})

    address, _, fragment = sent.headers["location"].partition("#")
    told = httpx.QueryParams(fragment)
    assert address == asked["redirect_uri"]
    assert (told["expires"], told["state"]) == ("86400", "s")
    assert (await me(client, told["access_token"]))["name"] == "Ada"
    assert "expires" not in endless.headers["location"]


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "http://a/#b"},
        {"code_challenge": CHALLENGE},
        {"code_challenge": "x", "code_challenge_method": "S256"},
        {"login_hint": "nobody-there"},
    ],
    ids=str,
)
async def test_a_wrong_request_is_not_sent_back(
    client: httpx.AsyncClient, changes: dict[str, str | None]
) -> None:
    """The page says what is wrong."""
    for where in ("/oauth", "/oauth/dialog"):
        answer = await client.get(where, params=changed(EXPLICIT, **changes))
        assert (answer.status_code, "location" in answer.headers) == (400, False)


async def test_tokens_of_an_app_go_together(client: httpx.AsyncClient) -> None:
    """De-authenticating an app ends all its tokens of that person, and no others."""
    ours, twin = [(await redeem(client, code=await code_of(client))).json()["access_token"] for _ in range(2)]  # fmt: skip
    code = await code_of(client, login_hint="alan")
    others = (await redeem(client, code=code)).json()["access_token"]

    await client.get(f"/api/2.3/apps/{ours}/de-authenticate")

    assert await me(client, ours) == await me(client, twin) == (401, "Invalid access token")
    assert (await me(client, others))["name"] == "Alan"
