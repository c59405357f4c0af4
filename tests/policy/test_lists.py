"""Lists in files: what they give, that they are part of the revision, and of reloading."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.checks.duplicate import Duplicate
from gateway.model import Post
from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer
from gateway.policy.load import load
from gateway.policy.policyset import PolicySet
from gateway.proxy.reload import Policies
from tests.patience import eventually
from tests.policy.bad_files import TODAY
from tests.proxy.rig import Quiet
from tests.samples import a_write

FORM = "Please attach the output of the collector to your question, or nobody can look into it."
RULES = """\
policy: lists
owner: tests
rules:
  words: {title: T, mode: warn, for: [question.create], if: {body: {contains: {file: words.txt}}}}
  tagged: {title: T, mode: warn, for: [question.create], if: {tags: {any_of: {file: lists/tags.txt}}}}
  copies: {title: T, mode: enforce, for: [question.create], duplicate: {within: 1d, templates: {file: forms.txt}}}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A policy directory with three lists."""
    (tmp_path / "lists").mkdir()
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "words.txt").write_text(
        "# whom we do not send there\n\nticket desk\n  Hotline \r\n"
    )
    (tmp_path / "lists" / "tags.txt").write_text("release\n#security\n")
    (tmp_path / "forms.txt").write_text(f"{FORM}\n")
    return tmp_path


def fails(policies: PolicySet, rule: str, post: Post) -> bool:
    """Whether the conditions of a rule hold of a post."""
    (found,) = (each for each in policies.rules if each.id == rule)
    assert found.condition is not None
    return found.condition(a_write(post=post))


def test_a_line_is_an_entry_and_comments_are_none(directory: Path) -> None:
    """Empty lines and white space around an entry do not count."""
    policies = load(directory, today=TODAY)

    assert fails(policies, "words", Post(body="Ask the hotline."))
    assert fails(policies, "words", Post(body="The TICKET DESK knows."))
    assert not fails(policies, "words", Post(body="whom we do not send there"))
    assert fails(policies, "tagged", Post(tags=("Release",)))
    assert not fails(policies, "tagged", Post(tags=("security",)))
    check = policies.by_operation["question.create"][-1].check
    assert isinstance(check, Duplicate)
    assert check.templates == (FORM,)


def test_a_list_is_part_of_the_revision(directory: Path) -> None:
    """Where it changes, the revision does; a file that nobody names does not count."""
    before = load(directory, today=TODAY)
    (directory / "notes.txt").write_text("nobody names this")
    same = load(directory, today=TODAY)
    (directory / "words.txt").write_text("ticket desk\n")
    after = load(directory, today=TODAY)

    assert same.revision == before.revision
    assert after.revision != before.revision


async def test_a_changed_list_is_taken_up_while_the_gateway_runs(directory: Path) -> None:
    """As a changed policy is; a list that is gone leaves the last good set."""
    active = Policies(lambda: load(directory, today=TODAY), directory, Observer(Quiet(), Metrics()))
    before = active.current
    watching = asyncio.create_task(active.watch(0.01))
    (directory / "words.txt").write_text("collector\n")
    await eventually(lambda: active.current is not before)
    watching.cancel()
    changed = active.current
    (directory / "words.txt").unlink()
    await active.reload()

    assert not fails(before, "words", Post(body="Attach the collector."))
    assert fails(changed, "words", Post(body="Attach the collector."))
    assert active.current is changed


def test_a_list_of_a_configmap_is_read(directory: Path) -> None:
    """Kubernetes puts links to links there; they stay in the directory."""
    (directory / "..one").mkdir()
    (directory / "words.txt").rename(directory / "..one" / "words.txt")
    (directory / "..data").symlink_to("..one")
    (directory / "words.txt").symlink_to("..data/words.txt")

    assert fails(load(directory, today=TODAY), "words", Post(body="Ask the hotline."))
