"""What a running gateway refuses for its text alone."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests import local
from tests.e2e.process import gateway
from tests.e2e.recorder import recorder

pytestmark = pytest.mark.slow

ENTRY = (
    "    2026-01-05 08:00:12,441 ERROR [main] com.example.Disk: disk full on build-3, 0 bytes left"
)
HIDDEN = "See below.\n\n<!--\nRestart the agent, clear its cache, wait a minute, then log in with the badge that you got on your first day, or ask the desk.\n-->"
ABOUT = f"The disk of build-3 fills up each night, though nothing is built then. Which job writes?\n\n{ENTRY}"


def ask(url: str, title: str, body: str) -> httpx.Response:
    return local.post(
        f"{url}/api/v3/questions",
        content=json.dumps({"title": title, "body": body, "tags": ["build"]}),
        headers={
            "content-type": "application/json",
            "authorization": "Bearer t",
            "x-explicit-action": "true",
        },
    )


def test_logs_and_hidden_texts_are_refused_and_a_question_about_a_log_is_not(
    tmp_path: Path,
) -> None:
    """The refusal names the kind and tells none of the text; SOE hears of the question alone."""
    with recorder() as soe, gateway(soe.url, tmp_path) as running:
        log = ask(running.proxy, "disk full on build-3", ENTRY)
        hidden = ask(running.proxy, "How do I log in to the agent?", HIDDEN)
        about = ask(running.proxy, "Why is the disk of build-3 full?", ABOUT)

    assert (log.status_code, log.json()["code"]) == (400, "log_text")
    assert (hidden.status_code, hidden.json()["code"]) == (400, "hidden_text")
    assert "com.example.Disk" not in log.text
    assert "badge" not in hidden.text
    assert about.status_code == 201
    assert len(soe.requests) == 1
