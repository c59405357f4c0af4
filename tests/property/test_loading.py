"""Whatever stands in a policy file: it loads or is refused, and never more than the schema takes."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import PolicyError
from gateway.offline.testing.suite import read_suite
from gateway.policy.load import shipped_directory
from tests.policy.documents import instance, objections, takes, written

TODAY = date(2026, 11, 24)
DIGEST = f"sha256:{'a' * 64}"
WORDS = "Restart the agent, clear its cache, wait a minute and then log in."

POLICY: Any = {
    "policy": "p",
    "owner": "o",
    "docs": "https://wiki.example.com",
    "rules": {
        "acted": {"title": "T", "mode": "hold", "for": ["*.create"], "except": ["a-bot"],
                  "explicit_action": {"evidence": "literal", "values": ["true"], "max_age": "10m", "members": ["by"]},
                  "approver": "owner", "message": "{integration}: no", "fix": "Ask {team}."},
        "capped": {"title": "T", "mode": "enforce", "for": ["question.create"], "integrations": ["a-bot", "anonymous"],
                   "tiers": ["probation"], "teams": ["red", ""], "tags": ["x"], "on_error": "allow",
                   "rate_cap": {"windows": [{"limit": 1, "window": "1m"}, {"limit": 9, "window": "1h"}],
                                "per": ["integration", "tag"], "count": "attempts"}},
        "one-cap": {"title": "T", "mode": "warn", "for": "vote.*", "rate_cap": {"limit": 5, "window": "1h"}},
        "copy": {"title": "T", "mode": "observe", "for": ["*"], "status": 409,
                 "duplicate": {"similarity": "84%", "within": "90d", "compare": "event", "across_teams": True, "templates": [WORDS]}},
        "same": {"title": "T", "mode": "disabled", "for": ["answer.create"],
                 "boilerplate": {"similarity": "84%", "threads": 2, "within": "90d", "forbidden": [WORDS]}},
        "log": {"title": "T", "mode": "enforce", "for": ["*"], "log_text": {"share": "60%", "lines": 3, "words": 6}},
        "seen": {"title": "T", "mode": "enforce", "for": ["*"], "hidden_text": {"ratio": 10, "letters": 80, "share": "20%"}},
        "own": {"title": "T", "mode": "enforce", "for": ["*"], "shared_token": {"within": "1d", "by": "people", "users": 3}},
        "named": {"title": "T", "mode": "warn", "for": ["*"], "attribution": {"user_agent": ["^bot"], "line": {"matches": "x"}}},
        "by": {"title": "T", "mode": "warn", "for": ["*"], "attribution": {"user_agent": "descriptive", "line": "by {integration}"}},
        "said": {"title": "T", "mode": "enforce", "for": ["question.create"], "docs": "https://wiki.example.com",
                 "if": {"all": [{"title": {"contains": {"file": "words.txt"}, "matches": "x+"}}, {"any": [{"hour": {"below": 6}}]}],
                        "not": {"tags": {"any_of": ["a"], "all_of": ["b"], "none_of": ["c"]}},
                        "body": {"words": {"at_least": 1, "below": 9}, "length": {"at_least": 2}, "links": {"below": 3},
                                 "html": {"below": 2}, "entities": {"below": 2}},
                        "user_agent": {"contains": ["bot"]}, "weekday": {"any_of": ["mon"]}}},
    },
    "exceptions": [{"rules": ["copy"], "integrations": ["a-bot"], "reason": "r", "ticket": "T-1", "owner": "o", "expires": "2026-12-31"}],
    "tests": {"t": {"given": {"as": "a-bot", "body": "b", "tags": ["x"], "at": "2026-01-05T08:00Z", "state": "up"},
                    "steps": [{"answer.create": 11, "after": "1h", "soe": 404, "expect": "pass"},
                              {"question.create": "new", "action": "true", "api": "v3", "team": "red", "key": "k", "times": 2,
                               "expect": {"refused_by": ["log"], "held_by": [], "code": "log_text", "status": 400,
                                          "error_id": 407, "retry_after": "0s", "message": ["x"]}},
                              {"answer.create": 12, "api": "v2.3", "preview": True, "confirm": False, "soe": {"status": 200, "body": {"items": [1, None]}}},
                              {"answer.edit": "new-1", "soe": "timeout", "user_agent": "x", "title": "t", "token": "t", "person": "p"}]}},
}  # fmt: skip
REGISTRY: Any = {
    "integrations": {
        "a-bot": {"owner": "o", "contact": "c", "purpose": "p", "approver": "x", "expires": "2027-01-31", "tier": "probation",
                  "operations": ["*"], "keys": [DIGEST], "tokens": [f"sha256:{'b' * 64}"]},
    }
}  # fmt: skip
OVERRIDES: Any = {
    "already-posted": {"mode": "warn", "duplicate": {"within": "7d"}},
    "questions-per-integration": {"rate_cap": {"windows": [{"limit": 3, "window": "1m"}]}},
}
FILES = {
    "policy": POLICY,
    "integrations": REGISTRY,
    "overrides": OVERRIDES,
    "tests": {"tests": POLICY["tests"]},
}
NAMES = {"tests": "apart.test.yaml"}

VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(["", "0%", "84%", "100.0%", "101%", "0s", "1m", "400d", "true", "2026-12-31", "enforce", "hold", "Red",
                     "question.create", "answer.*", "*", "a-bot", "anonymous", "{x}", "{integration}", "(?=", WORDS, "pass",
                     "new", "3", "new-1", "new-0", "down", "v2.3", "2026-12-31T23:00Z", DIGEST, "86%\n"]),
    st.sampled_from([None, True, False, 0, 1, -1, 24, 151, 400, 429, 10**20, 0.5, [], {}, [[]], [None], {"file": "words.txt"},
                     {"file": "nowhere"}, {"at_least": 1}, {"contains": "x"}, {"title": {"contains": "x"}},
                     {"limit": 1, "window": "1m"}, {"evidence": "asserted"}]),
    st.text(max_size=5),
)  # fmt: skip
KEYS = ["title", "mode", "for", "if", "body", "limit", "windows", "rate_cap", "log_text", "status", "approver", "on_error", "file",
        "user_agent", "at_least", "below", "values", "answer.create", "r", "Bad", "any", "no", "soe", "expect", "at", "times"]  # fmt: skip
MUTATIONS = st.lists(
    st.tuples(
        st.integers(0, 10_000), st.sampled_from(["put", "drop", "rename", "wrap", "add"]), VALUES,
        st.sampled_from(KEYS),
    ),
    min_size=1,
    max_size=2,
)  # fmt: skip


def places(part: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with each of its keys or places."""
    found = part.items() if isinstance(part, dict) else enumerate(part)
    for key, value in list(found):
        yield part, key
        if isinstance(value, dict | list):
            yield from places(value)


