"""Can writes be judged and recorded?"""

from __future__ import annotations

from dashboard.colours import GREEN, NONE_IS_GOOD, ORANGE, RED
from dashboard.panels import Figure, Lines
from dashboard.queries import grown, of, or_zero, quantile, quantiles, rate, rate_by, total

STATE_AND_AUDIT = (
    Lines(
        "Time of a call to state",
        {"{{call}}": quantile(0.99, "store_seconds", "call")},
        about="99 of 100 calls take no longer, by what was asked. Every write waits for one "
        "reserve.",
        unit="s",
        width=8,
    ),
    Lines(
        "Calls to state that failed",
        {"{{call}}": rate("store_errors_total", by=["call"])},
        about="Rules that ask state then refuse, or let pass if they say on_error: allow.",
        unit="ops",
        runbooks=["StoreDown"],
        width=8,
    ),
    Figure(
        "Losses of state",
        or_zero(grown("store_losses_total")),
        about="How often in the time shown state was found empty or older than it was. What was "
        "missing is put back where a process knows it.",
        steps=NONE_IS_GOOD,
        decimals=0,
        height=8,
    ),
    Figure(
        "State waits for a word",
        f"max({of('store_waiting_for_word')})",
        about="Whether state has lost data, and refuses what asks it until an operator runs "
        "soe-gateway state accept-loss.",
        unit="bool",
        runbooks=["StoreDown"],
        says={"0": ("No", GREEN), "1": ("YES", RED)},
        height=8,
    ),
    Lines(
        "Time of a sync of the audit log",
        quantiles("audit_sync_seconds"),
        about="No write goes to SOE before its decision is on the disk: this is a part of the "
        "time that the gateway adds.",
        unit="s",
        width=8,
    ),
    Lines(
        "Audit records",
        rate_by("kind", "audit_records_total"),
        about="By kind: decision and outcome of writes, sending before the first byte, admin for "
        "what was done to the gateway.",
        unit="ops",
        width=8,
    ),
    Figure(
        "Records waiting",
        total(of("audit_waiting")),
        about="Records that are not durable yet. The queue is bounded: where it is full, writes "
        "are refused.",
        spark=True,
        height=8,
    ),
    Figure(
        "Room for audit records",
        f"min({of('audit_free_bytes')})",
        about="What is free where the audit log is written, least first. A full disk refuses "
        "every write.",
        unit="bytes",
        runbooks=["AuditDiskFilling"],
        steps=((None, RED), (1 << 30, ORANGE), (5 << 30, GREEN)),
        height=8,
    ),
)
