"""The real checks, policies and memory store as a detector for shared/detection/evalkit.py."""

from __future__ import annotations

import datetime
import itertools
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.model import Api, Decision, Effect, Outcome, Post, Settlement, Write, author_of
from gateway.policy.decide import decide, is_template, judge, reservation, select
from gateway.policy.load import load
from gateway.state.memory import MemoryStore
from gateway.text.fingerprint import fingerprint

_DAY = 86_400.0
_OPERATIONS = {"question": "question.create", "answer": "answer.create"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """As evalkit wants it: 1 is refused, 0.7 is worth a second look."""

    score: float
    match: str | None
    why: str


class Inside:
    """Every post is a write by a token of its author; what is remembered was judged, too.

    Args:
        policies: a directory of policies.
        rules: those of their rules that count; all without it.
    """

    name = "gateway, in process"

    def __init__(self, policies: Path = Path(__file__).parent, rules: Collection[str] = ()) -> None:
        loaded = load(policies, today=datetime.datetime.now(datetime.UTC).date())
        chosen = tuple(rule for rule in loaded.rules if not rules or rule.id in rules)
        self._policies = replace(loaded, rules=chosen)
        self._numbers = itertools.count(1)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._store = MemoryStore(90 * _DAY)
        self._at = 1_795_000_000.0
        self._ready: tuple[str, Write] | None = None

    def check(self, post: Mapping[str, Any]) -> Verdict:
        """Judge, and change nothing."""
        write = self._write(post)
        self._ready = (post["id"], write)
        decision, _ = _run(self._decide(write, peek=True))
        finding = next(iter((*decision.violations, *decision.warnings)), None)
        if finding is None or finding.violation is None:
            return Verdict(0.0, None, "")
        earlier = finding.violation.earlier
        score = 1.0 if decision.effect is Effect.REFUSE else 0.7
        return Verdict(score, earlier.url if earlier else None, finding.rule)

    def write(self, post: Mapping[str, Any]) -> None:
        """Write the post as a gateway does: judged once."""
        self._ready = None
        self.remember(post)

    def remember(self, post: Mapping[str, Any]) -> None:
        """Write the post, as SOE takes it unless it is refused."""
        ready, self._ready = self._ready, None
        write = ready[1] if ready and ready[0] == post["id"] else self._write(post)
        decision, template = _run(self._decide(write, peek=False))
        asks = post["kind"] == "question"
        outcome = Outcome.OK if decision.effect is Effect.ALLOW else Outcome.NOT_SENT
        settled = Settlement(
            outcome=outcome,
            post=f"question/{_number(post['thread'])}" if asks else f"post/{write.id}",
            url=post["id"],
            template=template,
        )
        _run(self._store.settle(write.id, settled))

    async def _decide(self, write: Write, *, peek: bool) -> tuple[Decision, bool]:
        rules = select(self._policies, write)
        findings = judge(rules, write, None)
        asked = reservation(rules, write, findings)
        if asked is None:
            return decide(self._policies, findings), False
        reserved = await (self._store.peek(asked) if peek else self._store.reserve(asked))
        decision = decide(self._policies, judge(rules, write, reserved.answers, findings))
        return decision, is_template(decision, write, reserved.answers)

    def _write(self, post: Mapping[str, Any]) -> Write:
        number = next(self._numbers)
        self._at += 1.0
        text = Post(title=post.get("title") or "", body=post["body"])
        token = str(post["author"])
        asks = post["kind"] == "question"
        return Write(
            id=str(number),
            at=self._at,
            integration="evaluation",
            token=token,
            api=Api.V3,
            operation=_OPERATIONS.get(post["kind"], "comment.create"),
            team="evaluation",
            thread=None if asks else f"post/{_number(post['thread'])}",
            publishes=True,
            post=text,
            fingerprint=fingerprint(text, author_of(None, token, "evaluation")),
            request=str(number),
        )


def _number(name: str) -> int:
    """Give a thread its number."""
    return zlib.crc32(name.encode()) | 1


def _run(doing: Any) -> Any:
    """Run what never waits: the memory store answers at once."""
    try:
        doing.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("the memory store waited")
