"""The way of a write that is held, confirmed by a person, and passes once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.policy.load import load
from gateway.ports import Administered
from gateway.proxy.hold import ANYBODY, Hold, Status, Visitor
from gateway.state import Terms, open_store
from gateway.state.memory import MemoryStore
from gateway.state.redis import RedisStore
from tests.patience import PATIENCE
from tests.proxy.rig import BROKEN, NOT_FOUND, OK, Broken, Rig, Scripted, build
from tests.servers import Valkey

Answer = tuple[int, dict[bytes, bytes], bytes]

TOKEN = b"of-jane"
LINK = "f" * 31 + "0"
"""The first hold's."""
TERMS = Terms(keep=86_400.0, timeout=PATIENCE)
JANE = Visitor(email="jane@example.com")
HOLDS = """\
policy: people-look
owner: knowledge-team
rules:
  looked-at: {title: Somebody looks, mode: hold, for: ["question.*"], if: {title: {contains: rotate}}, fix: Say it otherwise.}
"""
FEW = (
    '  few: {title: Few, mode: hold, for: ["question.create"], rate_cap: {limit: 1, window: 1m}}\n'
)
NEVER = (
    '  never: {title: Never, mode: enforce, for: ["question.*"], if: {title: {contains: key}}}\n'
)
COPIES = (
    "  no-copy: {title: No copies, mode: MODE, for: [question.create], duplicate: {within: 1d}}\n"
)
SEEN = '  seen: {title: Seen, mode: MODE, for: ["*"], explicit_action: {evidence: confirmed}}\n'


def under(rig: Rig, rules: str) -> None:
    """Put policies into force."""
    directory = rig.directory.parent / "policies"
    (directory / "tests.yaml").write_text(rules)
    rig.app.policies.current = load(directory, today=date(2026, 11, 24))


@pytest.fixture
def held(rig: Rig) -> Rig:
    """A gateway whose rule holds what the rig sends."""
    under(rig, HOLDS)
    return rig


def document(answer: Answer) -> dict[str, Any]:
    """What an answer says."""
    told: dict[str, Any] = json.loads(answer[2])
    return told


def hold_id(answer: Answer) -> str:
    """The hold that an answer names."""
    return str(document(answer)["confirm_url"]).rpartition("/")[2]


async def ask(rig: Rig, **changes: Any) -> Answer:
    """Send what is held, as Jane."""
    return await rig.send(**({"token": TOKEN} | changes))


async def confirm(rig: Rig, answer: Answer, by: Visitor = JANE) -> Hold:
    """Let somebody confirm what an answer names."""
    answered = await rig.app.pipeline.confirming.holds.confirm(hold_id(answer), by)
    assert answered.done, answered
    assert answered.hold is not None
    return answered.hold


async def status_of(rig: Rig, answer: Answer) -> str:
    """How far the hold is that an answer names."""
    hold = await rig.app.pipeline.confirming.holds.get(hold_id(answer))
    return hold.status if hold is not None else "gone"


async def test_v3_is_told_where_it_is_confirmed(held: Rig) -> None:
    """In members of the document, and in the text that is all that most clients show."""
    answer = await ask(held)

    told = document(answer)
    assert (answer[0], told["code"]) == (403, "confirmation_required")
    assert told["confirm_url"] == f"http://gateway/_gateway/holds/{LINK}"
    assert told["status_url"] == f"{told['confirm_url']}/status"
    assert told["confirm_url"] in told["detail"]
    assert told["status_url"] in told["detail"]
    assert "Say it otherwise." in told["detail"]
    assert b"retry-after" not in answer[1]
    assert held.received == []
    assert [each["effect"] for each in held.records("decision")] == ["hold"]


async def test_v23_is_told_the_same_in_its_wrapper(held: Rig) -> None:
    """`access_denied`, with both addresses in the text."""
    form = {"title": "How do I rotate it?", "body": "It ends.", "tags": "a", "key": "k", "access_token": "of-jane"}  # fmt: skip
    answer = await held.send(target=b"/api/2.3/questions/add", form=form, token=None)

    told = document(answer)
    assert (answer[0], told["error_id"], told["error_name"]) == (400, 403, "access_denied")
    assert told["confirm_url"] in told["error_message"]
    assert told["status_url"] in told["error_message"]
    assert "backoff" not in told
    hold = await held.app.pipeline.confirming.holds.get(hold_id(answer))
    assert hold is not None
    assert hold.person is not None  # the token stood in the form


