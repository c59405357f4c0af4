"""The Grafana dashboard, `deploy/grafana/soe-write-gateway.json`: its rows and what stands in them.

A new panel is one more entry of a row; `make gen` writes the file anew. Its metrics are those of
`gateway/observe/metrics.py`: a test compares, another asks a real Prometheus for every panel.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from panels import (
    BLUE,
    GREEN,
    NONE_IS_GOOD,
    ORANGE,
    RED,
    SOURCE,
    Panel,
    Words,
    bars,
    columns,
    figure,
    grown,
    lines,
    of,
    or_none,
    or_zero,
    quantile,
    rate,
    total,
)

REFUSED = 'effect="refuse"'
FAILED = 'result="fail"'
JUDGED = 'result=~"pass|fail", mode!="disabled"'
ENFORCED = 'mode=~"enforce|hold"'
OBSERVED = 'mode=~"observe|warn"'
DUPLICATE, BOILERPLATE = 'check="duplicate"', 'check="boilerplate"'
COPIES = 'check=~"duplicate|boilerplate"'
SHARES = (0.5, 0.95, 0.99)
FULL = ((None, GREEN), (0.8, ORANGE), (1, RED))
SHARE_REFUSED = ((None, GREEN), (0.25, ORANGE), (0.5, RED))
RUNBOOKS = "https://wiki.example.com/soe-write-gateway/runbooks"
"""A place that each site changes in the settings of its dashboard: a panel's links begin with it."""
ALL = model.VariableOption(selected=True, text="All", value="$__all")


def overview() -> Sequence[Panel]:
    """Is the gate shut, what passes it, and does anything need somebody now?"""
    share = f"{grown('decisions_total', REFUSED)} / ({grown('decisions_total')} > 0)"
    return (
        figure(
            Words(
                title="Writes a second",
                about="Writes that were decided, whatever was decided. 0 without traffic.",
                unit="wps",
                runbooks=["NoTraffic"],
            ),
            or_zero(rate("decisions_total")),
            spark=True,
        ),
        figure(
            Words(
                title="Refused",
                about="Which share of the writes in the time shown was refused. Which rules did "
                "it stands under Decisions by rule.",
                unit="percentunit",
                runbooks=["RefusalsSpike"],
            ),
            or_zero(share),
            steps=SHARE_REFUSED,
            decimals=1,
        ),
        figure(
            Words(
                title="Gate",
                about="Whether each process refuses the write that must be refused, which it sends "
                "itself every minute (the canary). Open also in the posture discover, and where no "
                "test of the policies gives such a write.",
                unit="bool",
                runbooks=["GateNotEnforcing"],
            ),
            f"min({of('canary_refused')})",
            says={"1": ("Shut", GREEN), "0": ("OPEN", RED)},
        ),
        figure(
            Words(
                title="Posture",
                about="guard: rules decide. discover: rules warn, and every write passes until "
                "posture.until is over.",
                unit="string",
                runbooks=["Discovering"],
            ),
            f"max by (posture) ({of('posture')}) == 1",
            names="{{posture}}",
        ),
        figure(
            Words(
                title="Policy revision",
                about="Which policies decide. Two of them for more than a moment: replicas have "
                "different files, or one could not read its own.",
                unit="string",
                runbooks=["RevisionsDiffer"],
            ),
            f"count by (revision) ({of('policy_info')} == 1)",
            names="{{revision}}",
        ),
        figure(
            Words(
                title="Policy files",
                about="Whether the last look at the policy files was good everywhere. If not, the "
                "last good set stays in force, and the log has every problem.",
                unit="bool",
                runbooks=["PolicyReloadFailing"],
            ),
            f"min({of('policy_reload_success')})",
            says={"1": ("Good", GREEN), "0": ("WRONG", RED)},
        ),
        figure(
            Words(
                title="Open holds",
                about="Writes that wait for somebody to confirm them.",
                unit="short",
            ),
            f"max({of('holds_open')})",
            steps=((None, GREEN), (50, ORANGE)),
        ),
        figure(
            Words(
                title="Fullest cap",
                about="How much of the fullest cap is used, of rules that only watch, too. Which it is "
                "stands under Caps near their limit.",
                unit="percentunit",
                runbooks=["CapNearlyUsed"],
            ),
            or_zero(f"max({of('cap_used_ratio')})"),
            steps=FULL,
        ),
        figure(
            Words(
                title="Unknown outcomes",
                about="Writes of the time shown of which nobody can tell whether SOE took them: it "
                "broke off. Somebody must look whether these posts are there.",
                unit="short",
                runbooks=["UpstreamFailing"],
            ),
            or_zero(grown("outcomes_total", 'outcome="unknown"')),
            steps=NONE_IS_GOOD,
            decimals=0,
        ),
        figure(
            Words(
                title="Records not written",
                about="Audit records of the time shown that could not be written. Each is a write "
                "that was refused with 503.",
                unit="short",
                runbooks=["AuditFailing"],
            ),
            or_zero(grown("audit_errors_total")),
            steps=NONE_IS_GOOD,
            decimals=0,
        ),
        figure(
            Words(
                title="State",
                about="Whether every process reached its state at the last call. If not, rules "
                "that ask it refuse, or let pass if they say on_error: allow.",
                unit="bool",
                runbooks=["StoreDown"],
            ),
            f"min({of('store_up')})",
            says={"1": ("Up", GREEN), "0": ("DOWN", RED)},
        ),
        figure(
            Words(
                title="Rules running open",
                about="Writes of the time shown that a rule let pass unjudged since state failed, "
                "as its on_error: allow says.",
                unit="short",
                runbooks=["RuleRunningOpen"],
            ),
            or_zero(grown("rules_open_total")),
            steps=NONE_IS_GOOD,
            decimals=0,
        ),
        lines(
            Words(
                title="Writes by effect",
                about="What was decided: allow, hold (somebody must confirm), refuse, replay (the "
                "stored answer to the same request was given again).",
                unit="wps",
            ),
            {"{{effect}}": or_none(rate("decisions_total", by=["effect"]), "effect")},
            stacked=True,
            colours={"allow": GREEN, "hold": ORANGE, "refuse": RED, "replay": BLUE},
        ),
        lines(
            Words(
                title="Refused for another reason than rules",
                about="Requests that are unreadable, ambiguous, unknown to SOE's API or of a "
                "caller who may not do this; and those to which SOE gave no answer.",
                unit="reqps",
            ),
            {"{{code}}": or_none(rate("request_errors_total", by=["code"]), "code")},
            stacked=True,
        ),
    )


