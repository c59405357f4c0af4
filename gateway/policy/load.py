"""Policy files into a policy set: strict and total. Every problem in every file is told at once.

What lies in the directory is the site's own; `integrations.yaml` holds who is registered, and
`overrides.yaml` tunes rules that come with the gateway without copying them. What may stand in the
files is told by `language`.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from gateway.errors import PolicyError, Problem
from gateway.parse import Mapping as MappingNode
from gateway.parse import Mark, nearest
from gateway.parse import Sequence as SequenceNode
from gateway.policy.language import POLICY
from gateway.policy.overrides import lay_over, read_overrides
from gateway.policy.policyset import PolicySet, Rule, Waiver
from gateway.policy.reader import KEPT, PolicyReader
from gateway.policy.registry import Registry, read_registry
from gateway.policy.rules import Policy, make_rule
from gateway.policy.sources import (
    CASES,
    INTEGRATIONS,
    OVERRIDES,
    Lists,
    Source,
    shipped_directory,
    sources,
    tests_apart,
)
from gateway.policy.waivers import read_waiver

__all__ = [
    "CASES",
    "INTEGRATIONS",
    "OVERRIDES",
    "Source",
    "load",
    "shipped_directory",
    "sources",
    "tests_apart",
]


def load(
    directory: Path | None,
    *,
    today: datetime.date,
    shipped: bool | None = None,
    kept: float = KEPT,
    secrets: bool = False,
) -> PolicySet:
    """Load the policies that are to be in force.

    Args:
        directory: the site's own files; None for the shipped policies alone.
        today: for exceptions that are over.
        shipped: as in `sources`.
        kept: seconds that state is kept: no rule may look back further.
        secrets: whether the files that hold tokens are read, for who sends these.

    Raises:
        PolicyError: with all problems.
    """
    files = sources(directory, shipped=shipped)
    return _Loader(files, today, kept, secrets=secrets).policy_set()


class _Loader:
    """Reads sources into rules; gathers problems and warnings over all of them."""

    def __init__(
        self, files: tuple[Source, ...], today: datetime.date, kept: float, *, secrets: bool
    ) -> None:
        self._files = files
        self._secrets = secrets
        self._today = today
        self._kept = kept
        self._lists = Lists()
        self._problems: list[Problem] = []
        self._warnings: list[str] = []
        self._places: dict[str, Source] = {}
        self._registry = Registry()
        self._exceptions: list[tuple[PolicyReader, MappingNode, dict[str, Any]]] = []

    def policy_set(self) -> PolicySet:
        """Read everything, and raise if anything is wrong."""
        self._registry = self._read_registry()
        overrides = self._read_overrides()
        rules = [rule for each in self._policies() for rule in self._read_file(each, overrides)]
        for name, (reader, node) in overrides.items():
            shipped = [rule.id for rule in rules if self._places[rule.id].shipped]
            told = f"no rule that comes with the gateway has this name{nearest(name, shipped)}"
            reader.problem(node, told)
            self._take(reader)
        waivers = tuple(self._read_exceptions(frozenset(self._places)))
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

    def _reader(self, source: Source) -> PolicyReader:
        return PolicyReader(source.path, self._lists, self._kept, secrets=self._secrets)

    def _take(self, reader: PolicyReader) -> None:
        self._problems += reader.problems
        self._warnings += reader.warnings
        reader.problems, reader.warnings = [], []

    def _revision(self) -> str:
        digest = hashlib.sha256()
        for source in self._files:
            digest.update(f"{source.shipped}\0{source.name}\0{source.text}\0".encode())
        for name, text in self._lists.texts:
            digest.update(f"{name}\0{text}\0".encode())
        return digest.hexdigest()[:12]

    # ── files ────────────────────────────────────────────────────────────────────────────────

    def _named(self, name: str) -> Source | None:
        return next((source for source in self._files if source.name == name), None)

    def _policies(self) -> Iterator[Source]:
        return (source for source in self._files if source.is_policy)

    def _read_registry(self) -> Registry:
        source = self._named(INTEGRATIONS)
        if source is None:
            return Registry()
        reader = self._reader(source)
        registry = read_registry(reader, source.text)
        self._take(reader)
        return registry

    def _read_overrides(self) -> dict[str, tuple[PolicyReader, MappingNode]]:
        source = self._named(OVERRIDES)
        if source is None:
            return {}
        reader = self._reader(source)
        read = read_overrides(reader, source.text)
        self._take(reader)
        return {name: (reader, node) for name, node in read.items()}

    def _read_file(
        self, source: Source, overrides: dict[str, tuple[PolicyReader, MappingNode]]
    ) -> list[Rule]:
        reader = self._reader(source)
        root = reader.compose(source.text)
        if root is None:
            self._take(reader)
            return []
        if source.shipped:
            listed = root.items.get("rules")
            names = overrides.keys() & (listed.items if isinstance(listed, MappingNode) else {})
            root = lay_over(root, {name: overrides.pop(name)[1] for name in names})
        read = POLICY.read(reader, root) or {}
        policy = Policy(
            name=read.get("policy") or "",
            owner=read.get("owner") or "",
            docs=read.get("docs") or "",
        )
        rules = []
        listed = root.items.get("rules")
        for name, told in (read.get("rules") or {}).items():
            assert isinstance(listed, MappingNode)
            self._place(reader, listed.keys[name], name, source)
            node = listed.items[name]
            if isinstance(node, MappingNode):
                rule = make_rule(reader, name, node, told, policy=policy, registry=self._registry)
                rules += [] if rule is None else [rule]
        exceptions = root.items.get("exceptions")
        for number, told in enumerate(read.get("exceptions") or ()):
            assert isinstance(exceptions, SequenceNode)
            node = exceptions.items[number]
            if isinstance(node, MappingNode):
                self._exceptions.append((reader, node, told))
        self._take(reader)
        return rules

    def _place(self, reader: PolicyReader, mark: Mark, name: str, source: Source) -> None:
        """Note where a rule stands: its name is that of its counters, so it stands once."""
        before = self._places.setdefault(name, source)
        if before is not source:
            reader.problem(mark, f"a rule {name!r} stands in {before.path} already")

    def _read_exceptions(self, rules: Collection[str]) -> Iterator[Waiver]:
        for reader, node, told in self._exceptions:
            waiver = read_waiver(
                reader, node, told, today=self._today, rules=rules, registry=self._registry
            )
            self._take(reader)
            if waiver is not None:
                yield waiver