@pytest.mark.parametrize(
    ("host", "url"),
    [
        (b"gateway.example.com:8443", "http://gateway.example.com:8443/_gateway/holds/"),
        (b"[::1]:8080", "http://[::1]:8080/_gateway/holds/"),
        (b"user@evil.example.com", "/_gateway/holds/"),
        (b"evil.example.com/path", "/_gateway/holds/"),
        (b'a"b', "/_gateway/holds/"),
        (b"\xff", "/_gateway/holds/"),
    ],
)
async def test_addresses_are_as_the_request_named_the_gateway(
    held: Rig, host: bytes, url: str
) -> None:
    """Where that is a plain host; else they are relative."""
    answer = await ask(held, host=host)

    assert str(document(answer)["confirm_url"]).startswith(url)


async def test_a_public_url_goes_before_what_the_request_says(held: Rig) -> None:
    """Behind a balancer nothing else is right."""
    object.__setattr__(held.app.pipeline.confirming, "public_url", "https://gateway.example.com")
    told = document(await ask(held))

    assert told["confirm_url"].startswith("https://gateway.example.com/_gateway/holds/f")


@pytest.mark.parametrize(
    ("prefer", "status"),
    [(b"respond-async", 202), (b"wait=5, Respond-Async; x=1", 202), (b"respond-sync", 403)],
)
async def test_who_prefers_it_is_answered_202(held: Rig, prefer: bytes, status: int) -> None:
    """With the same document, and where to look."""
    answer = await ask(held, fields=((b"prefer", prefer),))

    told = document(answer)
    assert (answer[0], told["status"], told["code"]) == (status, status, "confirmation_required")
    is_async = status == 202
    assert (answer[1].get(b"preference-applied") == b"respond-async") == is_async
    assert (answer[1].get(b"location") == told["status_url"].encode()) == is_async
    assert held.received == []


async def test_what_was_confirmed_passes_once(held: Rig) -> None:
    """The next identical request; the one after that needs another confirmation."""
    first = await ask(held)
    await confirm(held, first)
    passed = await ask(held)
    third = await ask(held)

    assert [passed[0], third[0]] == [201, 403]
    assert hold_id(third) != hold_id(first)
    assert len(held.received) == 1
    assert await status_of(held, first) == Status.USED


async def test_the_record_says_whose_confirmation_it_passed_by(held: Rig) -> None:
    """By a pseudonym, and by the decision that held it; the link stands nowhere."""
    first = await ask(held)
    await confirm(held, first)
    await ask(held)

    before, after = held.records("decision")
    [told] = held.records("admin")
    assert before["confirmed"] is None
    assert after["effect"] == "allow"
    assert [each.get("consented") for each in after["findings"]] == [True]
    assert after["confirmed"] == {
        "hold": before["write_id"],
        "by": told["by"],
        "known": "person",
        "rules": ["looked-at"],
    }
    log = b"".join(path.read_bytes() for path in held.directory.iterdir())
    assert b"jane" not in log
    assert hold_id(first).encode() not in log


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "How do I rotate another key?"},
        {"target": b"/api/v3/questions?x=1"},
        {"token": b"of-max"},
        {"target": b"/api/v3/teams/payments/questions"},
    ],
)
async def test_another_request_does_not_pass_by_it(held: Rig, changes: dict[str, Any]) -> None:
    """Another text, target, token or operation."""
    await confirm(held, await ask(held))
    answer = await ask(held, **changes)

    assert answer[0] == 403
    assert held.received == []


async def test_a_rule_that_holds_since_asks_anew(held: Rig) -> None:
    """It is not in the consent; then both are, and the write passes."""
    first = await ask(held)
    await confirm(held, first)
    under(
        held, HOLDS + '  new: {title: New, mode: hold, for: ["*"], if: {title: {contains: key}}}\n'
    )
    second = await ask(held)
    hold = await confirm(held, second)
    passed = await ask(held)

    assert [first[0], second[0], passed[0]] == [403, 403, 201]
    assert [each.rule for each in hold.rules] == ["looked-at", "new"]
    assert await status_of(held, first) == "gone"


async def test_a_rule_that_enforces_stands_whoever_confirmed(held: Rig) -> None:
    """Zero bytes go out, and the confirmation is not used up by it."""
    first = await ask(held)
    await confirm(held, first)
    under(held, HOLDS + NEVER)
    refused = await ask(held)
    under(held, HOLDS)
    passed = await ask(held)

    assert [refused[0], document(refused)["code"], passed[0]] == [400, "condition_met", 201]
    assert len(held.received) == 1


