"""Rolling out: a week in discover, a draft of the registrations, and the gate that replay foretold.

The gateway, its listener and SOE's sandbox are real; a week passes since the clock is the test's.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import random
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from gateway.cli import main
from gateway.policy.load import load
from gateway.policy.policyset import PolicySet
from gateway.policy.posture import discovering
from gateway.proxy.listener import Listener
from gateway.proxy.server import ServerLimits, strict
from gateway.proxy.upstream import Pool
from gateway.state.memory import MemoryStore
from tests.e2e.stack import sandbox
from tests.patience import PATIENCE
from tests.proxy.rig import Scripted, build

pytestmark = pytest.mark.slow

DAY = 86_400.0
START = 1_795_000_000.0  # a Wednesday in November 2026
CLIENTS = {
    "acme-error-logger": "acme-error-logger/2.1",
    "chat-bridge": "chat-bridge/0.9 (+https://wiki/chat)",
    "faq-sync": "faq-sync",
    "help-bot": "help-bot/1.0",
    "hr-assistant": "HR-Assistant/3",
    "ide-plugin": "ide_plugin/7.2",
    "mail-gate": "mail-gate/1.4",
    "newsletter": "newsletter/1",
    "release-bot": "release-bot/5",
    "wiki-export": "wiki-export/2",
    "a script": "python-requests/2.31.0",
    "another script": "python-requests/2.31.0",
}
"""Twelve clients: what they call themselves. Two say only what library they use."""
WORDS = [
    "agent",
    "badge",
    "cache",
    "certificate",
    "cluster",
    "container",
    "dashboard",
    "database",
    "deployment",
    "disk",
    "export",
    "gateway",
    "index",
    "invoice",
    "key",
    "ledger",
    "license",
    "login",
    "mail",
    "network",
    "node",
    "password",
    "payment",
    "pipeline",
    "policy",
    "printer",
    "proxy",
    "queue",
    "release",
    "report",
    "router",
    "schedule",
    "server",
    "service",
    "session",
    "storage",
    "switch",
    "table",
    "team",
    "template",
    "ticket",
    "token",
    "upload",
    "user",
    "version",
    "volume",
]
REPLY = (
    "Restart the agent, clear its cache, wait a minute and then log in again with your badge. If "
    "that does not help, ask at the desk on the second floor."
)
OVERRIDES = """\
person-asked: {mode: warn}
questions-per-integration: {rate_cap: {windows: [{limit: 4, window: 1h}]}}
"""


@dataclass(frozen=True)
class Write:
    """What a client sends, and when."""

    client: str
    at: float
    target: str
    fields: dict[str, Any]
    form: bool


def a_week() -> list[Write]:
    """What twelve clients write in a week, as they did before there was a gateway."""
    chance = random.Random(7)
    writes: list[Write] = []
    for number, client in enumerate(CLIENTS):
        for day in range(7):
            for _ in range(chance.randint(2, 5)):
                at = START + day * DAY + chance.random() * DAY
                writes.append(a_write(chance, client, at, form=number % 3 == 2))
    for hour in range(3):  # an outage: the logger posts each event, the bridge the same twice
        for second in range(6):
            at = START + 2 * DAY + hour * 3600 + second
            text = f"2026-11-20 10:{hour:02}:{second:02} ERROR ledger: node {second} timeout\n" * 4
            fields: dict[str, Any] = {
                "title": f"Error {hour} {second} of the ledger service",
                "body": text,
            }
            writes.append(
                Write(
                    "acme-error-logger",
                    at,
                    "/api/v3/questions",
                    {**fields, "tags": ["ledger"]},
                    form=False,
                )
            )
    for number in range(7):  # the newsletter asks all that it has at once
        title, body = (" ".join(chance.choices(WORDS, k=k)).capitalize() for k in (7, 40))
        fields = {"title": f"{title}?", "body": body, "tags": ["agent"]}
        at = START + 4 * DAY + 60 * number
        writes.append(Write("newsletter", at, "/api/v3/questions", fields, form=False))
    return sorted(writes, key=lambda write: write.at)


def a_write(chance: random.Random, client: str, at: float, *, form: bool) -> Write:
    """A question or an answer; the help bot has one reply for everything."""
    body = " ".join(chance.choices(WORDS, k=40)).capitalize() + "."
    if client == "help-bot" and chance.random() < 0.6:
        body = REPLY
    if client in ("help-bot", "hr-assistant", "mail-gate") or chance.random() < 0.4:
        target = "/api/2.3/questions/1/answers/add" if form else "/api/v3/questions/1/answers"
        return Write(client, at, target, {"body": body}, form=form)
    title = " ".join(chance.choices(WORDS, k=7)).capitalize() + "?"
    tags: Any = "agent;login" if form else ["agent", "login"]
    target = "/api/2.3/questions/add" if form else "/api/v3/questions"
    return Write(client, at, target, {"title": title, "body": body, "tags": tags}, form=form)


async def send(client: httpx.AsyncClient, write: Write) -> httpx.Response:
    """Send it as an unmodified client does: nobody heard of a gateway."""
    agent, token = (
        {"user-agent": CLIENTS[write.client]},
        f"token of {write.client}".replace(" ", "-"),
    )
    if write.form:
        body = urlencode({**write.fields, "access_token": token, "key": "k", "site": "x"})
        fields = agent | {"content-type": "application/x-www-form-urlencoded"}
        return await client.post(write.target, content=body, headers=fields)
    fields = agent | {"authorization": f"Bearer {token}", "content-type": "application/json"}
    return await client.post(write.target, content=json.dumps(write.fields), headers=fields)


async def week_through(
    folder: Path, policies: PolicySet, writes: list[Write]
) -> tuple[list[httpx.Response], Path]:
    """Send a week's writes through a gateway before a sandbox; gives the answers and the log."""
    folder.mkdir()
    with sandbox() as soe:
        rig = build(folder, urlsplit(soe).port or 0, MemoryStore(90 * DAY), Scripted())
        app = replace(rig.app, pipeline=replace(rig.app.pipeline, anonymous="refuse"))
        app.policies.current = policies
        limits = ServerLimits()
        listener = Listener(app, ("127.0.0.1", 0), protocol=strict(limits, lambda _: None))
        url = await listener.start()
        answers = []
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE) as client:
            for write in writes:
                rig.clock.at = write.at
                answers.append(await send(client, write))
        await listener.stop(PATIENCE)
        pool = app.pipeline.upstream
        assert isinstance(pool, Pool)
        await pool.aclose()
        await rig.audit.close()
    return answers, folder / "audit"


