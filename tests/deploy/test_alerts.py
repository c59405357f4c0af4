"""Alerts fire when they should and not when they should not, and each has its page."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from gateway import cli
from gateway.cli import main
from gateway.model import Effect, Outcome
from gateway.observe.metrics import UPSTREAM_CODES
from tests.observe.test_metrics import described
from tests.shared import ROOT

RULES = ROOT / "deploy" / "prometheus"
TESTS = sorted(RULES.glob("*.test.yaml"))
RUNBOOKS = ROOT / "docs" / "runbooks"
PROMTOOL = shutil.which("promtool")
TARGET = {"job", "namespace", "instance"}
"""Labels that Prometheus gives what it scrapes."""
VALUES: dict[str, set[str]] = {
    "code": set(UPSTREAM_CODES),
    "effect": {*Effect},
    "outcome": {*Outcome},
    "posture": {"discover", "guard"},
}
"""The values of labels that expressions may name."""
KNOWN = described()
SERIES = ("_bucket", "_count", "_sum")
PARTS = ("What it means", "What users notice", "How to look", "How to mend", "When it is over")


def lines(text: str, language: str) -> list[str]:
    """The lines of a page's blocks in a language."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def rules() -> list[dict[str, Any]]:
    """Every rule of the file."""
    groups = yaml.safe_load((RULES / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
RECORDED = {
    rule["record"]: set(re.findall(r"\w+", rule["expr"].partition("by (")[2].partition(")")[0]))
    for rule in rules()
    if "record" in rule
}


def labels_of(metric: str) -> set[str]:
    """The labels of a metric or a recorded series; KeyError where there is none."""
    if metric in RECORDED:
        return RECORDED[metric]
    base = next((metric.removesuffix(end) for end in SERIES if metric.endswith(end)), metric)
    return KNOWN[base] | TARGET | ({"le"} if metric.endswith("_bucket") else set())


def parts(node: Any) -> Iterator[Any]:
    """An expression and all in it."""
    yield node
    below = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "vector_selector")]
    for each in (*filter(None, below), *getattr(node, "args", ())):
        yield from parts(each)


def selectors(node: Any) -> list[Any]:
    """The series that an expression asks for."""
    return [each for each in parts(node) if isinstance(each, promql.VectorSelector)]


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
@pytest.mark.parametrize(
    "command",
    [
        ["check", "rules", "--lint=all", "--lint-fatal", "rules.yaml"],
        ["test", "rules", *(path.name for path in TESTS)],
    ],
)
def test_promtool_finds_nothing(command: list[str]) -> None:
    """The rules are well-formed, and their own tests pass."""
    assert PROMTOOL is not None
    ended = subprocess.run(
        [PROMTOOL, *command], cwd=RULES, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("fires", [True, False])
def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent(
    fires: bool,
) -> None:
    """None is missing, and none is tested that is not there."""
    tests = [test for path in TESTS for test in yaml.safe_load(path.read_text())["tests"]]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    shown = {case["alertname"] for case in cases if bool(case.get("exp_alerts")) is fires}

    assert shown == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_and_where_to_read_on(name: str) -> None:
    """Whoever is woken needs one sentence, then some more, then the page."""
    told = ALERTS[name]["annotations"]

    assert ALERTS[name]["labels"]["severity"] in {"critical", "warning", "info"}
    assert told.keys() == {"summary", "description", "runbook_url"}
    assert told["runbook_url"] == f"docs/runbooks/{name}.md"


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_an_expression_asks_for_what_the_gateway_tells(rule: dict[str, Any]) -> None:
    """Every metric, every label and every value that it names is in the code."""
    expression = promql.parse(rule["expr"])
    asked = selectors(expression)
    named = {matcher.name for each in asked for matcher in each.matchers.matchers}
    grouped = {
        label
        for each in parts(expression)
        if isinstance(each, promql.AggregateExpr) and each.modifier
        for label in each.modifier.labels
    }
    values = {
        (matcher.name, value)
        for each in asked
        for matcher in each.matchers.matchers
        for value in matcher.value.split("|")
    }

    assert asked
    assert named | grouped <= set.union(*(labels_of(each.name) for each in asked))
    for each in asked:
        assert {matcher.name for matcher in each.matchers.matchers} <= labels_of(each.name)
    assert all(value in VALUES[label] for label, value in values)


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    """The index lists all of them."""
    pages = {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"}
    listed = re.findall(r"\]\((\w+)\.md\)", (RUNBOOKS / "README.md").read_text())

    assert pages == set(ALERTS)
    assert listed == list(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_a_page_says_what_who_is_woken_asks(name: str) -> None:
    """In this order: what it means, what users notice, how to look, how to mend, when it is over."""
    text = (RUNBOOKS / f"{name}.md").read_text()

    assert text.startswith(f"# {name}\n")
    assert tuple(re.findall(r"^## (.*)$", text, re.MULTILINE)) == PARTS


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
def test_a_page_names_only_metrics_that_there_are(page: Path) -> None:
    """What it tells to look at is there, and PromQL that it shows can be asked."""
    text = page.read_text()
    for query in lines(text, "promql"):
        assert selectors(promql.parse(query))

    for metric in re.findall(r"soe_gateway_\w+", text):
        assert labels_of(metric)


@pytest.mark.parametrize(
    "command",
    sorted(
        {
            line
            for page in RUNBOOKS.glob("*.md")
            for line in lines(page.read_text(), "sh")
            if line.startswith("soe-gateway ")
        }
    ),
)
def test_a_command_of_a_page_can_be_called(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is woken can type it as it stands."""
    words = shlex.split(command)[1:]
    called: list[str] = []
    monkeypatch.setattr(cli, "_run", lambda args: called.append(args.command))
    main(words)

    assert called == words[:1]


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
def test_a_page_names_only_events_and_settings_that_there_are(page: Path) -> None:
    """What it says stands in the log or in the settings stands there."""
    reference = "".join(each.read_text() for each in (ROOT / "docs" / "reference").glob("*.md"))
    named = re.findall(r"`([a-z]+\.[a-z_]+)`", page.read_text())

    assert all(f"`{name}`" in reference for name in named if not name.endswith(".yaml"))
