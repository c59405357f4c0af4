"""The figures that the fault suite measures, told at the end of its long form."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fault.site import FULL

Measured = Callable[[str, object], None]


@pytest.fixture
def measured(record_property: Measured) -> Measured:
    """Takes a figure by its name."""
    return record_property


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line for each test that measured something."""
    if not FULL:
        return
    terminalreporter.section("measured")
    for outcome in ("passed", "failed", "xfailed", "xpassed"):
        for report in terminalreporter.getreports(outcome):
            figures = ", ".join(f"{name} {value}" for name, value in report.user_properties)
            if report.when == "call":
                name = report.nodeid.rpartition("/")[2]
                terminalreporter.line(f"{outcome} {name} ({report.duration:.0f} s): {figures}")