def mutated(document: Any, mutations: list[tuple[int, str, Any, str]]) -> Any:
    """Change a document here and there."""
    document = copy.deepcopy(document)
    for number, how, value, name in mutations:
        there = list(places(document))
        if not there:
            return document
        container, key = there[number % len(there)]
        if how == "put":
            container[key] = copy.deepcopy(value)
        elif how == "drop":
            del container[key]
        elif how == "wrap":
            container[key] = [container[key]]
        elif isinstance(container, list):
            container.append(copy.deepcopy(value))
        elif how == "rename":
            container[name] = container.pop(key)
        else:
            container[name] = copy.deepcopy(value)
    return document


def loads(files: dict[str, str]) -> bool:
    """Whether files load as a set; what does not says why."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        (directory / "words.txt").write_text("# words\nticket\ndesk\n")
        for name, text in files.items():
            (directory / NAMES.get(name, f"{name}.yaml")).write_text(text, "utf-8", "surrogatepass")
        try:
            read_suite(directory, today=TODAY)
        except PolicyError as error:
            assert error.problems
            return False
        return True


def test_what_is_changed_below_is_right_to_begin_with() -> None:
    """Loader and schema take it."""
    assert loads({name: written(document) for name, document in FILES.items()})
    for name, document in FILES.items():
        assert objections(name, document) == []


@given(st.sampled_from(list(FILES)), MUTATIONS)
@settings(max_examples=200, deadline=None)
def test_what_the_schema_refuses_does_not_load(
    name: str, mutations: list[tuple[int, str, Any, str]]
) -> None:
    """However a right file is changed: nothing wrong is taken in silence, nothing crashes."""
    document = mutated(FILES[name], mutations)
    files = {each: written(right) for each, right in FILES.items()} | {name: written(document)}

    if loads(files):
        assert objections(name, document) == []


LINES = [
    *(
        "policy: a",
        "owner: b",
        "rules:",
        "  r:",
        "    title: t",
        "    mode: enforce",
        "    mode: on",
    ),
    *("    for: ['*']", "    rate_cap: {limit: 1, window: 1m}", "    if: {title: {matches: '('}}"),
    *(
        "    unknown: x",
        "exceptions: []",
        "  - x",
        "tests: {}",
        "\t",
        "a: &b c",
        "    fix: |",
        "  x",
    ),
    *(
        "    if: {hour: {below: 6}}",
        "integrations: {}",
        "---",
        "%YAML 1.1",
        "? [a]",
        "- - -",
        "rules: {}",
    ),
]
SHIPPED = [path.read_text() for path in sorted(shipped_directory().glob("*.yaml"))]


@st.composite
def torn(draw: st.DrawFn) -> str:
    """A shipped policy of which a stretch is gone, doubled or replaced."""
    text = draw(st.sampled_from(SHIPPED))
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 40)))
    between = draw(st.sampled_from(["", text[start:end] * 2]) | st.text(max_size=5))
    return text[:start] + between + text[end:]


@given(st.lists(st.sampled_from(LINES), max_size=12).map("\n".join) | st.text(max_size=80) | torn())
@settings(max_examples=200, deadline=None)
def test_no_text_crashes_the_loader(text: str) -> None:
    """It loads, and the schema takes it, too; or the loader says what is wrong."""
    if loads({"policy": text}):
        assert takes("policy", instance(text))
