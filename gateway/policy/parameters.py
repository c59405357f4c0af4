"""The parameters of checks: rows of keys for each, and how its check is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from typing import Any

from gateway.checks import Check
from gateway.checks.attribution import DESCRIPTIVE, Attribution
from gateway.checks.boilerplate import Boilerplate
from gateway.checks.duplicate import Duplicate
from gateway.checks.explicit_action import Evidence, ExplicitAction
from gateway.checks.hidden_text import HiddenText
from gateway.checks.log_text import LogText
from gateway.checks.rate_cap import PER, RateCap
from gateway.checks.shared_token import SharedToken
from gateway.model import Window
from gateway.policy.composites import Either, Items, Many
from gateway.policy.keys import Key, Keys, NotWith, OnlyWith, Some
from gateway.policy.kinds import (
    Duration,
    Flag,
    Kind,
    Pattern,
    Percent,
    Template,
    Text,
    Whole,
    Word,
    written,
)

_MANY = 1_000_000
_NO_HEADER = "whoever confirms is seen to do so: no header says it"
_COUNT = {"accepted": False, "attempts": True}


def _parameters(check: type[Any], rows: Mapping[str, tuple[Kind, str]]) -> Keys:
    """Make the keys of a check whose fields are its YAML: what has no default is required."""
    defaults = {each.name: each.default for each in fields(check)}
    return Keys(
        {
            name: Key(kind, meaning, defaults[name] is MISSING, _default(kind, defaults[name]))
            for name, (kind, meaning) in rows.items()
        },
        name=check.name,
        make=check,
    )


def _default(kind: Kind, value: object) -> str:
    """Write a default as it is read; nothing where there is none to speak of."""
    if value is MISSING or value in ((), False):
        return ""
    if isinstance(kind, Percent):
        return f"{float(str(value)):.0%}"
    if isinstance(kind, Duration):
        return written(float(str(value)))
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)


_WITHIN = (Duration(), "how far to look back")
_SIMILARITY = (
    Percent("at 0% every text would be a copy"),
    "how alike two texts are from which on one is a copy, see [detection](../detection.md)",
)
_ACROSS = (
    Flag(),
    "looks at all teams; else at the write's own alone, the main site being one of its own",
)
_TEMPLATES = (Many(Template()), "texts that are nobody's own: sharing them is no likeness")

_WINDOW = {
    "limit": Key(Whole(1, _MANY), "so many writes at most", required=True),
    "window": Key(Duration(), "in any stretch of this length", required=True),
}


_LINE = Text("a text, `{integration}` allowed", r"(?:[^{}\n]|\{integration\})+")
_LINE_MATCHES = Keys(
    {"matches": Key(Pattern(), "the pattern", required=True)},
    told="`{matches: pattern}`",
    make=lambda matches: matches,
)


def _window(limit: int, window: float) -> Window:
    return Window(limit=limit, seconds=window)


def _rate_cap(
    limit: int | None = None,
    window: float | None = None,
    windows: tuple[Window, ...] = (),
    per: tuple[str, ...] = ("integration",),
    count: str = "accepted",
) -> Check:
    if limit is not None and window is not None:
        windows = (_window(limit, window),)
    return RateCap(windows=windows, per=per, attempts=_COUNT[count])


def _explicit_action(evidence: str, **others: Any) -> Check:
    return ExplicitAction(evidence=Evidence(evidence), **others)


PARAMETERS: Mapping[str, Keys] = {
    "explicit_action": Keys(
        {
            "evidence": Key(
                Word(tuple(Evidence)),
                "how strongly the act must be told: the header is one of `values`, it is an "
                "assertion, or the acting person confirmed this very post on the gateway's page; "
                "each satisfies those before it",
                required=True,
            ),
            "values": Key(
                Many(Text("what a header can hold", "[!-~](?:[ -~]*[!-~])?")),
                "what counts as `literal`, byte for byte",
                default="['true']",
            ),
            "max_age": Key(Duration(), "how old the act of an assertion may be", default="5m"),
            "members": Key(
                Many(Text("a member of RFC 9651, as `by`", "[a-z*][a-z0-9_.*-]*")),
                "what an assertion must tell beside `act` and `at`; with `ref`, that no other write "
                "of the integration has named",
            ),
        },
        name="explicit_action",
        make=_explicit_action,
        bonds=(
            OnlyWith("values", "evidence", "literal"),
            NotWith("max_age", "evidence", _NO_HEADER, "confirmed"),
            NotWith("members", "evidence", _NO_HEADER, "confirmed"),
        ),
    ),
    "rate_cap": Keys(
        {
            "limit": Key(_WINDOW["limit"].kind, "so many writes at most; with `window`"),
            "window": Key(_WINDOW["window"].kind, "in any stretch of this length"),
            "windows": Key(
                Items(
                    Keys(_WINDOW, name="window", told="`limit`, `window`", make=_window),
                    "{limit, window}",
                ),
                "several of both, none of which may be exceeded",
            ),
            "per": Key(
                Many(Word(PER)), "what is counted apart; several together", default="[integration]"
            ),
            "count": Key(
                Word(tuple(_COUNT)), "what SOE accepted, or every attempt", default="accepted"
            ),
        },
        name="rate_cap",
        bonds=(
            Some(("windows", "limit"), "the key 'limit' is missing"),
            Some(("windows", "window"), "the key 'window' is missing"),
            NotWith("limit", "windows", "'limit' stands under 'windows' already"),
            NotWith("window", "windows", "'window' stands under 'windows' already"),
        ),
        make=_rate_cap,
    ),
    "duplicate": _parameters(
        Duplicate,
        {
            "within": _WITHIN,
            "compare": (
                Word(("text", "event")),
                "`event`: what is equal but for numbers, ids, times and paths counts too, in "
                "however few words, and where the earlier one was refused",
            ),
            "similarity": _SIMILARITY,
            "templates": _TEMPLATES,
            "across_teams": _ACROSS,
        },
    ),
    "boilerplate": _parameters(
        Boilerplate,
        {
            "threads": (
                Whole(2, 64),
                "under so many threads the same author's text is boilerplate, this one among them",
            ),
            "within": _WITHIN,
            "similarity": _SIMILARITY,
            "templates": _TEMPLATES,
            "forbidden": (Many(Template()), "texts that nobody may post"),
            "across_teams": _ACROSS,
        },
    ),
    "log_text": _parameters(
        LogText,
        {
            "share": (
                Percent("at 0% every text would fail"),
                "log lines, stack traces and dumps make so much of the letters outside headings "
                "and labels",
            ),
            "lines": (
                Whole(1, _MANY),
                "fewer lines of a log do not count, unless there is nothing else",
            ),
            "words": (
                Whole(1, _MANY),
                "with so many words of its own a post passes, however long its log; where "
                "headings say that a tool filled a form in, with five times as many",
            ),
        },
    ),
    "hidden_text": _parameters(
        HiddenText,
        {
            "ratio": (
                Whole(1, _MANY),
                "so many hidden or encoded letters for each one that a reader sees are too many",
            ),
            "letters": (Whole(1, _MANY), "fewer hidden letters do not count"),
            "share": (
                Percent("at 0% every text would fail"),
                "of the words, six at least, that mix scripts or have invisible characters in or "
                "beside them",
            ),
        },
    ),
    "shared_token": _parameters(
        SharedToken,
        {
            "within": _WITHIN,
            "by": (
                Word(("integrations", "people")),
                "whose uses of a token count: those of integrations, or of the people whom "
                "assertions of an act name as `by`",
            ),
            "users": (Whole(2, 17), "so many users are too many, this one among them"),
        },
    ),
    "attribution": replace(
        _parameters(
            Attribution,
            {
                "user_agent": (
                    Either(Word((DESCRIPTIVE,)), Items(Pattern(), "patterns of RE2")),
                    "what `User-Agent` must be: one that names the integration and not only a "
                    "library, or one that one of these patterns finds",
                ),
                "line": (
                    Either(_LINE, _LINE_MATCHES),
                    "what must stand in a line of the text that readers see, whatever its letter "
                    "case; or the pattern that must be found there",
                ),
            },
        ),
        bonds=(Some(("user_agent", "line"), "nothing is asked of user_agent, nor a line"),),
    ),
}
"""The parameters of each check, by its name."""
