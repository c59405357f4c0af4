"""Which post an address means: of the site's pages, of API v2.3 and of v3. Pure.

Questions, answers and articles are counted together, comments apart, and each private team counts
its own. What an address leaves open (`/a/12`, `/posts/12`) stands for each kind that it may be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

_KINDS = ("question", "answer", "article", "comment", "collection")
_PLAIN = re.compile(rf"({'|'.join(_KINDS)})/([1-9][0-9]{{0,9}})")
_NUMBER = "[1-9][0-9]{0,9}"
_TEAM = re.compile(r"/c/([a-z0-9][a-z0-9._-]*)/|/api/v3/teams/([a-z0-9][a-z0-9._-]*)")
_ROOT = re.compile(r"/(?:c/[^/]+/)?(?:api/(?:v3(?:/teams/[^/]+)?|2\.[0-9]+)/|2\.[0-9]+/)?")
_COMMENT = re.compile(rf"comment-?({_NUMBER})(?:_{_NUMBER})?")
_ANSWER = re.compile(rf"(?:answer-)?({_NUMBER})")
_ANY = ("question", "answer", "article")

# The first that fits counts; of what is behind a number, only a further number says more.
_PATHS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (re.compile(rf"(?:.*/)?comments/({_NUMBER})"), ("comment",)),
    (re.compile(rf"questions?/{_NUMBER}/(?:answers|[^/]+)/({_NUMBER})(?:/.*)?"), ("answer",)),
    (re.compile(rf"questions?/{_NUMBER}/({_NUMBER})"), ("answer",)),
    (re.compile(rf"questions?/({_NUMBER})(?:/.*)?"), ("question",)),
    (re.compile(rf"answers?/({_NUMBER})(?:/.*)?"), ("answer",)),
    (re.compile(rf"articles?/({_NUMBER})(?:/.*)?"), ("article",)),
    (re.compile(rf"collections?/({_NUMBER})(?:/.*)?"), ("collection",)),
    (re.compile(rf"comments?/({_NUMBER})|c/({_NUMBER})"), ("comment",)),
    (re.compile(rf"[aq]/({_NUMBER})(?:/.*)?"), _ANY),
    (re.compile(rf"posts/({_NUMBER})(?:/.*)?"), _ANY),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The posts that an address may mean, as `answer/12`, and in which team; None: the main site.

    `anywhere` where it is only a name, which says nothing about the team.
    """

    posts: tuple[str, ...]
    team: str | None = None
    anywhere: bool = False


def read_address(text: str) -> Address | None:
    """Read the address of a post, or its name as `answer/12`; None where it is neither."""
    text = text.strip()
    if plain := _PLAIN.fullmatch(text):
        return Address(posts=(f"{plain[1]}/{plain[2]}",), anywhere=True)
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    if not parts.netloc and not text.startswith("/"):
        return None
    path, fragment = unquote(parts.path).lower().rstrip("/"), unquote(parts.fragment)
    posts = _by_fragment(path, fragment) or _by_path(_ROOT.sub("", path, count=1))
    return Address(posts=posts, team=_team(path, parts.query)) if posts else None


def _by_fragment(path: str, fragment: str) -> tuple[str, ...]:
    if found := _COMMENT.fullmatch(fragment):
        return (f"comment/{found[1]}",)
    found = _ANSWER.fullmatch(fragment)
    return (f"answer/{found[1]}",) if found and "/questions/" in path else ()


def _by_path(path: str) -> tuple[str, ...]:
    for pattern, kinds in _PATHS:
        if found := pattern.fullmatch(path):
            number = next(filter(None, found.groups()))
            return tuple(f"{kind}/{number}" for kind in kinds)
    return ()


def _team(path: str, query: str) -> str | None:
    if found := _TEAM.match(path):
        return found[1] or found[2]
    return next(iter(parse_qs(query).get("team", ())), "").lower() or None
