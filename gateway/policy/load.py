"""Policy files into a policy set: strict and total. Every problem in every file is told at once.

What lies in the directory is the site's own; `integrations.yaml` holds who is registered, and
`overrides.yaml` tunes rules that come with the gateway without copying them.
"""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from gateway.checks import CHECKS, Check
from gateway.errors import PolicyError, Problem
from gateway.model import ANONYMOUS, Mode
from gateway.parse import Mapping as MappingNode
from gateway.parse import Node, Reader, Sequence, nearest
from gateway.policy.decide import PLACEHOLDERS, unknown_placeholders
from gateway.policy.match import read_condition
from gateway.policy.parameters import READERS
from gateway.policy.policyset import PolicySet, Rule, Waiver
from gateway.policy.registry import TIERS, Registry, read_registry
from gateway.soe.api import OPERATIONS

INTEGRATIONS = "integrations.yaml"
OVERRIDES = "overrides.yaml"
CASES = (".test.yaml", ".test.yml")
"""How the names of files end that hold tests alone: no part of the policies, nor of a revision."""
LONGEST_EXCEPTION = 90
"""Days."""

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_FILE_KEYS = ("policy", "owner", "docs", "rules", "exceptions", "tests")
_RULE_KEYS = (
    *("title", "mode", "for", "except", "integrations", "tiers", "teams", "tags", "if"),
    *("message", "fix", "docs", "status", "on_error"),
    *CHECKS,
)
_EXCEPTION_KEYS = ("rules", "integrations", "reason", "ticket", "owner", "expires")


@dataclass(frozen=True, slots=True)
class Source:
    """A policy file: the name problems carry, and its text."""

    path: str
    text: str
    shipped: bool


def shipped_directory() -> Path:
    """Where the policies that come with the gateway lie: in the package, or in its repository."""
    package = Path(__file__).parents[1]
    installed = package / "shipped"
    return installed if installed.is_dir() else package.parent / "policies"


def sources(directory: Path | None, *, shipped: bool | None = None) -> tuple[Source, ...]:
    """Read all files of a policy set, in the order in which they are judged.

    Args:
        shipped: whether the gateway's own policies are among them. None takes them where there is
            no directory, or where the directory tunes them with an `overrides.yaml`.

    Raises:
        PolicyError: the directory or a file cannot be read.
    """
    if shipped is None:
        shipped = directory is None or (directory / OVERRIDES).exists()
    found = _files(shipped_directory(), shipped=True) if shipped else []
    if directory is not None:
        found += _files(directory, shipped=False)
    return tuple(found)


def tests_apart(directory: Path) -> tuple[Source, ...]:
    """Read the files of a directory that hold tests alone.

    Raises:
        PolicyError: the directory or a file cannot be read.
    """
    return tuple(_files(directory, shipped=False, tests=True))


def _files(directory: Path, *, shipped: bool, tests: bool = False) -> list[Source]:
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix in (".yaml", ".yml"))
        return [
            Source(str(path), path.read_bytes().decode(), shipped)
            for path in paths
            if path.name.endswith(CASES) is tests
        ]
    except (OSError, UnicodeDecodeError) as error:
        told = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise PolicyError((Problem(str(directory), 1, 1, told),)) from error


def load(directory: Path | None, *, today: datetime.date, shipped: bool | None = None) -> PolicySet:
    """Load the policies that are to be in force.

    Args:
        directory: the site's own files; None for the shipped policies alone.
        today: for exceptions that are over.
        shipped: as in `sources`.

    Raises:
        PolicyError: with all problems.
    """
    return _Loader(sources(directory, shipped=shipped), today).policy_set()