def integrations() -> Sequence[Panel]:
    """Who writes, and how does it go for each?"""
    by = ["integration"]
    judged = grown("decisions_total", by=by)
    allowed, refused, held = (
        f"({grown('decisions_total', f'effect={quoted}', by=by)} or {judged} * 0)"
        for quoted in ('"allow"', '"refuse"', '"hold"')
    )
    return (
        lines(
            Words(
                title="Writes by integration",
                about="Writes that were decided. All callers whom nobody registered are one.",
                unit="wps",
            ),
            {"{{integration}}": or_none(rate("decisions_total", by=by), "integration")},
            stacked=True,
        ),
        lines(
            Words(
                title="Refused by integration",
                about="Writes that were refused. Where one rises by itself, ask its owner what "
                "changed; where all do, look at the rules.",
                unit="wps",
                runbooks=["RefusalsSpike"],
            ),
            {"{{integration}}": or_none(rate("decisions_total", REFUSED, by=by), "integration")},
            stacked=True,
        ),
        columns(
            Words(
                title="Integrations in the time shown",
                about="What was decided about the writes of each.",
                unit="short",
            ),
            by,
            {
                "writes": judged,
                "passed": allowed,
                "refused": refused,
                "held": held,
                "refused share": f"{refused} / ({judged} > 0)",
            },
            sort="writes",
            shares=["refused share"],
        ),
        bars(
            Words(
                title="Writes by operation",
                about="What the writes of the time shown would do on the site.",
                unit="short",
            ),
            f"sort_desc({grown('decisions_total', by=['operation'])})",
            "{{operation}}",
            width=6,
        ),
        bars(
            Words(
                title="The same act again",
                about="How many writes in a row of an integration assert the same act but for its "
                "time. Where it is high, likely no person acted.",
                unit="short",
                runbooks=["ConstantAction"],
            ),
            f"max by (integration) ({of('constant_action')}) or on () "
            'label_replace(vector(0), "integration", "none", "", "")',
            "{{integration}}",
            steps=((None, GREEN), (50, ORANGE), (100, RED)),
            width=4,
        ),
        figure(
            Words(
                title="Switched off",
                about="Integrations that an operator switched off: every write of theirs is "
                "refused. soe-gateway integrations list says who did it, and why.",
                unit="short",
            ),
            or_zero(f"sum(max by (integration) ({of('integration_disabled')}))"),
            steps=((None, GREEN), (1, ORANGE)),
            width=2,
            height=8,
        ),
    )


