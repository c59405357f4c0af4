"""A sandbox in this process, and a reader of it whose waits take no time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from gateway.model import Published
from gateway.offline.reading.pace import Pace
from gateway.offline.reading.reader import Reader
from gateway.offline.seed.posts import Position, Source
from gateway.sandbox.app import Behaviour, Sandbox, sandbox_app
from gateway.sandbox.site import Post, Site

RATE = 1000.0
CREDENTIALS = {
    "v2.3": {"X-API-Access-Token": "secret-token", "X-API-Key": "secret-key"},
    "v3": {"Authorization": "Bearer secret-token"},
}


@dataclass
class Time:
    """Seconds that pass when somebody waits, and by a moment at each look."""

    at: float = 1_795_000_000.0
    waits: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds
        if seconds > 2 / RATE:
            self.waits.append(round(seconds, 3))


class Counting(httpx.AsyncBaseTransport):
    """The sandbox as a transport that notes what it was asked, and breaks as told."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.requests: list[httpx.Request] = []
        self.broken = 0
        self._inner = httpx.ASGITransport(app=sandbox_app(sandbox))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.broken:
            self.broken -= 1
            raise httpx.ReadError("closed", request=request)
        return await self._inner.handle_async_request(request)


@dataclass
class Rig:
    """The parts."""

    site: Site = field(default_factory=Site)
    time: Time = field(default_factory=Time)
    notes: list[str] = field(default_factory=list)
    contact: str = "https://wiki.example.com"

    def __post_init__(self) -> None:
        self.sandbox = Sandbox(self.site)
        self.way = Counting(self.sandbox)
        self.reader = Reader(
            self.way,
            "http://soe",
            pace=Pace(RATE, sleep=self.time.sleep, now=self.time.now),
            credentials=CREDENTIALS,
            purpose="seed",
            contact=self.contact,
            note=self.notes.append,
        )

    def next(self, count: int = 1, **behaviour: Any) -> None:
        """How the next requests are answered."""
        self.sandbox.next = Behaviour(reads=True, count=count, **behaviour)

    def ask(self, title: str, body: str, team: str | None = None) -> Post:
        """Write a question as somebody."""
        space = self.site.space(team)
        return self.site.add(space, "question", self.site.user_of("x"), title=title, body=body)

    def answer(self, question: Post, body: str, team: str | None = None) -> Post:
        """Write an answer as somebody."""
        person = self.site.user_of("y")
        return self.site.add(self.site.space(team), "answer", person, body=body, parent=question.id)

    def ask_many(self, count: int) -> None:
        """Write questions, a second apart."""
        for number in range(count):
            post = self.ask(
                f"How do I mend part {number}?", f"It is the part with number {number}."
            )
            self.age(post, count - number)

    def age(self, post: Post, seconds: float) -> None:
        """Let a post be older."""
        post.created = post.created.fromtimestamp(
            post.created.timestamp() - seconds, post.created.tzinfo
        )
        post.answered = post.edited = None

    def asked(self, name: str) -> list[str]:
        """What was given as a parameter, request by request."""
        return [str(request.url.params.get(name)) for request in self.way.requests]


async def read(
    source: Source, position: Position | None = None
) -> tuple[list[Published], Position]:
    """Everything that a source gives from a position on, and where it ended."""
    posts: list[Published] = []
    at: Position = position or {}
    async for batch in source.batches(at):
        posts += batch.posts
        at = batch.position
    return posts, at


def numbers(posts: Sequence[Published]) -> list[str]:
    """Which posts they are."""
    return [post.post for post in posts]
