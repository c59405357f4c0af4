"""Keys put into `integrations.yaml` and taken out of it as text: comments and order stay.

Laws: what comes out loads, and differs from what went in by the one digest alone; what cannot be
edited so is left to a person.
"""

from __future__ import annotations

import re
from dataclasses import replace

from gateway.parse import Mapping, Mark, Node, Reader, Scalar, Sequence
from gateway.policy.language import KEYS_AT_MOST
from gateway.policy.reader import PolicyReader
from gateway.policy.registry import Integration, read_registry
from gateway.policy.sources import INTEGRATIONS

_PREFIX = "sha256:"


class EditError(Exception):
    """The file cannot be edited so, and why."""


def read_integrations(text: str, path: str = INTEGRATIONS) -> tuple[Integration, ...]:
    """Read who is registered.

    Raises:
        EditError: the file has problems; all of them.
    """
    reader = PolicyReader(path)
    registry = read_registry(reader, text)
    if reader.problems:
        raise EditError("\n".join(map(str, sorted(reader.problems))))
    return registry.integrations


def named(integrations: tuple[Integration, ...], name: str) -> Integration:
    """Give an integration by its name.

    Raises:
        EditError: nobody is registered by it.
    """
    for each in integrations:
        if each.name == name:
            return each
    known = ", ".join(each.name for each in integrations) or "nobody"
    raise EditError(f"no integration is called {name!r}; registered: {known}")


def with_key(text: str, name: str, digest: str, path: str = INTEGRATIONS) -> str:
    """Add the digest of a key, hex, behind those that an integration has.

    Raises:
        EditError: it has two already, or its keys are written in a way that a person must edit.
    """
    before = read_integrations(text, path)
    integration = named(before, name)
    if len(integration.keys) >= KEYS_AT_MOST:
        older, newer = (key[:8] for key in integration.keys)
        raise EditError(
            f"{name} has two keys: {older} (the older) and {newer}. Take the older one away when "
            f"nobody uses it any more: soe-gateway keys revoke {name} {older}"
        )
    edited = _Text(text).added(name, f'"{_PREFIX}{digest}"')
    _check(edited, before, replace(integration, keys=(*integration.keys, digest)), path)
    return edited


def without_key(text: str, name: str, digest: str, path: str = INTEGRATIONS) -> str:
    """Take the digest of a key, hex, from an integration.

    Raises:
        EditError: its keys are written in a way that a person must edit.
    """
    before = read_integrations(text, path)
    integration = named(before, name)
    kept = tuple(key for key in integration.keys if key != digest)
    edited = _Text(text).removed(name, integration.keys.index(digest), last=not kept)
    _check(edited, before, replace(integration, keys=kept), path)
    return edited


def _check(edited: str, before: tuple[Integration, ...], wanted: Integration, path: str) -> None:
    expected = tuple(wanted if each.name == wanted.name else each for each in before)
    try:
        read = read_integrations(edited, path)
    except EditError:
        read = ()
    if read != expected:
        raise _by_hand()


def _by_hand() -> EditError:
    return EditError(
        "the keys of this integration are written in a way that only a person can edit"
    )


class _Text:
    """The text of the file, and where things stand in it."""

    def __init__(self, text: str) -> None:
        self._text = text if text.endswith("\n") else f"{text}\n"
        self._lines = self._text.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))
        root = Reader(INTEGRATIONS).compose(text)
        listed = root.items["integrations"] if root else None
        assert isinstance(listed, Mapping)
        self._registrations = listed

    def added(self, name: str, written: str) -> str:
        """Put one more digest behind those of an integration, or where its keys begin."""
        registration = self._registration(name)
        keys = registration.items.get("keys")
        if keys is None:
            return self._begun(registration, f"keys: [{written}]")
        if isinstance(keys, Scalar):
            at, end = self._at(keys.mark), self._end(keys)
            text = self._text
            return f"{text[:at]}[{text[at:end]}, {written}]{text[end:]}"
        if not isinstance(keys, Sequence):
            raise _by_hand()
        last = keys.items[-1]
        if self._is_flow(keys):
            return self._inserted(self._end(last), f", {written}")
        line = self._lines[last.mark.line - 1]
        return self._inserted(
            self._starts[last.mark.line], f"{line[: last.mark.column - 1]}{written}{_end_of(line)}"
        )

    def removed(self, name: str, number: int, *, last: bool) -> str:
        """Take the digest at a place away; with the `last` one the whole key goes."""
        registration = self._registration(name)
        keys = registration.items["keys"]
        if last:
            return self._without_keys(registration, keys)
        if not isinstance(keys, Sequence):
            raise _by_hand()
        item = keys.items[number]
        if not self._is_flow(keys):
            return self._cut(self._starts[item.mark.line - 1], self._starts[item.mark.line])
        if number:
            return self._cut(self._end(keys.items[number - 1]), self._end(item))
        return self._cut(self._at(item.mark), self._at(keys.items[1].mark))

    def _without_keys(self, registration: Mapping, keys: Node) -> str:
        mark = registration.keys["keys"]
        last = keys.items[-1] if isinstance(keys, Sequence) else keys
        if isinstance(last, Mapping):
            raise _by_hand()
        if not self._is_flow(registration):
            end = self._end(last)
            if isinstance(keys, Sequence) and self._is_flow(keys):
                end = self._text.index("]", end)
            line = self._text.find("\n", end)
            return self._cut(self._starts[mark.line - 1], line + 1 or len(self._text))
        end = self._end(last)
        if isinstance(keys, Sequence):
            end = self._text.index("]", end) + 1
        start = self._at(mark)
        comma = re.compile(r"\s*,\s*").match(self._text, end)
        if comma:
            return self._cut(start, comma.end())
        return self._cut(self._text.rindex(",", 0, start), end)

    def _begun(self, registration: Mapping, written: str) -> str:
        """Put a key before the first one of a registration."""
        if self._is_flow(registration):
            return self._inserted(self._at(registration.mark) + 1, f"{written}, ")
        line = self._lines[registration.mark.line - 1]
        indent = line[: registration.mark.column - 1]
        if indent.strip():
            raise _by_hand()
        start = self._starts[registration.mark.line - 1]
        return self._inserted(start, f"{indent}{written}{_end_of(line)}")

    def _registration(self, name: str) -> Mapping:
        registration = self._registrations.items[name]
        assert isinstance(registration, Mapping)
        return registration

    def _is_flow(self, node: Node) -> bool:
        return self._text[self._at(node.mark)] in "[{"

    def _at(self, mark: Mark) -> int:
        return self._starts[mark.line - 1] + mark.column - 1

    def _end(self, node: Node) -> int:
        """Where a digest ends, with its quote."""
        assert isinstance(node, Scalar)
        return self._at(node.mark) + len(node.text) + 2 * node.quoted

    def _inserted(self, at: int, written: str) -> str:
        return self._text[:at] + written + self._text[at:]

    def _cut(self, start: int, end: int) -> str:
        return self._text[:start] + self._text[end:]


def _end_of(line: str) -> str:
    return "\r\n" if line.endswith("\r\n") else "\n"
