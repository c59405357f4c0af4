"""A decision as the audit log holds it, and the write that it was about, made again from it.

What the record does not hold raises `NotKeptError` when a rule looks at it: so each rule that can
be judged again is, whatever others need.
"""

from __future__ import annotations

import math
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from gateway.model import (
    Api,
    Approver,
    Confirmed,
    Consulted,
    Counts,
    Effect,
    Fingerprint,
    Post,
    Write,
)
from gateway.policy.posture import DISCOVERING
from gateway.soe.api import PUBLISHING

UNREADABLE = "\0"
"""In the place of an `X-Explicit-Action` that said nothing: it is no token and no dictionary."""
_LACKING: Mapping[str, str] = {
    "tier": "the tier",
    "user_agent": "the User-Agent",
    "actions": "X-Explicit-Action",
    "title": "the title",
    "body": "the body",
    "tags": "the tags",
    "prints": "the prints of the text",
    "sketch": "the prints of the text",
    "whole": "the prints of the text",
    "counts": "the counts of the text",
}
"""What a record may lack, in words."""
_OF_PRINTS = frozenset(("prints", "sketch", "whole", "counts"))
_NO_PARTS: Mapping[str, object] = MappingProxyType({})


class NotKeptError(LookupError):
    """A rule looks at what the record does not hold."""

    def __init__(self, fact: str) -> None:
        super().__init__(_LACKING[fact])


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A decision, read.

    Attributes:
        record: as it stands in the log.
        write: with nothing in the place of what was not kept.
        lacking: names of what was not kept.
        effect: what was decided.
        findings: by rule, as they stand in the log.
        consulted: None also where the record is too old to say.
    """

    record: Mapping[str, Any]
    write: Write
    lacking: frozenset[str]
    effect: Effect
    revision: str
    repeats: str | None
    findings: Mapping[str, Mapping[str, Any]]
    consulted: Consulted | None

    @property
    def rules(self) -> str:
        """The revision of the rules, whatever the posture was."""
        return self.revision.removesuffix(DISCOVERING)

    @property
    def seen(self) -> Write:
        """The write, as rules may look at it."""
        return seen(self.write, self.lacking)


def recorded(record: Mapping[str, Any]) -> Recorded:
    """Read a decision.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: it is damaged.
    """
    state = record.get("state")
    return Recorded(
        record=record,
        write=_write(record),
        lacking=_lacking(record),
        effect=Effect(record["effect"]),
        revision=str(record["revision"]),
        repeats=record["repeats"],
        findings={finding["rule"]: finding for finding in record["findings"]},
        consulted=None if state is None else _consulted(state),
    )


def _consulted(state: Mapping[str, Any]) -> Consulted:
    if state.get("failed"):
        return Consulted(failed=True)
    return Consulted(
        at=float(state["at"]),
        number=int(state["number"]),
        answered=float(state.get("answered", math.inf)),
        in_flight=tuple(map(str, state.get("in_flight", ()))),
    )


def _write(record: Mapping[str, Any]) -> Write:
    text = record.get("text") or {}
    acts = record.get("explicit_action", ())
    return Write(
        id=record["write_id"],
        at=float(record["at"]),
        integration=record["integration"],
        tier=record.get("tier", ""),
        token=record["token"],
        credential=record.get("credential"),
        person=record["person"],
        api=Api(record["api"]),
        operation=record["operation"],
        team=record["team"],
        thread=record["thread"],
        target=record["target"],
        publishes=record.get("publishes", record["operation"] in PUBLISHING),
        preview=record["preview"],
        post=Post(
            title=text.get("title", ""),
            body=text.get("body", ""),
            tags=tuple(record.get("tags", ())),
        ),
        fingerprint=_fingerprint(record["fingerprint"]),
        actions=tuple(UNREADABLE if act is None else act for act in acts),
        user_agent=record.get("user_agent", ""),
        request=record["digest"],
        key=record.get("key"),
        confirmed=_confirmed(record.get("confirmed")),
    )


def _confirmed(told: Mapping[str, Any] | None) -> Confirmed | None:
    if told is None:
        return None
    rules, known = frozenset(map(str, told["rules"])), Approver(told["known"])
    return Confirmed(hold=told["hold"], rules=rules, by=told["by"], known=known)


def _fingerprint(kept: Mapping[str, Any] | None) -> Fingerprint | None:
    if kept is None:
        return None
    sketch = b64decode(kept.get("sketch", ""))
    whole, counts = kept.get("whole"), kept.get("counts")
    return Fingerprint(
        text=kept["text"],
        event=kept["event"],
        words=kept["words"],
        prints=b64decode(kept.get("prints", "")),
        sketch=sketch,
        whole=sketch if whole is None else b64decode(whole),
        counts=None if counts is None else Counts(**counts),
    )


def _lacking(record: Mapping[str, Any]) -> frozenset[str]:
    sizes, text = record["sizes"], record.get("text") or {}
    lacking = {name for name in ("title", "body") if len(text.get(name, "")) < sizes[name]}
    if len(record.get("tags", ())) < sizes["tags"]:
        lacking.add("tags")
    if record["schema"] == 1:
        lacking |= {"tier", "user_agent", "actions", "prints"}
    elif len(record["user_agent"]) < sizes["user_agent"]:
        lacking.add("user_agent")
    return frozenset(lacking)


def seen(write: Write, lacking: frozenset[str]) -> Write:
    """Give a write of which what is lacking raises `NotKeptError`."""
    if not lacking:
        return write
    parts: dict[str, object] = {"post": _Seen(write.post, lacking)}
    if write.fingerprint is not None and "prints" in lacking:
        parts["fingerprint"] = _Seen(write.fingerprint, _OF_PRINTS)
    return cast("Write", _Seen(write, lacking, parts))


class _Seen:
    """A value without some of its facts, and with parts that lack some."""

    __slots__ = ("_lacking", "_of", "_parts")

    def __init__(
        self, of: object, lacking: frozenset[str], parts: Mapping[str, object] = _NO_PARTS
    ) -> None:
        self._of = of
        self._lacking = lacking
        self._parts = parts

    def __getattr__(self, name: str) -> Any:
        """Give a fact of it."""
        if name in self._lacking:
            raise NotKeptError(name)
        return self._parts[name] if name in self._parts else getattr(self._of, name)
