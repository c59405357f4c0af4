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

import orjson

from gateway.model import Outcome, Reply, Settlement
from gateway.parse import Node, Reader, Scalar
from gateway.soe import answers
from gateway.soe.api import Route

_SILENCE: Mapping[str, Outcome] = {"timeout": Outcome.UNKNOWN, "down": Outcome.NOT_SENT}


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


def read_saved(reader: Reader, node: Node) -> Saved:
    """Read what stands under `soe`; a file is looked for beside the one that names it."""
    if isinstance(node, Scalar):
        return _read_word(reader, node)
    mapping = reader.mapping(node, keys=("status", "body", "file"))
    items = mapping.items if mapping else {}
    status = 201
    if "status" in items:
        status = reader.integer(items["status"], at_least=200, at_most=599) or status
    if "body" in items and "file" in items:
        reader.problem(node, "the body of an answer stands here or in a file, not in both")
    if "body" in items:
        return Saved(status=status, body=orjson.dumps(reader.json(items["body"])))
    if "file" in items:
        return Saved(status=status, body=_read_file(reader, items["file"]))
    return Saved(status=status)


def _read_word(reader: Reader, node: Scalar) -> Saved:
    if node.text[:1].isdigit():
        return Saved(status=reader.integer(node, at_least=200, at_most=599) or 201)
    word = reader.choice(node, _SILENCE)
    return Saved(silence=_SILENCE[word]) if word else Saved()


def _read_file(reader: Reader, node: Node) -> bytes:
    name = reader.text(node)
    try:
        return (Path(reader.path).parent / name).read_bytes() if name else b""
    except OSError as error:
        reader.problem(node, f"{name!r} cannot be read: {error.strerror}")
        return b""
