"""The language of the files of a policy set: every key, what stands under it, and what it means.

Rules stand under `RULE`, with the checks' own keys (`parameters`) and `if` (`conditions`) in it.
What is read here is a value by key; `rules`, `waivers` and `registry` make of it what is in force.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.checks import CHECKS
from gateway.model import ANONYMOUS, Api, Mode
from gateway.policy.composites import Either, Items, Many, Named, Unread
from gateway.policy.conditions import CONDITION
from gateway.policy.keys import Beside, Key, Keys, NotWith, One, OnlyWith, Some
from gateway.policy.kinds import Day, Duration, Flag, Operation, Secret, Text, Whole, Word
from gateway.policy.parameters import PARAMETERS
from gateway.soe.api import OPERATIONS
from gateway.soe.read import SLUG

LONGEST_EXCEPTION = 90
"""Days."""
KEYS_AT_MOST = 2
"""Gateway keys of an integration: the one in use, and a new one."""
TIERS = ("probation", "trusted")
APPROVERS = ("person", "owner", "link")

_KEBAB = "[a-z0-9]+(?:-[a-z0-9]+)*"
_PERMANENT = "asks to come again, and this refusal is permanent"
_STATUS = {
    401: "401 asks for a token, and a better one would not help",
    407: "407 is a proxy's, and asks for its password",
    408: f"408 {_PERMANENT}",
    425: f"425 {_PERMANENT}",
    429: f"429 {_PERMANENT}",
}
"""Statuses that clients act upon by themselves."""


_ANSWERS = {
    "anyOf": [{"type": "integer", "minimum": 200, "maximum": 599}, {"enum": ["timeout", "down"]}]
}

# ── rules ────────────────────────────────────────────────────────────────────────────────────

_CHECKS = {
    name: Key(keys, f"a check, with its parameters; see [checks](checks.md#{name})")
    for name, keys in PARAMETERS.items()
}

_ASKING = tuple(name for name, check in CHECKS.items() if check.needs_state)

RULE = Keys(
    {
        "title": Key(Text(), "what must be true, for people", required=True),
        "mode": Key(
            Word(tuple(Mode)),
            "what a failure does: nothing, it is recorded, recorded and told in "
            "`Gateway-Warning`, held until a person confirms it, refused",
            required=True,
        ),
        "for": Key(Many(Operation()), "the [operations](operations.md) it judges", required=True),
        "except": Key(Many(Text("names of integrations")), "integrations it does not judge"),
        "integrations": Key(
            Many(Text("names of integrations, `anonymous` too")),
            "the only integrations it judges",
        ),
        "tiers": Key(Many(Word(TIERS)), "the only tiers of integrations it judges"),
        "teams": Key(
            Many(Text("a team's slug, as `payments`, or `''` for the main site", f"(?:{SLUG})?")),
            "the only teams it judges",
        ),
        "tags": Key(
            Many(Text("tags")), "judges what has one of these tags, whatever their letter case"
        ),
        "if": Key(
            CONDITION,
            "judges what these conditions hold of; without a check they are the rule, and it "
            "fails where they hold",
        ),
        **_CHECKS,
        "message": Key(
            Text("text with `{names}`"),
            "what is wrong, for the integration's author, in place of the check's own words",
        ),
        "fix": Key(
            Text("text with `{names}`"), "how to put it right, in place of the check's own words"
        ),
        "docs": Key(Text("an address"), "where more is said", default="the policy's"),
        "status": Key(
            Whole(400, 499, _STATUS), "of the refusal in v3", default="that of the check, or 400"
        ),
        "approver": Key(
            Word(APPROVERS),
            "who may confirm what is held: the acting person, the owner of the integration, or "
            "whoever holds the link",
            default="person",
        ),
        "on_error": Key(
            Word(("refuse", "allow")),
            "what happens where the state that the check asks is out of reach",
            default="refuse",
        ),
    },
    name="rule",
    told="a rule",
    bonds=(
        One(tuple(PARAMETERS), "a rule has one check; this one has {}"),
        Some((*PARAMETERS, "if"), "a rule needs a check, or conditions under 'if'"),
        OnlyWith("approver", "mode", "hold"),
        NotWith("status", "mode", "what is held is answered with 403", "hold"),
        NotWith("status", "rate_cap", "a cap answers 429, by which clients know to wait"),
        Beside(
            "on_error", _ASKING, f"'on_error' is for checks that ask state: {', '.join(_ASKING)}"
        ),
    ),
)

EXCEPTION = Keys(
    {
        "rules": Key(Many(Text("names of rules")), "the rules that do not judge", required=True),
        "integrations": Key(
            Many(Text("names of integrations")), "whom they do not judge", required=True
        ),
        "reason": Key(Text(), "why", required=True),
        "ticket": Key(Text(), "where that was agreed", required=True),
        "owner": Key(Text(), "who answers for it", required=True),
        "expires": Key(
            Day(), f"its last day, at most {LONGEST_EXCEPTION} days ahead", required=True
        ),
    },
    name="exception",
    told="`rules`, `integrations`, `reason`, `ticket`, `owner`, `expires`",
)

# ── tests ────────────────────────────────────────────────────────────────────────────────────
# `offline.cases` reads them, by these keys: what they mean depends on the steps before.

_TEXT = Text(may_be_empty=True)
_TEXTS = Many(_TEXT, least=0, in_file=False)
_RULES = Many(Text("names of rules"), least=0, in_file=False)
_SAVED = Keys(
    {
        "status": Key(Whole(200, 599), "its status", default="201"),
        "body": Key(Unread("JSON"), "its body, where it matters"),
        "file": Key(_TEXT, "a file beside this one that has the body"),
    },
    name="answer",
    told="`status` and `body` or `file`",
)

EXPECT = Keys(
    {
        "refused_by": Key(_RULES, "all rules that refuse it"),
        "held_by": Key(_RULES, "all rules that hold it, and that nobody has confirmed"),
        "warned_by": Key(_RULES, "all rules that warn of it"),
        "observed_by": Key(_RULES, "all rules in `observe` that it fails"),
        "code": Key(_TEXT, "the code of the gateway's answer"),
        "status": Key(Whole(100, 599), "its status"),
        "error_id": Key(Whole(100, 999), "its `error_id` in v2.3"),
        "retry_after": Key(
            Duration(kept=False, may_be_nothing=True), "after how long it says to come again"
        ),
        "message": Key(_TEXTS, "texts that stand in what failing rules say"),
    },
    name="expect",
    told="what must be so",
    least=1,
    nothing="nothing is expected here",
)
_SHARED = {
    "as": Key(_TEXT, "the integration that writes", default="anonymous"),
    "token": Key(_TEXT, "its token", default="one of its own"),
    "person": Key(_TEXT, "who acts"),
    "team": Key(Text("a team's slug", SLUG), "the team; else the main site"),
    "action": Key(_TEXT, "the header `X-Explicit-Action`"),
    "title": Key(_TEXT, "the title"),
    "body": Key(_TEXT, "the text"),
    "user_agent": Key(_TEXT, "the header `User-Agent`"),
    "tags": Key(_TEXTS, "the tags"),
    "api": Key(Word(tuple(Api)), "the API", default="the newest that has the operation"),
    "soe": Key(
        Either(Unread("a status, `timeout` or `down`", alike=_ANSWERS), _SAVED),
        "SOE's answer; `timeout`: nobody can tell, `down`: it was not reached",
        default="201",
    ),
    "state": Key(Word(("up", "down")), "whether state can be reached", default="up"),
}
GIVEN = Keys(
    {
        **_SHARED,
        "at": Key(
            Text(
                "a time, as `2026-12-31T23:00Z`",
                r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(?:Z|[+-][0-9]{2}:[0-9]{2})",
            ),
            "when the test begins",
            default="2026-01-05T08:00Z",
        ),
    },
    name="given",
    told="what holds for every step",
)
STEP_KEYS: Mapping[str, Key] = {
    **_SHARED,
    "key": Key(_TEXT, "its `Idempotency-Key`"),
    "after": Key(Duration(kept=False, may_be_nothing=True), "how much later than the step before"),
    "times": Key(Whole(1, 1000), "so many times the same", default="1"),
    "preview": Key(Flag(), "with `preview=true`"),
    "confirm": Key(Flag(), "a person has confirmed what held the same request before"),
    "expect": Key(Either(Word(("pass", "replayed")), EXPECT), "what becomes of it"),
}
_POST = Unread(
    "a number, `new`, or `new-2` for what step 2 wrote",
    alike={
        "anyOf": [
            {"type": "integer", "minimum": 1},
            {"type": "string", "pattern": "^(?:[0-9]+|new|new-[0-9]+)$"},
        ]
    },
)
_OPERATIONS = {
    name: Key(_POST, f"a write that is {name}, of this post; new for none")
    for name in sorted(OPERATIONS)
}
STEP = Keys(
    {**STEP_KEYS, **_OPERATIONS},
    name="step",
    told="a write, as `{answer.create: 11, expect: pass}`",
)
TEST = Keys(
    {
        "given": Key(GIVEN, "what holds for every step, unless it says otherwise"),
        "steps": Key(Items(STEP, "steps"), "writes, one after the other", required=True),
    },
    name="test",
    told="`given`, `steps`",
)
_TESTS = Unread("names, each with a test", Named(TEST, "a test"))

# ── files ────────────────────────────────────────────────────────────────────────────────────

RULE_NAMES = Text("a rule; use kebab-case", _KEBAB)
INTEGRATION_NAMES = Text("an integration; use kebab-case", f"(?!{ANONYMOUS}$){_KEBAB}")

POLICY = Keys(
    {
        "policy": Key(Text(), "its name", required=True),
        "owner": Key(Text(), "who answers for it, and is named where a rule holds", required=True),
        "docs": Key(Text("an address"), "where more is said, for rules that do not say it"),
        "rules": Key(Named(RULE, "a rule", RULE_NAMES), "its rules, by name", required=True),
        "exceptions": Key(
            Items(EXCEPTION, "exceptions", least=0), "whom its rules do not judge, for a time"
        ),
        "tests": Key(_TESTS, "its tests, by what they show"),
    },
    told="a policy",
)

_DIGESTS = "digests, as sha256: and 64 hex digits"
_DIGEST = Text(_DIGESTS, "sha256:[0-9a-f]{64}")
_CERTIFICATE = Text(
    "names in certificates, as `DNS:bot.example.com`, `URI:spiffe://example.com/bot` or "
    "`email:bot@example.com`, without wildcards",
    r"DNS:[A-Za-z0-9._-]{1,253}|URI:[!-)+-~]{3,2000}|email:[!-)+-?A-~]{1,64}@[A-Za-z0-9._-]{1,253}",
)
_CLIENT = Text("ids of OAuth clients", "[!-~]{1,100}")
_ORIGIN = Text(
    "origins, as `https://app.example.com`, in lower case; http from this machine alone",
    r"https://[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[0-9]{1,5})?"
    r"|http://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?",
)
_RETURN = Text(
    "addresses, as `https://bot.example.com/done`, the host in lower case; http from this machine "
    "alone",
    r"(?:https://[a-z0-9-]+(?:\.[a-z0-9-]+)*|http://(?:localhost|127\.0\.0\.1|\[::1\]))"
    r"(?::[0-9]{1,5})?(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?",
)
INTEGRATION = Keys(
    {
        "owner": Key(Text(), "the team that answers for it", required=True),
        "contact": Key(Text(), "how to reach them", required=True),
        "purpose": Key(Text(), "what it writes, and why", required=True),
        "approver": Key(Text(), "who agreed to it"),
        "expires": Key(Day(), "the last day on which it may write"),
        "tier": Key(Word(TIERS), "how far it is trusted", default="probation"),
        "operations": Key(
            Many(Operation()), "the [operations](operations.md) it may use", default="['*']"
        ),
        "keys": Key(
            Many(_DIGEST, most=KEYS_AT_MOST),
            "digests of its gateway keys: the one in use, and a new one",
        ),
        "tokens": Key(Many(_DIGEST), "digests of its SOE tokens"),
        "certificates": Key(
            Many(_CERTIFICATE), "names in its client certificates, as OpenSSL prints them"
        ),
        "oauth_clients": Key(
            Many(_CLIENT),
            "ids of its OAuth clients: a token is known by the exchange that gave it, which must "
            "go through the gateway",
        ),
        "origins": Key(
            Many(_ORIGIN), "origins of its pages, whose scripts may read the gateway's answers"
        ),
        "upstream_token": Key(
            Secret(),
            "holds its SOE token: the gateway sends it for whoever shows this integration's key or "
            "certificate",
        ),
        "return_to": Key(
            Many(_RETURN),
            "where the page on which somebody confirms may lead back to: these addresses, and what "
            "lies below their paths",
        ),
    },
    name="integration",
    told="a registration",
    bonds=(
        Beside(
            "upstream_token",
            ("keys", "certificates"),
            "'upstream_token' is sent for who shows a key or a certificate; none is registered",
        ),
    ),
    refused=dict.fromkeys(
        ("user_agent", "api_key", "v2_key", "path"), "identifies nobody: anybody can send it"
    ),
)
REGISTRY = Keys(
    {
        "integrations": Key(
            Named(INTEGRATION, "a registration", INTEGRATION_NAMES),
            "the integrations, by name",
            required=True,
        )
    },
    told="registrations",
)
TESTS = Keys(
    {"tests": Key(_TESTS, "the tests, by what they show", required=True)}, told="tests alone"
)
OVERRIDES = Named(RULE.partial("tuned"), "the keys that differ", RULE_NAMES)
"""Keys of shipped rules that differ, by the rule's name; a check's parameters likewise."""
