"""Audit logs that a test writes record by record, as writers would; nothing proves them."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway.audit.segments import PACKED, segment, segments

AT = 1_795_000_000.0


def decision(write_id: str, at: float = AT, **facts: Any) -> dict[str, Any]:
    """A decision's record; facts are its members, `findings` as rule, mode, result and code."""
    found = facts.pop("findings", ())
    told: dict[str, Any] = {
        "schema": 2,
        "kind": "decision",
        "at": at,
        "logged": at,
        "write_id": write_id,
        "effect": "allow",
        "revision": "r1",
        "repeats": None,
        "state": None,
        "integration": "help-bot",
        "tier": "probation",
        "person": None,
        "token": None,
        "credential": None,
        "api": "v3",
        "operation": "question.create",
        "team": None,
        "thread": None,
        "target": None,
        "publishes": True,
        "preview": False,
        "user_agent": "help-bot/1.0",
        "explicit_action": [],
        "confirmed": None,
        "findings": [
            {
                "rule": rule,
                "check": "duplicate",
                "mode": mode,
                "result": result,
                "code": code,
                "open": False,
            }
            for rule, mode, result, code in found
        ],
        "sizes": {"title": 0, "body": 0, "tags": 0, "user_agent": 12},
        "tags": [],
        "digest": "d",
        "key": None,
        "fingerprint": None,
    }
    return told | facts


def outcome(write_id: str, at: float = AT, **facts: Any) -> dict[str, Any]:
    """An outcome's record; `post` and `url` are told in their own places."""
    post = {"id": facts.pop("post", None), "url": facts.pop("url", None)}
    told: dict[str, Any] = {
        "schema": 2,
        "kind": "outcome",
        "at": at,
        "write_id": write_id,
        "outcome": "ok",
        "integration": "help-bot",
        "operation": "question.create",
        "upstream_status": 201,
        "post": post,
        "answer_kept": False,
        "latency": 0.25,
    }
    return told | facts


@dataclass
class Writer:
    """A writer's segments in a directory."""

    directory: Path
    name: str = "w"
    number: int = 1
    seq: int = 0

    def __post_init__(self) -> None:
        self.directory.mkdir(exist_ok=True)

    @property
    def path(self) -> Path:
        """The segment that is written."""
        return segment(self.directory, self.name, self.number)

    def write(self, *records: dict[str, Any]) -> None:
        """Append records."""
        with self.path.open("ab") as file:
            for told in records:
                self.seq += 1
                chained = {"seq": self.seq, "writer": self.name, "prev": "", "mac": "0" * 64}
                file.write(orjson.dumps(told | chained) + b"\n")

    def tear(self) -> None:
        """Leave a line that does not end, and go on in the next segment."""
        with self.path.open("ab") as file:
            file.write(b'{"schema":2,"kind":"deci')
        self.rotate()

    def rotate(self) -> None:
        """Go on in the next segment."""
        self.number += 1


def pack(path: Path) -> None:
    """Put a packed segment in the place of a plain one."""
    packed = path.with_name(path.name + PACKED)
    packed.write_bytes(gzip.compress(path.read_bytes(), 1))
    path.unlink()


def told(directory: Path) -> list[dict[str, Any]]:
    """Every whole record of a directory, read in the plainest way."""
    records = []
    for paths in segments(directory).values():
        for path in paths:
            raw = gzip.decompress(path.read_bytes()) if path.suffix == PACKED else path.read_bytes()
            records += [orjson.loads(line) for line in raw.split(b"\n")[:-1]]
    return records