async def test_what_another_rule_refuses_is_not_opened(held: Rig) -> None:
    """Nobody is asked about what will not pass anyway."""
    under(held, HOLDS + NEVER)
    answer = await ask(held)

    assert "confirm_url" not in document(answer)
    assert await held.app.pipeline.store.notes.names("hold", 9, 0.0) == []


@pytest.mark.parametrize(
    ("soe", "again"), [(NOT_FOUND, 201), (BROKEN, 201), (None, 201), (OK, 403)]
)
async def test_what_did_not_happen_leaves_the_confirmation(
    held: Rig, soe: bytes | None, again: int
) -> None:
    """So does what nobody knows, once: state counts both as one write."""
    await confirm(held, await ask(held))
    held.answers.append(soe)
    await ask(held)

    assert (await ask(held))[0] == again


async def test_what_nobody_knows_twice_needs_a_person_again(held: Rig) -> None:
    """A third may be a second copy."""
    await confirm(held, await ask(held))
    held.answers += [None, None]
    answers = [(await ask(held))[0] for _ in range(3)]

    assert answers == [504, 504, 403]
    assert len(held.received) == 2


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def over(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """A gateway whose rule holds what it is sent, over each engine."""
    soe = Scripted()
    listening = await asyncio.start_server(soe.serve, "127.0.0.1", 0)
    store: Administered
    if request.param == "redis":
        server: Valkey = request.getfixturevalue("valkey")
        server.ask("FLUSHALL")
        store = RedisStore(server.url, TERMS, stamped=True)
    else:
        urls = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path / 'state.db'}"}
        store = open_store(urls[request.param], TERMS)
    rig = build(tmp_path, listening.sockets[0].getsockname()[1], store, soe)
    under(rig, HOLDS)
    yield rig
    await rig.audit.close()
    await store.close()
    listening.close()


async def test_of_two_at_once_one_passes(over: Rig) -> None:
    """The other is told that it is on its way."""
    await confirm(over, await ask(over))
    statuses = sorted(each[0] for each in await asyncio.gather(ask(over), ask(over)))

    assert statuses == [201, 409]
    assert len(over.received) == 1


async def test_without_state_nothing_is_held_and_nothing_passes(tmp_path: Path) -> None:
    """503: nobody could confirm it, and nobody knows whether somebody did."""
    rig = build(tmp_path, 1, Broken(), Scripted())
    under(rig, HOLDS)
    answer = await ask(rig)
    await rig.audit.close()

    told = document(answer)
    assert (answer[0], told["code"], answer[1][b"retry-after"]) == (503, "state_unavailable", b"5")
    assert rig.received == []
    [record] = rig.records("decision")
    assert record["effect"] == "refuse"


async def test_too_many_at_a_time_are_refused(held: Rig) -> None:
    """429, which says when there is room."""
    confirming = held.app.pipeline.confirming
    object.__setattr__(confirming.holds, "per_integration", 1)
    await ask(held)
    answer = await ask(held, title="How do I rotate the second one?")

    assert (answer[0], document(answer)["code"]) == (429, "too_many_holds")
    assert answer[1][b"retry-after"] == b"900"


async def test_a_dry_run_and_a_preview_hold_nothing(held: Rig) -> None:
    """They are told that the post itself would be."""
    form = {"title": "How do I rotate it?", "body": "It ends.", "tags": "a", "preview": "true", "key": "k", "access_token": "of-jane"}  # fmt: skip
    preview = await held.send(target=b"/api/2.3/questions/add", form=form, token=None)
    dry = await ask(held, fields=((b"x-gateway-dry-run", b"true"),))

    assert document(preview)["code"] == "confirmation_required"
    assert "It is held until a person confirms it." in document(preview)["error_message"]
    assert (document(dry)["effect"], document(dry)["status"]) == ("hold", 403)
    assert await held.app.pipeline.store.notes.names("hold", 9, 0.0) == []


async def test_a_dry_run_does_not_use_a_confirmation(held: Rig) -> None:
    """It asks what would become of the write if nobody had confirmed it."""
    await confirm(held, await ask(held))
    dry = await ask(held, fields=((b"x-gateway-dry-run", b"true"),))

    assert document(dry)["effect"] == "hold"
    assert (await ask(held))[0] == 201


