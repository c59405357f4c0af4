"""How tests of policies ended: for people, for tools (JSON), and for CI systems (JUnit's XML)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from gateway.model import Finding, Result
from gateway.offline.testing.play import Failure, Played

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Ink:
    """Colours, for terminals alone."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours

    def _in(self, code: int, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colours else text

    def good(self, text: str) -> str:
        """What is as expected."""
        return self._in(32, text)

    def bad(self, text: str) -> str:
        """What is not."""
        return self._in(31, text)

    def faint(self, text: str) -> str:
        """What is beside the point."""
        return self._in(2, text)


# ── for people ───────────────────────────────────────────────────────────────────────────────


def lines(played: Sequence[Played], ink: Ink) -> Iterator[str]:
    """One line a test, then what failed, then one line in sum."""
    for each in played:
        sign = ink.good("ok  ") if each.failure is None else ink.bad("FAIL")
        yield f"{sign} {Path(each.case.path).name}: {each.case.name}"
    for each in played:
        if each.failure is not None:
            yield ""
            yield from _failure(each, each.failure, ink)
    failed = sum(each.failure is not None for each in played)
    seconds = sum(each.seconds for each in played)
    if failed:
        yield ""
    told = f"{len(played)} test{'s' if len(played) != 1 else ''}, {failed} failed"
    yield f"{ink.bad(told) if failed else ink.good(told)} {ink.faint(f'({seconds:.2f} s)')}"


def _failure(played: Played, failure: Failure, ink: Ink) -> Iterator[str]:
    yield ink.bad(played.case.name)
    yield f"{place(played)}: {told(failure)}"
    width = max(len(difference.key) for difference in failure.differences)
    for each in failure.differences:
        yield f"  {each.key:{width}}  expected {ink.good(each.expected)}"
        yield f"  {'':{width}}  found    {ink.bad(each.found)}"
    notes = list(_notes(failure))
    if notes:
        yield "  what the rules found:"
    for note, beside in notes:
        yield f"    {note}"
        if beside:
            yield ink.faint(f"      {beside}")


def place(played: Played) -> str:
    """Where the step stands that failed, else the test."""
    mark = played.failure.step.mark if played.failure else played.case.mark
    return f"{played.case.path}:{mark.line}:{mark.column}"


def told(failure: Failure) -> str:
    """Name the step: what, who, when."""
    step = failure.step
    name = step.request.facts.get("as")
    at = datetime.fromtimestamp(step.at, UTC)
    by = f" as {name}" if name else ""
    return f"step {step.place}, {step.said}{by}, {at:%a %Y-%m-%d %H:%M:%S} UTC"


def _notes(failure: Failure) -> Iterator[tuple[str, str]]:
    """What failing rules say, with their figures; and what became of those that should have."""
    met = failure.met
    for finding in met.failing:
        assert finding.violation is not None
        yield f"{_headed(finding)}: {finding.violation.message}", _figures(finding)
    if met.detail and not met.failing:
        yield f"the gateway itself: {met.detail}", ""
    failing = {finding.rule for finding in met.failing}
    wanted = {rule for rules in failure.step.expect.rules.values() for rule in rules}
    found = {f.rule: f for f in met.decision.findings} if met.decision else {}
    for rule in sorted(wanted - failing):
        yield f"{rule}: {_silent(found.get(rule))}", ""


def _headed(finding: Finding) -> str:
    confirmed = ", confirmed" if finding.consented else ""
    return f"{finding.rule} ({finding.mode.value}{confirmed})"


def _silent(finding: Finding | None) -> str:
    if finding is None:
        return "does not look at this write ('for', 'if' or what else narrows it; an exception)"
    if finding.result is Result.SKIP:
        return "was not asked, because another rule had refused already"
    return "passed"


def _figures(finding: Finding) -> str:
    assert finding.violation is not None
    figures = {"code": finding.violation.code, **finding.violation.evidence}
    return ", ".join(f"{name} {_shown(value)}" for name, value in figures.items())


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


# ── for tools ────────────────────────────────────────────────────────────────────────────────


def document(played: Sequence[Played], revision: str) -> dict[str, Any]:
    """Everything, as JSON has it."""
    return {"revision": revision, "tests": [_test(each) for each in played]}


def _test(played: Played) -> dict[str, Any]:
    mark = played.case.mark
    return {
        "path": played.case.path,
        "line": mark.line,
        "name": played.case.name,
        "passed": played.failure is None,
        "failure": _as_json(played.failure) if played.failure else None,
    }


def _as_json(failure: Failure) -> dict[str, Any]:
    return {
        "step": failure.step.place,
        "line": failure.step.mark.line,
        "operation": failure.step.request.route.endpoint.operation,
        "differences": [
            {"key": each.key, "expected": each.expected, "found": each.found}
            for each in failure.differences
        ],
        "findings": [
            {
                "rule": finding.rule,
                "mode": finding.mode.value,
                "code": finding.violation.code,
                "message": finding.violation.message,
                "evidence": dict(finding.violation.evidence),
            }
            for finding in failure.met.failing
            if finding.violation is not None
        ],
    }


# ── for CI systems ───────────────────────────────────────────────────────────────────────────


def junit(played: Sequence[Played]) -> bytes:
    """JUnit's XML as CI systems read it: a suite for each file, a case for each test."""
    from xml.etree import ElementTree as ET

    root = ET.Element("testsuites", _counts("soe-gateway test", played))
    for path, group in groupby(played, key=lambda each: each.case.path):
        tests = list(group)
        suite = ET.SubElement(root, "testsuite", _counts(path, tests))
        for each in tests:
            facts = {"classname": Path(path).name, "name": _xml(each.case.name), "file": path}
            facts |= {"line": str(each.case.mark.line), "time": f"{each.seconds:.3f}"}
            case = ET.SubElement(suite, "testcase", facts)
            if each.failure is not None:
                text = _xml("\n".join(_failure(each, each.failure, Ink(colours=False))))
                first = text.splitlines()[1]
                ET.SubElement(case, "failure", message=first, type="difference").text = text
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _counts(name: str, tests: Sequence[Played]) -> dict[str, str]:
    failed = sum(each.failure is not None for each in tests)
    return {
        "name": _xml(name),
        "tests": str(len(tests)),
        "failures": str(failed),
        "errors": "0",
        "skipped": "0",
        "time": f"{sum(each.seconds for each in tests):.3f}",
    }


def _xml(text: str) -> str:
    """XML 1.0 has no room for some characters."""
    return _NO_XML.sub("\ufffd", text)
