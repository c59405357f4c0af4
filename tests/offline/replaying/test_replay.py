"""Recorded writes under other policies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.model import Effect, Mode
from gateway.offline.records.order import in_order
from gateway.offline.records.read import Spoilt, records
from gateway.offline.replaying.replay import Replay, Replayed, with_modes
from gateway.policy.load import load
from gateway.policy.policyset import PolicySet
from gateway.policy.posture import discovering
from gateway.policy.registry import digest
from gateway.state.memory import MemoryStore
from tests.recording import Log, Sent, play

COPIES = 'copies: {title: T, mode: observe, for: ["*"], duplicate: {within: 1d}}'
SHOUTING = "shouting: {title: T, mode: enforce, for: ['*'], if: {body: {matches: '!$'}}}"
LONG = "long: {title: T, mode: enforce, for: ['*'], if: {body: {words: {at_least: 4}}}, rate_cap: {limit: 1, window: 1h}}"
SHARED = "shared: {title: T, mode: hold, for: ['*'], shared_token: {by: people, within: 1d}}"
TEXT = "Restart the agent, clear its cache, wait a minute and then log in again with your badge."


def a_set(folder: Path, *rules: str, integrations: str = "") -> PolicySet:
    """A policy set of some rules."""
    folder.mkdir(exist_ok=True)
    below = "\n".join(f"  {rule}" for rule in rules)
    (folder / "tests.yaml").write_text(f"policy: tests\nowner: tests\nrules:\n{below}\n")
    if integrations:
        (folder / "integrations.yaml").write_text(f"integrations:\n  {integrations}\n")
    return load(folder, today=date(2026, 11, 24))


def recorded(policies: PolicySet, requests: Sequence[Sent], **how: Any) -> Log:
    """Send requests under a policy set."""
    return asyncio.run(play(policies, requests, MemoryStore(90 * 86_400.0), **how)).log


def replayed(log: Log, folder: Path, policies: PolicySet, **how: Any) -> Replayed:
    """Replay a log."""
    lines = records([log.write(folder)], Spoilt())
    return asyncio.run(Replay(policies, **how).run(in_order(lines)))


def effects(found: Replayed) -> dict[tuple[Effect, Effect], int]:
    """What became what."""
    return dict(found.effects)


def test_what_enforcing_would_have_refused_is_told_with_its_score(tmp_path: Path) -> None:
    """A rule that was observed decides, without the text."""
    policies = a_set(tmp_path, COPIES)
    log = recorded(policies, [Sent(body=TEXT), Sent(body=TEXT), Sent(body="Something else.")])
    found = replayed(log, tmp_path, with_modes(policies, {"copies": Mode.ENFORCE}))

    assert effects(found) == {(Effect.ALLOW, Effect.ALLOW): 2, (Effect.ALLOW, Effect.REFUSE): 1}
    assert (found.to_refusal, found.rules["copies"].newly) == (1, 1)
    [change] = found.changes
    [finding] = change.now.violations
    assert finding.violation is not None
    assert (finding.rule, finding.violation.code) == ("copies", "duplicate")
    assert finding.violation.evidence["similarity"] == 1.0


def test_state_is_that_of_the_other_policies(tmp_path: Path) -> None:
    """What would be refused stands in no later write's way; what would pass does."""
    policies = a_set(
        tmp_path / "then",
        "shy: {title: T, mode: enforce, for: ['*'], rate_cap: {limit: 1, window: 30s}}",
    )
    other = a_set(
        tmp_path / "now",
        "shy: {title: T, mode: enforce, for: ['*'], rate_cap: {limit: 1, window: 15s}}",
    )
    log = recorded(policies, [Sent(after=after) for after in (1, 20, 1, 13)])
    found = replayed(log, tmp_path, other)

    # Then: allow, refuse, refuse, allow 34 s after it. Now the second passes, so the last does not.
    assert [
        (change.decision.effect.value, change.now.effect.value) for change in found.changes
    ] == [("refuse", "allow"), ("allow", "refuse")]


