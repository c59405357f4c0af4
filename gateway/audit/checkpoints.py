"""Checkpoints: how far a writer's chain had come at an instant, signed, and told elsewhere.

A chain cannot show that its end was cut off; a checkpoint from another place does. It is one JSON
object, a line of a file of its own or of the gateway's log, where other lines stand between.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway.audit.chain import Head
from gateway.audit.key import Keys, derived
from gateway.audit.segments import raw_lines, sync_directory
from gateway.errors import AuditError

EVENT = "audit.checkpoint"
_MARK = EVENT.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """That a writer's record had this number and this `mac`.

    Attributes:
        at: an instant at which it was its last.
        told: where that stands, for people.
    """

    writer: str
    head: Head
    at: float
    told: str = ""


def signed(point: Checkpoint, keys: Keys) -> dict[str, Any]:
    """Give what is told of a checkpoint, with its proof."""
    key_id = keys.newest
    return {
        "at": point.at,
        "writer": point.writer,
        "seq": point.head.seq,
        "last": point.head.mac,
        "key_id": key_id,
        "proof": _proof(point, keys.by_id[key_id]),
    }


def append(directory: Path, told: dict[str, Any]) -> None:
    """Write a checkpoint durably into the file of its writer.

    Raises:
        OSError: it cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / f"checkpoints-{told['writer']}.jsonl"
    is_new = not path.exists()
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, orjson.dumps({"event": EVENT, **told}) + b"\n")
        os.fsync(fd)
    finally:
        os.close(fd)
    if is_new:
        sync_directory(directory)


def read_checkpoints(paths: Iterable[Path], keys: Keys) -> Iterator[Checkpoint | str]:
    """Read the checkpoints in files, and those of directories; a text says which is not genuine.

    Raises:
        AuditError: a file cannot be read.
        OSError: a directory cannot be read.
    """
    for path in paths:
        files = sorted(path.glob("*.jsonl*")) if path.is_dir() else [path]
        for line in raw_lines(files):
            if _MARK in line.raw and line.raw.endswith(b"\n"):
                where = f"{line.path}:{line.number}"
                yield _checkpoint(line.raw, where, keys) or (
                    f"{where}: the checkpoint was changed, or signed by a key that is not in the "
                    "key file"
                )


def _checkpoint(line: bytes, where: str, keys: Keys) -> Checkpoint | None:
    try:
        told = orjson.loads(line[line.index(b"{") :])
        if told["event"] != EVENT or "proof" not in told:
            raise AuditError(f"{where}: this is no file of checkpoints, but an audit log")
        head = Head(told["seq"], told["last"])
        point = Checkpoint(writer=told["writer"], head=head, at=told["at"], told=where)
        key = keys.by_id[told["key_id"]]
        return point if hmac.compare_digest(_proof(point, key), told["proof"]) else None
    except (LookupError, TypeError, ValueError):
        return None


def _proof(point: Checkpoint, key: bytes) -> str:
    told = orjson.dumps([point.writer, point.head.seq, point.head.mac, point.at])
    return hmac.digest(derived(key, "checkpoints"), told, "sha256").hex()
