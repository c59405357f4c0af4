"""What `query` and `export` have in common: which log, which writes, and the index over it."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import re2

from gateway.audit.index.entries import Entry, Selection
from gateway.audit.index.file import path_in
from gateway.audit.index.index import Index
from gateway.audit.index.places import Lines
from gateway.audit.segments import segments
from gateway.cli.assembly import audit_directories, load_policies, people_file
from gateway.cli.audit.people import known
from gateway.cli.progress import progress
from gateway.clock import SystemClock
from gateway.errors import AuditError, ProblemsError
from gateway.model import Effect, Outcome
from gateway.parse import nearest
from gateway.policy.policyset import PolicySet
from gateway.settings import Settings, load_settings
from gateway.soe.addresses import read_address
from gateway.soe.api import OPERATIONS

_AGO = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_SMALL = 64 * 2**20
"""Bytes of a log that are read in a few seconds: no file is made for them."""
_STEP_LINES = 2000
_PAGE = 500


class FilterError(ValueError):
    """A filter says what cannot be: the command was called wrongly."""


def add_log(parser: argparse.ArgumentParser) -> None:
    """Declare which log is asked."""
    parser.add_argument("--config", type=Path, help="the settings file (gateway.yaml)")
    parser.add_argument("--data", help="the gateway's data directory (data)")
    parser.add_argument("--audit", type=Path, metavar="DIRECTORY", help="the log; that of the settings without it")  # fmt: skip


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Declare which log is asked, and for which writes."""
    add_log(parser)
    which = parser.add_argument_group("which writes", "all that fit every filter; one that is given again, any of its words")  # fmt: skip
    which.add_argument("--since", metavar="TIME", help="from then on: 2h, 3d, 2026-11-26, 2026-11-26T14:00 (UTC)")  # fmt: skip
    which.add_argument("--until", metavar="TIME", help="up to then")
    which.add_argument("--id", action="append", default=[], help="a decision id, as in Gateway-Decision")  # fmt: skip
    which.add_argument("--integration", action="append", default=[], metavar="NAME")
    which.add_argument("--person", action="append", default=[], metavar="WHO", help="who acted or confirmed: pseudonym, account, name or address")  # fmt: skip
    which.add_argument("--operation", action="append", default=[], metavar="GLOB", help="question.create, 'answer.*', …")  # fmt: skip
    which.add_argument("--rule", action="append", default=[], metavar="RULE", help="that found something against the write")  # fmt: skip
    which.add_argument("--effect", action="append", default=[], metavar="EFFECT", help=", ".join(Effect))  # fmt: skip
    which.add_argument("--outcome", action="append", default=[], metavar="OUTCOME", help=", ".join(Outcome))  # fmt: skip
    which.add_argument("--post", metavar="URL", help="that published or edited this post: an address of the site or its API, or answer/12")  # fmt: skip
    which.add_argument("--text", metavar="PATTERN", help="whose title or body has it (RE2), where text was kept (audit.content)")  # fmt: skip


# ── which log ────────────────────────────────────────────────────────────────────────────────


def settings_of(args: argparse.Namespace) -> Settings:
    """Load the settings.

    Raises:
        ProblemsError: they are wrong.
    """
    flags = {"data.directory": args.data} if args.data else {}
    return load_settings(flags=flags, environ=os.environ, config=args.config, required=())


def directory_of(args: argparse.Namespace, settings: Settings) -> Path:
    """Give the directory of the log: where there are several, all hold the same.

    Raises:
        AuditError: there is none.
    """
    directory: Path | None = args.audit or next(iter(audit_directories(settings)), None)
    if directory is None:
        raise AuditError("no sink of the audit log is a directory; name one with --audit")
    try:
        if segments(directory):
            return directory
    except OSError as error:
        raise AuditError(f"{directory} cannot be read: {error.strerror}") from error
    raise AuditError(f"{directory} holds no audit files")


@contextlib.contextmanager
def indexed(directory: Path, data: Path) -> Iterator[Index]:
    """Give the index of a log, up to date.

    A small log is read at once; the index of a large one is kept in the data directory, where the
    next query goes on, or where there is none for this query alone.

    Raises:
        AuditError: the log cannot be read.
    """
    with contextlib.ExitStack() as stack:
        path = path_in(data, directory)
        index = stack.enter_context(contextlib.closing(Index(directory)))
        left = index.behind()
        if path.exists() or left > _SMALL:
            index.close()
            index = stack.enter_context(_kept(directory, path))
            left = index.behind()
            if left > _SMALL:
                note(f"the log is large: an index of it is built, {left >> 20} MiB to read")
        watcher = stack.enter_context(contextlib.closing(progress(None, unit="B")))
        watcher.begins("audit log", left)
        while read := index.step(_STEP_LINES):
            watcher.advances(read)
        watcher.close()
        if spoilt := index.spoilt():
            note(f"{spoilt} lines are no records; `soe-gateway audit verify` says more")
        yield index


@contextlib.contextmanager
def _kept(directory: Path, path: Path) -> Iterator[Index]:
    """Open the index in its place, or where nothing can be written there in one for a while."""
    with contextlib.ExitStack() as stack:
        try:
            index = Index(directory, path)
        except AuditError:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            index = Index(directory, Path(folder) / path.name)
        yield stack.enter_context(contextlib.closing(index))


def note(text: str) -> None:
    """Say something beside the result."""
    print(f"soe-gateway: {text}", file=sys.stderr)


# ── which writes ─────────────────────────────────────────────────────────────────────────────


