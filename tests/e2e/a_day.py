"""A day of three integrations before a gateway: most of it as it was recorded, the end as it happens."""

from __future__ import annotations

import math
import time
from pathlib import Path

import httpx

from gateway.policy.registry import digest
from tests import local
from tests.audit.written import Writer, decision, outcome
from tests.e2e.process import Running

KEYS = {name: f"sgw_of-{name}" for name in ("help-bot", "build-alerts", "docs-sync")}
REGISTRY = "integrations:\n" + "".join(
    f"""\
  {name}:
    owner: {owner}
    contact: "#{name}"
    purpose: {purpose}
    approver: The knowledge team
    expires: 2099-06-30
    tier: {tier}
    keys: ["sha256:{digest(KEYS[name].encode())}"]
"""
    for name, owner, purpose, tier in (
        (
            "help-bot",
            "Grace's team (grace@example.com)",
            "asks what nobody in the chat could answer",
            "trusted",
        ),
        (
            "build-alerts",
            "Alan's team (alan@example.com)",
            "asks about builds that fail again and again",
            "probation",
        ),
        (
            "docs-sync",
            "Ada's team (ada@example.com)",
            "answers with links to the manual",
            "trusted",
        ),
    )
)
OVERRIDES = """\
same-event-again: {mode: warn}
"""
QUESTION = (
    "How do I rotate the signing key of the payment service?",
    "The key runs out next week, and the run-book still names the old vault. Which role may do it?",
)
COPY = (
    "Rotate the signing key of the payment service",
    "Hello! The key runs out next week, and the run-book still names the old vault. Which role may do it?",
)
SECRET = (
    "Which customer moves to the new cluster first?",
    "The plan of the merger says that the cluster in Oslo is the first to be moved in spring.",
)


def record_a_day(directory: Path, until: float) -> None:
    """Write what was recorded in the 23 hours before; some rules refused, some only watched."""
    writer, number = Writer(directory, "yesterday-1"), 0
    for hour in range(23, 0, -1):
        begins = until - hour * 3600
        busy = 1 + math.sin((begins / 3600 % 24 - 5) / 24 * math.tau)
        for each in range(int(14 * busy) + 2):
            number += 1
            at, write_id = begins + each * 97.0, f"{number:032x}"
            name = ("help-bot", "docs-sync", "help-bot", "build-alerts")[number % 4]
            operation = {"docs-sync": "answer.create"}.get(name, "question.create")
            facts = {"integration": name, "operation": operation, "person": f"p-{number % 7:08x}"}
            if name == "build-alerts" and number % 3 != 0:
                rule = ("looks-like-a-log", "already-posted", "questions-per-integration")[
                    number // 4 % 3
                ]
                refused = [
                    (rule, "enforce", "fail", "log_text"),
                    ("same-event-again", "warn", "fail", "duplicate"),
                ]
                writer.write(decision(write_id, at, effect="refuse", findings=refused, **facts))
                continue
            noted = [("much-like-another", "warn", "fail", "duplicate")] if number % 9 == 0 else []
            writer.write(decision(write_id, at, findings=noted, **facts))
            post = f"question/{1000 + number}"
            writer.write(
                outcome(
                    write_id,
                    at + 0.2,
                    post=post,
                    url=f"https://soe.example.com/questions/{1000 + number}",
                )
            )


def send(
    running: Running, name: str, title: str, body: str, *, act: str = "true", team: str = ""
) -> httpx.Response:
    """Let an integration ask something."""
    path = f"/api/v3/teams/{team}/questions" if team else "/api/v3/questions"
    headers = {
        "authorization": f"Bearer {name}",
        "x-gateway-key": KEYS[name],
        "user-agent": f"{name}/2.1 (#{name})",
    }
    return local.post(
        running.proxy + path,
        json={"title": title, "body": body, "tags": ["keys"]},
        headers=headers | ({"x-explicit-action": act} if act else {}),
    )


def write_now(running: Running) -> None:
    """Send what a gateway decides in different ways: some posts, a copy of one, one of a team."""
    said = [
        send(running, "help-bot", *QUESTION),
        send(running, "docs-sync", "Where is the manual of the badge reader?", "Facility management moved it, and the old address leads nowhere since Monday."),
        send(running, "build-alerts", *COPY),
        send(running, "docs-sync", *SECRET, team="platform"),
        send(running, "help-bot", "May I order a second monitor?", "The shop offers one but asks for a number of a cost centre.", act=""),
        send(running, "docs-sync", *SECRET, team="platform"),
        send(running, "help-bot", "Does the canteen take cards in the evening?", "I left my purse at home, and the machine at the entrance is broken."),
        send(running, "build-alerts", "ERROR disk full on build-3", "    2026-01-05 08:00:12,441 ERROR [main] com.example.Disk: disk full on build-3, 0 bytes left"),
    ]  # fmt: skip
    assert [each.status_code for each in said] == [201, 201, 400, 201, 403, 400, 201, 400]


def begin(data: Path, policies: Path) -> None:
    """Lay down policies and what was recorded."""
    policies.mkdir()
    (policies / "integrations.yaml").write_text(REGISTRY)
    (policies / "overrides.yaml").write_text(OVERRIDES)
    record_a_day(data / "audit", time.time())
