"""What the documents show behaves as shown: their commands run, their policies hold their tests."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gateway.cli import main
from gateway.cli.demo import EXAMPLES, KEY
from gateway.policy.registry import digest
from gateway.settings.load import load_settings
from tests import local
from tests.docs.pages import Block, blocks
from tests.e2e.stack import stack
from tests.patience import PATIENCE
from tests.shared import ROOT

GATEWAY = "http://127.0.0.1:8080"
"""Where the documents say that the gateway listens."""
DATA = "/var/lib/soe-gateway"
"""Where they say that its data lies."""


@contextlib.contextmanager
def demo() -> Iterator[tuple[str, str]]:
    """What `make run` starts, on free ports; gives the gateway's URL, and where its data lies."""
    listen = [f"--{name}=127.0.0.1:0" for name in ("listen", "admin-listen", "sandbox-listen")]
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "demo", *listen], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        lines = iter(process.stdout.readline, "")
        url = next(found[1] for line in lines if (found := re.match(r"The gateway: (\S+)", line)))
        yield url, next(found[1] for line in lines if (found := re.search(r"--data (\S+)", line)))
    finally:
        process.terminate()
        process.wait(2 * PATIENCE)
        process.stdout.close()


@pytest.fixture(scope="module")
def shared_demo() -> Iterator[tuple[str, str]]:
    """One demo for the pages that do not begin with one of their own."""
    with demo() as places:
        yield places


def commands(block: Block) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output that stands below it."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


def holds(output: str, shown: str) -> bool:
    """Whether the output has all that is shown, in order; `…` stands for anything."""
    at = 0
    for part in filter(None, (piece.strip() for piece in shown.split("…"))):
        at = output.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True


def session(page: Path, url: str, data: str) -> list[tuple[str, str, str]]:
    """Type a page's commands into one shell; gives each with what is shown and what it printed.

    The YAML that a page tells to save stands under `# save as: PATH`, and is saved before the
    command that comes after it.
    """
    told: list[tuple[str, str]] = []
    script: list[str] = []
    for block in sorted(blocks("console", "yaml"), key=lambda each: each.line):
        if block.page != page:
            continue
        if block.language == "yaml":
            if saved := re.match(r"# save as: (\S+)\n", block.text):
                script.append(f"cat > {saved[1]} <<'END'\n{block.text}END")
            continue
        for command, shown in commands(block):
            told.append((command, shown))
            script += [f"printf '\\0'\n{'' if command.startswith('make') else command}"]
    typed = "\n".join(script).replace(GATEWAY, url).replace(DATA, data)
    done = subprocess.run(
        ["/bin/bash"],
        input=re.sub(r"/tmp/soe-gateway-\w+", data, typed),
        cwd=ROOT,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=4 * PATIENCE,
        check=False,
    )
    printed = done.stdout.split("\0")[1:]
    assert len(printed) == len(told), done.stdout
    return [(*each, output) for each, output in zip(told, printed, strict=True)]


TYPED = sorted({block.page for block in blocks("console")})
OWN_DEMO = {"tutorial.md"}
"""Pages that fill caps or change policies, so that no other may share their gateway."""


@pytest.mark.slow
@pytest.mark.parametrize("page", TYPED, ids=lambda page: page.name)
def test_commands_print_what_is_shown(page: Path, request: pytest.FixtureRequest) -> None:
    """Targets of make are there; every other command of a page runs, in one shell, in order."""
    with contextlib.ExitStack() as stack:
        own = page.name in OWN_DEMO
        places = stack.enter_context(demo()) if own else request.getfixturevalue("shared_demo")
        typed = session(page, *places)

    for command, shown, printed in typed:
        if command.startswith("make"):
            assert f"\n{shlex.split(command)[1]}:" in (ROOT / "Makefile").read_text()
        assert holds(printed, shown) or command.startswith("make"), f"{command}\n{printed}"


