"""What every engine is opened with, and the note of whose data a process last worked on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LOST = (
    "the state came back without what it held, so every cap would begin anew: look why, "
    "then `soe-gateway state accept-loss` ends this"
)
"""What is said while a loss is neither mended nor accepted."""


PULSE_SECONDS = 1.0
"""How often a process asks a shared server whether it still holds the same data."""


def _unheard(_event: str, **_facts: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How an engine is to behave.

    Attributes:
        keep: seconds after which posts and charges are forgotten; at least the longest window.
        timeout: seconds that a call may take.
        posts: among how many near-copies are found: those that were written last.
        accept_loss: goes on where data was lost; else writes that ask state are refused until an
            operator accepts it.
        note: the file that says which data this process last worked on, so that a restart does
            not take an empty store for a new one; None keeps no note.
        identity: digest of the key that keys all digests: who shares a state must share it, or one
            caller would be two; empty for operators, who make no digests.
        mending: seconds for which Redis answers nobody after a loss was noticed, so that every process
            has put back what it knows.
        tell: hears of `state.lost`, `state.put_back` and `state.set_aside`, with facts.
    """

    keep: float
    timeout: float
    posts: int = 1 << 16
    accept_loss: bool = False
    note: Path | None = None
    identity: str = ""
    mending: float = 0.0
    tell: Callable[..., None] = _unheard

    def noted(self) -> str:
        """The epoch of the data that was last worked on; empty where nobody knows."""
        if self.note is None:
            return ""
        with contextlib.suppress(OSError):
            return self.note.read_text(errors="replace").strip()
        return ""

    def take_note(self, epoch: str) -> None:
        """Note the epoch, whole or not at all. A disk that takes no note stops nothing."""
        if self.note is None or self.noted() == epoch:
            return
        unfinished = self.note.with_name(f".{self.note.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            self.note.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(epoch)
            unfinished.replace(self.note)
