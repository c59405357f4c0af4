"""The gateway starts on what earlier versions wrote, and remembers; what is newer it refuses.

`schema-N.tar.gz` is the data directory of the gateway whose state had schema N, as `write.py` made
it. The audit log of 1 to 3 has schema 1; from 4 on it has schema 2.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.audit.people import VERSION
from gateway.audit.record import SCHEMA
from gateway.cli import main
from gateway.state.sqlite.schema import MIGRATIONS
from tests import local
from tests.e2e.process import gateway
from tests.e2e.stack import sandbox
from tests.upgrade.write import HERE, SETTINGS, ask

WRITTEN = sorted(HERE.glob("schema-*.tar.gz"))
FIRST, SECOND, THIRD, FOURTH = range(4)


@pytest.fixture(scope="module")
def soe() -> Iterator[str]:
    """A sandbox."""
    with sandbox() as url:
        yield url


def unpacked(archive: Path, folder: Path) -> Path:
    """A copy of a data directory."""
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / "data"


def records(data: Path) -> list[dict[str, object]]:
    """All records, whoever wrote them."""
    paths = (data / "audit").glob("audit-*.jsonl")
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def test_every_schema_has_files_that_it_wrote() -> None:
    """A new schema of the state comes with a data directory, which later versions open."""
    names = [f"schema-{number}.tar.gz" for number in range(1, len(MIGRATIONS) + 1)]

    assert [path.name for path in WRITTEN] == names


@pytest.mark.slow
@pytest.mark.parametrize("archive", WRITTEN, ids=lambda path: path.name.partition(".")[0])
def test_what_an_earlier_version_wrote_is_remembered(
    archive: Path, soe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A copy of an old post is refused, caps go on where they stood, and the old records verify."""
    data = unpacked(archive, tmp_path)
    before = records(data)
    local.post(f"{soe}/_sandbox/reset")

    with gateway(soe, data, "--policies", str(HERE / "policies"), environ={**SETTINGS}) as running:
        told = [ask(running.proxy, number) for number in (FIRST, THIRD, FOURTH)]

    assert [each.status_code for each in told] == [400, 201, 429]
    assert told[0].json()["code"] == "duplicate"
    assert told[2].json()["violations"][0]["rule"] == "three-for-ever"
    after = records(data)
    assert [each for each in before if each not in after] == []
    assert {each["schema"] for each in after} == {before[0]["schema"], SCHEMA}
    assert main(["audit", "verify", "--data", str(data)]) == 0
    capsys.readouterr()
    assert main(["audit", "query", "--data", str(data), "--effect", "refuse", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_state_of_a_newer_version_is_refused(
    serve: Callable[[Path], tuple[int, str]], tmp_path: Path
) -> None:
    """The gateway does not start on it, says why and what to do, and leaves it as it is."""
    data = unpacked(WRITTEN[-1], tmp_path)
    newer = len(MIGRATIONS) + 1
    with contextlib.closing(sqlite3.connect(data / "state.db")) as db:
        db.execute(f"PRAGMA user_version = {newer}")

    code, told = serve(data)

    assert code == 1
    assert f"its schema {newer} is of a newer gateway" in told
    assert "put back the copy" in told
    with contextlib.closing(sqlite3.connect(data / "state.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (newer,)


def test_a_people_file_of_a_newer_version_is_refused(
    serve: Callable[[Path], tuple[int, str]], tmp_path: Path
) -> None:
    """The gateway does not start on it, and says why and what to do."""
    data = unpacked(WRITTEN[-1], tmp_path)
    with contextlib.closing(sqlite3.connect(data / "people.db")) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")

    code, told = serve(data)

    assert code == 1
    assert f"is of a newer gateway: its version is {VERSION + 1}" in told
    assert "put back the copy" in told


def test_an_audit_log_of_a_newer_version_is_refused(
    serve: Callable[[Path], tuple[int, str]], tmp_path: Path
) -> None:
    """Nothing is added to it: the segment is named, and what to do."""
    data = unpacked(WRITTEN[-1], tmp_path)
    [segment] = (data / "audit").glob("audit-*.jsonl")
    newer = segment.read_text().replace(f'"schema":{SCHEMA}', f'"schema":{SCHEMA + 1}')
    segment.write_text(newer)

    code, told = serve(data)

    assert code == 1
    assert f"{segment} was written by a newer gateway: its schema is {SCHEMA + 1}" in told
    assert [path.read_text() for path in (data / "audit").glob("audit-*")] == [newer]


@pytest.fixture
def serve(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path], tuple[int, str]]:
    """Starts the gateway where it must not come up; gives its exit code, and what it said."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)

    def serve(data: Path) -> tuple[int, str]:
        words = ["--upstream", "http://127.0.0.1:1", "--listen", "127.0.0.1:0"]
        words += ["--admin-listen", "127.0.0.1:0", "--data", str(data)]
        return main(["serve", *words]), capfd.readouterr().out

    return serve
