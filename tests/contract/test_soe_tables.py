"""The endpoint tables against the lists that were gathered from the vendor's documents."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

import pytest

from gateway.soe.api import ENDPOINTS, OPERATIONS, PUBLISHING, classify
from tests.shared import shared

_WRITING_KINDS = ("token-revoke", "token-mint")


def rows(name: str) -> Iterator[dict[str, str]]:
    with shared("soe-api", name).open(newline="") as file:
        yield from csv.DictReader(file)


def concrete(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda found: "acme" if found[1] == "team" else "42", path)


def variants(path: str) -> Iterator[str]:
    """The spellings under which SOE takes a path for the same."""
    yield path
    yield path + "/"
    yield path.upper()
    yield "/".join("".join(f"%{ord(c):02x}" for c in part) for part in path.split("/"))
    if "/api/2.3/" in path:
        yield from (path.replace("/2.3/", f"/2.{minor}/") for minor in (0, 2, 9, 10, 99))
        yield re.sub(r"/(question|answer|comment|article)s/42/", r"/\1/42/", path)


def test_each_listed_operation_has_its_row() -> None:
    """Every row of the list means its operation, in each spelling that SOE takes for it."""
    for row in rows("operations.csv"):
        for path in variants(concrete(row["path"])):
            endpoint = classify(row["method"], path.encode()).endpoint

            assert (endpoint.write, endpoint.operation) == (True, row["operation"]), path


def test_the_tables_name_no_operation_of_their_own() -> None:
    """The operations are those of the list, all of them."""
    assert {row["operation"] for row in rows("operations.csv")} == OPERATIONS
    assert PUBLISHING <= OPERATIONS


@pytest.mark.parametrize("name", ["v3-operations.csv", "v2-operations.csv"])
def test_each_method_reads_or_writes_as_the_vendor_says(name: str) -> None:
    """What the documents call a read is one; all else, GETs with side effects too, is a write."""
    for row in rows(name):
        route = classify(row["method"], concrete(row["path"]).encode())
        writes = row["kind"].startswith("write") or row["subkind"] in _WRITING_KINDS

        assert route.endpoint.write is writes, row["path"]


def test_v3_has_eighty_writes() -> None:
    """Each non-GET operation of the vendor's document has one endpoint."""
    listed = {
        (row["method"], re.sub(r"{\w+}", "{}", row["path"]))
        for row in rows("v3-operations.csv")
        if row["method"] != "GET"
    }
    held = {
        (endpoint.method, re.sub(r"{\w+}", "{}", endpoint.template))
        for endpoint in ENDPOINTS
        if endpoint.api == "v3"
    }

    assert held == listed
    assert len(held) == 80


def test_text_is_read_from_the_fields_that_hold_it() -> None:
    """Every text field of the vendor's documents reaches the rules."""
    for name in ("v3-operations.csv", "v2-operations.csv"):
        for row in rows(name):
            endpoint = classify(row["method"], concrete(row["path"]).encode()).endpoint
            text = {
                field.strip().lower()
                for field in row["text_fields" if "v3" in name else "text_params"].split(";")
            }
            if endpoint.write and text != {""}:
                assert text <= endpoint.text.names, row["path"]


def test_preview_is_believed_only_where_it_is_documented() -> None:
    """`preview=true` makes no write free on a method whose documents do not name it."""
    for row in rows("v2-operations.csv"):
        endpoint = classify(row["method"], concrete(row["path"]).encode()).endpoint
        if endpoint.previewable:
            assert "preview" in row["params"].split("; "), row["path"]
