"""The files of a policy set: policies, registrations, overrides, and the lists that they name."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import PolicyError, Problem
from gateway.parse import MAX_BYTES

INTEGRATIONS = "integrations.yaml"
OVERRIDES = "overrides.yaml"
CASES = (".test.yaml", ".test.yml")
"""How the names of files end that hold tests alone: no part of the policies, nor of a revision."""
LIST_BYTES = 65_536
_SECRET_BYTES = 4_096
_SECRET = re.compile(rb"([!-+.-~-]+)\r?\n?")
LIST_ENTRIES = 1_000
"""Entries of a list at most: each is looked for in every text that its rule judges."""


@dataclass(frozen=True, slots=True)
class Source:
    """A policy file: the name problems carry, and its text."""

    path: str
    text: str
    shipped: bool

    @property
    def name(self) -> str:
        """The file's own name."""
        return Path(self.path).name

    @property
    def is_policy(self) -> bool:
        """Whether rules stand in it."""
        return self.name not in (INTEGRATIONS, OVERRIDES)


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
    at = directory
    try:
        paths = sorted(
            path
            for path in directory.iterdir()
            if path.suffix in (".yaml", ".yml") and path.name.endswith(CASES) is tests
        )
        found = []
        for at in paths:
            with at.open("rb") as file:
                read = file.read(MAX_BYTES + 1)
            cut = "strict" if len(read) <= MAX_BYTES else "replace"  # its size is told, no more
            found.append(Source(str(at), read.decode(errors=cut), shipped))
        return found
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError((Problem(str(at), 1, 1, _unreadable(error)),)) from error


def _unreadable(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror}"
    links = isinstance(error, RuntimeError)  # as pathlib says it of links that lead in a circle
    return f"cannot be read: {'its links lead in a circle' if links else 'it is not UTF-8'}"


class ListError(Exception):
    """A file that a policy file names cannot be taken, and why."""


@dataclass(frozen=True, slots=True)
class Held:
    """A file that holds a secret; without `secret` it was not read, for nobody uses it."""

    path: Path
    secret: str = field(default="", repr=False)

    @classmethod
    def read(cls, path: Path) -> Held:
        """Read it: visible ASCII on one line, as it may stand in a header field.

        Raises:
            ListError: it is not there, or holds something else; what it holds is not told.
        """
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise ListError("is no file")
            with path.open("rb") as file:
                text = file.read(_SECRET_BYTES + 1)
        except (OSError, RuntimeError) as error:
            raise ListError(_unreadable(error)) from error
        found = _SECRET.fullmatch(text)
        if found is None:
            raise ListError(f"holds no token: {_SECRET_BYTES} visible characters at most, one line")
        return cls(path, found[1].decode())

    def again(self) -> Held | str:
        """Read it again; where that fails, give why."""
        try:
            return Held.read(self.path)
        except ListError as error:
            return str(error)


class Lists:
    """Reads lists beside policy files, each once; `texts` has what was read, for the revision."""

    def __init__(self) -> None:
        self._read: dict[Path, str] = {}

    @property
    def texts(self) -> list[tuple[str, str]]:
        """The name and the text of each list, in order."""
        return sorted((path.name, text) for path, text in self._read.items())

    def read(self, policy: str, name: str) -> tuple[str, str]:
        """Give the path and the text of the list that a policy file calls by a name.

        Raises:
            ListError: it is not there, lies elsewhere, is too large or no text.
        """
        directory = Path(policy).parent
        path = directory / name
        elsewhere = "a list lies in the directory of its policy file, or below it"
        if ".." in Path(name).parts:
            raise ListError(elsewhere)
        try:
            # Links are followed, as a ConfigMap is full of them, but not out of the directory.
            real = path.resolve(strict=True)
            if not real.is_relative_to(directory.resolve()):
                raise ListError(elsewhere)
            if not stat.S_ISREG(real.stat().st_mode):
                raise ListError("is no file")
            if path not in self._read:
                with real.open("rb") as file:
                    text = file.read(LIST_BYTES + 1)
                if len(text) > LIST_BYTES:
                    raise ListError(f"is larger than {LIST_BYTES} bytes")
                self._read[path] = text.decode()
        except (OSError, RuntimeError, UnicodeDecodeError) as error:
            raise ListError(_unreadable(error)) from error
        return str(path), self._read[path]
