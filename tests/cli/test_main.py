"""The command line as a whole: its commands, its help, its exit codes."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Sequence

import pytest

from gateway import __version__
from gateway.cli import COMMANDS, main
from tests.patience import PATIENCE
from tests.shared import ROOT


def run(*words: str, read: int | None = None) -> subprocess.CompletedProcess[bytes]:
    """A process of its own, as a shell would start it."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", *words],
        stdout=subprocess.PIPE if read is None else read,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        timeout=PATIENCE,
        check=False,
    )


def code_of(words: Sequence[str]) -> int | str | None:
    """The exit code of a call that ends by itself."""
    with pytest.raises(SystemExit) as caught:
        main(words)
    return caught.value.code


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_tells_what_it_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The first sentence of a command's module opens its help."""
    module = importlib.import_module(f"gateway.cli.{name}")

    assert code_of([name, "--help"]) == 0
    assert (module.__doc__ or "nothing").splitlines()[0] in capsys.readouterr().out


def test_every_command_has_a_file_and_every_file_a_line() -> None:
    """The table is the folder, but for parts of commands."""
    files = {path.stem for path in (ROOT / "gateway" / "cli").glob("*.py")} - {"__init__"}
    files -= {"assembly", "progress", "reading"}
    files |= {path.parent.name for path in (ROOT / "gateway" / "cli").glob("*/__init__.py")}
    files.remove("serving")

    assert files == set(COMMANDS)


@pytest.mark.parametrize(
    "words", [[], ["chek"], ["check", "--jsno"], ["--check"], ["--", "check", "a", "b"]]
)
def test_a_wrong_call_exits_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The mistake is told on standard error, with the usage."""
    assert code_of(words) == 2
    assert capsys.readouterr().err.startswith("usage: soe-gateway")


def test_flags_are_not_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    """A flag is written whole: what is short for one today is short for two tomorrow."""
    assert code_of(["check", "--js"]) == 2


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, with the name and the version of the package."""
    assert code_of(["--version"]) == 0
    assert capsys.readouterr().out == f"soe-gateway {__version__}\n"


def test_help_imports_no_command() -> None:
    """Who asks what there is does not wait for what all of it needs."""
    script = (
        "import sys, gateway.cli\n"
        "try: gateway.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name in ('yaml', 'uvicorn', 'httpx', 'starlette')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, cwd=ROOT, check=True)

    assert done.stdout.splitlines()[-1] == b"[]"


def test_a_reader_that_leaves_early_is_no_crash() -> None:
    """`soe-gateway test | head` ends without a word on standard error."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "test"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read()
    process.stderr.close()

    assert process.wait(PATIENCE) == 1
    assert errors == b""


def test_an_interrupt_ends_a_command_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C gives the exit code that shells know, and no traceback."""
    module = importlib.import_module("gateway.cli.keys")

    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "run", interrupted)

    assert main(["keys", "new"]) == 130