def test_a_rule_that_looks_at_text_that_was_not_kept_is_named(tmp_path: Path) -> None:
    """With how many writes that concerns; with the text it is judged."""
    then, now = a_set(tmp_path / "then", COPIES), a_set(tmp_path / "now", COPIES, SHOUTING)
    requests = [Sent(body="Help!"), Sent(body="Help"), Sent(body="")]
    unkept = replayed(recorded(then, requests), tmp_path, now)
    kept = replayed(recorded(then, requests, content="full"), tmp_path, now)

    assert unkept.lacking == {("shouting", "the body"): [2, 0]}
    assert (unkept.unjudged, unkept.changed) == (2, 0)
    assert kept.lacking == {}
    assert kept.to_refusal == 1


def test_an_excerpt_is_enough_for_what_is_short(tmp_path: Path) -> None:
    """Of longer texts nothing is guessed."""
    then, now = a_set(tmp_path / "then", COPIES), a_set(tmp_path / "now", COPIES, SHOUTING)
    log = recorded(then, [Sent(body="Help!"), Sent(body="word " * 50 + "!")], content="excerpt")
    found = replayed(log, tmp_path, now)

    assert (found.to_refusal, found.unjudged) == (1, 1)


def test_the_record_s_word_stands_in_for_a_rule_that_judged_then(tmp_path: Path) -> None:
    """Its conditions held then; the rest is judged anew, under whatever other rules."""
    then = a_set(tmp_path / "then", LONG)
    now = a_set(tmp_path / "now", LONG.replace("limit: 1", "limit: 2"), COPIES)
    log = recorded(then, [Sent(body=TEXT), Sent(body=f"{TEXT} Or not."), Sent(body="Thanks")])
    found = replayed(log, tmp_path, now)

    assert effects(found) == {(Effect.ALLOW, Effect.ALLOW): 2, (Effect.REFUSE, Effect.ALLOW): 1}
    assert found.lacking == {("long", "the body"): [1, 2]}  # of the short one nobody knows


def test_records_of_the_first_schema_are_judged_as_far_as_they_go(tmp_path: Path) -> None:
    """They lack facts that rules look at, and the prints by which likeness is judged."""
    acted = "acted: {title: T, mode: enforce, for: ['*'], explicit_action: {evidence: literal}}"
    cap = "cap: {title: T, mode: enforce, for: ['*'], rate_cap: {limit: 1, window: 1h}}"
    log = recorded(a_set(tmp_path / "then", COPIES), [Sent(body=TEXT), Sent(body=TEXT)])
    log.lines = [orjson.dumps(_first_schema(told)) + b"\n" for told in log.records()]
    found = replayed(log, tmp_path, a_set(tmp_path / "now", COPIES, acted, cap))

    assert found.to_refusal == 1  # the cap needs nothing that is not there
    assert found.lacking == {
        ("acted", "X-Explicit-Action"): [2, 0],
        ("copies", "the prints of the text"): [0, 2],
    }


def _first_schema(told: dict[str, Any]) -> dict[str, Any]:
    new = {"logged", "state", "tier", "credential", "publishes", "user_agent", "explicit_action"}
    old = {name: value for name, value in told.items() if name not in {*new, "tags", "key"}}
    old["schema"] = 1
    if told["kind"] == "decision":
        old["sizes"] = {name: told["sizes"][name] for name in ("title", "body", "tags")}
        old["fingerprint"] = {
            name: told["fingerprint"][name] for name in ("text", "event", "words")
        }
    return old


