"""Starters for tests: a write, what was there before it, and what the audit log tells of one."""

from __future__ import annotations

from typing import Any

from gateway.audit.index.entries import Entry, Place
from gateway.model import Api, Fingerprint, Outcome, Post, Remembered, Write

PRINT = Fingerprint(text="t" * 32, event="e" * 32, words=20)


def a_write(**changes: Any) -> Write:
    """A question that a known integration asks."""
    usual: dict[str, Any] = {
        "id": "w1",
        "at": 1_795_000_000.0,
        "integration": "help-bot",
        "tier": "probation",
        "token": "token-1",
        "api": Api.V3,
        "operation": "question.create",
        "publishes": True,
        "post": Post(title="How do I rotate the key?", body="It runs out.", tags=("keys",)),
        "fingerprint": PRINT,
        "actions": ("true",),
        "user_agent": "help-bot/1.0",
        "request": "r1",
    }
    return Write(**(usual | changes))


def a_post(**changes: Any) -> Remembered:
    """An earlier post that SOE took."""
    usual: dict[str, Any] = {
        "write_id": "w0",
        "at": 1_794_999_000.0,
        "pending": False,
        "outcome": Outcome.OK,
        "integration": "other-bot",
        "token": "token-0",
        "author": "token:token-0",
        "operation": "question.create",
        "team": None,
        "thread": None,
        "post": "question/1",
        "url": "https://soe.example.com/q/1",
        "request": "r0",
    }
    return Remembered(**(usual | changes))


def an_entry(**changes: Any) -> Entry:
    """An answer of a known integration, as the audit log tells it, that was allowed and is not settled."""
    usual: dict[str, Any] = {
        "id": "w0",
        "at": 1_795_000_000.0,
        "integration": "help-bot",
        "person": None,
        "person_name": None,
        "on_word_of": None,
        "operation": "answer.create",
        "team": None,
        "thread": None,
        "target": None,
        "effect": "allow",
        "revision": "r1",
        "found": (),
        "outcome": None,
        "post": None,
        "url": None,
        "upstream_status": None,
        "latency": None,
        "turn": 1,
        "place": Place("w", 1, 0),
    }
    return Entry(**(usual | changes))
