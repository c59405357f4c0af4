"""Tables of Markdown, made as wide as their widest rows. Pure.

What stands in more cells than the head has is left out by some renderers, as GitHub's specification
says, and shown by others. A reader may see it, so it is read, and no tag in it is one: it would
hide what follows where the cell is shown, and nothing where it is not. Laws: where there is no such
cell no word changes; what is no table does not become one; the cells that a renderer fills in are not
many more than the text has characters.
"""

from __future__ import annotations

import re
from collections.abc import Generator

_RULE = r"[ \t>]*+(?=[|: ]*+-)(?=[-: ]*+\|)[-:|][-:| ]*+"
"""What stands under a head; a head of one cell has a pipe as well."""
_RULES = re.compile(rf"\n{_RULE}(?=\n|\Z)")
_STRETCH = re.compile(r"((?:[ \t>]*+[^ \t>\n][^\n]*+(?:\n|\Z))++)")
"""Lines without an empty one, in which each table ends."""
_AT_ONCE = 400
"""Every second part of a text between empty lines is a stretch; these take a millisecond or two."""
_PIPE = re.compile(r"(?<!\\)\|")
"""What ends a cell, also in code."""
_CELL = " |-"
_PLAIN = str.maketrans("<[|", "   ")


def widen(body: str) -> Generator[None, None, str]:
    """Give the heads of tables as many cells as their widest rows have; lines end alike."""
    if "|" not in body:
        return body
    if "\r" in body:
        body = body.replace("\r\n", "\n").replace("\r", "\n")
    rules = _RULES.findall(body)
    if not rules or _are_wide(body, min(map(_cells, rules))):
        return body
    parts = _STRETCH.split(body)
    for at in range(1, len(parts), 2):
        parts[at] = _widen(parts[at])
        if at % _AT_ONCE == 1:
            yield
    return "".join(parts)


def _are_wide(body: str, cells: int) -> bool:
    """Tell in little time, of most texts, that there is nothing to do: no row has more cells."""
    wider = rf"\n[ \t>]*+\|?+(?:[^|\n]*+\|){{{cells}}}[ \t]*+[^ \t\n]"
    return not _is_huge(body.split("\n"), len(body)) and re.search(wider, body) is None


def _is_huge(lines: list[str], length: int) -> bool:
    return max([line.count("|") for line in lines]) * len(lines) > length


def _widen(stretch: str) -> str:
    rules = [rule.start() for rule in _RULES.finditer(stretch)]
    if not rules:
        return stretch
    lines = stretch.split("\n")
    first = stretch.count("\n", 0, rules[0])
    if _is_huge(lines[first:], len(stretch)):
        return _RULES.sub("\n", stretch).translate(_PLAIN)  # shows all, and is no table any more
    widest = max(map(_cells, lines[first:]))
    missing: dict[int, int] = {}
    narrowest, begins = widest, len(lines)
    at = done = 0
    for rule in rules:
        at, done = at + stretch.count("\n", done, rule), rule
        if _is_head(lines[at]):
            missing[at + 1] = widest - _cells(lines[at + 1])
            missing.setdefault(at, missing[at + 1])  # unless it is a rule itself
        if len(_PIPE.split(_framed(lines[at]))) == (cells := _cells(lines[at + 1])):
            narrowest, begins = min(narrowest, cells), min(begins, at)
    if narrowest < widest:
        lines[begins:] = [_untagged(line, narrowest) for line in lines[begins:]]
    for at, cells in missing.items():
        if cells:
            lines[at] = lines[at].rstrip(" \t").removesuffix("|") + _CELL * cells
    return "\n".join(lines)


def _untagged(row: str, cells: int) -> str:
    """Leave no tag in a row beyond so many cells."""
    parts = _PIPE.split(row)
    within = cells + _bare(row).startswith("|")
    return "|".join([*parts[:within], *(part.replace("<", " ") for part in parts[within:])])


def _is_head(line: str) -> bool:
    return "|" in line and _bare(line) != "|"


def _cells(line: str) -> int:
    """Count a row's cells; more where a pipe is a part of the text, never fewer."""
    return _framed(line).count("|") + 1


def _framed(line: str) -> str:
    return _bare(line).removeprefix("|").removesuffix("|")


def _bare(line: str) -> str:
    return line.lstrip(" \t\n>").rstrip(" \t")
