"""What a release is made of: version, changelog, list of parts, and the workflow that makes it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gateway import __version__
from gateway.cli import main
from tests.shared import ROOT

BIN = Path(sys.executable).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def make(folder: Path, *words: str) -> str:
    """Run make there, with the tools of this environment; gives what it printed."""
    ended = called(folder, *words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def called(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """As `make`, however it ends."""
    for name in ("runs", "ready"):  # the environment is there
        (folder / name).touch()
    command = ["make", "-C", str(folder), f"BIN={BIN}", "RUNS=runs", "READY=ready", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what a release reads and writes."""
    for name in ("changelog.d", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("Makefile", "pyproject.toml", "CHANGELOG.md", "gateway/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_a_release_moves_the_fragments_into_the_changelog(copy: Path) -> None:
    """Each fragment is an entry under its kind and gone as a file; the version is written."""
    fragments = {path: path.read_text().strip() for path in (copy / "changelog.d").glob("*.md")}
    (copy / "changelog.d" / "last.fixed.md").write_text("What was wrong is right.\n")

    make(copy, "release", "VERSION=98.7.6")
    changelog = (copy / "CHANGELOG.md").read_text()

    assert re.search(r"^## 98\.7\.6 \(\d{4}-\d\d-\d\d\)$", changelog, re.MULTILINE)
    for text in fragments.values():
        assert changelog.count(f"\n- {text}\n") == 1
    assert "### Fixed\n" in changelog
    assert "- What was wrong is right.\n" in changelog
    assert not [*(copy / "changelog.d").glob("*.md")]
    assert '\n__version__ = "98.7.6"\n' in (copy / "gateway" / "__init__.py").read_text()


def test_the_next_release_stands_above_the_last(copy: Path) -> None:
    """And changes nothing of it."""
    make(copy, "release", "VERSION=98.7.6")
    before = (copy / "CHANGELOG.md").read_text()
    (copy / "changelog.d" / "next.added.md").write_text("Something new.\n")

    make(copy, "release", "VERSION=98.8.0")
    after = (copy / "CHANGELOG.md").read_text()

    assert after.index("## 98.8.0") < after.index("## 98.7.6")
    assert before[before.index("## 98.7.6") :] in after


@pytest.mark.parametrize("version", ["", "1.2", "v1.2.3", "1.2.3rc"])
def test_a_release_has_a_version(copy: Path, version: str) -> None:
    """Of three numbers; else nothing is touched."""
    ended = called(copy, "release", f"VERSION={version}")

    assert ended.returncode
    assert "make release VERSION=1.2.3" in ended.stdout
    assert (copy / "CHANGELOG.md").read_text() == (ROOT / "CHANGELOG.md").read_text()


def test_the_version_stands_in_one_place(capsys: pytest.CaptureFixture[str]) -> None:
    """The package says it; the project's file and the command line ask there."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"soe-gateway {__version__}\n"
    assert "version" in PROJECT["dynamic"]


def test_the_package_wants_what_the_lock_was_made_of() -> None:
    """Whoever installs the wheel gets the libraries that the tests ran with, also those pinned."""
    lines = (ROOT / "requirements" / "run.in").read_text().splitlines()
    locked = {line.partition("#")[0].strip() for line in lines} - {""}

    assert set(PROJECT["dependencies"]) == locked


@pytest.mark.skipif(os.environ.get("DIST") != "install", reason="takes seconds: make dist-test")
def test_the_list_of_parts_names_every_locked_package(copy: Path) -> None:
    """With its version and the digests of its files; and the gateway with its own version."""
    make(copy, "sbom")
    parts = json.loads((copy / "dist" / "sbom.json").read_text())

    lock = (ROOT / "requirements" / "run.txt").read_text()
    locked = dict(re.findall(r"^([\w.-]+)==([\w.+!-]+)", lock, re.MULTILINE))
    assert parts["bomFormat"] == "CycloneDX"
    assert {each["name"]: each["version"] for each in parts["components"]} == locked
    digests = re.findall(r"--hash=sha256:([0-9a-f]{64})", lock)
    told = [
        digest["content"]
        for each in parts["components"]
        for digest in each["externalReferences"][0]["hashes"]
    ]
    assert sorted(told) == sorted(digests)
    component = parts["metadata"]["component"]
    assert (component["name"], component["version"]) == ("soe-write-gateway", __version__)
    assert component["licenses"] == [
        {"license": {"acknowledgement": "declared", "id": "Apache-2.0"}}
    ]


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_the_shape_and_no_hole(workflow: Path) -> None:
    """The schema of workflows holds, and the auditor of workflows finds nothing."""
    shape = [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow]
    audit = [BIN / "zizmor", "--offline", "--pedantic", "--no-progress", workflow]

    for command in (shape, audit):
        ended = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_workflow_calls_targets_that_are_there() -> None:
    """What runs in public is what runs here."""
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    words = [
        word
        for path in WORKFLOWS
        for call in re.findall(r"run: make (.+)", path.read_text())
        for word in call.split()
        if "=" not in word
    ]

    assert {"check", "test", "image-test", "dist-test", "dist", "sbom"} <= set(words) <= targets