def rules() -> Sequence[Panel]:
    """Which rules say no, and which would if they were enforced?"""
    by = ["rule", "mode"]
    judged = grown("findings_total", JUDGED, by=by)
    failed = grown("findings_total", FAILED, by=by)
    return (
        lines(
            Words(
                title="Failing rules that decide",
                about="Writes that a rule in mode enforce refused, or one in mode hold kept for "
                "somebody to confirm. Several rules may fail for one write.",
                unit="wps",
            ),
            {"{{rule}} ({{mode}})": rate("findings_total", FAILED, ENFORCED, by=by)},
        ),
        lines(
            Words(
                title="Failing rules that only watch",
                about="Writes that a rule in mode observe or warn would refuse if it were "
                "enforced. Look at these writes with soe-gateway explain before you enforce it.",
                unit="wps",
            ),
            {"{{rule}} ({{mode}})": rate("findings_total", FAILED, OBSERVED, by=by)},
        ),
        columns(
            Words(
                title="Rules in the time shown",
                about="How many writes each rule judged, and what it found; rules that only watch "
                "stand beside those that decide. A rule that judges nothing has no row.",
                unit="short",
            ),
            by,
            {
                "judged": judged,
                "failed": failed,
                "failed share": f"{failed} / ({judged} > 0)",
                "errors": grown("findings_total", 'result="error"', by=by),
            },
            sort="failed",
            shares=["failed share"],
            width=16,
            height=11,
        ),
        lines(
            Words(
                title="Holds",
                about="What became of writes that wait for somebody: opened, confirmed, declined, "
                "used (the write came again and passed), expired.",
                unit="ops",
            ),
            {"{{status}}": or_none(rate("holds_total", by=["status"]), "status")},
            width=8,
            height=11,
        ),
    )


def caps() -> Sequence[Panel]:
    """Who is about to be stopped by a cap?"""
    fullest = f"max by (rule, integration) ({of('cap_used_ratio')})"
    return (
        bars(
            Words(
                title="The ten fullest caps now",
                about="How much of a cap each integration has used; from 80 % on talk to its "
                "owner before it is refused.",
                unit="percentunit",
                runbooks=["CapNearlyUsed"],
            ),
            f"sort_desc(topk(10, {fullest}))",
            "{{rule}}: {{integration}}",
            most=1,
            steps=FULL,
            width=12,
        ),
        lines(
            Words(
                title="Caps over time",
                about="The same over time: a cap that is always full is too small, or the "
                "integration posts what nobody asked for.",
                unit="percentunit",
            ),
            {"{{rule}}: {{integration}}": fullest},
            most=1,
            steps=FULL,
        ),
    )


def copies() -> Sequence[Panel]:
    """What is written twice?"""
    check = f"topk by (rule) (1, {of('rule_info', COPIES)} == 1)"
    by_check = f"* on (rule) group_left (check) {check}"
    found = f"{grown('findings_total', FAILED, by=['rule'])} {by_check}"
    judged = f"{grown('findings_total', JUDGED, by=['rule'])} {by_check}"
    failing = f"{rate('findings_total', FAILED, by=['rule', 'mode'])} {by_check}"
    share = f"sum by (rule) ({found}) / (sum by (rule) ({judged}) > 0)"
    return (
        figure(
            Words(
                title="Copies found",
                about="Times in the time shown at which a rule with the check duplicate failed, "
                "whatever its mode: the same text, or nearly, or the same event of a log.",
                unit="short",
            ),
            or_zero(f"sum(({found}) and on (rule) {of('rule_info', DUPLICATE)} == 1)"),
            decimals=0,
            height=8,
        ),
        figure(
            Words(
                title="Boilerplate found",
                about="Times in the time shown at which a rule with the check boilerplate failed, "
                "whatever its mode: the same answer under several questions.",
                unit="short",
            ),
            or_zero(f"sum(({found}) and on (rule) {of('rule_info', BOILERPLATE)} == 1)"),
            decimals=0,
            height=8,
        ),
        lines(
            Words(
                title="Copies and boilerplate over time",
                about="Writes at which rules with the checks duplicate and boilerplate failed, "
                "those that only watch among them.",
                unit="wps",
            ),
            {"{{rule}} ({{mode}})": failing},
            width=8,
        ),
        bars(
            Words(
                title="How many of the judged texts repeat another",
                about="The share of the writes that each such rule judged in the time shown and "
                "found to repeat an earlier post.",
                unit="percentunit",
            ),
            f"sort_desc({share})",
            "{{rule}}",
            most=1,
        ),
    )


