"""Which rules say no, and which would if they were enforced?"""

from __future__ import annotations

from dashboard.panels import Columns, Lines
from dashboard.queries import FAIL, PASS_OR_FAIL, grown, rate, rate_by

_BY = ["rule", "mode"]
_JUDGED = grown("findings_total", PASS_OR_FAIL, by=_BY)
_FAILED = grown("findings_total", FAIL, by=_BY)

RULES = (
    Lines(
        "Failing rules that decide",
        {"{{rule}} ({{mode}})": rate("findings_total", FAIL, 'mode=~"enforce|hold"', by=_BY)},
        about="Writes that a rule in mode enforce refused, or one in mode hold kept for somebody "
        "to confirm. Several rules may fail for one write.",
        unit="wps",
    ),
    Lines(
        "Failing rules that only watch",
        {"{{rule}} ({{mode}})": rate("findings_total", FAIL, 'mode=~"observe|warn"', by=_BY)},
        about="Writes that a rule in mode observe or warn would refuse if it were enforced. Look "
        "at these writes with soe-gateway explain before you enforce it.",
        unit="wps",
    ),
    Columns(
        "Rules in the time shown",
        _BY,
        {
            "judged": _JUDGED,
            "failed": _FAILED,
            "failed share": f"{_FAILED} / ({_JUDGED} > 0)",
            "errors": grown("findings_total", 'result="error"', by=_BY),
        },
        about="How many writes each rule judged, and what it found; rules that only watch stand "
        "beside those that decide. A rule that judges nothing has no row.",
        sort="failed",
        shares=["failed share"],
        width=16,
        height=11,
    ),
    Lines(
        "Holds",
        rate_by("status", "holds_total"),
        about="What became of writes that wait for somebody: opened, confirmed, declined, used "
        "(the write came again and passed), expired.",
        unit="ops",
        width=8,
        height=11,
    ),
)