class _Loader:
    """Reads sources into rules; gathers problems and warnings over all of them."""

    def __init__(self, files: tuple[Source, ...], today: datetime.date) -> None:
        self._files = files
        self._today = today
        self._problems: list[Problem] = []
        self._warnings: list[str] = []
        self._places: dict[str, str] = {}
        self._registry = Registry()

    def policy_set(self) -> PolicySet:
        """Read everything, and raise if anything is wrong."""
        self._registry = self._read_registry()
        overrides = self._read_overrides()
        rules: list[Rule] = []
        exceptions: list[tuple[Reader, Node]] = []
        for source in self._files:
            if Path(source.path).name not in (INTEGRATIONS, OVERRIDES):
                rules += self._read_file(source, overrides if source.shipped else {}, exceptions)
        for reader, node in overrides.values():
            reader.problem(node, "no rule that comes with the gateway has this name")
            self._take(reader)
        waivers = self._read_exceptions(exceptions, {rule.id for rule in rules})
        if self._problems:
            raise PolicyError(tuple(sorted(set(self._problems))))
        return PolicySet(
            rules=tuple(rules),
            waivers=waivers,
            registry=self._registry,
            revision=self._revision(),
            shipped=any(source.shipped for source in self._files),
            warnings=tuple(self._warnings),
        )

    def _take(self, reader: Reader) -> None:
        self._problems += reader.problems
        reader.problems = []

    def _revision(self) -> str:
        digest = hashlib.sha256()
        for source in self._files:
            name = Path(source.path).name
            digest.update(f"{source.shipped}\0{name}\0{source.text}\0".encode())
        return digest.hexdigest()[:12]

    # ── files ────────────────────────────────────────────────────────────────────────────────

    def _read_registry(self) -> Registry:
        for source in self._files:
            if Path(source.path).name == INTEGRATIONS:
                reader = Reader(source.path)
                registry = read_registry(reader, source.text, OPERATIONS)
                self._take(reader)
                return registry
        return Registry()

    def _read_overrides(self) -> dict[str, tuple[Reader, MappingNode]]:
        for source in self._files:
            if Path(source.path).name != OVERRIDES or not source.text.strip():
                continue
            reader = Reader(source.path)
            root = reader.compose(source.text)
            read = {
                name: (reader, mapping)
                for name, node in (root.items.items() if root else ())
                if (mapping := reader.mapping(node)) is not None
            }
            self._take(reader)
            return read
        return {}

    def _read_file(
        self,
        source: Source,
        overrides: dict[str, tuple[Reader, MappingNode]],
        exceptions: list[tuple[Reader, Node]],
    ) -> list[Rule]:
        reader = Reader(source.path)
        root = reader.compose(source.text)
        if root is None:
            self._take(reader)
            return []
        reader.mapping(root, keys=_FILE_KEYS, required=("policy", "owner", "rules"))
        policy = self._text(reader, root, "policy")
        self._text(reader, root, "owner")
        docs = self._text(reader, root, "docs")
        rules: list[Rule] = []
        listed = root.items.get("rules")
        mapping = reader.mapping(listed) if listed is not None else None
        for name, node in mapping.items.items() if mapping else ():
            assert mapping is not None
            if not _ID.fullmatch(name):
                reader.problem(mapping.keys[name], f"{name!r} cannot name a rule; use kebab-case")
            if name in self._places:
                told = f"a rule {name!r} stands in {self._places[name]} already"
                reader.problem(mapping.keys[name], told)
            self._places.setdefault(name, source.path)
            rule_reader, rule_node = reader, node
            if name in overrides and isinstance(node, MappingNode):
                rule_reader, override = overrides.pop(name)
                rule_node = _overridden(node, override)
            rule = self._rule(rule_reader, name, policy, docs, rule_node)
            self._take(rule_reader)
            if rule is not None:
                rules.append(rule)
        if "exceptions" in root.items:
            exceptions.append((reader, root.items["exceptions"]))
        self._take(reader)
        return rules

    # ── a rule ───────────────────────────────────────────────────────────────────────────────

    def _rule(self, reader: Reader, name: str, policy: str, docs: str, node: Node) -> Rule | None:
        mapping = reader.mapping(node, keys=_RULE_KEYS, required=("title", "mode", "for"))
        if mapping is None:
            return None
        items = mapping.items
        mode = self._mode(reader, items)
        operations = self._operations(reader, items)
        check = self._check(reader, mapping)
        condition = read_condition(reader, items["if"]) if "if" in items else None
        if condition is None and check is None and "if" not in items and not _checks(items):
            reader.problem(mapping, "a rule needs a check, or conditions under 'if'")
        status = None
        if "status" in items:
            status = reader.integer(items["status"], at_least=400, at_most=499)
        on_error = "refuse"
        if "on_error" in items:
            on_error = reader.choice(items["on_error"], ("refuse", "allow")) or "refuse"
            if check is not None and not check.needs_state:
                reader.problem(items["on_error"], f"{check.name} asks no state that could fail")
        self._placeholders(reader, items, check)
        title = self._text(reader, mapping, "title")
        if mode is None:
            return None
        return Rule(
            id=name,
            policy=policy,
            title=title,
            mode=mode,
            operations=operations,
            excepted=self._integrations(reader, items, "except"),
            integrations=self._integrations(reader, items, "integrations"),
            tiers=self._tiers(reader, items),
            teams=_folded(reader, items, "teams"),
            tags=_folded(reader, items, "tags"),
            condition=condition,
            check=check,
            message=self._text(reader, mapping, "message"),
            fix=self._text(reader, mapping, "fix"),
            docs=self._text(reader, mapping, "docs") or docs,
            status=status,
            open_on_error=on_error == "allow",
        )

    def _text(self, reader: Reader, mapping: MappingNode, key: str) -> str:
        return (reader.text(mapping.items[key]) or "") if key in mapping.items else ""

    def _mode(self, reader: Reader, items: Mapping[str, Node]) -> Mode | None:
        if "mode" not in items:
            return None
        word = reader.choice(items["mode"], [mode.value for mode in Mode])
        if word == Mode.HOLD:
            told = "mode 'hold' needs the confirmation page, which this version does not have"
            reader.problem(items["mode"], told)
            return None
        return None if word is None else Mode(word)

    def _operations(self, reader: Reader, items: Mapping[str, Node]) -> frozenset[str]:
        if "for" not in items:
            return frozenset()
        meant: set[str] = set()
        for glob in reader.texts(items["for"]) or ():
            matched = {operation for operation in OPERATIONS if fnmatchcase(operation, glob)}
            if not matched:
                told = f"no operation is called {glob!r}{nearest(glob, OPERATIONS)}"
                reader.problem(items["for"], told)
            meant |= matched
        return frozenset(meant)

    def _check(self, reader: Reader, mapping: MappingNode) -> Check | None:
        named = _checks(mapping.items)
        if len(named) > 1:
            told = f"a rule has one check; this one has {' and '.join(named)}"
            reader.problem(mapping.keys[named[1]], told)
        return READERS[named[0]](reader, mapping.items[named[0]]) if named else None

    def _integrations(self, reader: Reader, items: Mapping[str, Node], key: str) -> frozenset[str]:
        if key not in items:
            return frozenset()
        names = reader.texts(items[key]) or ()
        known = self._registry.names
        for name in names:
            if name not in known and not (name == ANONYMOUS and key == "integrations"):
                told = f"no integration is called {name!r}{nearest(name, known)}"
                reader.problem(items[key], told)
        return frozenset(names)

    def _tiers(self, reader: Reader, items: Mapping[str, Node]) -> frozenset[str]:
        if "tiers" not in items:
            return frozenset()
        tiers = reader.texts(items["tiers"]) or ()
        for tier in tiers:
            if tier not in TIERS:
                reader.problem(items["tiers"], f"{tier!r} is none of {', '.join(TIERS)}")
        return frozenset(tiers)

    def _placeholders(self, reader: Reader, items: Mapping[str, Node], check: Check | None) -> None:
        known = (*PLACEHOLDERS, *(check.placeholders if check else ()))
        for key in ("message", "fix"):
            text = getattr(items.get(key), "text", "")
            for name in unknown_placeholders(text, known):
                told = f"no figure is called {{{name}}}{nearest(name, known)}"
                reader.problem(items[key], told)

    # ── exceptions ───────────────────────────────────────────────────────────────────────────

    def _read_exceptions(
        self, found: list[tuple[Reader, Node]], rules: Collection[str]
    ) -> tuple[Waiver, ...]:
        waivers = []
        for reader, node in found:
            if not isinstance(node, Sequence):
                reader.problem(node, "'exceptions' takes a list")
                self._take(reader)
                continue
            for item in node.items:
                waiver = self._waiver(reader, item, rules)
                if waiver is not None:
                    waivers.append(waiver)
            self._take(reader)
        return tuple(waivers)

    def _waiver(self, reader: Reader, node: Node, rules: Collection[str]) -> Waiver | None:
        required = ("rules", "integrations", "reason", "owner", "expires")
        mapping = reader.mapping(node, keys=_EXCEPTION_KEYS, required=required)
        if mapping is None or not mapping.items.keys() >= set(required):
            return None
        named = reader.texts(mapping.items["rules"]) or ()
        for rule in named:
            if rule not in rules:
                told = f"no rule is called {rule!r}{nearest(rule, rules)}"
                reader.problem(mapping.items["rules"], told)
        expires = reader.date(mapping.items["expires"])
        if expires is None:
            return None
        if (expires - self._today).days > LONGEST_EXCEPTION:
            told = f"an exception lasts at most {LONGEST_EXCEPTION} days"
            reader.problem(mapping.items["expires"], told)
        if expires < self._today:
            mark = mapping.items["expires"].mark
            place = f"{reader.path}:{mark.line}:{mark.column}"
            self._warnings.append(f"{place}: this exception is over since {expires}")
        return Waiver(
            rules=frozenset(named),
            integrations=self._integrations(reader, mapping.items, "integrations"),
            expires=expires,
            reason=self._text(reader, mapping, "reason"),
            owner=self._text(reader, mapping, "owner"),
        )


def _checks(items: Mapping[str, Node]) -> list[str]:
    return [key for key in items if key in CHECKS]


def _folded(reader: Reader, items: Mapping[str, Node], key: str) -> frozenset[str]:
    if key not in items:
        return frozenset()
    return frozenset(text.casefold() for text in reader.texts(items[key]) or ())


def _overridden(rule: MappingNode, override: MappingNode) -> MappingNode:
    """Lay an override over a rule, key by key, and over a check's parameters likewise."""
    items, keys = dict(rule.items), dict(rule.keys)
    for key, node in override.items.items():
        below = items.get(key)
        keys[key] = override.keys[key]
        if key in CHECKS and isinstance(below, MappingNode) and isinstance(node, MappingNode):
            items[key] = _overridden(below, node)
        else:
            items[key] = node
    return MappingNode(override.mark, items, keys)
