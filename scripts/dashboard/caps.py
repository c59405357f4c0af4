"""Who is about to be stopped by a cap?"""

from __future__ import annotations

from dashboard.colours import FULL
from dashboard.panels import Bars, Lines
from dashboard.queries import of

_FULLEST = f"max by (rule, integration) ({of('cap_used_ratio')})"

CAPS = (
    Bars(
        "The ten fullest caps now",
        f"sort_desc(topk(10, {_FULLEST}))",
        "{{rule}}: {{integration}}",
        about="How much of a cap each integration has used; from 80 % on talk to its owner before "
        "it is refused.",
        unit="percentunit",
        runbooks=["CapNearlyUsed"],
        most=1,
        steps=FULL,
        width=12,
    ),
    Lines(
        "Caps over time",
        {"{{rule}}: {{integration}}": _FULLEST},
        about="The same over time: a cap that is always full is too small, or the integration "
        "posts what nobody asked for.",
        unit="percentunit",
        most=1,
        steps=FULL,
    ),
)
