"""What SOE's answer says of whose a token is, and what it does not say for certain."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Api, Person
from gateway.soe.persons import read_person, request_for

ADA = {"id": 7, "accountId": 70, "name": "Ada", "email": "ada@example.com", "role": "Registered"}
ADA_V2 = {"user_id": 7, "account_id": 70, "display_name": "Ada &amp; Co"}
JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=9)),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from([*ADA, *ADA_V2, "items"]), each),
)  # fmt: skip


def v3(**changes: Any) -> Person | None:
    return read_person(Api.V3, 200, orjson.dumps(ADA | changes))


def v2(*items: dict[str, Any], **more: Any) -> Person | None:
    return read_person(Api.V2, 200, orjson.dumps({"items": items} | more))


def test_a_person_is_read_from_both_apis() -> None:
    """The account's number names it, on all sites; v2.3 tells no address, and the name as HTML."""
    assert v3() == Person(id="70", name="Ada", email="ada@example.com")
    assert v2(ADA_V2) == Person(id="70", name="Ada & Co")


@pytest.mark.parametrize("account", [{"accountId": None}, {}])
def test_without_an_account_the_sites_own_number_names_it(account: dict[str, Any]) -> None:
    """SOE may leave the other out."""
    told = {name: value for name, value in ADA.items() if name != "accountId"} | account

    assert read_person(Api.V3, 200, orjson.dumps(told)) == Person(
        id="7", name="Ada", email="ada@example.com"
    )


@pytest.mark.parametrize("number", [True, 0, "70", 7.0, [70]])
def test_what_is_no_number_names_nobody(number: object) -> None:
    """Nothing is guessed."""
    assert v3(accountId=number) is None


@pytest.mark.parametrize("name", ["Ada\u202eevil", "a\nb", "x" * 257, None, 5])
def test_a_name_that_cannot_be_shown_is_none(name: object) -> None:
    """The person is known all the same: names are for eyes alone."""
    assert v3(name=name) == Person(id="70", name="", email="ada@example.com")


def test_what_is_no_one_person_is_nobody() -> None:
    """Errors, lists of several, and what is too long."""
    assert v2() is None
    assert v2(ADA_V2, ADA_V2) is None
    assert read_person(Api.V3, 401, orjson.dumps(ADA)) is None
    assert v3(name="x" * 65_536) is None
    assert read_person(Api.V2, 400, b'{"error_id": 402, "error_name": "n", "error_message": "m"}') is None  # fmt: skip


@given(
    st.sampled_from([Api.V2, Api.V3]),
    JSON.map(lambda told: json.dumps(told).encode()) | st.binary(max_size=60),
)
def test_no_answer_is_too_odd(api: Api, body: bytes) -> None:
    """Whatever comes, it is a person with a number, or nobody."""
    person = read_person(api, 200, body)

    assert person is None or int(person.id) != 0


def test_it_is_asked_where_the_write_goes_and_never_in_a_query() -> None:
    """v2.3 revokes a token that meets a team's name in a query."""
    assert request_for("t", Api.V3, None) == (b"/api/v3/users/me", ((b"authorization", b"Bearer t"),))  # fmt: skip
    assert request_for("t", Api.V3, "red") == (
        b"/api/v3/teams/red/users/me",
        ((b"authorization", b"Bearer t"),),
    )
    assert request_for("t", Api.V2, "red") == (b"/api/2.3/me", ((b"x-api-access-token", b"t"),))
    assert request_for("t", Api.SCIM, None) is None