def upstream() -> Sequence[Panel]:
    """Does SOE answer?"""
    return (
        lines(
            Words(
                title="Time until SOE answers",
                about="From the first byte of a request to the head of its answer.",
                unit="s",
                runbooks=["UpstreamFailing"],
            ),
            {f"{share:.0%}": quantile(share, "upstream_seconds") for share in SHARES},
            width=8,
        ),
        lines(
            Words(
                title="What became of writes that passed",
                about="ok; refused (SOE said no); failed (SOE broke); unknown (nobody can tell); "
                "not_sent.",
                unit="wps",
            ),
            {"{{outcome}}": or_none(rate("outcomes_total", by=["outcome"]), "outcome")},
            stacked=True,
            colours={"ok": GREEN, "refused": ORANGE, "failed": RED, "unknown": "purple"},
            width=8,
        ),
        lines(
            Words(
                title="Exchanges that failed",
                about="By what went wrong between the gateway and SOE.",
                unit="reqps",
                runbooks=["UpstreamFailing"],
            ),
            {"{{code}}": rate("upstream_errors_total", by=["code"])},
            width=8,
        ),
    )


def state() -> Sequence[Panel]:
    """Can writes be judged and recorded?"""
    return (
        lines(
            Words(
                title="Time of a call to state",
                about="99 of 100 calls take no longer, by what was asked. Every write waits for "
                "one reserve.",
                unit="s",
            ),
            {"{{call}}": quantile(0.99, "store_seconds", "call")},
            width=8,
        ),
        lines(
            Words(
                title="Calls to state that failed",
                about="Rules that ask state then refuse, or let pass if they say on_error: allow.",
                unit="ops",
                runbooks=["StoreDown"],
            ),
            {"{{call}}": rate("store_errors_total", by=["call"])},
            width=8,
        ),
        figure(
            Words(
                title="Losses of state",
                about="How often in the time shown state was found empty or older than it was. "
                "What was missing is put back where a process knows it.",
                unit="short",
            ),
            or_zero(grown("store_losses_total")),
            steps=NONE_IS_GOOD,
            decimals=0,
            height=8,
        ),
        figure(
            Words(
                title="State waits for a word",
                about="Whether state has lost data, and refuses what asks it until an operator "
                "runs soe-gateway state accept-loss.",
                unit="bool",
                runbooks=["StoreDown"],
            ),
            f"max({of('store_waiting_for_word')})",
            says={"0": ("No", GREEN), "1": ("YES", RED)},
            height=8,
        ),
        lines(
            Words(
                title="Time of a sync of the audit log",
                about="No write goes to SOE before its decision is on the disk: this is a part of "
                "the time that the gateway adds.",
                unit="s",
            ),
            {f"{share:.0%}": quantile(share, "audit_sync_seconds") for share in SHARES},
            width=8,
        ),
        lines(
            Words(
                title="Audit records",
                about="By kind: decision and outcome of writes, sending before the first byte, "
                "admin for what was done to the gateway.",
                unit="ops",
            ),
            {"{{kind}}": or_none(rate("audit_records_total", by=["kind"]), "kind")},
            width=8,
        ),
        figure(
            Words(
                title="Records waiting",
                about="Records that are not durable yet. The queue is bounded: where it is full, "
                "writes are refused.",
                unit="short",
            ),
            total(of("audit_waiting")),
            spark=True,
            height=8,
        ),
        figure(
            Words(
                title="Room for audit records",
                about="What is free where the audit log is written, least first. A full disk "
                "refuses every write.",
                unit="bytes",
                runbooks=["AuditDiskFilling"],
            ),
            f"min({of('audit_free_bytes')})",
            steps=((None, RED), (1 << 30, ORANGE), (5 << 30, GREEN)),
            height=8,
        ),
    )


