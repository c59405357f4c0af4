"""What the documents show and no test runs is still called as the program wants it."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from collections import Counter

import pytest

from gateway.cli import COMMANDS
from tests.docs.pages import PAGES, Block, blocks, prose
from tests.shared import ROOT

UNRUN = blocks("sh", "console unrun")
LANGUAGES = {
    "",
    "console",
    "console unrun",
    "python",
    "promql",
    "settings",
    "sh",
    "text",
    "values",
    "yaml",
}
_MENTION = re.compile(r"`soe-gateway ([a-z]+)")


def calls(block: Block) -> list[list[str]]:
    """The words of each call of `soe-gateway` in a block."""
    joined = re.sub(r"^[$>] ", "", block.text, flags=re.MULTILINE).replace("\\\n", " ")
    found = []
    for line in joined.splitlines():
        words = shlex.split(line, comments=True)
        while words and re.match(r"[A-Z_]+=", words[0]):
            words.pop(0)
        if words[:1] == ["soe-gateway"]:
            ends = [words.index(each) for each in ("|", ">", "&&", ">>", "&") if each in words]
            found.append(words[1 : min(ends, default=len(words))])
    return found


@pytest.mark.parametrize("block", [each for each in UNRUN if calls(each)], ids=str)
def test_a_call_that_is_shown_can_be_made(block: Block) -> None:
    """Its command is there and takes its flags and arguments."""
    for command, *words in calls(block):
        parser = argparse.ArgumentParser(prog=command, allow_abbrev=False)
        importlib.import_module(f"gateway.cli.{command}").add_arguments(parser)

        parser.parse_args(words)


def test_commands_that_are_named_are_there() -> None:
    """No page names a command that the program does not have."""
    named = {name for page in PAGES for name in _MENTION.findall(prose(page))}

    assert named <= set(COMMANDS)


def test_every_block_says_what_it_is() -> None:
    """So that each is run, loaded, parsed or counted, and none is overlooked."""
    told = {str(block): block.language for block in blocks(*_languages())}

    assert {place: kind for place, kind in told.items() if kind not in LANGUAGES} == {}


def _languages() -> set[str]:
    infos = (re.findall(r"^```([^\n`]+)$", page.read_text(), re.MULTILINE) for page in PAGES)
    return {info for page in infos for info in page}


def test_what_is_not_run_is_counted() -> None:
    """Who shows a command that no test runs says so here, where the next reader sees how many."""
    counted = Counter(str(block.page.relative_to(ROOT)) for block in UNRUN)
    runbooks = sum(number for page, number in counted.items() if page.startswith("docs/runbooks"))
    others = {page: n for page, n in counted.items() if not page.startswith("docs/runbooks")}

    assert runbooks == 21
    assert others == {
        "deploy/helm/README.md": 1,
        "docs/audit.md": 6,
        "docs/confirming.md": 1,
        "docs/console.md": 3,
        "docs/integrations.md": 1,
        "docs/kubernetes.md": 6,
        "docs/operations.md": 5,
        "docs/rollout.md": 5,
        "docs/tutorial.md": 1,
    }
