"""What happens is told to log and metrics alike, and no secret with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from gateway.checks import Check
from gateway.checks.rate_cap import RateCap
from gateway.errors import AuditError, PolicyError, Problem, StoreError, UpstreamError
from gateway.model import Decision, Effect, Finding, Mode, Outcome, Result, Settlement, Window
from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer
from gateway.proxy import dry_run, holds, switches
from tests.samples import a_write

ALLOWED = Decision(effect=Effect.ALLOW, revision="r", findings=())


class Log:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def info(self, event: str, **facts: Any) -> None:
        """Keep an event."""
        self.lines.append({"event": event, **facts})

    warning = error = info


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A request that has ended."""

    method: str = "POST"
    operation: str = "question.create"
    integration: str = "help-bot"
    effect: str = "allow"
    code: str = ""
    known_id: str = "w1"
    upstream_seconds: float = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """A rule."""

    id: str
    mode: Mode = Mode.ENFORCE
    check: Check | None = None
    open_on_error: bool = False


@dataclass(frozen=True, slots=True)
class Registered:
    """A registry."""

    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """A policy set."""

    revision: str
    enforcing: bool = True
    shipped: bool = False
    discovering: bool = False
    rules: tuple[Judging, ...] = ()
    registry: Registered = Registered()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """An observer with what it tells."""

    observer: Observer
    metrics: Metrics
    log: Log

    def value(self, name: str, **labels: str) -> float | None:
        """The value of a metric; None where there is no such child."""
        return self.metrics.registry.get_sample_value(f"soe_gateway_{name}", labels)


@pytest.fixture
def seen() -> Seen:
    """An observer over its own metrics and log."""
    metrics, log = Metrics(), Log()
    return Seen(Observer(log, metrics), metrics, log)


def test_a_decision_counts_with_every_finding(seen: Seen) -> None:
    """Observed findings count as well: that is how a rule is tried before it enforces."""
    findings = (
        Finding(rule="cap", check="rate_cap", mode=Mode.OBSERVE, result=Result.FAIL),
        Finding(
            rule="copies", check="duplicate", mode=Mode.ENFORCE, result=Result.ERROR, open=True
        ),
    )
    decision = Decision(effect=Effect.ALLOW, revision="r", findings=findings)
    seen.observer.decided(a_write(), decision)

    labels = {"operation": "question.create", "integration": "help-bot"}
    assert seen.value("decisions_total", effect="allow", **labels) == 1
    assert seen.value("findings_total", rule="cap", mode="observe", result="fail") == 1
    assert seen.value("findings_total", rule="copies", mode="enforce", result="error") == 1
    assert seen.value("rules_open_total", rule="copies") == 1
    assert seen.value("rules_open_total", rule="cap") is None


def test_an_act_that_is_asserted_again_and_again_shows(seen: Seen) -> None:
    """But for its time; another act, or another person, begins anew, and a literal is no act."""

    def told(*actions: str) -> float | None:
        for action in actions:
            seen.observer.decided(a_write(actions=(action,)), ALLOWED)
        return seen.value("constant_action", integration="help-bot")

    assert told("true", "true") is None
    assert told(*(f'act="post", by="bot", at=@{at}' for at in range(1, 4))) == 3
    assert told("true", 'act="post", at=@9, by="bot"', "not (") == 4
    assert told('act="post", by="jane", at=@5') == 1


def test_an_outcome_counts(seen: Seen) -> None:
    """What became of a write is counted once."""
    seen.observer.settled(a_write(), Settlement(outcome=Outcome.OK))

    assert seen.value("outcomes_total", operation="question.create", outcome="ok") == 1


def test_a_request_is_one_line(seen: Seen) -> None:
    """The line has the facts, and neither target, nor header, nor text."""
    seen.observer.finished(Ended(), 201, 512, 0.3)

    assert seen.log.lines == [
        {
            "event": "request.finished",
            "method": "POST",
            "operation": "question.create",
            "integration": "help-bot",
            "status": 201,
            "effect": "allow",
            "code": "",
            "decision_id": "w1",
            "bytes": 512,
            "seconds": 0.3,
            "upstream_seconds": 0.25,
        }
    ]
    assert seen.value("requests_total", kind="write", status="2xx") == 1
    assert seen.value("upstream_seconds_count") == 1
    assert seen.value("added_latency_seconds_sum") == pytest.approx(0.05)


def test_a_request_that_never_left_says_nothing_of_upstream(seen: Seen) -> None:
    """A refusal by the gateway counts its code, and no time of SOE's."""
    seen.observer.finished(Ended(code="unknown_caller", upstream_seconds=0.0), 401, 64, 0.001)

    assert seen.value("request_errors_total", code="unknown_caller") == 1
    assert seen.value("upstream_seconds_count") == 0


def test_only_the_revision_in_force_is_shown(seen: Seen) -> None:
    """After a reload the old revision is gone from the metric."""
    seen.observer.policies_loaded(InForce(revision="r1"))
    seen.observer.policies_loaded(InForce(revision="r2", enforcing=False))

    assert seen.value("policy_info", revision="r1") is None
    assert seen.value("policy_info", revision="r2") == 1
    assert seen.value("policy_reload_success") == 1
    assert seen.value("policy_reloads_total", result="loaded") == 2
    assert (seen.value("policy_last_reload_timestamp_seconds") or 0) > 1_700_000_000
    assert seen.value("enforcing") == 0