def test_a_caller_is_known_by_the_registry_of_the_policies(tmp_path: Path) -> None:
    """A stranger of then whose token is registered now is that integration."""
    bot = "bot: {owner: o, contact: c, purpose: p, operations: [question.create], tokens: ['sha256:%s']}"
    then = discovering(a_set(tmp_path / "then", COPIES))
    now = a_set(tmp_path / "now", COPIES, integrations=bot % digest(b"one"))
    log = recorded(
        then,
        [Sent(token="one"), Sent(token="two"), Sent(token="one", answers=1)],
        anonymous="refuse",
    )
    found = replayed(log, tmp_path, now, anonymous="refuse")

    assert effects(found) == {(Effect.ALLOW, Effect.ALLOW): 1, (Effect.ALLOW, Effect.REFUSE): 2}
    assert {name: (of.writes, of.refused_now) for name, of in found.integrations.items()} == {
        "bot": (2, 1),
        "anonymous": (1, 1),
    }
    codes = [change.now.violations[0].violation for change in found.changes]
    assert [code.code for code in codes if code] == [
        "unregistered_caller",
        "operation_not_registered",
    ]


def test_a_repeat_whose_first_would_be_refused_is_judged_itself(tmp_path: Path) -> None:
    """Its answer would not be there."""
    acted = "acted: {title: T, mode: enforce, for: ['*'], explicit_action: {evidence: literal}}"
    then, now = a_set(tmp_path / "then", COPIES), a_set(tmp_path / "now", acted)
    log = recorded(then, [Sent(key="k", act=None), Sent(key="k", act=None)])
    found = replayed(log, tmp_path, now)

    assert effects(found) == {
        (Effect.ALLOW, Effect.REFUSE): 1,
        (Effect.REPLAY, Effect.REFUSE): 1,
    }


def test_state_s_own_clock_counts(tmp_path: Path) -> None:
    """Redis stamps by its clock; a window is one of these stamps."""
    cap = "cap: {title: T, mode: enforce, for: ['*'], rate_cap: {limit: 1, window: 1m}}"
    policies = a_set(tmp_path, cap)
    log = recorded(policies, [Sent(), Sent(after=100)])
    told = log.records()
    for each in told:
        if each["kind"] == "decision":  # the writes came at once; state was asked long after
            each["at"] = told[0]["at"]
    log.lines = [orjson.dumps(each) + b"\n" for each in told]

    assert replayed(log, tmp_path, policies).changed == 0


def test_what_was_skipped_for_lack_of_facts_stays_skipped(tmp_path: Path) -> None:
    """Another rule had refused; that the tags were not kept changes nothing."""
    acted = "acted: {title: T, mode: enforce, for: ['*'], explicit_action: {evidence: literal}}"
    tagged = "tagged: {title: T, mode: enforce, for: [question.create], rate_cap: {limit: 1, window: 1h, per: [tag]}}"
    policies = a_set(tmp_path, acted, tagged)
    log = recorded(policies, [Sent(act=None, tags=("t" * 70,))])
    found = replayed(log, tmp_path, policies)

    assert (found.changed, found.unlike) == (0, 0)
    assert found.lacking == {("tagged", "the tags"): [0, 1]}


def test_a_flood_stays_known_by_its_refused_copies(tmp_path: Path) -> None:
    """As in the gateway, when the first of them is forgotten."""
    event = "event: {title: T, mode: enforce, for: ['*'], duplicate: {within: 40s, compare: event}}"
    policies = a_set(tmp_path, event)
    log = recorded(policies, [Sent(), Sent(after=30), Sent(after=30)])
    found = replayed(log, tmp_path, policies)

    assert effects(found) == {(Effect.ALLOW, Effect.ALLOW): 1, (Effect.REFUSE, Effect.REFUSE): 2}
    assert found.other_reasons == 0


