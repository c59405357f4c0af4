"""What is remembered of refused texts, and what of it counts."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from gateway.offline.testing.play import play
from gateway.offline.testing.report import told
from gateway.offline.testing.suite import read_suite
from tests.text.posts import HONEST

RULES = """\
policy: templates
owner: tests
rules:
  event: {title: Not again, mode: enforce, for: [question.create], duplicate: {compare: event, within: 1d}}
  series: {title: No series, mode: enforce, for: [answer.create], boilerplate: {within: 1d, %s}}
tests:
  a story:
    given: %s
    steps: %s
"""
EVENT = "Job {n} failed at 10:0{n}:55 after 3{n} s, see /var/log/jobs/471{n}.log for more of it"


def differences(
    directory: Path, steps: list[dict[str, Any]], parameters: str = "threads: 3", **given: str
) -> list[str]:
    """Run a story, and give what went otherwise."""
    facts = json.dumps({"as": "help-bot", **given})
    (directory / "p.yaml").write_text(RULES % (parameters, facts, json.dumps(steps)))
    suite = read_suite(directory, today=date(2026, 1, 5))
    return [told(each.failure) for each in play(suite.policies, suite.cases) if each.failure]


def event(n: int, after: str, expect: object) -> dict[str, Any]:
    """An entry of a log as a question."""
    title = f"Job {n} failed on node-{n}"
    return {
        "question.create": "new", "title": title, "body": EVENT.format(n=n),
        "after": after, "expect": expect,
    }  # fmt: skip


REFUSED = {"refused_by": ["event"]}
SERIES = {"refused_by": ["series"]}


def test_a_flood_does_not_begin_anew_when_its_first_post_is_forgotten(tmp_path: Path) -> None:
    """The refused ones keep it known, as long as it goes on."""
    steps = [event(1, "1s", "pass")]
    steps += [event(n, "10h", REFUSED) for n in (2, 3, 4, 5, 6)]
    steps += [event(7, "25h", "pass")]

    assert differences(tmp_path, steps) == []


def test_what_was_refused_to_one_is_no_copy_for_another(tmp_path: Path) -> None:
    """It stands nowhere."""
    steps = [
        event(1, "1s", "pass"),
        event(2, "20h", REFUSED),
        event(3, "20h", "pass") | {"as": "other-bot"},
    ]

    assert differences(tmp_path, steps) == []


def test_a_text_that_was_put_right_is_not_its_own_copy(tmp_path: Path) -> None:
    """Sent to the same place, with what was asked for."""
    body = HONEST["vpn"]
    better = f"{body} In your case it is the check that fails: the phone has two addresses."
    steps = [
        {"answer.create": 1, "body": body, "expect": "pass"},
        {"answer.create": 2, "body": body, "after": "1h", "expect": SERIES},
        {"answer.create": 2, "body": better, "after": "25h", "expect": "pass"},
    ]

    assert differences(tmp_path, steps, "threads: 2") == []


def test_a_registered_template_is_common_property(tmp_path: Path) -> None:
    """Whoever uses it, however often; the rest is compared."""
    form = "Please attach the output of the collector to your question, or nobody can look into it."
    steps = [
        {"answer.create": n, "body": f"{form} {text[:60]}", "after": "1m", "expect": "pass"}
        for n, text in enumerate(HONEST.values(), 1)
    ]

    assert differences(tmp_path, steps, f"threads: 3, templates: ['{form}']") == []
    assert differences(tmp_path, steps) != []


def test_a_forbidden_text_is_refused_at_once(tmp_path: Path) -> None:
    """In whatever company."""
    text = HONEST["invoice"]
    steps = [{"answer.create": 1, "body": f"Hello!\n\n{text}\n\nBye!", "expect": SERIES}]

    assert differences(tmp_path, steps, f"threads: 3, forbidden: ['{text}']") == []
