"""What `soe-gateway replay` takes to judge recorded writes again, all with prints of their texts.

A log is made by the code that decides, under the shipped policies: mostly new texts of 12 to 250 words
out of a small language, some of them near-copies. Then the command judges it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import orjson

from gateway.audit import record
from gateway.audit.record import Keeping
from gateway.model import Api, Effect, Outcome, Post, Settlement, Write
from gateway.policy.decide import consulted, decide, judge, reservation, select
from gateway.policy.load import load
from gateway.policy.policyset import PolicySet
from gateway.state.memory import MemoryStore
from gateway.text.fingerprint import fingerprint

_START = 1_793_000_000.0
_COPIES = 0.15
_OPERATIONS = ("question.create", "answer.create", "answer.create", "comment.create")


def writes(count: int) -> Iterator[Write]:
    """Give writes, the same each time."""
    chance, at = random.Random(5), _START
    words = [
        "".join(chance.choices("abcdefghiklmnoprstu", k=chance.randint(2, 9))) for _ in range(8000)
    ]
    bodies: list[str] = []
    for number in range(count):
        at += chance.expovariate(1 / 25)
        body = " ".join(chance.choices(words, k=chance.choice([12, 30, 60, 120, 250])))
        if bodies and chance.random() < _COPIES:
            body = f"{chance.choice(bodies)} {body[:20]}"
        bodies = [*bodies[-500:], body]
        operation, bot = chance.choice(_OPERATIONS), chance.randrange(40)
        asks = operation == "question.create"
        post = Post(title=body[:50], body=body, tags=("keys",)) if asks else Post(body=body)
        token = f"{bot}-{chance.randrange(60)}"
        yield Write(
            id=f"{number:032x}",
            at=at,
            integration=f"bot-{bot}",
            tier="probation",
            token=token,
            api=Api.V3,
            operation=operation,
            thread=None if asks else f"question/{chance.randrange(30_000)}",
            publishes=True,
            post=post,
            fingerprint=fingerprint(post, f"token:{token}"),
            actions=("true",) if chance.random() < 0.97 else (),
            user_agent=f"bot-{bot}/1.0",
            request=f"{number:032x}",
        )


async def recorded(policies: PolicySet, count: int, path: Path) -> int:
    """Write a log of so many decisions, and give the number of its records."""
    store, records = MemoryStore(90 * 86_400.0, 1 << 18), 0
    with path.open("wb") as file:

        def put(told: dict[str, object]) -> None:
            nonlocal records
            file.write(orjson.dumps(told) + b"\n")  # the chain is not what is read here
            records += 1

        for write in writes(count):
            rules = select(policies, write)
            findings = judge(rules, write, None)
            asked, decision = reservation(rules, write, findings), decide(policies, findings)
            if asked is not None:
                reserved = await store.reserve(asked)
                decision = decide(policies, judge(rules, write, reserved.answers, findings))
                decision = replace(decision, consulted=consulted(reserved, write.at))
            put(record.decision(write, decision, write.at, Keeping()))
            ends = Settlement(outcome=Outcome.NOT_SENT)
            if decision.effect is Effect.ALLOW:
                ends = Settlement(outcome=Outcome.OK, post=f"question/{records}")
                put(record.sending(write.id, write.at))
                put(record.outcome(write, ends, 201, write.at))
            await store.settle(write.id, ends)
    return records


def main() -> None:
    """Run it; --short for a look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="4,000 decisions, and not 40,000")
    count = 4_000 if parser.parse_args().short else 40_000
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "audit-a-000001.jsonl"
        records = asyncio.run(recorded(load(None, today=date(2026, 11, 24)), count, log))
        command = "import sys; from gateway.cli import main; sys.exit(main())"
        began = time.perf_counter()
        told = subprocess.run(
            [sys.executable, "-c", command, "replay", "--data", folder, "--audit", str(log)],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ,
        )
        took = time.perf_counter() - began
        cpu = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    print("\n".join(told.stdout.splitlines()[:2]))
    print(f"{records} records in {took:.1f} s: {took / records * 1e5:.1f} s for 100,000")
    print(f"CPU of both processes: {cpu / records * 1e5:.1f} s for 100,000")


if __name__ == "__main__":
    main()