async def test_an_answer_that_was_lost_is_given_again(held: Rig) -> None:
    """The same request is not held anew: it was confirmed, and written."""
    await confirm(held, await ask(held))
    held.leaves = True
    await ask(held)
    held.leaves = False
    again = await ask(held)

    assert (again[0], again[1][b"idempotent-replayed"]) == (201, b"true")
    assert len(held.received) == 1


async def test_a_key_finds_the_answer_of_what_was_confirmed(held: Rig) -> None:
    """A hold frees the key, and what passed by it is repeated under it."""
    fields = ((b"idempotency-key", b"k"),)
    await confirm(held, await ask(held, fields=fields))
    passed = await ask(held, fields=fields)
    again = await ask(held, fields=fields)

    assert (passed[0], again[0], passed[2]) == (201, 201, again[2])
    assert again[1][b"idempotent-replayed"] == b"true"
    assert len(held.received) == 1


async def test_where_nobody_knows_who_acts_that_is_told(held: Rig) -> None:
    """To sign in would help nobody; who answers for the rule is named."""
    answer = await ask(held, token=b"nobody-knows")

    assert "knowledge-team" in document(answer)["detail"]
    assert "SOE does not tell who" in document(answer)["detail"]


async def test_what_was_declined_stays_declined(held: Rig) -> None:
    """The same request is not put before him again while it lasts."""
    first = await ask(held)
    await held.app.pipeline.confirming.holds.decline(hold_id(first), JANE)
    second = await ask(held, fields=((b"prefer", b"respond-async"),))
    held.clock.at += 900.0
    third = await ask(held)

    assert (second[0], document(second)["code"]) == (403, "confirmation_declined")
    assert hold_id(second) == hold_id(first)
    assert document(third)["code"] == "confirmation_required"
    assert hold_id(third) != hold_id(first)


async def test_what_is_confirmed_by_now_is_to_be_sent_again(held: Rig) -> None:
    """Where it was judged a moment before."""
    first = await ask(held)
    confirming = held.app.pipeline.confirming
    object.__setattr__(held.app.pipeline, "confirming", _Slow(confirming, first))
    second = await ask(held)

    assert "send the same request again" in document(second)["detail"]


class _Slow:
    """Takes nothing, and has confirmed it a moment later."""

    def __init__(self, real: Any, first: Answer) -> None:
        self._real, self._first = real, first

    async def take(self, *_: Any) -> None:
        await self._real.holds.confirm(hold_id(self._first), JANE)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


async def test_a_cap_that_was_confirmed_is_passed(held: Rig) -> None:
    """And charged for what passed by it."""
    under(held, f"policy: p\nowner: o\nrules:\n{FEW}")
    assert (await ask(held, title="First"))[0] == 201
    over = await ask(held, title="Second")
    await confirm(held, over)
    passed = await ask(held, title="Second")

    assert [over[0], passed[0]] == [403, 201]


async def test_what_was_held_is_no_copy_of_itself(held: Rig) -> None:
    """A held text was not refused: it is not remembered before it passes."""
    holding, enforcing = COPIES.replace("MODE", "hold"), COPIES.replace("MODE", "enforce")
    both = holding + enforcing.replace("no-copy", "no-copy-at-all").replace("1d", "1h")
    under(held, f"policy: p\nowner: o\nrules:\n{both}")
    assert (await ask(held))[0] == 201
    held.clock.at += 7200.0
    over = await ask(held, token=b"of-max")
    await confirm(held, over, Visitor(email="max@example.com"))
    passed = await ask(held, token=b"of-max")

    assert [over[0], passed[0]] == [403, 201]


@pytest.mark.parametrize("mode", ["enforce", "hold"])
async def test_evidence_that_a_person_confirmed_is_asked_of_him(held: Rig, mode: str) -> None:
    """No header stands for it; what he confirmed passes once."""
    under(held, f"policy: p\nowner: o\nrules:\n{SEEN.replace('MODE', mode)}")
    first = await ask(held)
    await confirm(held, first)
    passed = await ask(held)
    again = await ask(held)

    assert [first[0], passed[0], again[0]] == [403, 201, 403]
    found = held.records("decision")[1]["findings"][0]
    assert (found["result"], found.get("consented")) == ("pass", None)


