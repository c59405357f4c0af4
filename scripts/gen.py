"""Writes what comes from the code, reference pages, schemas, the dashboard and what the chart repeats; --check says what is not fresh."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from chart import chart_files
from dashboard import dashboard

from gateway.audit.schema.published import audit_reference
from gateway.audit.schema.published import schema as audit_schema
from gateway.checks import CHECKS
from gateway.observe.logs import events_reference
from gateway.observe.metrics import metrics_reference
from gateway.policy.schema import (
    NAMES,
    checks_reference,
    conditions_reference,
    keys_reference,
    schema,
)
from gateway.settings import settings_example, settings_reference
from gateway.soe.api import ENDPOINTS

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"


def operations() -> str:
    """Give the table of all writes."""
    rows = sorted(
        {
            f"| `{each.operation}` | {each.api.value} | `{each.method}` | `{each.template}` |"
            for each in ENDPOINTS
            if each.write
        }
    )
    return "\n".join(["| operation | API | method | path |", "|---|---|---|---|", *rows])


def checks() -> str:
    """Give the table of all checks."""
    rows = [
        f"| `{name}` | {(check.__doc__ or '').splitlines()[0]} | {check.status} | "
        f"{', '.join(f'`{{{each}}}`' for each in check.placeholders) or '–'} |"
        for name, check in CHECKS.items()
    ]
    heads = "| check | passes when | status | names for messages |"
    table = "\n".join([heads, "|---|---|---|---|", *rows])
    return f"{table}\n\n{checks_reference()}"


PAGES = {
    "audit.md": ("Audit records", audit_reference),
    "checks.md": ("Checks", checks),
    "conditions.md": ("Conditions", conditions_reference),
    "events.md": ("Log events", events_reference),
    "metrics.md": ("Metrics", metrics_reference),
    "policy-keys.md": ("Keys of policy files", keys_reference),
    "operations.md": ("Operations", operations),
    "settings.md": ("Settings", settings_reference),
}


def files() -> dict[Path, str]:
    """Give the text of everything that is made."""
    made = {
        REFERENCE / name: f"# {title}\n\nMade from the code by `make gen`.\n\n{table()}\n"
        for name, (title, table) in PAGES.items()
    }
    panels = dashboard()
    made[ROOT / "deploy" / "grafana" / "soe-write-gateway.json"] = panels
    made |= chart_files((ROOT / "deploy" / "prometheus" / "rules.yaml").read_text(), panels)
    made[ROOT / "deploy" / "gateway.yaml"] = settings_example()
    made[ROOT / "docs" / "audit.schema.json"] = json.dumps(audit_schema(), indent=1) + "\n"
    return made | {
        ROOT / "policies" / f"{name}.schema.json": json.dumps(schema(name), indent=1) + "\n"
        for name in NAMES
    }


def main() -> int:
    """Write or check every file."""
    stale = []
    for path, text in files().items():
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(f"{path.relative_to(Path.cwd())} is not fresh: make gen")
    print(*stale, sep="\n", end="\n" if stale else "")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
