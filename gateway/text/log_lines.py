"""Which lines of a text a machine put out: entries of logs, stack traces, dumps. Pure.

Lines are known by their beginnings, in rows below: what is `SURE` is no sentence of a person; what
is `LIKELY` may be one, and counts in company alone. To add a format, add a row. Laws: a row is
RE2, so that its time is linear in the text; it has no counted repetition beyond a few characters,
so that the machine stays small; and it stays within its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import re2

_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY = "(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +)?"
_LEVEL = (
    "(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|FATAL|CRITICAL|CRIT|SEVERE|ALERT|EMERG|PANIC"
    "|VERBOSE)"
)
_DATE = (
    rf"(?:\d+[-/.]\d+[-/.]\d+|\d\d[-/.]\d\d|\d{{8}}|{_DAY}{_MONTH} +\d\d?,?(?: +\d{{4}})?"
    rf"|{_DAY}\d\d?[ /-]{_MONTH}[ /-]\d+)"
)
_STAMP = rf"(?:{_DATE}[T_, :.-]+\d\d?[:.]\d\d?[:.]\d\d?|\d{{6}} \d{{6}} )"
_FACT = (
    r"(?:[^\s\w]+|[A-Z][A-Z0-9_]+|\S*\d\S*|[\w-]+[._/:-]\w\S*|\[\S+\]:?|[\w.-]+[ \t]*\|)[ \t|,]+"
)
"""What stands before a time in an entry: marks, names in capitals or with points, numbers, tags."""
_WORDS = r"[^\n]*[A-Za-z]{2}"
_END = r"[ \t\r]*$"
_MARGIN = r"(?:[ \t>*+`-]|<[a-z/][^<>\n]*>)*"
"""What Markdown and HTML put before a line: quotes, items of lists, code."""
_TIME_KEY = r'"(?:@?time(?:stamp)?|ts|date|datetime)" ?:[^\n]*'
_TEXT_KEY = r'"(?:level|severity|msg|message|logger|lvl)" ?:[^\n]*'

_ENTRIES = (
    rf'(?:{_FACT})*[\[(<"]?{_STAMP}{_WORDS}',  # a date and a time, wherever the format puts them
    rf"{_FACT}(?:\S+[ \t|,]+){{0,4}}1\d{{9}}(?:\.\d+|\d{{3}})?[ \t|,]+\S*\d{_WORDS}",  # since 1970
    rf"\[?\d\d?:\d\d:\d\d(?:[.,]\d{{3}}|[^\n]*\b{_LEVEL}\b)",  # a time, and fractions or a level
    r"\[ *\d+\.\d{3}\d*\][ :]",  # dmesg, Xorg
    rf"{_LEVEL}[ \t:]+(?:\[[^\]\n]+\][ \t]|[\w$-]+(?:\.[\w$-]+)+(?:[ :\[]|$))",  # a level, a logger
    r"[VDIWEF](?:/[^\s:(]+\(? *\d+\)?:|\d{4} \d\d:\d\d:)",  # Android, glog
    r"npm (?:ERR!|WARN|verb|info|http) ",
    rf"\{{[^\n]*(?:{_TIME_KEY}{_TEXT_KEY}|{_TEXT_KEY}{_TIME_KEY})",  # JSON lines
    rf"\S+ \S+ \S+ \[\d\d?/{_MONTH}/\d{{4}}:",  # access logs
    r"[^\s:]+\.\w+[:(]\d+(?:[:,]\d+)?[:)]+ *(?:fatal )?(?:error|warning|note)\b",  # compilers
)
_FRAMES = (
    r"(?:at|in) [^\n()]*\((?:[^()\n]*:\d+(?::\d+)?|Native Method|Unknown Source|native|<anonymous>)\)",
    rf"at (?:async |new )?[^\s()]+:\d+(?::\d+)?{_END}",
    rf"at [^\s()]+\.[^\s()]+ ?\([^\n]*\)(?:[ \t]+in [^\n]*:line \d+|{_END})",  # .NET
    r"in \w+ \((?:created by|at) [^\n]+\)",  # components
    r'File "[^"\n]+", line \d+',
    r"Traceback \(most recent call last\)",
    rf"[\w$./<>*\[\] ]*@(?:[a-z][a-z-]+:/|/|debugger eval)[^\n]*:\d+:\d+{_END}",  # Firefox, Safari
    r"(?:from )?[^\s:]+(?:\.\w+|\(\w+\)):\d+:in [`']",  # Ruby
    r"#\d+ +(?:\S+\(\d+\): |\{main\}|0x[0-9a-f]{4}|[^\n]+ (?:at|in) [^\s]+:\d+)",  # PHP, gdb, ASan
    r"goroutine \d+ \[",
    rf"\S+\.go:\d+(?: \+0x[0-9a-f]+)?{_END}",
    r"(?:panic: |thread '[^'\n]*' panicked at)",
    r"\(\w+ [\d.]+\) \S+:\d+: ",  # Elixir
    rf"[^\n]* at \S+ line \d+\.?{_END}",  # Perl
    r"PHP (?:Fatal|Parse|Warning|Notice|Deprecated|Stack)",
    r'Exception in thread "|Caused by: |Uncaught \w*(?:Error|Exception)|Unhandled [Ee]xception',
    r"\.\.\. \d+ (?:common frames omitted|more)|---> [A-Z]\w*\.|--- End of ",
    rf"(?:[a-z][\w$]*\.)+[\w$.]*(?:Exception|Error)(?::|{_END})",
)
_DUMPS = (
    r"(?:0x)?[0-9A-Fa-f]{4}[0-9A-Fa-f]*[:|]?[ \t]+(?:[0-9A-Fa-f]{2}[ \t]+){6}",
    r"(?:0x)?[0-9A-Fa-f]{4}[0-9A-Fa-f]*[:|]?[ \t]+(?:[0-9A-Fa-f]{4,8}[ \t]+){3}",
)
_LIKELY = (
    rf"[\[(]?{_LEVEL}[\])]?[ \t:|]",
    r"[\[(]?\d\d?:\d\d:\d\d[\])]?[ \t|:-]",
    rf"(?:at|in) \S+{_END}",
    rf"[A-Z]\w*(?:Error|Exception|Warning)(?:: |{_END})",
    r'(?:[\w.@-]+=(?:"[^"\n]*"|[^\s"]*)[ \t]+){3}[\w.@-]+=',
    r"[^\n]* in \S+ on line \d+",
)
_COMPANY = 3
"""So many different lines that are likely are company for one another."""


def _compile(*rows: str) -> re2._Regexp:
    options = re2.Options()
    options.max_mem = 32 << 20  # at RE2's usual 8 MiB its states come and go, five times as slow
    options.never_capture = True
    return re2.compile(f"(?m)^{_MARGIN}(?:{'|'.join(rows)})".encode(), options)


_SURE = _compile(*_ENTRIES, *_FRAMES, *_DUMPS)
_PERHAPS = _compile(*_LIKELY)
_ANY = _compile(*_ENTRIES, *_FRAMES, *_DUMPS, *_LIKELY)
_BREAK = re.compile(
    r"<(?:/?(?:p|pre|div|li|ul|ol|tr|blockquote|h[1-6])|br)\b[^<>]*>", re.IGNORECASE
)


def shown(text: str) -> str:
    """Give a text without HTML comments, and with a line break where HTML has one."""
    return _BREAK.sub("\n", _uncommented(text)) if "<" in text else text


def log_lines(text: str) -> frozenset[int]:
    """Tell which lines of a text are machine output, by their indices.

    A line that is indented more than one of these before it goes on with it.
    """
    encoded = text.encode("utf-8", "replace")
    if _ANY.search(encoded) is None:
        return frozenset()
    lines = encoded.split(b"\n")
    sure, likely = set(_found(_SURE, encoded)), set(_found(_PERHAPS, encoded))
    if not sure and len({lines[index].strip() for index in likely}) < _COMPANY:
        return frozenset()
    return frozenset(sure | likely | _continued(sure, lines))


def _found(pattern: re2._Regexp, text: bytes) -> Iterator[int]:
    """Give the index of each line that a pattern finds."""
    at = line = 0
    for match in pattern.finditer(text):
        line += text.count(b"\n", at, match.start())
        at = match.start()
        yield line


def _continued(sure: set[int], lines: list[bytes]) -> set[int]:
    """Give the lines that go on with an entry or a frame: a message, a source line."""
    goes_on = set()
    margin: int | None = None
    for index, line in enumerate(lines):
        text = line.lstrip(b" \t>")
        indent = len(line) - len(text)
        if index in sure:
            margin = indent
        elif not text.strip() or margin is None or indent <= margin:
            margin = None
        else:
            goes_on.add(index)
    return goes_on


def _uncommented(text: str) -> str:
    """Drop HTML comments; one that never ends goes on to the end."""
    first, *rest = text.split("<!--")
    return first + "".join(part.partition("-->")[2] for part in rest)
