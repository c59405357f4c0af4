"""What a test plays is what the running gateway decides: the same stories, sent as requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.model import Api, Outcome, Person
from gateway.offline.testing.cases import Case
from gateway.offline.testing.expect import Met
from gateway.offline.testing.play import play
from gateway.offline.testing.requests import write_of
from gateway.offline.testing.steps import Step
from gateway.offline.testing.suite import Suite, read_suite
from gateway.policy.registry import Integration, Registry, digest
from gateway.soe.api import BodyKind
from gateway.state.memory import MemoryStore
from tests.docs.pages import blocks
from tests.offline.testing.stories import TODAY
from tests.proxy.rig import Rig, Scripted, build
from tests.recording import confirm_all

MEDIA_TYPES = {
    BodyKind.OBJECT: b"application/json",
    BodyKind.FORM: b"application/x-www-form-urlencoded",
    BodyKind.IDS: b"application/json",
}
Found = list[tuple[str, str, str | None]]


def cookbook(directory: Path) -> Iterator[Suite]:
    """The policies of the cookbook, each beside its integrations."""
    shown = [each.text for each in blocks("yaml") if each.page.name == "cookbook.md"]
    for number, text in enumerate(each for each in shown if each.startswith("policy:")):
        folder = directory / str(number)
        folder.mkdir()
        (folder / "integrations.yaml").write_text(
            next(each for each in shown if each.startswith("integrations:"))
        )
        (folder / "p.yaml").write_text(text)
        yield read_suite(folder, today=TODAY)


def token_of(step: Step) -> str:
    """The token that a step sends, as a header can carry it."""
    facts = step.request.facts
    return facts.get("token", f"token-of-{facts.get('as', 'anonymous')}")


def registry_of(suite: Suite, case: Case) -> Registry:
    """The integrations of a story, known by their keys: a story may let several share a token."""
    names = {step.request.facts.get("as", "") for step in case.steps} - {""}
    known = {each.name: each for each in suite.policies.registry.integrations}
    unknown = Integration(name="", owner="o", contact="c", purpose="p", tier="")
    return Registry(
        [
            replace(known.get(name, unknown), name=name, keys=(digest(key_of(name)),))
            for name in sorted(names)
        ]
    )


def key_of(integration: str) -> bytes:
    return b"key-of-" + integration.encode()


class People:
    """Who acts with a token, as a story says it; else somebody, so that whoever must confirm can."""

    def __init__(self, case: Case) -> None:
        self._names = {
            token_of(step): step.request.facts.get("person", token_of(step)) for step in case.steps
        }

    async def of(self, token: str, api: Api, team: str | None) -> Person:
        """As `ports.Persons.of`."""
        return Person(id=self._names[token], name=self._names[token])


def answer_of(step: Step) -> bytes | None:
    """What SOE says to a step, on the wire; with the number of the new post."""
    if step.saved.silence is not None:
        return None
    noun, _, number = step.written.partition("/")
    item = {"id": int(number), f"{noun}_id": int(number)}
    body = step.saved.body or json.dumps(item | {"items": [item]}).encode()
    head = f"HTTP/1.1 {step.saved.status} X\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def sent(rig: Rig, step: Step) -> None:
    """Send a step as an integration would."""
    request, facts = step.request, step.request.facts
    headers = [
        (b"host", b"gateway"),
        (b"authorization", b"Bearer " + token_of(step).encode()),
        (b"content-length", b"%d" % len(request.body)),
    ]
    if facts.get("as"):
        headers.append((b"x-gateway-key", key_of(facts["as"])))
    if request.body:
        headers.append((b"content-type", MEDIA_TYPES[request.route.endpoint.body]))
    write = write_of(replace(request, facts={**facts, "as": "x"}), {}, id="w", at=step.at)
    headers += [(b"x-explicit-action", act.encode()) for act in write.actions]
    if "key" in facts:
        headers.append((b"idempotency-key", facts["key"].encode()))
    if "user_agent" in facts:
        headers.append((b"user-agent", facts["user_agent"].encode()))
    told = [{"type": "http.request", "body": request.body, "more_body": False}]

    async def receive() -> Any:
        return told.pop(0) if told else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        """Nobody reads the answer: the audit log has it all."""

    scope = {
        "type": "http",
        "method": request.route.endpoint.method,
        "raw_target": request.route.path.encode(),
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "scheme": "http",
    }
    rig.clock.at = step.at
    if step.confirm:
        await confirm_all(rig.app.pipeline.confirming.holds, rig.clock)
    rig.answers[:] = [answer_of(step)]
    await rig.app(scope, receive, send)


def essence(met: Met) -> tuple[str, Found] | None:
    """What was decided in a story, as the audit log would have it."""
    if met.decision is None:
        return None
    found: Found = [
        (f.rule, f.result.value, f.violation.code if f.violation else None)
        for f in met.decision.findings
    ]
    return met.effect.value, found


def recorded(record: dict[str, Any]) -> tuple[str, Found]:
    """The same of a record."""
    found = [(f["rule"], f["result"], f["code"]) for f in record["findings"]]
    return record["effect"], found


def is_sendable(case: Case) -> bool:
    """Whether the rig can do what the story wants of the world."""
    return not any(step.state_down or step.saved.silence is Outcome.NOT_SENT for step in case.steps)


@pytest.mark.slow
async def test_the_running_gateway_decides_as_the_tests_play(tmp_path: Path) -> None:
    """All shipped stories, and all of the cookbook, sent one request after the other."""
    soe = Scripted()
    server = await asyncio.start_server(soe.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    compared = confirmed = 0
    for number, suite in enumerate([read_suite(None, today=TODAY), *cookbook(tmp_path)]):
        for place, case in enumerate(filter(is_sendable, suite.cases)):
            folder = tmp_path / f"rig-{number}-{place}"
            folder.mkdir()
            rig = build(folder, port, MemoryStore(90 * 86_400.0), soe)
            people = People(case)
            confirming = replace(rig.app.pipeline.confirming, persons=people)
            pipeline = replace(rig.app.pipeline, persons=people, confirming=confirming)
            rig.app = replace(rig.app, pipeline=pipeline)
            policies = replace(suite.policies, registry=registry_of(suite, case))
            rig.app.policies.current = policies
            for step in case.steps:
                await sent(rig, step)
            await rig.audit.close()

            [played] = play(policies, [case])
            wanted = [told for met in played.met if (told := essence(met)) is not None]
            assert [recorded(each) for each in rig.records("decision")] == wanted, case.name
            compared += len(wanted)
            confirmed += sum(step.confirm for step in case.steps)
    server.close()

    assert compared > 300
    assert confirmed > 0