def process() -> Sequence[Panel]:
    """How is the gateway itself?"""
    running = f"{total(of('workers'))} or count({of('enforcing')})"
    cpu, memory = (
        f'process_{name}{{namespace=~"$namespace"}}'
        for name in ("cpu_seconds_total", "resident_memory_bytes")
    )
    ours = f"and on (job, instance) {of('enforcing')}"
    each = ("instance", "worker")
    age = f"time() - min({of('policy_last_reload_timestamp_seconds')})"
    return (
        figure(
            Words(
                title="Processes that serve",
                about="Workers that are ready, or replicas where each is one process.",
                unit="short",
            ),
            running,
        ),
        figure(
            Words(
                title="Workers restarted",
                about="Workers of the time shown that ended and were replaced: a bug, or lack of "
                "memory; the log says worker.died.",
                unit="short",
                runbooks=["WorkerRestarting"],
            ),
            or_zero(grown("worker_restarts_total")),
            steps=NONE_IS_GOOD,
            decimals=0,
        ),
        figure(
            Words(
                title="Version",
                about="Which versions run; two of them while a new one is rolled out.",
                unit="string",
            ),
            f"count by (version) ({of('build_info')})",
            names="{{version}}",
        ),
        figure(
            Words(
                title="Policies in force for",
                about="How long ago the oldest of the processes read the policies that it uses.",
                unit="s",
            ),
            age,
        ),
        figure(
            Words(
                title="Policy files read",
                about="How often policy files were read in the time shown, by how it went.",
                unit="short",
            ),
            or_none(grown("policy_reloads_total", by=["result"]), "result"),
            legend="{{result}}",
            decimals=0,
        ),
        figure(
            Words(
                title="Log lines dropped",
                about="Lines of the time shown that nobody took from standard output in time. The "
                "audit log has every decision all the same.",
                unit="short",
            ),
            or_zero(grown("log_lines_dropped_total")),
            steps=NONE_IS_GOOD,
            decimals=0,
        ),
        lines(
            Words(
                title="Time that the gateway adds",
                about="The time of a request less the time at SOE.",
                unit="s",
                runbooks=["LatencyAdded"],
            ),
            {f"{share:.0%}": quantile(share, "added_latency_seconds") for share in SHARES},
            width=8,
        ),
        lines(
            Words(
                title="Requests answered",
                about="Reads and writes by the class of their status; none: the client left before "
                "there was an answer.",
                unit="reqps",
            ),
            {"{{kind}} {{status}}": or_none(rate("requests_total", by=["kind", "status"]), "kind")},
            stacked=True,
            width=8,
        ),
        lines(
            Words(
                title="In flight",
                about="Requests that are being answered, and connections to SOE.",
                unit="short",
            ),
            {
                "requests": total(of("requests_in_flight")),
                "connections to SOE": total(of("upstream_connections")),
            },
            width=8,
        ),
        lines(
            Words(
                title="CPU",
                about="How much of a core each process uses. One process cannot use more than "
                "one: start more workers before it is full.",
                unit="percentunit",
            ),
            {"{{instance}} {{worker}}": total(f"rate({cpu}[$__rate_interval]) {ours}", *each)},
        ),
        lines(
            Words(
                title="Memory",
                about="What each process has in memory.",
                unit="bytes",
            ),
            {"{{instance}} {{worker}}": total(f"{memory} {ours}", *each)},
        ),
    )


ROWS = {
    "Overview": overview,
    "Writes by integration": integrations,
    "Decisions by rule": rules,
    "Caps near their limit": caps,
    "Duplicates and boilerplate": copies,
    "Upstream": upstream,
    "State and audit": state,
    "Process": process,
}


def dashboard() -> str:
    """Give the dashboard as JSON, as Grafana imports it."""
    built = (
        build.Dashboard("SOE write gateway")
        .uid("soe-write-gateway")
        .description("What integrations write to Stack Overflow Enterprise, and what was refused.")
        .tags(["soe-write-gateway"])
        .time("now-6h", "now")
        .refresh("1m")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .variables(_variables())
    )
    for title, panels in ROWS.items():
        built.with_row(build.Row(title))
        for panel in panels():
            built.with_panel(panel)
    made = built.build()
    for number, placed in enumerate(made.panels or (), 1):
        placed.id_val = number
    return json.dumps(made, cls=JSONEncoder, indent=1) + "\n"


def _variables() -> list[Any]:
    source = build.DatasourceVariable("datasource").label("Data source").type("prometheus")
    namespace = _values("namespace", "soe_gateway_enforcing").label("Namespace")
    writer = _values("integration", 'soe_gateway_decisions_total{namespace=~"$namespace"}')
    runbooks = build.ConstantVariable("runbooks").label("Where docs/runbooks is served")
    return [source, namespace, writer.label("Integration").multi(True), runbooks.value(RUNBOOKS)]


def _values(label: str, metric: str) -> build.QueryVariable:
    """Offer the values of a label, and all: also of what lacks it, as `namespace` may be."""
    query: dict[str, object] = {"query": f"label_values({metric}, {label})", "refId": label}
    variable = build.QueryVariable(label).datasource(SOURCE).query(query)
    variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
    variable.sort(model.VariableSort.ALPHABETICAL_ASC)
    return variable.include_all(True).all_value(".*").current(ALL)
