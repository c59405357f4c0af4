"""What happens, told to logs and metrics alike: the one place that knows both."""

from __future__ import annotations

import traceback
from functools import lru_cache, partial
from typing import Any, Protocol

from gateway.checks import Check
from gateway.errors import AuditError, PolicyError, StoreError, UpstreamError
from gateway.model import ANONYMOUS, Decision, Mode, Outcome, Result, Settlement, Switch, Write
from gateway.observe.acts import Runs
from gateway.observe.metrics import Metrics, child, status_class


class Seen(Protocol):
    """What is known of a request when it has ended."""

    @property
    def method(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def integration(self) -> str: ...
    @property
    def effect(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def known_id(self) -> str: ...
    @property
    def upstream_seconds(self) -> float: ...


_OWN_RULES = frozenset({"dry-run", "holds", "switched-off"})
"""What judges though no policy names it: the rules of `gateway/proxy`."""


class Judging(Protocol):
    """What there is to tell of a rule."""

    @property
    def id(self) -> str: ...
    @property
    def mode(self) -> Mode: ...
    @property
    def check(self) -> Check | None: ...
    @property
    def open_on_error(self) -> bool: ...


class Registered(Protocol):
    """What there is to tell of a registry."""

    @property
    def names(self) -> frozenset[str]: ...


class InForce(Protocol):
    """What there is to tell of a policy set."""

    @property
    def revision(self) -> str: ...
    @property
    def enforcing(self) -> bool: ...
    @property
    def shipped(self) -> bool: ...
    @property
    def discovering(self) -> bool: ...
    @property
    def rules(self) -> tuple[Judging, ...]: ...
    @property
    def registry(self) -> Registered: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...


class Observer:
    """Tells logs and metrics.

    Attributes:
        in_flight: requests that are being answered.
    """

    def __init__(self, log: Any, metrics: Metrics) -> None:
        self._log = log
        self._metrics = metrics
        # Resolving labels costs more than counting; the sets are closed, so the cache is bounded.
        self._request = lru_cache(1024)(metrics.requests.labels)
        self._decision = lru_cache(8192)(partial(child, metrics.decisions))
        self._finding = lru_cache(8192)(partial(child, metrics.findings))
        self._outcome = lru_cache(1024)(metrics.outcomes.labels)
        self._record = lru_cache(64)(metrics.audit_records.labels)
        self._runs = Runs()
        self.in_flight = 0

    def decided(self, write: Write, decision: Decision) -> None:
        """A decision is durable."""
        # `_value_` is what `value` is, without the call that each of many findings would cost.
        self._decision(write.operation, decision.effect._value_, write.integration).inc()
        if run := self._runs.follow(write):
            child(self._metrics.constant_action, write.integration).set(run)
        for finding in decision.findings:
            self._finding(finding.rule, finding.mode._value_, finding.result._value_).inc()
            if finding.result is Result.ERROR and finding.open:
                child(self._metrics.open_errors, finding.rule).inc()
                self._log.warning("state.rule_open", rule=finding.rule, decision_id=write.id)

    def settled(self, write: Write, settlement: Settlement) -> None:
        """What became of a write that passed is known."""
        self._outcome(write.operation, settlement.outcome.value).inc()

    def held(self, status: str) -> None:
        """A hold came to a status."""
        self._metrics.holds.labels(status).inc()

    def holds_open(self, count: int) -> None:
        """So many holds wait for a person."""
        self._metrics.holds_open.set(count)

    def began(self) -> None:
        """A request came."""
        self.in_flight += 1

    def left(self) -> None:
        """A request is answered, or whoever sent it is gone."""
        self.in_flight -= 1

    def finished(self, seen: Seen, status: int, sent: int, seconds: float) -> None:
        """A request was answered, or its client left."""
        kind = "read" if seen.operation == "read" else "write"
        self._request(kind, status_class(status)).inc()
        self._metrics.added_latency.observe(max(0.0, seconds - seen.upstream_seconds))
        if seen.upstream_seconds:
            self._metrics.upstream.observe(seen.upstream_seconds)
        if seen.code:
            self._metrics.refused.labels(seen.code).inc()
        self._log.info(
            "request.finished",
            method=seen.method,
            operation=seen.operation,
            integration=seen.integration,
            status=status,
            effect=seen.effect,
            code=seen.code,
            decision_id=seen.known_id,
            bytes=sent,
            seconds=round(seconds, 6),
            upstream_seconds=round(seen.upstream_seconds, 6),
        )

    def refused_on_the_wire(self, code: str) -> None:
        """Bytes came that are no request."""
        self._metrics.refused.labels(code).inc()
        self._log.info("request.refused_on_the_wire", code=code)

    def policies_loaded(self, policies: InForce) -> None:
        """A policy set is in force."""
        self._metrics.reload_success.set(1)
        self._metrics.reloads.labels("loaded").inc()
        self._metrics.last_reload.set_to_current_time()
        self._count_what_is_loaded(policies)
        self._metrics.policy_info.clear()
        self._metrics.policy_info.labels(policies.revision).set(1)
        self._metrics.rule_info.clear()
        for rule in policies.rules:
            if rule.mode is not Mode.DISABLED:
                check = rule.check.name if rule.check else "conditions"
                self._metrics.rule_info.labels(rule.id, check).set(1)
        self._metrics.enforcing.set(policies.enforcing)
        posture = "discover" if policies.discovering else "guard"
        self._metrics.posture.clear()
        self._metrics.posture.labels(posture).set(1)
        self._log.info(
            "policies.loaded",
            revision=policies.revision,
            rules=len(policies.rules),
            enforcing=policies.enforcing,
            posture=posture,
            shipped=policies.shipped,
            warnings=policies.warnings,
        )

    def _count_what_is_loaded(self, policies: InForce) -> None:
        """Forget what is gone, and begin at 0 what may come: else nobody sees the first of it."""
        rules = _OWN_RULES.union(rule.id for rule in policies.rules)
        self._metrics.keep(rules=rules, integrations={*policies.registry.names, ANONYMOUS})
        self._decision.cache_clear()
        self._finding.cache_clear()
        for rule in policies.rules:
            if rule.open_on_error:
                child(self._metrics.open_errors, rule.id)
            for result in Result:
                self._finding(rule.id, rule.mode.value, result.value)

    def policies_refused(self, error: PolicyError, stays: InForce) -> None:
        """Policy files are wrong; the last good set stays."""
        self._metrics.reload_success.set(0)
        self._metrics.reloads.labels("refused").inc()
        self._log.error(
            "policies.refused",
            problems=[str(problem) for problem in error.problems],
            revision=stays.revision,
        )

    def store_failed(self, call: str, error: StoreError) -> None:
        """State was out of reach, and somebody had to do without; the call itself is counted."""
        self._log.error("state.failed", call=call, error=str(error))

    def audit_failed(self, error: AuditError) -> None:
        """The audit log could not be written."""
        self._metrics.audit_errors.inc()
        self._log.error("audit.failed", error=str(error))

    def audit_synced(self, seconds: float) -> None:
        """A sync of the audit log took so long."""
        self._metrics.audit_sync.observe(seconds)

    def audit_written(self, kind: str) -> None:
        """A record is in the audit log."""
        self._record(kind).inc()

    def state_told(self, event: str, **facts: Any) -> None:
        """An event of state, as `Terms.tell`."""
        if event == "state.lost":
            self._metrics.store_losses.inc()
        self._log.warning(event, **facts)

    def recovered(self, write_id: str, outcome: Outcome) -> None:
        """A write that a dead process left open was given its outcome."""
        self._log.warning("audit.recovered", decision_id=write_id, outcome=outcome.value)

    def upstream_failed(self, error: UpstreamError) -> None:
        """SOE could not be reached, or broke off."""
        self._metrics.upstream_errors.labels(error.code).inc()
        self._log.warning("upstream.failed", code=error.code, outcome=error.outcome.value)

    def person_looked_up(self, result: str) -> None:
        """SOE was asked whose a token is, or no longer waited for; counted apart from requests."""
        self._metrics.person_lookups.labels(result).inc()

    def title_looked_up(self, result: str) -> None:
        """SOE was asked what a thread is called."""
        self._metrics.title_lookups.labels(result).inc()

    def crashed(self, error: Exception) -> None:
        """A bug. Where it happened is told, what it said is not: that may hold text."""
        frames = traceback.extract_tb(error.__traceback__)
        where = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames]
        self._log.error("gateway.crashed", error=type(error).__name__, where=where)

    def switched(self, switch: Switch) -> None:
        """An operator switched an integration off, or on again."""
        self._metrics.disabled.labels(switch.integration).set(switch.off)
        told = {"integration": switch.integration, "by": switch.by}
        if switch.off:
            self._log.warning("integration.disabled", **told, reason=switch.reason)
        else:
            self._log.warning("integration.enabled", **told)

    def switches_failed(self, place: str, error: Exception) -> None:
        """What is switched off cannot be read or kept in one of its two places."""
        self._metrics.switch_errors.labels(place).inc()
        self._log.error("switches.failed", place=place, error=str(error))

    def canary_sent(self, revision: str, *, refused: bool) -> None:
        """A write that must be refused went through the pipeline."""
        self._metrics.canary.set(refused)
        self._metrics.canary_runs.labels("refused" if refused else "passed").inc()
        if not refused:
            self._log.error("canary.passed", revision=revision)

    def no_canary(self, revision: str) -> None:
        """No test of an enforcing rule gives a write that must be refused."""
        self._metrics.canary.set(0)
        self._log.warning("canary.none", revision=revision)

    def event(self, event: str, **facts: Any) -> None:
        """A rare event of `EVENTS`."""
        self._log.warning(event, **facts)