@pytest.mark.slow
def test_the_picture_of_a_refusal_is_what_is_answered(shared_demo: tuple[str, str]) -> None:
    """The words drawn in it are those of a real answer, but for the address of the post."""
    drawn = ElementTree.parse(ROOT / "docs" / "images" / "refusal.svg").iterfind(".//*[@class]")
    words = " ".join(each.text or "" for each in drawn).strip('",')
    event, again = (each for each in EXAMPLES if "event" in each.title)

    for example in (event, again):  # whether or not a page has sent the first already
        answer = local.post(
            shared_demo[0] + example.path, json=example.body, headers=example.headers()
        )

    assert answer.status_code == again.status
    assert _anywhere(answer.json()["detail"]) == _anywhere(words)


def _anywhere(text: str) -> str:
    return re.sub(r"http\S+/questions/\d+", "URL", text)


PROGRAMS = sorted({block.page for block in blocks("python")})


@pytest.mark.slow
@pytest.mark.parametrize("page", PROGRAMS, ids=lambda page: page.name)
def test_a_program_that_is_shown_runs(page: Path, tmp_path: Path) -> None:
    """The blocks of a page are one program; it meets a gateway with the policies of the page."""
    policies = tmp_path / "policies"
    policies.mkdir()
    shown = [block for block in blocks("yaml") if block.page == page]
    for number, block in enumerate(each for each in shown if each.kind == "policy"):
        (policies / f"{number}.yaml").write_text(block.text)
    known = f"owner: o, contact: c, purpose: p, keys: ['sha256:{digest(KEY.encode())}']"
    (policies / "integrations.yaml").write_text(f"integrations: {{help-bot: {{{known}}}}}\n")
    program = "\n".join(block.text for block in blocks("python") if block.page == page)

    with stack(tmp_path, policies) as pair:
        done = subprocess.run(
            [sys.executable, "-c", program.replace(GATEWAY, pair.url)],
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )

    assert (done.returncode, done.stderr) == (0, "")


FILES = {"policy": "shown.yaml", "integrations": "integrations.yaml", "tests": "more.test.yaml"}


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_a_file_that_is_shown_is_right_and_holds_its_tests(
    block: Block, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page's policies, tests and overrides load, beside the registrations that it shows."""
    beside = ("integrations", "policy") if block.kind == "tests" else ("integrations",)
    for each in blocks("yaml"):
        if each.page == block.page and each.kind in beside:
            (tmp_path / FILES[each.kind]).write_text(each.text)
    (tmp_path / FILES.get(block.kind, "overrides.yaml")).write_text(block.text)

    # An override changes what the shipped tests expect, so it is looked at alone.
    for command in ("check", "test") if block.kind in ("policy", "tests") else ("check",):
        code = main([command, str(tmp_path)])

        assert code == 0, capsys.readouterr().out


@pytest.mark.parametrize("block", blocks("settings"), ids=str)
def test_settings_that_are_shown_can_be_read(block: Block, tmp_path: Path) -> None:
    """On the last day for which they are meant, where they have one."""
    path = tmp_path / "gateway.yaml"
    path.write_text(block.text)
    ends = re.search(r"until: (\S+?)[,}]", block.text)
    today = date.fromisoformat(ends[1]) if ends else None

    load_settings(flags={}, environ={}, config=path, required=(), today=today)


COOKBOOK = [block for block in blocks("yaml") if block.page.name == "cookbook.md"]


@pytest.mark.parametrize("block", [each for each in COOKBOOK if each.kind == "policy"], ids=str)
def test_each_rule_of_the_cookbook_is_missed_by_a_test_of_its_block(
    block: Block, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who copies a rule copies what shows that it works."""
    registered = next(each for each in COOKBOOK if each.kind == "integrations")
    (tmp_path / "integrations.yaml").write_text(registered.text)
    (tmp_path / "shown.yaml").write_text(block.text)

    assert main(["check", "--coverage", str(tmp_path)]) == 0, capsys.readouterr().out
