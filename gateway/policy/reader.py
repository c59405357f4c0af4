"""The reader of policy files: it knows lists in files, how long state is kept, and warns, too."""

from __future__ import annotations

from pathlib import Path

from gateway.parse import Mark, Node, Reader, Scalar, Sequence
from gateway.policy.sources import LIST_ENTRIES, Held, ListError, Lists

KEPT = 90 * 86_400.0
"""Seconds that state is kept where nothing else is said: no look back can be longer."""


class PolicyReader(Reader):
    """Reads one policy file.

    Args:
        lists: reads the lists that the file names.
        kept: seconds that state is kept.
        secrets: whether files that hold secrets are read; who only looks at policies has none.
    """

    def __init__(
        self, path: str, lists: Lists | None = None, kept: float = KEPT, *, secrets: bool = False
    ) -> None:
        super().__init__(path)
        self.kept = kept
        self._secrets = secrets
        self.warnings: list[str] = []
        self._lists = lists or Lists()

    def warn(self, at: Node | Mark, text: str) -> None:
        """Note what is not wrong but worth a look."""
        mark = at if isinstance(at, Mark) else at.mark
        self.warnings.append(f"{mark.path or self.path}:{mark.line}:{mark.column}: {text}")

    def entries(self, node: Node) -> tuple[Node, ...] | None:
        """Give what stands in a list: written here, in a file that is named, or one text alone."""
        if isinstance(node, Sequence):
            return node.items
        if isinstance(node, Scalar):
            return (node,)
        named = self.mapping(node, keys=("file",), required=("file",))
        name = self.text(named.items["file"]) if named and "file" in named.items else None
        return None if name is None else self._lines(node, name)

    def held(self, node: Node, name: str) -> Held | None:
        """Give the file that holds a secret, by its name from the policy file's directory."""
        path = Path(node.mark.path or self.path).parent / name
        try:
            return Held.read(path) if self._secrets else Held(path)
        except ListError as error:
            self.problem(node, f"{name}: {error}")
            return None

    def _lines(self, node: Node, name: str) -> tuple[Scalar, ...] | None:
        """Give the lines of a list: one an entry, `#` begins a comment line."""
        try:
            path, text = self._lists.read(node.mark.path or self.path, name)
        except ListError as error:
            self.problem(node, f"{name}: {error}")
            return None
        if self.has_unseen(text, path):
            return None
        lines = tuple(
            Scalar(Mark(number, 1, path), line.strip(), quoted=True)
            for number, line in enumerate(text.split("\n"), 1)
            if line.strip() and not line.lstrip().startswith("#")
        )
        if len(lines) > LIST_ENTRIES:
            self.problem(lines[LIST_ENTRIES], f"a list has at most {LIST_ENTRIES} entries")
            return None
        return lines