def is_refusal(answer: httpx.Response) -> bool:
    """Whether the gateway refused: SOE's answers tell of no violations or contact."""
    return "gateway-decision" not in answer.headers or b"decision_id" in answer.content


def test_what_replay_foretold_is_what_the_gate_refuses(tmp_path: Path, capsys: Any) -> None:
    """Nobody is stopped in discover; twelve are found; in guard just what was foretold is refused."""
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "overrides.yaml").write_text(OVERRIDES)
    today = datetime.date(2026, 11, 24)
    writes = a_week()

    discover = discovering(load(folder, today=today))
    discovered, log = asyncio.run(week_through(tmp_path / "discover", discover, writes))
    ids = [answer.headers["gateway-decision"] for answer in discovered]
    assert not any(is_refusal(answer) for answer in discovered)

    draft = folder / "integrations.yaml"
    assert main(["integrations", "propose", "--audit", str(log), "--out", str(draft)]) == 0
    filled = re.sub(r"(owner|contact|purpose): #.*", r"\1: somebody", draft.read_text())
    draft.write_text(filled)
    policies = load(folder, today=today)
    assert len(policies.registry.names) == 12
    assert {"help-bot", "faq-sync", "hr-assistant", "ide-plugin"} < policies.registry.names

    capsys.readouterr()
    arguments = ["--audit", str(log), "--policies", str(folder), "--anonymous", "refuse"]
    assert main(["replay", *arguments, "--limit", "1000", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    foretold = {change["write_id"] for change in told["changes"]}
    guarded, _ = asyncio.run(week_through(tmp_path / "guard", policies, writes))
    refused = {name for name, answer in zip(ids, guarded, strict=True) if is_refusal(answer)}

    assert refused == foretold
    rules = Counter(r["rule"] for change in told["changes"] for r in change["reasons_now"])
    assert {"already-posted", "looks-like-a-log", "questions-per-integration"} <= rules.keys()
    assert 10 < len(refused) < len(writes) / 2
