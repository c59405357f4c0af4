"""How much of a post is machine output, and how much its writer said. Pure.

Headings, labels and bare addresses are neither. A field of a form whose heading says that a tool
filled it in ("Version (automated)") is machine output too; it is looked at only where there are
lines of a log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from itertools import groupby

from gateway.text.log_lines import log_lines, shown
from gateway.text.words import words


@dataclass(frozen=True, slots=True, kw_only=True)
class LogShare:
    """What of a post's body is machine output.

    Attributes:
        lines: the number of lines that are.
        letters: the letters and digits in them.
        other_letters: those in all other lines but headings, labels and addresses.
        own_words: words of other lines that stand neither in these nor in the title.
        automated: a heading says that a tool filled its field in.
    """

    lines: int
    letters: int
    other_letters: int
    own_words: int
    automated: bool

    @property
    def share(self) -> float:
        """The share of the letters that is machine output, 0 to 1."""
        return self.letters / max(1, self.letters + self.other_letters)


NO_LOG = LogShare(lines=0, letters=0, other_letters=0, own_words=0, automated=False)
"""Of a post without any machine output; what else it holds was not counted."""


class _Kind(Enum):
    MACHINE = auto()
    PROSE = auto()
    CODE = auto()
    COMMAND = auto()
    HEADING = auto()
    ASIDE = auto()
    """Labels, addresses, fences, empty lines."""


_HEADING = re.compile(r"[ >]*+(?:#{1,6}[ \t]|(\*\*|__)[^*_]++\1:?[ \t]*+$)")
_ASIDE = re.compile(
    r"""[ \t>*+-]*+(?:
        <?[a-z]++://.*+ | !?\[[^\]]*+\]\([^)]*+\) | [-=_*`~\ ]*+ | (?:_No\ response_|None|N/A)
      | </?[a-z][^<>]*+>(?:[^<>]*+</summary>)?
      | [^\W\d_]++(?:[ ][^\W\d_]++){0,2}:(?:[ \t]++\S++){0,3}
    )[ \t\r]*+$""",
    re.IGNORECASE | re.VERBOSE,
)
_AUTOMATED = re.compile(
    r"\b(?:automated|automatically|auto-?(?:filled|generated))\b", re.IGNORECASE
)
_ADDRESS = re.compile(r"(?<![a-z])[a-z]++://\S++", re.IGNORECASE)
_FENCES = ("```", "~~~")


def log_share(title: str, body: str) -> LogShare:
    """Measure the machine output of a post."""
    text = shown(body)
    found = log_lines(text)
    if not found:
        return NO_LOG
    lines = text.split("\n")
    letters = [sum(map(str.isalnum, line)) for line in lines]
    kinds, automated = _kinds(lines, letters, found)
    said = [line for line, kind in zip(lines, kinds, strict=True) if kind in _SAID]
    machine = [line for line, kind in zip(lines, kinds, strict=True) if kind is _Kind.MACHINE]
    known = {*words(title), *words("\n".join(machine))}
    return LogShare(
        lines=len(machine),
        letters=_sum(letters, kinds, _MACHINE),
        other_letters=_sum(letters, kinds, _SAID),
        own_words=_weight(words(_ADDRESS.sub(" ", "\n".join(said))), known),
        automated=automated,
    )


_MACHINE = frozenset([_Kind.MACHINE])
_SAID = frozenset([_Kind.PROSE, _Kind.CODE, _Kind.COMMAND])


def _kinds(lines: list[str], letters: list[int], found: frozenset[int]) -> tuple[list[_Kind], bool]:
    """Tell what each line is, and whether a tool filled in a part of the post."""
    kinds: list[_Kind] = []
    blocks: list[int] = []
    fence, block, filled, automated = "", 0, False, False
    for index, line in enumerate(lines):
        mark = line.strip()[:3]
        if not mark:
            kind = _Kind.ASIDE
        elif mark in _FENCES and fence in ("", mark):
            fence, block = "" if fence else mark, block + 1
            kind = _Kind.ASIDE
        else:
            kind = _Kind.MACHINE if index in found else _kind(line, coded=bool(fence))
        if kind is _Kind.HEADING:
            filled = _AUTOMATED.search(line) is not None
            automated = automated or filled
        elif filled and kind is not _Kind.ASIDE:
            kind = _Kind.MACHINE
        kinds.append(kind)
        blocks.append(block if fence else -1)
    for number, run in groupby(range(len(lines)), key=blocks.__getitem__) if block else ():
        if number >= 0:
            _go_on(list(run), kinds, letters)
    return kinds, automated


def _kind(line: str, *, coded: bool) -> _Kind:
    """Tell what a line is that is not machine output by itself."""
    if line.lstrip(" \t>").startswith(("$ ", ">>> ", "PS ")):
        return _Kind.COMMAND
    if coded:
        return _Kind.CODE
    if _HEADING.match(line):
        return _Kind.HEADING
    return _Kind.ASIDE if _ASIDE.match(line) else _Kind.PROSE


def _go_on(block: list[int], kinds: list[_Kind], letters: list[int]) -> None:
    """Take the lines after the first entry of a block of code for parts of it, where most are.

    A message of several lines has no mark of its own on any but the first.
    """
    first = next((at for at, index in enumerate(block) if kinds[index] is _Kind.MACHINE), None)
    if first is None:
        return
    rest = block[first:]
    machine = sum(letters[index] for index in rest if kinds[index] is _Kind.MACHINE)
    if 2 * machine < sum(letters[index] for index in rest):
        return
    for index in rest:
        if kinds[index] is _Kind.CODE:
            kinds[index] = _Kind.MACHINE


def _sum(letters: list[int], kinds: list[_Kind], wanted: frozenset[_Kind]) -> int:
    return sum(count for count, kind in zip(letters, kinds, strict=True) if kind in wanted)


def _weight(said: list[str], known: set[str]) -> int:
    """Count words that are not known; in scripts without spaces two characters are one."""
    new = [word for word in said if word not in known and not word.isdigit() and len(word) > 1]
    return sum(1 if word.isascii() or word < "\u0e00" else (len(word) + 1) // 2 for word in new)
