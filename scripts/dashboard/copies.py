"""What is written twice?"""

from __future__ import annotations

from dashboard.panels import Bars, Figure, Lines
from dashboard.queries import FAIL, PASS_OR_FAIL, grown, of, or_zero, rate

_DUPLICATE, _BOILERPLATE = 'check="duplicate"', 'check="boilerplate"'
_EITHER = 'check=~"duplicate|boilerplate"'
_BY_CHECK = f"* on (rule) group_left (check) topk by (rule) (1, {of('rule_info', _EITHER)} == 1)"
_FOUND = f"{grown('findings_total', FAIL, by=['rule'])} {_BY_CHECK}"
_JUDGED = f"{grown('findings_total', PASS_OR_FAIL, by=['rule'])} {_BY_CHECK}"
_FAILING = f"{rate('findings_total', FAIL, by=['rule', 'mode'])} {_BY_CHECK}"
_SHARE = f"sum by (rule) ({_FOUND}) / (sum by (rule) ({_JUDGED}) > 0)"

COPIES = (
    Figure(
        "Copies found",
        or_zero(f"sum(({_FOUND}) and on (rule) {of('rule_info', _DUPLICATE)} == 1)"),
        about="Times in the time shown at which a rule with the check duplicate failed, whatever "
        "its mode: the same text, or nearly, or the same event of a log.",
        decimals=0,
        height=8,
    ),
    Figure(
        "Boilerplate found",
        or_zero(f"sum(({_FOUND}) and on (rule) {of('rule_info', _BOILERPLATE)} == 1)"),
        about="Times in the time shown at which a rule with the check boilerplate failed, "
        "whatever its mode: the same answer under several questions.",
        decimals=0,
        height=8,
    ),
    Lines(
        "Copies and boilerplate over time",
        {"{{rule}} ({{mode}})": _FAILING},
        about="Writes at which rules with the checks duplicate and boilerplate failed, those that "
        "only watch among them.",
        unit="wps",
        width=8,
    ),
    Bars(
        "How many of the judged texts repeat another",
        f"sort_desc({_SHARE})",
        "{{rule}}",
        about="The share of the writes that each such rule judged in the time shown and found to "
        "repeat an earlier post.",
        unit="percentunit",
        most=1,
    ),
)
