"""Files with one mistake each: what their first line says that the loader must say of them.

`# error: line:column: text`, with the file's name before it where the mistake is told in another,
`# warning:` where it loads all the same, and `, beyond a schema` behind either where no JSON Schema
can tell. A folder is a set of several files.
Beside each lies what `tests/policy/beside` holds, and lists that are too large for a repository.
"""

from __future__ import annotations

import re
import shutil
from datetime import date
from pathlib import Path

from gateway.errors import PolicyError
from gateway.offline.testing.suite import read_suite
from gateway.parse import MAX_BYTES
from gateway.policy.load import load
from gateway.policy.sources import LIST_BYTES, LIST_ENTRIES

TODAY = date(2026, 11, 24)
HERE = Path(__file__).parent
BAD = sorted((HERE / "bad").iterdir())
NAMES = {
    "integrations": "integrations.yaml",
    "overrides": "overrides.yaml",
    "tests": "bad.test.yaml",
}
_EXPECTED = re.compile(rb"# (?:error|warning)(, beyond a schema)?: (.*)")


def named(path: Path) -> str:
    """The name under which a bad file is loaded."""
    return NAMES.get(path.stem.partition("-")[0], "bad.yaml")


def write(path: Path, directory: Path) -> None:
    """Put a bad file, or a folder of them, into a policy directory with what it names."""
    shutil.copytree(HERE / "beside", directory, dirs_exist_ok=True)
    (directory / "large.txt").write_text("x" * (LIST_BYTES + 1))
    (directory / "many.txt").write_text("x\n" * (LIST_ENTRIES + 1))
    (directory / "latin1.txt").write_bytes(b"caf\xe9\n")
    (directory / "link.txt").symlink_to(__file__)
    (directory / "circle.txt").symlink_to("circle.txt")
    if path.is_dir():
        shutil.copytree(path, directory, dirs_exist_ok=True)
    else:
        padding = "é".encode() * MAX_BYTES if path.stem == "yaml-too-large" else b""
        (directory / named(path)).write_bytes(path.read_bytes() + padding)


def told(path: Path, directory: Path) -> list[str]:
    """What the loader says of a bad file, as its first line writes it."""
    write(path, directory)
    own = str(directory / named(path))
    try:
        if named(path) == NAMES["integrations"]:
            said = load(directory, today=TODAY, secrets=True).warnings
        else:
            said = read_suite(directory, today=TODAY).policies.warnings
    except PolicyError as error:
        said = tuple(map(str, error.problems))
    return [each.removeprefix(f"{own}:").replace(f"{directory}/", "") for each in said]


def expected(path: Path) -> str:
    """What the loader must say."""
    return _line(path)[1]


def is_beyond_a_schema(path: Path) -> bool:
    """Whether no schema can tell the mistake."""
    return _line(path)[0]


def _line(path: Path) -> tuple[bool, str]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    found = [_EXPECTED.match(file.read_bytes()) for file in files]
    (line,) = [each for each in found if each]
    return bool(line[1]), line[2].decode()
