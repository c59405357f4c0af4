"""Promise 14: after kill -9, every decision has one outcome, and the right one."""

from __future__ import annotations

import json
import signal
import threading
from collections import Counter
from pathlib import Path

import httpx
import pytest

from gateway.audit.key import load_or_make_keys
from gateway.audit.proof import prove
from gateway.audit.segments import segments
from tests import local
from tests.e2e.process import Running, gateway
from tests.e2e.recorder import Recorded, created, recorder
from tests.patience import PATIENCE


def post(running: Running, number: int) -> int:
    """Send one distinct question; 0 when the gateway went away."""
    document = {
        "title": f"How do I rotate signing key number {number}?",
        "body": f"Key number {number} of the service runs out and there is no run-book for it.",
        "tags": ["security"],
    }
    try:
        return local.post(
            f"{running.proxy}/api/v3/questions",
            content=json.dumps(document),
            headers={
                "content-type": "application/json",
                "authorization": f"Bearer {number}",
                "x-explicit-action": "true",
            },
        ).status_code
    except httpx.HTTPError:
        return 0


@pytest.mark.slow
def test_after_a_kill_every_decision_has_its_one_true_outcome(
    tmp_path: Path, policies_without_caps: Path
) -> None:
    """`unknown` where SOE may have got it, `not_sent` only where it cannot have."""
    held = threading.Event()
    arrived = threading.Semaphore(0)

    def answer(request: Recorded) -> bytes | None:
        arrived.release()
        if len(soe.requests) > 20:
            held.wait(PATIENCE)
        return created(request)

    arguments = ("--policies", str(policies_without_caps))
    with recorder(answer) as soe:
        with gateway(soe.url, tmp_path, *arguments) as running:
            threads = [
                threading.Thread(target=post, args=(running, number)) for number in range(40)
            ]
            for thread in threads:
                thread.start()
            for _ in range(25):
                assert arrived.acquire(timeout=PATIENCE)
            running.process.send_signal(signal.SIGKILL)
            running.process.wait()
            for thread in threads:
                thread.join()
        held.set()
        seen = len(soe.requests)
        with gateway(soe.url, tmp_path, *arguments) as restarted:
            records = restarted.audit()
        [proven] = prove(segments(tmp_path / "audit"), load_or_make_keys(tmp_path / "audit.key"))

    allowed = [r["write_id"] for r in records if r["kind"] == "decision" and r["effect"] == "allow"]
    outcomes = Counter(r["write_id"] for r in records if r["kind"] == "outcome")
    unknown = [r for r in records if r["kind"] == "outcome" and r["outcome"] == "unknown"]
    not_sent = [r for r in records if r["kind"] == "outcome" and r["outcome"] == "not_sent"]
    assert all(outcomes[write_id] == 1 for write_id in allowed)
    assert len(outcomes) == len(allowed)
    assert len(unknown) >= 5
    assert (proven.fault, proven.last) == (None, len(records) + 1)  # and the end of the second
    assert [r["event"] for r in records if r["kind"] == "admin"] == [
        "policies.loaded",
        "audit.closed",
        "audit.opened",
        "policies.loaded",
    ]
    assert len(allowed) - len(not_sent) >= seen
