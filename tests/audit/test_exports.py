"""Exports are valid by the rules that their formats publish, whatever the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from gateway.audit.export import ecs, ocsf
from gateway.audit.index.entries import Deed, Entry, Found, Place
from gateway.model import Effect, Mode, Outcome
from gateway.soe.api import OPERATIONS
from tests.audit.written import decision
from tests.samples import an_entry

RULES = yaml.safe_load((Path(__file__).parent / "ecs_fields.yaml").read_text())
TYPES = {
    field: kind
    for kind in ("date", "long", "float", "text", "labels", "ip", "keyword", "wildcard")
    for field in RULES[kind]
}
PYTHON: Mapping[str, tuple[type, ...]] = {"long": (int,), "float": (int, float)}

names = st.one_of(st.none(), st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
posts = st.one_of(st.none(), st.sampled_from(("question/1", "answer/2", "comment/3")))
founds = st.builds(
    Found,
    rule=st.sampled_from(("copies", "acted")),
    mode=st.sampled_from([mode.value for mode in Mode if mode is not Mode.DISABLED]),
    result=st.sampled_from(("fail", "error")),
    code=st.sampled_from((None, "duplicate")),
)
entries = st.builds(
    Entry,
    id=st.just("ab" * 16),
    at=st.floats(0, 4e9),
    integration=st.sampled_from(("help-bot", "anonymous")),
    person=names,
    person_name=names,
    on_word_of=names,
    operation=st.sampled_from(sorted(OPERATIONS)),
    team=st.sampled_from((None, "payments")),
    thread=posts,
    target=posts,
    effect=st.sampled_from([effect.value for effect in Effect]),
    revision=st.just("r1"),
    found=st.lists(founds, max_size=3).map(tuple),
    outcome=st.sampled_from((None, *(outcome.value for outcome in Outcome))),
    post=posts,
    url=st.sampled_from((None, "https://soe.example.com/questions/1?x#y", "http://soe/a/2")),
    upstream_status=st.sampled_from((None, 201, 400, 503)),
    latency=st.one_of(st.none(), st.floats(0, 600)),
    turn=st.none(),
    place=st.just(Place("host-1", 1, 0)),
)
records = st.sampled_from(({}, decision("ab" * 16) | {"seq": 7, "writer": "host-1"}))
deeds = st.builds(
    Deed,
    at=st.floats(0, 4e9),
    event=st.sampled_from(("state.reset", "audit.closed")),
    facts=st.dictionaries(
        st.sampled_from(("by", "what", "count")), st.one_of(st.integers(), st.text())
    ),
    place=st.just(Place("host-1", 1, 0)),
)


def leaves(told: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in told.items():
        path = f"{above}{name}"
        if isinstance(value, dict) and path != "labels":
            yield from leaves(value, f"{path}.")
        else:
            yield path, value


def assert_ecs(told: Mapping[str, Any]) -> None:
    fields = dict(leaves(told))
    assert {"@timestamp", "ecs.version"} <= fields.keys()
    for field, value in fields.items():
        assert field in TYPES, f"ECS has no field {field}"
        assert isinstance(value, list) == (field in RULES["lists"]), field
        for each in value if isinstance(value, list) else [value]:
            if TYPES[field] == "labels":
                assert all(isinstance(label, str) for label in each.values())
                assert not any("." in name for name in each)
            else:
                assert isinstance(each, PYTHON.get(TYPES[field], (str,))), field
            if field in RULES["allowed"]:
                assert each in RULES["allowed"][field], field
    for category in fields["event.category"]:
        assert set(fields["event.type"]) <= set(RULES["types_of"][category])


@pytest.fixture(scope="module")
def api_activity() -> jsonschema_rs.Validator:
    """The schema of OCSF's own, of this version and with this profile."""
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(ocsf.VERSION))
    return jsonschema_rs.Draft202012Validator(
        schema.get_class_schema("api_activity", [ocsf.PROFILE])
    )


@given(entry=entries, record=records, deed=deeds)
def test_ecs_has_the_fields_types_and_values(
    entry: Entry, record: Mapping[str, Any], deed: Deed
) -> None:
    """Each field is one of the schema's, of its type, with an allowed value."""
    assert_ecs(ecs.of_entry(entry, record))
    assert_ecs(ecs.of_deed(deed))


@given(entry=entries, record=records, deed=deeds)
def test_ocsf_is_valid_by_the_schema_of_its_class(
    api_activity: jsonschema_rs.Validator,
    entry: Entry,
    record: Mapping[str, Any],
    deed: Deed,
) -> None:
    """Required attributes are there, of their types, and none that the class does not have."""
    for told in (ocsf.of_entry(entry, record), ocsf.of_deed(deed)):
        api_activity.validate(told)


def test_the_rules_find_what_is_wrong(api_activity: jsonschema_rs.Validator) -> None:
    """A field that no schema has, or a value that it does not allow, does not pass."""
    entry = an_entry(outcome="ok", upstream_status=201, latency=0.5)
    document, event = ecs.of_entry(entry, {}), ocsf.of_entry(replace(entry, outcome=None), {})

    with pytest.raises(AssertionError):
        assert_ecs(document | {"integration": "help-bot"})
    with pytest.raises(AssertionError):
        assert_ecs(document | {"event": document["event"] | {"outcome": "ok"}})
    with pytest.raises(jsonschema_rs.ValidationError):
        api_activity.validate(event | {"integration": "help-bot"})
    with pytest.raises(jsonschema_rs.ValidationError):
        api_activity.validate(event | {"status_id": 7})


def test_what_was_decided_shows_in_each_format() -> None:
    """Who looks in a SIEM finds who, what, whether it passed, why not, and where it stands."""
    entry = an_entry(
        person="p1",
        on_word_of="p2",
        team="payments",
        thread="question/1",
        effect="refuse",
        found=(
            Found(rule="alike", mode="observe", result="fail", code="duplicate"),
            Found(rule="copies", mode="enforce", result="fail", code="duplicate"),
        ),
    )
    document, event = ecs.of_entry(entry, {}), ocsf.of_entry(entry, {})

    assert document["event"]["type"] == ["denied"]
    assert document["event"]["outcome"] == "failure"
    assert document["rule"]["name"] == "copies"
    assert document["related"]["user"] == ["p1", "p2"]
    assert document["labels"]["integration"] == "help-bot"
    assert document["organization"] == {"name": "payments"}
    assert (event["class_uid"], event["type_uid"]) == (6003, 600301)
    assert (event["action"], event["disposition"], event["status"]) == ("Denied", "Blocked", "Failure")  # fmt: skip
    assert [each["policy"]["name"] for each in event["authorizations"]] == ["alike", "copies"]
    assert event["actor"]["app_name"] == "help-bot"
