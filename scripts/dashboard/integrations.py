"""Who writes, and how does it go for each?"""

from __future__ import annotations

from dashboard.colours import GREEN, ORANGE, RED
from dashboard.panels import Bars, Columns, Figure, Lines
from dashboard.queries import REFUSE, grown, of, or_none, or_zero, rate_by

_BY = ["integration"]
_JUDGED = grown("decisions_total", by=_BY)
_ALLOWED, _REFUSED, _HELD = (
    f"({grown('decisions_total', f'effect={quoted}', by=_BY)} or {_JUDGED} * 0)"
    for quoted in ('"allow"', '"refuse"', '"hold"')
)

INTEGRATIONS = (
    Lines(
        "Writes by integration",
        rate_by("integration", "decisions_total"),
        about="Writes that were decided. All callers whom nobody registered are one.",
        unit="wps",
        stacked=True,
    ),
    Lines(
        "Refused by integration",
        rate_by("integration", "decisions_total", REFUSE),
        about="Writes that were refused. Where one rises by itself, ask its owner what changed; "
        "where all do, look at the rules.",
        unit="wps",
        runbooks=["RefusalsSpike"],
        stacked=True,
    ),
    Columns(
        "Integrations in the time shown",
        _BY,
        {
            "writes": _JUDGED,
            "passed": _ALLOWED,
            "refused": _REFUSED,
            "held": _HELD,
            "refused share": f"{_REFUSED} / ({_JUDGED} > 0)",
        },
        about="What was decided about the writes of each.",
        sort="writes",
        shares=["refused share"],
    ),
    Bars(
        "Writes by operation",
        f"sort_desc({grown('decisions_total', by=['operation'])})",
        "{{operation}}",
        about="What the writes of the time shown would do on the site.",
        width=6,
    ),
    Bars(
        "The same act again",
        or_none(f"max by (integration) ({of('constant_action')})", "integration"),
        "{{integration}}",
        about="How many writes in a row of an integration assert the same act but for its time. "
        "Where it is high, likely no person acted.",
        runbooks=["ConstantAction"],
        steps=((None, GREEN), (50, ORANGE), (100, RED)),
        width=4,
    ),
    Figure(
        "Switched off",
        or_zero(f"sum(max by (integration) ({of('integration_disabled')}))"),
        about="Integrations that an operator switched off: every write of theirs is refused. "
        "soe-gateway integrations list says who did it, and why.",
        steps=((None, GREEN), (1, ORANGE)),
        width=2,
        height=8,
    ),
)
