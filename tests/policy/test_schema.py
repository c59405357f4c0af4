"""Schema and loader are of one mind, wherever a schema can have one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from gateway.cli import main
from gateway.model import Mode
from gateway.policy.load import load, shipped_directory
from gateway.policy.schema import NAMES, examples, schema
from gateway.soe.api import OPERATIONS
from tests.docs.pages import Block, blocks
from tests.policy.bad_files import BAD, TODAY, is_beyond_a_schema
from tests.policy.documents import instance, objections
from tests.shared import ROOT

FILES = [path for path in BAD if path.is_file()]
SHIPPED = sorted(shipped_directory().glob("*.yaml"))
KINDS = {"policy:": "policy", "integrations:": "integrations", "tests:": "tests"}


def kind_of(path: Path) -> str:
    """The schema that a bad file is held against."""
    name = path.stem.partition("-")[0]
    return name if name in NAMES else "policy"


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one(name: str) -> None:
    """By the rules of JSON Schema 2020-12."""
    jsonschema_rs.meta.validate(schema(name))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_schema_refuses_what_the_loader_refuses(path: Path) -> None:
    """But for what no schema can tell, which the bad file says of itself."""
    document = instance(path.read_bytes().decode("latin-1"))

    taken = document is None or objections(kind_of(path), document) == []
    assert taken == is_beyond_a_schema(path)


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_the_schema_takes_every_shipped_policy(path: Path) -> None:
    """Which the loader takes as well."""
    assert objections("policy", instance(path.read_text())) == []
    assert path.read_text().startswith("# yaml-language-server: $schema=policy.schema.json\n")


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_the_schema_takes_every_file_that_the_documents_show(block: Block) -> None:
    """Which the loader takes as well, as the tests of the documents show."""
    name = KINDS.get(f"{block.kind}:", "overrides")

    assert objections(name, instance(block.text)) == []


@pytest.mark.parametrize("example", examples())
def test_the_example_of_an_operator_is_right(example: str, tmp_path: Path) -> None:
    """What the reference page shows loads, and the schema takes it."""
    text = (
        "policy: p\nowner: o\nrules:\n"
        f"  r: {{title: T, mode: warn, for: [question.create], if: {{{example}}}}}\n"
    )
    (tmp_path / "shown.yaml").write_text(text)

    assert load(tmp_path, today=TODAY).rules[0].condition is not None
    assert objections("policy", instance(text)) == []


def keys(part: Any) -> list[Any]:
    """Every key that a schema describes."""
    found = []
    if isinstance(part, dict):
        described = part.get("properties", {})
        if part.get("additionalProperties") is False:
            found += described.values()
        for each in part.values():
            found += keys(each)
    elif isinstance(part, list):
        for each in part:
            found += keys(each)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_key_tells_what_it_means(name: str) -> None:
    """So an editor shows it; and nothing but what is described may stand there."""
    told = keys(schema(name))

    assert len(told) >= 10
    assert all(key["description"].endswith(".") for key in told)


def test_an_editor_can_complete_operations_and_modes() -> None:
    """They stand there word for word."""
    made = schema("policy")

    assert made["$defs"]["operation"]["anyOf"][0]["enum"] == sorted(OPERATIONS)
    assert made["$defs"]["rule"]["properties"]["mode"]["enum"] == [mode.value for mode in Mode]


@pytest.mark.parametrize("name", NAMES)
def test_the_command_prints_what_lies_beside_the_shipped_policies(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """So an admin can put it beside his own files."""
    code = main(["check", "--schema", name])
    printed = capsys.readouterr().out

    assert code == 0
    assert printed == (ROOT / "policies" / f"{name}.schema.json").read_text()
    assert json.loads(printed) == schema(name)