@pytest.mark.parametrize(("again", "soe"), [("token-1", 201), ("token-2", 404)])
def test_who_met_an_overdue_write_meets_it_so_again(tmp_path: Path, again: str, soe: int) -> None:
    """Its end came on record while what met it was held, and state heard of it later still."""
    policies = a_set(tmp_path, COPIES, SHARED)
    before = Sent(title="Payments are late", body="Why?", token=again, act='act="x", by="jane"')
    overdue = Sent(soe=soe, lasts=1)
    held = Sent(after=70, token=again, act='act="x", by="joe"')
    log = recorded(policies, [before, overdue, held])
    found = replayed(log, tmp_path, policies)

    *_, end, decision = log.records()
    assert (end["kind"], decision["effect"]) == ("outcome", "hold")
    assert decision["state"]["in_flight"] == [f"{1:032x}"]
    assert (found.changed, found.other_reasons, found.unlike) == (0, 0, 0)


def test_what_was_counted_while_it_was_held_is_counted_again(tmp_path: Path) -> None:
    """A use that was given back since, before the decision was on record."""
    policies = a_set(tmp_path, SHARED)
    refused = Sent(soe=404, lasts=1, act='act="x", by="jane"')
    log = recorded(policies, [refused, Sent(act='act="x", by="joe"')])
    found = replayed(log, tmp_path, policies)

    *_, end, decision = log.records()
    assert (end["outcome"], decision["effect"]) == ("refused", "hold")
    assert (found.changed, found.unlike) == (0, 0)


def test_what_operators_forgot_is_forgotten(tmp_path: Path) -> None:
    """A copy passed then, and passes."""
    policies = with_modes(a_set(tmp_path, COPIES), {"copies": Mode.ENFORCE})
    first = recorded(policies, [Sent(body=TEXT)])
    post = first.records()[-1]["post"]["id"]
    second = recorded(policies, [Sent(after=100, body=TEXT)])
    first.told("state.forget_done", what=post)
    second.lines = [line.replace(b'"' + b"0" * 32, b'"' + b"f" * 32) for line in second.lines]
    first.lines += second.lines
    found = replayed(first, tmp_path, policies)

    assert (found.writes, found.changed) == (2, 0)


def test_what_state_could_not_say_then_it_does_not_say_now(tmp_path: Path) -> None:
    """A write that was refused because state was away says nothing of the rules."""
    policies = with_modes(a_set(tmp_path, COPIES), {"copies": Mode.ENFORCE})
    log = recorded(policies, [Sent()])
    told = log.records()[0]
    failed = {"result": "error", "code": "state_unavailable", "status": 503}
    told |= {"state": {"failed": True}, "effect": "refuse"}
    told["findings"] = [told["findings"][0] | failed]
    log.lines = [orjson.dumps(told) + b"\n"]
    found = replayed(log, tmp_path, policies)

    assert (found.writes, found.changed, found.unlike) == (1, 0, 0)


def test_what_an_operator_refused_says_nothing_of_the_rules(tmp_path: Path) -> None:
    """A write of an integration that was switched off stays refused, and is no change."""
    policies = with_modes(a_set(tmp_path, COPIES), {"copies": Mode.ENFORCE})
    log = recorded(policies, [Sent()])
    told = log.records()[0]
    off = {"rule": "switched-off", "check": "switched-off", "code": "integration_disabled"}
    told |= {"state": None, "effect": "refuse"}
    told["findings"] = [told["findings"][0] | off | {"result": "fail", "status": 403}]
    log.lines = [orjson.dumps(told) + b"\n"]
    found = replayed(log, tmp_path, policies)

    assert effects(found) == {(Effect.REFUSE, Effect.REFUSE): 1}
    assert (found.writes, found.changed, found.unlike) == (1, 0, 0)


def test_other_modes_under_the_same_revision_are_no_mystery(tmp_path: Path) -> None:
    """Only what no other mode explains is called unlike."""
    policies = a_set(tmp_path, COPIES)
    log = recorded(policies, [Sent(), Sent()])
    other = replace(policies, rules=())

    assert replayed(log, tmp_path, policies).unlike == 0
    assert replayed(log, tmp_path, with_modes(policies, {"copies": Mode.ENFORCE})).unlike == 0
    assert replayed(log, tmp_path, other).unlike == 2
