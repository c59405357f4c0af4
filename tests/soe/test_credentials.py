"""Whose request it is."""

from __future__ import annotations

import pytest

from gateway.errors import RequestError
from gateway.model import Headers
from gateway.soe.read import Credentials, credentials
from tests.soe.requests import fields, route


def found(
    headers: Headers = (), query: str = "", form: dict[str, str] | None = None
) -> Credentials:
    return credentials(route("POST", f"/api/2.3/questions/add{query}"), headers, form)


@pytest.mark.parametrize(
    "headers",
    [
        fields(authorization="Bearer U4DMV*8nvpm3EOpvf69Rxw(("),
        fields(authorization="bearer  U4DMV*8nvpm3EOpvf69Rxw(("),
        fields(x_api_access_token="U4DMV*8nvpm3EOpvf69Rxw(("),
        ((b"access_token", b"U4DMV*8nvpm3EOpvf69Rxw(("),),
    ],
)
def test_a_token_stands_in_each_of_its_fields(headers: Headers) -> None:
    """Every client has its own place for it."""
    assert found(headers).token == "U4DMV*8nvpm3EOpvf69Rxw(("


def test_query_and_form_are_looked_at() -> None:
    """v2.3 takes both from anywhere."""
    assert found(query="?KEY=k&access_token=a%28") == Credentials(token="a(", key="k")
    assert found(form={"key": "k", "access_token": "t"}) == Credentials(token="t", key="k")


def test_the_same_value_twice_is_no_contradiction() -> None:
    """Careful clients say it in two places."""
    headers = fields(x_api_access_token="t", x_api_key="k")

    assert found(headers, "?access_token=t", {"access_token": "t"}).token == "t"


def test_a_key_as_bearer_is_no_token() -> None:
    """v2.3 takes the key as a bearer too; it names no person."""
    headers = fields(authorization="Bearer k", x_api_key="k")

    assert found(headers) == Credentials(token=None, key="k")


@pytest.mark.parametrize(
    ("headers", "query", "form"),
    [
        (fields(authorization="Bearer a", x_api_access_token="b"), "", None),
        (fields(x_api_access_token="a"), "?access_token=b", None),
        (fields(x_api_key="a"), "?key=b", None),
        ((), "?access_token=a&access_token=b", None),
        ((), "?access_token=a", {"access_token": "b"}),
        ((), "?a%63cess_token=a", {"access_token": "b"}),
    ],
)
def test_two_credentials_of_a_kind_are_refused(
    headers: Headers, query: str, form: dict[str, str] | None
) -> None:
    """Caps would count one while SOE writes as the other."""
    with pytest.raises(RequestError, match="ambiguous_credentials"):
        found(headers, query, form)


@pytest.mark.parametrize(
    "headers",
    [
        fields(authorization="Bearer a, Bearer b"),
        fields(authorization="Bearer a b"),
        fields(authorization="Bearer"),
        fields(authorization="Basic dTpw"),
        fields(x_api_access_token="a, b"),
        fields(x_api_key="caf\xe9"),
    ],
)
def test_a_malformed_credential_is_refused(headers: Headers) -> None:
    """What may be two credentials, or none that SOE knows, names nobody."""
    with pytest.raises(RequestError, match="ambiguous_credentials"):
        found(headers)


def test_the_code_exchange_may_use_basic() -> None:
    """OAuth lets a client name itself so (RFC 6749 section 2.3.1); it is no token."""
    exchange = route("POST", "/oauth/access_token")

    assert credentials(exchange, fields(authorization="Basic dTpw"), {}) == Credentials()


def test_odd_queries_of_reads_are_not_judged() -> None:
    """A search may hold anything; only credentials are looked for."""
    read = route("GET", "/api/v3/search?query=a%20b&x=2&x=3&&=;'()*&key=")

    assert credentials(read, (), None) == Credentials()


def test_credentials_are_not_shown() -> None:
    """Secrets are in no representation."""
    assert "s3cret" not in repr(Credentials(token="s3cret", key="s3cret"))