def selection_of(args: argparse.Namespace, settings: Settings, index: Index) -> Selection:
    """Read the filters.

    Raises:
        FilterError: one of them cannot be; its message names the nearest known word.
    """
    now = SystemClock().now()
    address = read_address(args.post) if args.post else None
    if args.post and address is None and "://" not in args.post:
        raise FilterError(f"--post: {args.post!r} is neither an address nor a post as answer/12")
    names = _Names(settings, index)
    return Selection(
        since=instant_of("--since", args.since, now),
        until=instant_of("--until", args.until, now),
        ids=tuple(args.id),
        integrations=names.known("integration", args.integration, names.integrations),
        rules=names.known("rule", args.rule, names.rules),
        persons=_persons(args.person, settings, index),
        operations=_operations(args.operation, index),
        effects=_of("effect", args.effect, Effect),
        outcomes=_of("outcome", args.outcome, Outcome),
        post=address,
        url=args.post if address is None else None,
    )


def instant_of(flag: str, text: str | None, now: float) -> float | None:
    """Read an instant, or how long ago it was; None without one.

    Raises:
        FilterError: it is neither.
    """
    if text is None:
        return None
    if ago := _AGO.fullmatch(text):
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        raise FilterError(
            f"{flag}: {text!r} is neither a while, as 90s, 30m, 2h, 3d or 1w, nor a time, as "
            "2026-11-26 or 2026-11-26T14:00"
        ) from None
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()


class _Names:
    """The names that the log knows, or else the policies."""

    def __init__(self, settings: Settings, index: Index) -> None:
        self._settings = settings
        self._index = index

    def known(
        self, kind: str, words: list[str], of: Callable[[PolicySet], Iterable[str]]
    ) -> tuple[str, ...]:
        """Give the words, each of which is known."""
        logged = self._index.names(kind) if words else frozenset()
        missing = [word for word in words if word not in logged]
        known = logged | self._from_policies(of) if missing else logged
        for word in missing:
            if word not in known:
                told = f"no {kind} is called {word!r}, in the log or in the policies"
                raise FilterError(f"--{kind}: {told}{nearest(word, sorted(known))}")
        return tuple(words)

    def _from_policies(self, of: Callable[[PolicySet], Iterable[str]]) -> frozenset[str]:
        try:
            return frozenset(of(load_policies(self._settings)))
        except (ProblemsError, OSError):
            return frozenset()  # the log is asked, whatever is wrong with the policies

    @staticmethod
    def integrations(policies: PolicySet) -> Iterable[str]:
        """Give those that are registered."""
        return policies.registry.names

    @staticmethod
    def rules(policies: PolicySet) -> Iterable[str]:
        """Give those of the policies."""
        return (rule.id for rule in policies.rules)


def _of(kind: str, words: list[str], known: Iterable[str]) -> tuple[str, ...]:
    names = [str(each) for each in known]
    for word in words:
        if word not in names:
            raise FilterError(
                f"--{kind}: {word!r} is none of {', '.join(names)}{nearest(word, names)}"
            )
    return tuple(words)


def _operations(globs: list[str], index: Index) -> tuple[str, ...]:
    known = OPERATIONS | index.names("operation") if globs else OPERATIONS
    found: set[str] = set()
    for glob in globs:
        named = {each for each in known if fnmatchcase(each, glob)}
        if not named:
            told = f"no operation is called {glob!r}{nearest(glob, sorted(known))}"
            raise FilterError(f"--operation: {told}")
        found |= named
    return tuple(sorted(found))


def _persons(words: list[str], settings: Settings, index: Index) -> tuple[str, ...]:
    """Give the words, and what stands in the log for whom they name."""
    if not words:
        return ()
    wanted = {word.casefold() for word in words}
    found = set(words)
    for person, name in index.people():
        parts = {name.casefold(), *name.casefold().removesuffix(")").rpartition(" (")[::2]}
        found |= {person} if parts & wanted else set()
    for each in known(settings, None) if people_file(settings).exists() else ():
        if each.name.casefold() in wanted or any(map(each.is_of, words)):
            found.add(each.pseudonym)
    return tuple(sorted(found))


# ── text, which only the log itself has ──────────────────────────────────────────────────────


class Texts:
    """Which entries have a text; what of them kept none is counted."""

    def __init__(self, directory: Path, pattern: str | None) -> None:
        """Read the pattern.

        Raises:
            FilterError: it is none.
        """
        self.unkept = 0
        self._lines = Lines(directory)
        options = re2.Options()
        options.log_errors = False
        try:
            self.pattern = re2.compile(pattern, options) if pattern is not None else None
        except re2.error as error:
            reason = str(error).removeprefix("b'").removesuffix("'")
            raise FilterError(f"--text: not a pattern of RE2: {reason}") from error

    def has(self, entry: Entry) -> bool:
        """Whether an entry's text has it; all have where nothing is looked for."""
        if self.pattern is None:
            return True
        kept = (self._lines.record(entry.place) or {}).get("text")
        if not kept:
            self.unkept += 1
            return False
        return any(self.pattern.search(kept.get(part, "")) for part in ("title", "body"))

    def close(self) -> None:
        """Close the log."""
        self._lines.close()


def chosen(index: Index, selection: Selection, texts: Texts, limit: int | None) -> Iterator[Entry]:
    """Give what fits, the oldest first; with a limit so many of the newest."""
    if limit is None:
        yield from filter(texts.has, index.entries(selection))
        return
    newest: list[Entry] = []
    before = None
    while len(newest) < limit and (page := index.newest(selection, _PAGE, before)):
        newest += filter(texts.has, page)
        before = page[-1].cursor
    yield from reversed(newest[:limit])
