"""The language of tests: what may stand under `tests`, in policy files and in files of their own."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model import ANONYMOUS, Api
from gateway.policy.keys import Key, Keys, One, OneOf
from gateway.policy.kinds import (
    Duration,
    Either,
    Flag,
    Instant,
    Items,
    Json,
    Many,
    Named,
    Place,
    StatusOr,
    Text,
    Whole,
    Word,
)
from gateway.soe.api import OPERATIONS
from gateway.soe.read import SLUG

SILENCE = ("timeout", "down")
"""Why SOE may give no answer."""
_TEXT = Text(may_be_empty=True)
_RULES = Many(Text("names of rules"), least=0)

EXPECT = Keys(
    {
        "refused_by": Key(_RULES, "all rules that refuse it"),
        "held_by": Key(_RULES, "all rules that hold it; alone, nothing may refuse it"),
        "warned_by": Key(_RULES, "all rules that warn of it; alone, it has to pass"),
        "observed_by": Key(_RULES, "all rules that observe it failing; alone, it has to pass"),
        "code": Key(Text(), "the code of the gateway's answer"),
        "status": Key(Whole(100, 599), "its status, in the API of the step"),
        "error_id": Key(Whole(400, 599), "its `error_id`, in v2.3"),
        "retry_after": Key(Duration(kept=False), "how long it asks to wait"),
        "message": Key(Many(Text("texts")), "texts that stand in what failing rules say"),
    },
    name="expect",
    told="what must be so",
    least=1,
    nothing="nothing is expected here",
)
ANSWER = Keys(
    {
        "status": Key(Whole(200, 599), "its status", default="201"),
        "body": Key(Json(), "its body, as JSON has it"),
        "file": Key(Text("a file's name"), "the file beside this one that holds the body"),
    },
    name="answer",
    told="`status`, `body` or `file`",
    least=1,
    bonds=(One(("body", "file"), "an answer has one body; this one has {}"),),
)
_SHARED: Mapping[str, Key] = {
    "as": Key(_TEXT, "the integration that writes", default=f"`{ANONYMOUS}`"),
    "token": Key(_TEXT, "its SOE token", default="one of its own"),
    "person": Key(_TEXT, "who acts"),
    "team": Key(Text("a team's slug, as `payments`", SLUG), "the team", default="the main site"),
    "action": Key(
        _TEXT,
        "the header `X-Explicit-Action`; an act that tells no time is of the moment of the step",
    ),
    "title": Key(_TEXT, "the title"),
    "body": Key(_TEXT, "the text"),
    "user_agent": Key(_TEXT, "the header `User-Agent`"),
    "tags": Key(Many(Text("tags"), least=0), "the tags"),
    "api": Key(Word(tuple(Api)), "the API", default="`v3`, where it has the operation"),
    "soe": Key(
        Either(StatusOr(SILENCE), ANSWER),
        "what SOE answers; or nothing, so that nobody knows what became of it, or nothing was sent",
        default="201",
    ),
    "state": Key(Word(("up", "down")), "whether state can be reached", default="`up`"),
}
GIVEN = Keys(
    {
        **_SHARED,
        "at": Key(Instant(), "when the story begins", default="2026-01-05T08:00Z, a Monday"),
    },
    name="given",
    told="what holds for every step",
)
_OPERATIONS = {
    name: Key(Place(), f"a write that is {name}, with the post that it means")
    for name in sorted(OPERATIONS)
}
STEP_KEYS: Mapping[str, Key] = {
    **_SHARED,
    "after": Key(Duration(kept=False), "how much later than the step before"),
    "times": Key(Whole(1, 1000), "how often, each so much later", default="1"),
    "key": Key(Text(), "the idempotency key"),
    "preview": Key(Flag(), "whether v2.3 is asked to validate only", default="false"),
    "confirm": Key(
        Flag(), "whether a person confirmed what held this very request before", default="false"
    ),
    "expect": Key(
        Either(Word(("pass", "replayed")), EXPECT),
        "what becomes of it: it is sent, SOE's earlier answer is given again, or what stands here",
    ),
}
STEP = Keys(
    {**STEP_KEYS, **_OPERATIONS},
    name="step",
    told="a write, as `{answer.create: 11, expect: pass}`",
    bonds=(OneOf(OPERATIONS, frozenset(STEP_KEYS), "a step has exactly one operation"),),
)
TEST = Keys(
    {
        "given": Key(GIVEN, "what holds for every step, unless it says otherwise"),
        "steps": Key(
            Items(STEP, "steps", least=0), "writes, one after the other, on one state",
            required=True,
        ),
    },
    name="test",
    told="`given`, `steps`",
)  # fmt: skip
TESTS = Named(TEST, "a test")
CASES_FILE = Keys(
    {"tests": Key(TESTS, "tests, by what they show", required=True)}, told="tests alone"
)
"""What stands in a `*.test.yaml`."""
