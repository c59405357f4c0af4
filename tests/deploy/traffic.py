"""What integrations send all day, in seconds: every kind of event that the dashboard shows."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import httpx

from gateway.policy.registry import digest

WRITERS = ("help-bot", "release-bot", "log-mirror", "chat-bridge")
SWITCHED_OFF = "old-bot"
_SITE = """\
policy: site
owner: knowledge-team
rules:
  seen-first:
    title: Announcements are seen by who makes them
    mode: hold
    for: [question.create]
    if: {title: {matches: '(?i)^release '}}
    message: An announcement goes out under somebody's name.
    fix: Have it confirmed.
  links-its-source:
    title: An answer links its source
    mode: observe
    for: [answer.create]
    if: {not: {body: {contains: "https://"}}}
    message: No source is linked.
    fix: Link the page that says so.
  articles-per-hour:
    title: An article now and then
    mode: observe
    for: [article.create]
    rate_cap: {limit: 12, window: 1h}
  votes-per-hour:
    title: Votes are those of people
    mode: enforce
    for: [vote.up]
    rate_cap: {limit: 400, window: 1h}
"""
_OVERRIDES = """\
questions-per-integration: {rate_cap: {windows: [{limit: 200, window: 1m}]}}
replies-per-integration: {rate_cap: {windows: [{limit: 60, window: 1m}]}}
"""
_ARTICLE: dict[str, Any] = {"type": "knowledgeArticle", "permissions": {"editableBy": "ownerOnly"}}
_WORDS = """
agent badge branch budget build cache canteen certificate cluster contract cursor deploy desk disk
door engine export festival filter finger garden gasket gateway glass handle harbour helmet import
invoice journal kernel key ladder lamp ledger letter library manual market meeting mirror module
monitor network notebook office package paper parser payment pension phone pipeline planet plugin
printer project quarter queue reader release report request review river router sample schedule
script server session signal sketch socket spring station storage summer switch table template
tenant thread ticket timer token tower train travel tunnel update vendor version volume wagon
window winter worker writer yard zone
""".split()  # noqa: SIM905  # a list of that many would be a line each
_LOG = """\
    2026-01-05 08:00:12,441 ERROR [main] com.example.Disk: disk full on build-3, 0 bytes left
    2026-01-05 08:00:13,001 ERROR [main] com.example.Disk: giving up after 3 attempts
    2026-01-05 08:00:13,009 WARN  [main] com.example.Job: job 4711 failed"""


def key(writer: str) -> str:
    """The gateway key of an integration."""
    return f"sgw_{writer}-of-the-tests-and-nothing-else"


def write_policies(directory: Path) -> None:
    """Write the files of a site with these integrations, on top of the shipped policies."""
    directory.mkdir()
    (directory / "site.yaml").write_text(_SITE)
    (directory / "overrides.yaml").write_text(_OVERRIDES)
    entries = "".join(
        f"  {name}:\n    owner: {name}-team\n    contact: {name}@example.com\n"
        f'    purpose: tests\n    keys: ["sha256:{digest(key(name).encode())}"]\n'
        for name in (*WRITERS, SWITCHED_OFF)
    )
    (directory / "integrations.yaml").write_text(f"integrations:\n{entries}")


@dataclass
class Traffic:
    """Integrations that write through a gateway, before a sandbox that fails as it is told.

    Attributes:
        http: what the requests go through.
        gateway, sandbox: their addresses.
        dice: what the integrations do; the same seed gives the same day.
    """

    http: httpx.Client
    gateway: str
    sandbox: str
    dice: random.Random = field(default_factory=lambda: random.Random(7))

    def everything(self) -> None:
        """Let each thing happen that the dashboard shows, once at least."""
        self.good_day()
        self.refusals()
        self.troubles()

    def something(self) -> None:
        """A moment of a day on which now and then something goes wrong."""
        self.good_day()
        for _ in range(self.dice.randrange(4)):
            self.ask("help-bot")
        if self.dice.random() < 0.4:
            self.refusals()
        if self.dice.random() < 0.2:
            self.troubles()

    def good_day(self) -> None:
        """Writes that pass, of several operations; reads; a repeat that is answered from memory."""
        for writer in WRITERS[:2]:
            self.ask(writer)
            self.send(writer, "/questions/1/answers", body=self.text())
        self.send("release-bot", "/articles", **self.question(), **_ARTICLE)
        self.send("help-bot", "/questions/1/upvote")
        again = {"Idempotency-Key": str(self.dice.random())}
        question = self.question()
        for _ in range(2):
            self.send("help-bot", "/questions", headers=again, **question)
        for _ in range(4):
            self.http.get(f"{self.gateway}/api/v3/questions", headers=self._headers("help-bot"))
        act = f'act="button", at=@{int(time.time())}'  # a constant, as no person acts
        self.send(
            "chat-bridge", "/questions", headers={"X-Explicit-Action": act}, **self.question()
        )

    def refusals(self) -> None:
        """What rules refuse, hold, warn of and would refuse; and what no rule gets to see."""
        question = self.question()
        self.send("help-bot", "/questions", **question)
        self.send("chat-bridge", "/questions", **question)  # a copy
        answer = self.text()
        for number in (1, 3, 1):
            self.send("chat-bridge", f"/questions/{number}/answers", body=answer)  # boilerplate
        self.send("log-mirror", "/questions", title=f"ERROR {self.text(3)}", body=_LOG, tags=["ci"])
        self.send("log-mirror", "/questions", act=False, **self.question())
        self.send("help-bot", "/questions/3/answers", body="Please open a ticket with the desk.")
        self.send(
            "release-bot", "/questions", **(self.question() | {"title": "Release 4.2 is out"})
        )
        self.send("", "/questions", **self.question())
        self.send("help-bot", "/no-such-thing", body="x")

    def troubles(self) -> None:
        """SOE breaks, and breaks off."""
        for behaviour in ({"status": 503}, {"drop": "before"}, {"drop": "after"}, {"status": 404}):
            self.http.post(f"{self.sandbox}/_sandbox/next", json={"count": 1, **behaviour})
            self.ask("release-bot")

    def wait_for_soe(self, enough: Event) -> None:
        """Read what SOE takes seconds to answer, again and again."""
        told = {"count": 1, "reads": True, "delay": 3.0}
        while not enough.is_set():
            self.http.post(f"{self.sandbox}/_sandbox/next", json=told)
            self.http.get(f"{self.gateway}/api/v3/tags", headers=self._headers("help-bot"))

    def ask(self, writer: str) -> None:
        """Ask a question that nobody asked before."""
        self.send(writer, "/questions", **self.question())

    def send(
        self,
        writer: str,
        path: str,
        *,
        act: bool = True,
        headers: dict[str, str] | None = None,
        **body: Any,
    ) -> httpx.Response:
        """Write as an integration; as nobody known without a name."""
        fields = self._headers(writer)
        if act:
            fields["X-Explicit-Action"] = "true"
        url = f"{self.gateway}/api/v3{path}"
        return self.http.post(url, json=body, headers=fields | (headers or {}))

    def question(self) -> dict[str, Any]:
        """A question that nobody asked before."""
        return {"title": f"{self.text(6)}?", "body": self.text(), "tags": ["tests"]}

    def text(self, words: int = 24) -> str:
        """Words that nobody wrote in this order."""
        return " ".join(self.dice.choices(_WORDS, k=words)).capitalize()

    def _headers(self, writer: str) -> dict[str, str]:
        known = {"X-Gateway-Key": key(writer)} if writer else {}
        return {"Authorization": f"Bearer {writer or 'somebody'}", "User-Agent": "tests/1", **known}
