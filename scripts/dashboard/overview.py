"""Is the gate shut, what passes it, and does anything need somebody now?"""

from __future__ import annotations

from dashboard.colours import BLUE, FULL, GREEN, NONE_IS_GOOD, ORANGE, RED
from dashboard.panels import Figure, Lines
from dashboard.queries import REFUSE, grown, of, or_zero, rate, rate_by

_SHARE_REFUSED = f"{grown('decisions_total', REFUSE)} / ({grown('decisions_total')} > 0)"

OVERVIEW = (
    Figure(
        "Writes a second",
        or_zero(rate("decisions_total")),
        about="Writes that were decided, whatever was decided. 0 without traffic.",
        unit="wps",
        runbooks=["NoTraffic"],
        spark=True,
    ),
    Figure(
        "Refused",
        or_zero(_SHARE_REFUSED),
        about="Which share of the writes in the time shown was refused. Which rules did it stands "
        "under Decisions by rule.",
        unit="percentunit",
        runbooks=["RefusalsSpike"],
        steps=((None, GREEN), (0.25, ORANGE), (0.5, RED)),
        decimals=1,
    ),
    Figure(
        "Gate",
        f"min({of('canary_refused')})",
        about="Whether each process refuses the write that must be refused, which it sends itself "
        "every minute (the canary). Open also in the posture discover, and where no test of "
        "the policies gives such a write.",
        unit="bool",
        runbooks=["GateNotEnforcing"],
        says={"1": ("Shut", GREEN), "0": ("OPEN", RED)},
    ),
    Figure(
        "Posture",
        f"max by (posture) ({of('posture')}) == 1",
        about="guard: rules decide. discover: rules warn, and every write passes until "
        "posture.until is over.",
        unit="string",
        runbooks=["Discovering"],
        names="{{posture}}",
    ),
    Figure(
        "Policy revision",
        f"count by (revision) ({of('policy_info')} == 1)",
        about="Which policies decide. Two of them for more than a moment: replicas have different "
        "files, or one could not read its own.",
        unit="string",
        runbooks=["RevisionsDiffer"],
        names="{{revision}}",
    ),
    Figure(
        "Policy files",
        f"min({of('policy_reload_success')})",
        about="Whether the last look at the policy files was good everywhere. If not, the last "
        "good set stays in force, and the log has every problem.",
        unit="bool",
        runbooks=["PolicyReloadFailing"],
        says={"1": ("Good", GREEN), "0": ("WRONG", RED)},
    ),
    Figure(
        "Open holds",
        f"max({of('holds_open')})",
        about="Writes that wait for somebody to confirm them.",
        steps=((None, GREEN), (50, ORANGE)),
    ),
    Figure(
        "Fullest cap",
        or_zero(f"max({of('cap_used_ratio')})"),
        about="How much of the fullest cap is used, of rules that only watch, too. Which it is "
        "stands under Caps near their limit.",
        unit="percentunit",
        runbooks=["CapNearlyUsed"],
        steps=FULL,
    ),
    Figure(
        "Unknown outcomes",
        or_zero(grown("outcomes_total", 'outcome="unknown"')),
        about="Writes of the time shown of which nobody can tell whether SOE took them: it broke "
        "off. Somebody must look whether these posts are there.",
        runbooks=["UpstreamFailing"],
        steps=NONE_IS_GOOD,
        decimals=0,
    ),
    Figure(
        "Records not written",
        or_zero(grown("audit_errors_total")),
        about="Audit records of the time shown that could not be written. Each is a write that "
        "was refused with 503.",
        runbooks=["AuditFailing"],
        steps=NONE_IS_GOOD,
        decimals=0,
    ),
    Figure(
        "State",
        f"min({of('store_up')})",
        about="Whether every process reached its state at the last call. If not, rules that ask "
        "it refuse, or let pass if they say on_error: allow.",
        unit="bool",
        runbooks=["StoreDown"],
        says={"1": ("Up", GREEN), "0": ("DOWN", RED)},
    ),
    Figure(
        "Rules running open",
        or_zero(grown("rules_open_total")),
        about="Writes of the time shown that a rule let pass unjudged since state failed, as its "
        "on_error: allow says.",
        runbooks=["RuleRunningOpen"],
        steps=NONE_IS_GOOD,
        decimals=0,
    ),
    Lines(
        "Writes by effect",
        rate_by("effect", "decisions_total"),
        about="What was decided: allow, hold (somebody must confirm), refuse, replay (the stored "
        "answer to the same request was given again).",
        unit="wps",
        stacked=True,
        colours={"allow": GREEN, "hold": ORANGE, "refuse": RED, "replay": BLUE},
    ),
    Lines(
        "Refused for another reason than rules",
        rate_by("code", "request_errors_total"),
        about="Requests that are unreadable, ambiguous, unknown to SOE's API or of a caller who "
        "may not do this; and those to which SOE gave no answer.",
        unit="reqps",
        stacked=True,
    ),
)
