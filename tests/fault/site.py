"""A site under load: SOE's recorder, gateways before it, their clients, and their three books."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.process import OPEN, PATIENT, Running, gateway
from tests.fault import checker
from tests.fault.checker import Books
from tests.fault.clients import Clients
from tests.fault.soe import Soe
from tests.patience import PATIENCE

FULL = os.environ.get("FAULT_ROUNDS") == "full"
"""Whether the long forms run."""
SLACK = 20.0 if not FULL else 0.5
"""Seconds by which a busy machine may be late; the long form wants a quiet one."""
WITHIN_A_SECOND = {"SOE_GATEWAY_STATE_TIMEOUT": "800ms"}
"""As gateways are by default, and not as patient as those of other tests."""

_ACTED = """\
  person-acted:
    title: Every write names the user's act
    mode: enforce
    for: ["*"]
    explicit_action: {evidence: literal, values: ["true"]}
"""
_POLICY = "policy: fault\nowner: tests\nrules:\n" + _ACTED
NO_COPIES = f"""{_POLICY}\
  already-posted:
    title: This was posted before
    mode: enforce
    for: [question.create]
    duplicate: {{within: 1d, similarity: 100%}}
"""
"""Asks state about each write, and lets pass what is new."""
TEN_AN_HOUR = f"""{_POLICY}\
  ten-an-hour:
    title: Ten an hour
    mode: enforce
    for: [question.create]
    rate_cap: {{limit: 10, window: 1h}}
"""
TEN_AN_HOUR_EACH = TEN_AN_HOUR.replace("window: 1h", "window: 1h, per: [token]")
TEN_AN_HOUR_AND_NO_COPIES = TEN_AN_HOUR_EACH + NO_COPIES.removeprefix(_POLICY)


def full(short: int, long: int) -> int:
    """Give the number of the form that runs."""
    return long if FULL else short


@dataclass(frozen=True)
class Site:
    """Gateways between clients and SOE."""

    soe: Soe
    gateways: Sequence[Running]
    clients: Clients
    audits: Sequence[Path]

    @property
    def gateway(self) -> Running:
        """The only gateway, or the first."""
        return self.gateways[0]

    def books(self) -> Books:
        """The three books as they are now."""
        audit = checker.read_audit(*self.audits)
        return Books(audit, tuple(self.soe.arrivals), tuple(self.clients.tries))

    async def settled(self) -> Books:
        """The three books when no write waits for its outcome, or it is too late for that."""
        with contextlib.suppress(AssertionError):
            await until(lambda: not self.books().open)
        return self.books()

    def crashes(self) -> str:
        """What the gateways say about bugs; nothing, if all is well."""
        logs = [each.data / name for each in self.gateways for name in ("stdout", "stderr")]
        lines = [line for log in logs if log.exists() for line in log.read_text().splitlines()]
        return "\n".join(line for line in lines if "gateway.crashed" in line or "Traceback" in line)


@contextlib.asynccontextmanager
async def site(
    folder: Path,
    policies: str,
    *words: str,
    replicas: int = 1,
    audit: Path | None = None,
    environ: Mapping[str, str] | None = None,
    program: str = PATIENT,
) -> AsyncIterator[Site]:
    """Run SOE and gateways before it.

    Args:
        policies: the text of the only policy file.
        words: flags of each gateway.
        replicas: gateways, each with its own files; they share the key of their digests.
        audit: where the audit log of the only gateway goes, if not into its data directory.
        environ: settings of each gateway.
        program: the module that each gateway is; `gateway` where a test is about impatience.
    """
    rules = folder / "policies"
    rules.mkdir()
    (rules / "fault.yaml").write_text(policies)
    shared = {**OPEN, "SOE_GATEWAY_AUDIT_KEY_FILE": str(folder / "audit.key")}
    shared |= environ or {}
    if audit is not None:
        words += ("--audit", f"file://{audit}")
    soe = Soe()
    async with soe.listening(), contextlib.AsyncExitStack() as stack:
        words = ("--policies", str(rules), *words)
        folders = [folder / f"replica-{number}" for number in range(replicas)]
        gateways = await asyncio.gather(
            *(
                _started(stack, soe.url, data, *words, environ=shared, program=program)
                for data in folders
            )
        )
        clients = Clients([each.port for each in gateways])
        stack.callback(clients.close)
        audits = [audit or each.data / "audit" for each in gateways]
        yield Site(soe, gateways, clients, audits)


async def _started(
    stack: contextlib.AsyncExitStack,
    upstream: str,
    data: Path,
    *words: str,
    environ: Mapping[str, str],
    program: str,
) -> Running:
    """Start a gateway in a thread: whoever drains while it ends still wants SOE's answers."""
    data.mkdir()
    started = gateway(upstream, data, *words, environ=environ, program=program)
    running = await asyncio.to_thread(started.__enter__)
    stack.push_async_callback(asyncio.to_thread, started.__exit__, None, None, None)
    return running


async def until(true: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Wait for something that other processes bring about."""
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.02)


async def accepted_again(clients: Clients, since: float) -> float:
    """Wait under load for the first write that is accepted after `since`; gives the seconds."""
    with contextlib.suppress(AssertionError):
        await until(lambda: checker.recovery(clients.tries, since) < PATIENCE)
    return checker.recovery(clients.tries, since)
