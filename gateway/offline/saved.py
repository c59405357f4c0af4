"""What SOE answers to a write in a test, and what follows from it.

soe: 404
soe: {status: 400, body: {error_id: 502}}
soe: {file: saved.json}
soe: timeout        # sent, and nobody can tell what became of it
soe: down           # SOE could not be reached, so nothing was sent
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway.model import Outcome, Reply, Settlement
from gateway.parse import Mapping as MappingNode
from gateway.parse import Node, Reader
from gateway.policy.cases import SILENCE
from gateway.soe import answers
from gateway.soe.api import Route

_SILENCE = dict(zip(SILENCE, (Outcome.UNKNOWN, Outcome.NOT_SENT), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """An answer of SOE; or why there is none, in `silence`."""

    status: int = 201
    body: bytes = b""
    silence: Outcome | None = None

    def post(self, route: Route) -> str | None:
        """The new post that the answer tells of, as `question/123`."""
        return answers.learn(route, self.status, (), self.body)[0]

    def settlement(self, route: Route, post: str, *, keyed: bool) -> Settlement:
        """What follows for a write that was sent.

        Args:
            post: the post that was written, where the answer does not tell it.
            keyed: whether the write has an idempotency key, so that its answer is kept.
        """
        if self.silence is not None:
            return Settlement(outcome=self.silence)
        reply = Reply(self.status, (), self.body)
        final = keyed and answers.is_final(route.endpoint.api, reply, self.body)
        learned, url = answers.learn(route, self.status, (), self.body)
        return Settlement(
            outcome=answers.outcome(route.endpoint.api, self.status, self.body),
            post=learned or post,
            url=url,
            answer=b"kept" if final else None,
        )


def read_saved(reader: Reader, node: Node, told: int | str | Mapping[str, Any]) -> Saved:
    """Give what stands under `soe`; a file is looked for beside the one that names it."""
    if isinstance(told, int):
        return Saved(status=told)
    if isinstance(told, str):
        return Saved(silence=_SILENCE[told])
    body = b""
    if "body" in told:
        body = orjson.dumps(told["body"])
    elif told.get("file"):
        assert isinstance(node, MappingNode)
        body = _read_file(reader, node.items["file"], told["file"])
    return Saved(status=told.get("status") or 201, body=body)


def _read_file(reader: Reader, node: Node, name: str) -> bytes:
    try:
        return (Path(reader.path).parent / name).read_bytes()
    except OSError as error:
        reader.problem(node, f"{name!r} cannot be read: {error.strerror}")
        return b""
