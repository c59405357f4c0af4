"""The wheel: what is in it, and that it works where nothing else is."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.shared import ROOT

BIN = Path(sys.executable).parent
installs = pytest.mark.skipif(
    os.environ.get("DIST") != "install",
    reason="builds and installs from the package index: make dist-test",
)


def built(folder: Path) -> Path:
    """The wheel, built of the sdist, built of the checkout."""
    command: list[str | Path] = [
        BIN / "uv",
        "build",
        "--quiet",
        "--offline",
        "--no-build-isolation",
    ]
    command += ["--python", sys.executable, "--out-dir", folder, ROOT]
    subprocess.run(command, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `built`, once."""
    return built(tmp_path_factory.mktemp("dist"))


@pytest.mark.slow
def test_the_wheel_has_all_of_the_package(wheel: Path) -> None:
    """Each module, template, script and shipped policy, the licence, and no test or cache."""
    kept = run(["git", "ls-files", "gateway", "policies"], ROOT, os.environ).split()
    built_of = {path for path in kept if not path.endswith((".c", ".pyi"))}
    wanted = {re.sub(r"^policies/", "gateway/shipped/", path) for path in built_of}

    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(each for each in names if each.endswith("/METADATA"))).decode()

    inside = {name for name in names if name.startswith("gateway/") and not name.endswith(".so")}
    assert wanted - inside == set()
    assert {name for name in inside - wanted if not name.endswith((".c", ".pyi"))} == set()
    assert "License-Expression: Apache-2.0\n" in metadata
    assert any(name.endswith("licenses/LICENSE") for name in names)


@installs
def test_the_same_source_gives_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """Byte for byte, so that anybody can check what a release was built of."""
    again = built(tmp_path)

    assert again.name == wheel.name
    assert digest(again) == digest(wheel)


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@installs
def test_the_wheel_runs_where_nothing_else_is(wheel: Path, tmp_path: Path) -> None:
    """`pip install dist/*.whl && soe-gateway demo`: it starts, and refuses a second copy."""
    venv.create(tmp_path / "venv", with_pip=True)
    own = tmp_path / "venv" / "bin"
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    pip: list[str | Path] = [
        own / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    subprocess.run([*pip, wheel], check=True, cwd=tmp_path, env=environ)
    listen = [f"--{name}=127.0.0.1:0" for name in ("listen", "admin-listen", "sandbox-listen")]

    told = [
        run([own / "soe-gateway", *words], cwd=tmp_path, environ=environ)
        for words in (["--version"], ["check"], ["demo", "--selftest", *listen])
    ]

    assert told[0].startswith("soe-gateway ")
    assert "no problems" in told[1]
    assert "FAIL" not in told[2]
    assert len(re.findall("^ok  ", told[2], re.MULTILINE)) >= 5


def run(command: list[str | Path], cwd: Path, environ: Mapping[str, str]) -> str:
    """What a command prints; it must end well."""
    return subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=cwd, env=environ
    ).stdout
