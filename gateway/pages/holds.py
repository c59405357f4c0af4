"""What is told of a write that waits for a person."""

from __future__ import annotations

from typing import Any

from gateway.proxy.hold import Hold


def status(hold: Hold) -> dict[str, Any]:
    """Tell a program how far a hold is; nothing of the post, and nobody's name."""
    return {
        "status": hold.status.value,
        "until": hold.until,
        "approver": hold.approver.value,
        "integration": hold.integration,
        "operation": hold.operation,
        "decision_id": hold.write_id,
        "rules": [
            {
                "rule": rule.rule,
                "title": rule.title,
                "message": rule.message,
                "fix": rule.fix,
                "approver": rule.approver.value,
            }
            for rule in hold.rules
        ],
    }
