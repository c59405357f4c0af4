"""Replaying under the policies that decided gives what was decided, whatever the traffic."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model import Mode
from gateway.offline.records.order import in_order
from gateway.offline.records.read import Spoilt, records
from gateway.offline.replaying.replay import Replay, Replayed
from gateway.policy.load import load
from gateway.policy.policyset import PolicySet
from gateway.state.memory import MemoryStore
from tests.recording import LOST, Log, Sent, play

RULES = """\
policy: tests
owner: tests
rules:
  acted: {title: T, mode: enforce, for: ["*"], explicit_action: {evidence: literal, values: ["true", "yes"]}}
  asserted: {title: T, mode: observe, for: ["*"], explicit_action: {evidence: asserted, members: [by]}}
  confirmed: {title: T, mode: enforce, for: ["*"], if: {title: {contains: late}}, explicit_action: {evidence: confirmed}}
  some: {title: T, mode: enforce, for: ["*"], rate_cap: {limit: 3, window: 20s, per: [token]}}
  tries: {title: T, mode: enforce, for: ["*"], rate_cap: {limit: 6, window: 30s, count: attempts}}
  tagged: {title: T, mode: warn, for: ["question.create"], rate_cap: {limit: 1, window: 60s, per: [tag]}}
  no-copy: {title: T, mode: enforce, for: ["*"], duplicate: {within: 1d}}
  no-event: {title: T, mode: enforce, for: ["*"], duplicate: {within: 40s, compare: event, across_teams: true}}
  alike: {title: T, mode: observe, for: ["*"], if: {body: {words: {at_least: 4}}}, duplicate: {similarity: 40%, within: 1d}}
  boilerplate: {title: T, mode: enforce, for: [answer.create], if: {body: {words: {at_least: 4}}}, boilerplate: {threads: 2, within: 1d}}
  once: {title: T, mode: warn, for: ["*"], explicit_action: {evidence: asserted, max_age: 1d, members: [ref]}}
  own-token: {title: T, mode: enforce, for: ["*"], shared_token: {within: 30s}}
  few-people: {title: T, mode: warn, for: ["*"], shared_token: {by: people, within: 1d}}
  named-agent: {title: T, mode: observe, for: ["*"], attribution: {user_agent: descriptive}}
  seen: {title: T, mode: enforce, for: ["*"], hidden_text: {letters: 20}}
  shared: {title: T, mode: enforce, for: ["*"], shared_token: {within: 1d, by: people}}
  said: {title: T, mode: enforce, for: ["*"], attribution: {user_agent: descriptive}}
  no-log: {title: T, mode: enforce, for: ["*"], log_text: {}}
  named: {title: T, mode: warn, for: ["*"], if: {user_agent: {contains: curl}}}
  shouting: {title: T, mode: enforce, for: ["*"], if: {body: {matches: '!$'}}}
  not-keys: {title: T, mode: observe, for: [question.create], tags: [keys], if: {title: {length: {below: 20}}}}
"""
TEXTS = (
    "It runs out soon.",
    "Thanks!",
    "Restart the agent, clear its cache, wait a minute and then log in again with your badge.",
    "Hello Jane. Restart the agent, clear its cache, wait two minutes, then log in with your badge.",
    "\n".join(f"2026-11-24 10:00:0{n} ERROR pay: timeout {n}" for n in range(3)),
    "The payment service cannot reach its database since the certificate of node 17 ran out.",
    "The payment service cannot reach its database since the certificate of node 18 ran out.",
    "Short." + "<!-- and much more that stands where nobody reads it, in a comment -->",
    "word " * 150 + "and something else that is said once",
)
ACTS = (
    "true",
    "yes",
    "no",
    'act="click", by="jane", at=@1795000000',
    'act="x", by="Jane", at=@1795000000, ref="r"',
    'act="x", by=joe, at=@1795000000, ref="r", to=site',
    "not (a) dictionary",
    None,
)


def and_again(sent: Sent) -> list[Sent]:
    """A request, and the same once more, when what it waited for was confirmed."""
    return [replace(sent, confirms=False), sent] if sent.confirms else [sent]


REQUESTS = st.lists(
    st.builds(
        Sent,
        after=st.sampled_from([0.0, 0.5, 3.0, 20.0, 70.0]),
        title=st.sampled_from(["How do I rotate the signing key?", "Payments are late"]),
        body=st.sampled_from(TEXTS),
        tags=st.sampled_from([("keys",), ("payments", "keys")]),
        token=st.sampled_from(["of-one", "of-two"]),
        act=st.sampled_from(["true", "true", "true", *ACTS]),
        agent=st.sampled_from(["bot/1.0", "curl/8.0", "x" * 300]),
        key=st.sampled_from([None, None, "k", "l"]),
        answers=st.sampled_from([None, 11, 12, 13]),
        team=st.sampled_from([None, None, "red"]),
        soe=st.sampled_from([201, 201, 201, 404, 500, LOST]),
        lasts=st.sampled_from([0, 0, 0, 1, 3]),
        leaves=st.sampled_from([False, False, False, True]),
        confirms=st.sampled_from([False, False, True]),
    ),
    min_size=1,
    max_size=10,
).map(lambda requests: [each for sent in requests for each in and_again(sent)])


@cache
def all_rules() -> PolicySet:
    """The rules of which each example takes some."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tests.yaml").write_text(RULES)
        return load(Path(folder), today=date(2026, 11, 24))


def some_rules(chosen: dict[str, Mode]) -> PolicySet:
    """Take rules, in the modes that are given."""
    policies = all_rules()
    rules = tuple(
        replace(rule, mode=chosen[rule.id]) for rule in policies.rules if rule.id in chosen
    )
    return replace(policies, rules=rules)


NAMES = [rule.id for rule in all_rules().rules]
MODES = st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.HOLD, Mode.WARN, Mode.OBSERVE])
POLICIES = st.dictionaries(st.sampled_from(NAMES), MODES, min_size=1).map(some_rules)


def replayed(policies: PolicySet, log: Log) -> Replayed:
    """Replay a log."""
    with tempfile.TemporaryDirectory() as folder:
        spoilt = Spoilt()
        lines = records([log.write(Path(folder))], spoilt)
        found = asyncio.run(Replay(policies).run(in_order(lines)))
    assert spoilt.count == 0
    return found


@given(POLICIES, REQUESTS, st.sampled_from(["none", "excerpt", "full"]))
@settings(max_examples=150, deadline=None)
def test_the_same_policies_decide_the_same(
    policies: PolicySet, requests: list[Sent], content: str
) -> None:
    """Every effect and every finding comes out as recorded, also of writes at once."""
    played = asyncio.run(play(policies, requests, MemoryStore(90 * 86_400.0), content=content))
    found = replayed(policies, played.log)

    assert (found.changed, found.other_reasons, found.unlike) == (0, 0, 0)
    assert found.unjudged == 0