def test_rules_are_shown_with_their_checks(seen: Seen) -> None:
    """After a reload only rules that judge are shown: dashboards tell them apart by their checks."""
    cap = RateCap(windows=(Window(limit=1, seconds=60.0),))
    gone = Judging(id="gone", check=cap)
    rules = (
        Judging(id="cap", mode=Mode.OBSERVE, check=cap),
        Judging(id="no-tickets", mode=Mode.WARN),
        Judging(id="off", mode=Mode.DISABLED, check=cap),
    )
    seen.observer.policies_loaded(InForce(revision="r1", rules=(gone,)))
    seen.observer.policies_loaded(InForce(revision="r2", rules=rules))

    (family,) = seen.metrics.rule_info.collect()
    shown = {
        (sample.labels["rule"], sample.labels["check"]): sample.value for sample in family.samples
    }
    assert shown == {("cap", "rate_cap"): 1, ("no-tickets", "conditions"): 1}


def test_rules_that_are_loaded_show_before_they_find_anything(seen: Seen) -> None:
    """A counter that begins at its first event hides that event from who looks at increases."""
    rules = (Judging(id="cap", open_on_error=True), Judging(id="words", mode=Mode.OBSERVE))
    seen.observer.policies_loaded(InForce(revision="r1", rules=rules))

    assert seen.value("findings_total", rule="cap", mode="enforce", result="fail") == 0
    assert seen.value("findings_total", rule="words", mode="observe", result="fail") == 0
    assert seen.value("rules_open_total", rule="cap") == 0
    assert seen.value("rules_open_total", rule="words") is None


def test_what_a_reload_takes_away_is_counted_no_more(seen: Seen) -> None:
    """However often names change, metrics tell of those that are loaded, and of the unknown."""
    cap, words = Judging(id="cap"), Judging(id="words")
    both = Registered(frozenset({"help-bot", "old-bot"}))
    seen.observer.policies_loaded(InForce(revision="r1", rules=(cap, words), registry=both))
    for name in ("help-bot", "old-bot", "anonymous"):
        write = a_write(integration=name, actions=('act="post"',))
        finding = Finding(rule="words", check="", mode=Mode.ENFORCE, result=Result.PASS)
        decision = Decision(effect=Effect.ALLOW, revision="r1", findings=(finding,))
        seen.observer.decided(write, decision)
    one = Registered(frozenset({"help-bot"}))
    seen.observer.policies_loaded(InForce(revision="r2", rules=(cap,), registry=one))
    seen.observer.decided(a_write(), ALLOWED)
    left = {"operation": "question.create", "effect": "allow"}

    assert seen.value("decisions_total", integration="help-bot", **left) == 2
    assert seen.value("decisions_total", integration="anonymous", **left) == 1
    assert seen.value("decisions_total", integration="old-bot", **left) is None
    assert seen.value("constant_action", integration="old-bot") is None
    assert seen.value("findings_total", rule="words", mode="enforce", result="pass") is None
    assert seen.value("findings_total", rule="cap", mode="enforce", result="pass") == 0


@pytest.mark.parametrize("rule", [dry_run.RULE, holds.RULE, switches.RULE])
def test_what_no_policy_names_outlives_a_reload(seen: Seen, rule: str) -> None:
    """The gateway's own caps and findings show on: a cap is not set again until it changes."""
    seen.metrics.cap_used.labels(rule, "anonymous").set(0.25)
    seen.metrics.findings.labels(rule, "enforce", "fail").inc()
    seen.observer.policies_loaded(InForce(revision="r2"))

    assert seen.value("cap_used_ratio", rule=rule, integration="anonymous") == 0.25
    assert seen.value("findings_total", rule=rule, mode="enforce", result="fail") == 1


def test_a_refused_reload_is_loud(seen: Seen) -> None:
    """Metric and log say that the files are wrong, where, and what stays in force."""
    problem = Problem("p.yaml", 1, 2, "unknown key 'x'")
    seen.observer.policies_refused(PolicyError((problem,)), InForce(revision="r1"))

    assert seen.value("policy_reload_success") == 0
    assert seen.value("policy_reloads_total", result="refused") == 1
    assert seen.log.lines == [
        {
            "event": "policies.refused",
            "problems": ["p.yaml:1:2: unknown key 'x'"],
            "revision": "r1",
        }
    ]


def test_what_fails_outside_is_counted_and_told(seen: Seen) -> None:
    """State, audit log and SOE each have their metric and their event."""
    seen.observer.store_failed("reserve", StoreError("locked"))
    seen.observer.audit_failed(AuditError("disk full"))
    seen.observer.upstream_failed(UpstreamError("connect_failed", Outcome.NOT_SENT))
    seen.observer.refused_on_the_wire("bad_head")
    seen.observer.recovered("w1", Outcome.UNKNOWN)
    seen.observer.audit_synced(0.002)
    seen.observer.audit_written("decision")
    seen.observer.state_told("state.put_back", entries=3)
    seen.observer.state_told("state.lost", accepted=False)

    assert seen.value("audit_errors_total") == 1
    assert seen.value("upstream_errors_total", code="connect_failed") == 1
    assert seen.value("request_errors_total", code="bad_head") == 1
    assert seen.value("audit_sync_seconds_count") == 1
    assert seen.value("audit_records_total", kind="decision") == 1
    assert seen.value("store_losses_total") == 1
    assert [line["event"] for line in seen.log.lines] == [
        "state.failed",
        "audit.failed",
        "upstream.failed",
        "request.refused_on_the_wire",
        "audit.recovered",
        "state.put_back",
        "state.lost",
    ]


def test_a_bug_is_told_by_its_place_alone(seen: Seen) -> None:
    """The words of an unforeseen error may hold text of a post, so they are left out."""
    try:
        raise ValueError("the secret body of a post")
    except ValueError as error:
        seen.observer.crashed(error)

    (line,) = seen.log.lines
    assert line["error"] == "ValueError"
    assert line["where"][-1].startswith("test_observer.py:")
    assert "secret" not in repr(line)
