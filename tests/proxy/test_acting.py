"""Who acts is asked for where it matters, after what refuses without it, and holds throughout."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gateway.model import Api, Person
from gateway.proxy.persons import pseudonym
from tests.proxy.rig import Rig

ADA, GRACE = Person(id="1", name="Ada"), Person(id="2", name="Grace")
PER_PERSON = """\
policy: tests
owner: tests
rules:
  acted: {title: A, mode: enforce, for: ["*"], explicit_action: {evidence: literal}}
  one-a-minute: {title: O, mode: %s, for: [question.create], rate_cap: {limit: 1, window: 1m, per: [person]}}
"""


@dataclass
class Told:
    """Persons by their tokens: what `ports.Persons` says, and of whom it was asked."""

    people: dict[str, Person] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def of(self, token: str, api: Api, team: str | None) -> Person | None:
        self.asked.append(token)
        return self.people.get(token)


async def asking(rig: Rig, told: Told, *, mode: str = "enforce", always: bool = False) -> Rig:
    """The gateway with a cap per person."""
    policies = rig.app.policies
    (rig.directory.parent / "policies" / "tests.yaml").write_text(PER_PERSON % mode)
    await policies.reload()
    pipeline = replace(rig.app.pipeline, persons=told, always=always)
    return replace(rig, app=replace(rig.app, pipeline=pipeline))


async def statuses(rig: Rig, *tokens: bytes, **how: Any) -> list[int]:
    """Ask a new question with each token."""
    found = []
    for token in tokens:
        title = f"What about {token.decode()} and {len(rig.received)}?"
        found.append((await rig.send(title=title, token=token, **how))[0])
    return found


async def test_the_tokens_of_a_person_share_a_cap(rig: Rig) -> None:
    """And another person has one of their own."""
    told = Told({"a1": ADA, "a2": ADA, "g": GRACE})
    rig = await asking(rig, told)

    assert await statuses(rig, b"a1", b"a2", b"g") == [201, 429, 201]


async def test_who_is_not_known_is_counted_by_its_token(rig: Rig) -> None:
    """Never with everybody else who is not."""
    rig = await asking(rig, Told())

    assert await statuses(rig, b"t1", b"t2", b"t1") == [201, 201, 429]


async def test_without_any_person_to_ask_the_token_counts_too(rig: Rig) -> None:
    """A gateway that may not ask has no one counter for all either."""
    rig = await asking(rig, Told())
    rig = replace(rig, app=replace(rig.app, pipeline=replace(rig.app.pipeline, persons=None)))

    assert await statuses(rig, b"t1", b"t2", b"t1") == [201, 201, 429]


@pytest.mark.parametrize("always", [False, True])
async def test_a_write_that_is_refused_already_asks_nobody(rig: Rig, always: bool) -> None:
    """SOE hears nothing of it."""
    told = Told({"a1": ADA})
    rig = await asking(rig, told, always=always)

    assert await statuses(rig, b"a1", act=False) == [403]
    assert told.asked == []


async def test_where_no_rule_needs_it_nobody_is_asked(rig: Rig) -> None:
    """Unless the settings say so: then it is in every record."""
    told = Told({"a1": ADA})
    rig = await asking(rig, told)
    vote: dict[str, Any] = {"target": b"/api/v3/questions/1/upvote", "bodiless": True}
    await rig.send(token=b"a1", **vote)
    assert told.asked == []

    rig = await asking(rig, told, always=True)
    await rig.send(token=b"a1", **vote)

    assert told.asked == ["a1"]
    assert [bool(each["person"]) for each in rig.records("decision")] == [False, True]


@pytest.mark.parametrize("mode", ["observe", "warn", "enforce"])
async def test_the_record_names_a_person_by_pseudonym_alone(rig: Rig, mode: str) -> None:
    """Also where the rule only looks; no name of theirs is in any record."""
    rig = await asking(rig, Told({"a1": ADA}), mode=mode)
    await statuses(rig, b"a1")

    told = rig.records("decision")[0]["person"]
    assert told not in (None, ADA.id, pseudonym(ADA, b"s" * 32))
    assert "Ada" not in json.dumps(rig.records("decision"))


async def test_a_dry_run_tells_by_the_person_too(rig: Rig) -> None:
    """What it says of the cap is what the write would meet."""
    rig = await asking(rig, Told({"a1": ADA, "a2": ADA}))
    await statuses(rig, b"a1")

    _, _, body = await rig.send(
        title="New?", token=b"a2", fields=((b"x-gateway-dry-run", b"true"),)
    )

    assert json.loads(body)["status"] == 429


async def test_a_form_names_its_person_by_the_token_in_its_body(rig: Rig) -> None:
    """v2.3 carries it where it likes."""
    told = Told({"form-token": ADA})
    rig = await asking(rig, told)
    form = {
        "title": "What is it?",
        "body": "It is that.",
        "tags": "a",
        "access_token": "form-token",
    }
    await rig.send(target=b"/api/2.3/questions/add", form=form, token=b"form-token")

    assert told.asked == ["form-token"]