async def test_whoever_has_the_link_is_not_the_acting_person(held: Rig) -> None:
    """A link that was opened is no evidence that a person posts this."""
    link = 'looked-at: {title: L, mode: hold, approver: link, for: ["*"], if: {title: {contains: rotate}}}'
    under(held, f"policy: p\nowner: o\nrules:\n  {link}\n")
    first = await ask(held)
    await confirm(held, first, ANYBODY)
    act = '  acted: {title: A, mode: enforce, for: ["*"], explicit_action: {evidence: literal}}\n'
    under(held, f"policy: p\nowner: o\nrules:\n  {link}\n{act}")
    unsaid = await ask(held, act=False)

    assert (unsaid[0], document(unsaid)["code"]) == (403, "explicit_action")
    assert (await ask(held))[0] == 201


async def test_what_a_person_confirmed_needs_no_header(held: Rig) -> None:
    """A higher level satisfies a lower demand."""
    await confirm(held, await ask(held))
    act = '  acted: {title: A, mode: enforce, for: ["*"], explicit_action: {evidence: asserted}}\n'
    under(held, HOLDS + act)

    assert (await ask(held, act=False))[0] == 201


async def test_an_act_that_was_held_is_told_by_the_same_reference(held: Rig) -> None:
    """A reference is used once, by what passes: the same request brings it again."""
    act = '  acted: {title: A, mode: enforce, for: ["*"], explicit_action: {evidence: asserted, members: [ref]}}\n'
    link = HOLDS.replace("mode: hold", "mode: hold, approver: link")
    under(held, link + act)
    told = b'act="click", at=@%d, ref="slack:1"' % held.clock.at
    fields = ((b"x-explicit-action", told),)
    first = await ask(held, act=False, fields=fields)
    await confirm(held, first, ANYBODY)
    passed = await ask(held, act=False, fields=fields)

    assert [first[0], passed[0]] == [403, 201]


async def test_the_audit_log_away_leaves_the_confirmation(
    held: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was sent, so nothing was used."""
    from gateway.errors import AuditError

    await confirm(held, await ask(held))

    def fail(_: bytes) -> None:
        raise AuditError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(held.audit._sinks[0], "append", fail)
        assert (await ask(held))[0] == 503

    assert (await ask(held))[0] == 201


async def test_programs_are_told_how_far_it_is(held: Rig) -> None:
    """Nothing of the post, and nobody's name."""
    first = await ask(held)
    target = f"/_gateway/holds/{hold_id(first)}/status".encode()
    open_ = await held.send(method="GET", target=target)
    await confirm(held, first)
    confirmed = await held.send(method="GET", target=target)
    await ask(held)
    used = await held.send(method="GET", target=target)

    told = document(open_)
    assert [document(each)["status"] for each in (open_, confirmed, used)] == [
        "open",
        "confirmed",
        "used",
    ]
    assert told["until"] == held.clock.at + 900.0
    assert told["approver"] == "person"
    assert [each["rule"] for each in told["rules"]] == ["looked-at"]
    assert told["decision_id"] == document(first)["decision_id"]
    for each in (open_, confirmed, used):
        assert b"signing key" not in each[2]
        assert b"ane" not in each[2]
        assert each[1][b"cache-control"] == b"no-store"


async def test_a_status_of_nothing_is_not_there(held: Rig) -> None:
    """404, and 405 for who wants to write it."""
    gone = await held.send(method="GET", target=b"/_gateway/holds/nothing/status")
    wrong = await held.send(method="POST", target=b"/_gateway/holds/nothing/status")

    assert (gone[0], document(gone)["code"]) == (404, "no_hold")
    assert wrong[0] == 405


async def test_a_status_without_state_is_told_later(tmp_path: Path) -> None:
    """503 with Retry-After."""
    rig = build(tmp_path, 1, Broken(), Scripted())
    answer = await rig.send(method="GET", target=b"/_gateway/holds/" + b"0" * 32 + b"/status")
    await rig.audit.close()

    assert (answer[0], answer[1][b"retry-after"]) == (503, b"5")


async def test_what_no_rule_could_hold_asks_for_no_note(rig: Rig) -> None:
    """Who holds nothing pays nothing for it."""
    under(rig, HOLDS.replace("mode: hold", "mode: observe"))
    object.__setattr__(rig.app.pipeline.confirming.holds, "store", Broken())

    assert (await ask(rig))[0] == 201
    assert not [event for event, _ in rig.log.events if event == "state.failed"]


async def test_other_writes_of_a_held_operation_pass(held: Rig) -> None:
    """A rule that may hold concerns what it holds."""
    assert (await ask(held, title="Where is the guide?"))[0] == 201
    assert isinstance(held.app.pipeline.store, MemoryStore)
