"""The table of all settings, and what is made from it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.audit.sinks import SINKS
from gateway.parse import Mark, Node, Reader, Scalar
from gateway.settings import TABLE, readers, settings_reference
from gateway.settings.table import Written, settings_from, variable
from gateway.state import STORES


@pytest.mark.parametrize("name", sorted(name for name in TABLE if TABLE[name].default))
def test_every_default_is_read_by_its_own_reader(name: str) -> None:
    """A default is written as people would write it, and is no mistake."""
    reader = Reader("default")
    value = TABLE[name].read(reader, Scalar(Mark(1, 1), TABLE[name].default, quoted=True))

    assert value is not None
    assert reader.problems == []


def test_every_setting_is_reached_by_its_dotted_name() -> None:
    """Sections and names are the attributes of the settings."""
    values: dict[str, Any] = {name: f"value of {name}" for name in TABLE}
    settings = settings_from(values, {"a.b": Written("1", "default")})

    assert {name: settings[name] for name in TABLE} == values
    assert settings.written == {"a.b": Written("1", "default")}


def test_the_reference_has_every_setting() -> None:
    """The page that is made from the table leaves nothing out."""
    rows = settings_reference().splitlines()[2:]

    assert [row.split("`")[1] for row in rows] == list(TABLE)
    assert all(f"`{variable(name)}`" in row for name, row in zip(TABLE, rows, strict=True))


@pytest.mark.parametrize(
    ("read", "engines"), [(readers.store, STORES), (readers.sinks, SINKS)], ids=["store", "sinks"]
)
def test_every_engine_has_a_url_that_is_read(read: readers.Read, engines: dict[str, Any]) -> None:
    """A new store or sink is of no use until its URL is known here."""
    for scheme in engines:
        reader = Reader("f")
        nodes: list[Node] = [
            Scalar(Mark(1, 1), url, quoted=True)
            for url in (f"{scheme}:", f"{scheme}:///p", f"{scheme}://h")
        ]
        assert any(read(reader, node) for node in nodes), scheme
