"""`soe-gateway check --settings` judges settings, and starts nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.settings import TABLE
from tests.conftest import PATIENT

WELL = "upstream: {url: 'https://soe.example.com'}\nsite: {contact: {name: Knowledge Team}}\n"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in PATIENT:
        monkeypatch.delenv(f"SOE_GATEWAY_{name}", raising=False)


def test_it_tells_every_mistake_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    """All at once, with the nearest known key, and exit 1."""
    Path("mine.yaml").write_text(f"{WELL}server: {{lisen: 'h:1', drain: 0s}}\n")

    code = main(["check", "--settings", "mine.yaml"])

    assert code == 1
    assert capsys.readouterr().out.splitlines() == [
        "mine.yaml:3:10: unknown key 'lisen'; did you mean 'listen'?",
        "mine.yaml:3:31: must be longer than 0",
        "2 problems",
    ]


def test_it_tells_every_value_and_where_it_stands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """File, environment and defaults in one list; weak ones with the place that mends them."""
    Path("mine.yaml").write_text(f"{WELL}state: {{url: 'memory:'}}\n")
    monkeypatch.setenv("SOE_GATEWAY_LOG_LEVEL", "error")

    code = main(["check", "--settings", "mine.yaml"])
    lines = capsys.readouterr().out.splitlines()

    assert code == 0
    assert [line.split()[0] for line in lines[: len(TABLE)]] == list(TABLE)
    assert "log.level error environment SOE_GATEWAY_LOG_LEVEL" in map(_squeezed, lines)
    assert "server.drain 25s default" in map(_squeezed, lines)
    assert (
        "mine.yaml:3:14: state.url: caps and posts are forgotten at every restart (warning)"
        in lines
    )
    assert lines[-1] == f"{len(TABLE)} settings, 5 of them given; no problems"


def _squeezed(line: str) -> str:
    return " ".join(line.split())


def test_it_speaks_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The same facts, for programs."""
    Path("gateway.yaml").write_text(WELL)

    assert main(["check", "--settings", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)

    assert told["settings"]["upstream.url"] == {
        "value": "https://soe.example.com",
        "from": "gateway.yaml:1:17",
    }
    assert told["settings"]["state.url"]["value"] == f"sqlite:///{Path.cwd() / 'data' / 'state.db'}"
    assert set(told["warnings"]) == {"audit.key_file", "site.contact.email"}
    assert told["problems"] == []
    assert main(["check", "--settings", "gone.yaml", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["problems"][0] == (
        "gone.yaml:1:1: cannot be read: No such file or directory"
    )


def test_settings_and_policies_are_two_calls(capsys: pytest.CaptureFixture[str]) -> None:
    """Who names both is told so, with exit 2."""
    assert main(["check", "policies", "--settings", "gateway.yaml"]) == 2
    assert "another call" in capsys.readouterr().out


def test_it_makes_nothing() -> None:
    """Looking leaves no data directory, no key and no state behind."""
    Path("gateway.yaml").write_text(WELL)

    main(["check", "--settings"])

    assert [path.name for path in Path().iterdir()] == ["gateway.yaml"]
