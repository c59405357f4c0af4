"""A table that fits the terminal, and goes on as rows come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TextIO, TypeVar

Row = TypeVar("Row")

_GAP = "  "


@dataclass(frozen=True)  # with slots, a generic class cannot be called by its full name
class Column(Generic[Row]):
    """What stands in a column.

    Attributes:
        width: in characters, where nothing in it is wider.
        least: to which it shrinks where the terminal is narrow.
        may_go: whether it is left out where that is not enough.
    """

    cell: Callable[[Row], str]
    width: int
    least: int
    may_go: bool = False


class Table(Generic[Row]):
    """Prints rows below heads; the rows that come first set the widths."""

    def __init__(
        self, columns: Mapping[str, Column[Row]], out: TextIO, width: int | None = None
    ) -> None:
        """Take columns by their heads, and the width of the terminal where there is one."""
        self._columns = columns
        self._out = out
        self._width = width
        self._widths: dict[str, int] = {}

    def __call__(self, rows: Iterable[Row]) -> None:
        """Print rows."""
        told = list(rows)
        if told and not self._widths:
            self._widths = self._fit(told)
            self._print({head: head for head in self._widths})
        for row in told:
            self._print({head: self._columns[head].cell(row) for head in self._widths})

    def _fit(self, rows: Iterable[Row]) -> dict[str, int]:
        widths = {
            head: max(len(head), column.width, *(len(column.cell(row)) for row in rows))
            for head, column in self._columns.items()
        }
        if self._width is None:
            return widths
        least = {head: min(widths[head], column.least) for head, column in self._columns.items()}
        for head in reversed(list(self._columns)):
            if _total(least) > self._width and self._columns[head].may_go:
                del least[head], widths[head]
        while (over := _total(widths) - self._width) > 0 and widths != least:
            widest = max(widths, key=lambda head: widths[head] - least[head])
            widths[widest] -= min(over, widths[widest] - least[widest])
        return widths

    def _print(self, cells: Mapping[str, str]) -> None:
        told = (_cut(cell, self._widths[head]) for head, cell in cells.items())
        print(_GAP.join(told).rstrip(), file=self._out)


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + len(_GAP) * (len(widths) - 1)


def _cut(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"
