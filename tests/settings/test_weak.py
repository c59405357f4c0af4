"""What is weaker than recommended, row by row."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gateway.settings import TABLE, Known, load_settings, weaknesses
from gateway.settings.weak import WEAK

TODAY = date(2026, 11, 26)
STRONG = {
    "upstream.url": "https://soe.example.com",
    "site.contact.name": "Knowledge Team",
    "site.contact.email": "knowledge@example.com",
    "audit.key_file": "/run/secrets/audit.key",
}
DISCOVER = {"posture.mode": "discover", "posture.until": "2026-11-26"}
HERE = {"policies.directory": "."}
WEAKER: dict[str, dict[str, str]] = {
    "posture.mode": DISCOVER,
    "posture.until": {**DISCOVER, "posture.until": "2026-11-25"},
    "policies.shipped": HERE,
    "identify.anonymous.write": {"identify.anonymous.write": "allow"},
    "upstream.allow_http": {"upstream.allow_http": "true"},
    "server.tls_cert": {"server.listen": "0.0.0.0:8080"},
    "proxy.trusted": {"proxy.trusted": "10.0.0.0/8,::/0"},
    "console.url": {
        "console.viewers": f"sha256:{'ab' * 32}",
        "server.admin_listen": "10.0.0.1:9180",
    },
    "state.url": {"state.url": "memory:"},
    "state.after_loss": {"state.after_loss": "accept"},
    "audit.sinks": {"audit.sinks": "stdout:"},
    "audit.min_free": {"audit.min_free": "999999GiB"},
    "audit.key_file": {"audit.key_file": ""},
    "audit.people": {"audit.people": "none"},
    "site.contact.email": {"site.contact.email": ""},
}
"""The least that makes each row true, and no other."""


def told(given: dict[str, str], *, enforcing: bool = True) -> list[str]:
    """The settings that are named as weak."""
    flags = {name: value for name, value in {**STRONG, **given}.items() if value}
    settings = load_settings(flags=flags, environ={}, today=TODAY)
    known = Known(settings=settings, today=TODAY, enforcing=enforcing)
    return [name for name, _ in weaknesses(known)]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("setting", [row.setting for row in WEAK])
def test_a_weakness_is_told_where_it_is_and_alone(setting: str) -> None:
    """Each row names a setting that mends it, and no other row fires for the same reason."""
    given = WEAKER.get(setting, {})

    assert told(given, enforcing=setting != "policies.directory") == [setting]
    assert setting in TABLE


def test_nothing_is_weak_where_everything_is_as_recommended() -> None:
    """Defaults are what is recommended, once a key and a contact are given."""
    assert told({}) == []


@pytest.mark.parametrize(
    "mended",
    [
        {**HERE, "policies.shipped": "false"},
        {"server.listen": "0.0.0.0:8080", "proxy.trusted": "10.0.0.0/8"},
        {**WEAKER["console.url"], "console.url": "https://admin.example.com"},
        {"audit.sinks": "stdout:,file:///var/log/soe-gateway"},
        {"site.contact.email": "", "site.contact.url": "https://wiki.example.com/gateway"},
    ],
    ids=str,
)
def test_what_is_mended_is_not_told(mended: dict[str, str]) -> None:
    """Whoever did what a row says does not read it again."""
    assert told(mended) == []


def test_an_overrides_file_lets_the_shipped_policies_apply() -> None:
    """Then nobody has to be told that they do not."""
    Path("overrides.yaml").touch()

    assert told(HERE) == []


@pytest.mark.parametrize("disk", ["/no/such/directory", "here"])
def test_a_disk_is_asked_before_there_is_a_directory(disk: str) -> None:
    """What will be there counts: `check --settings` may come before the first start."""
    sinks = {"audit.sinks": f"file://{Path(disk).absolute()}"}

    assert told(sinks) == []
    assert told({**sinks, **WEAKER["audit.min_free"]}) == ["audit.min_free"]


def test_who_discovers_is_not_told_besides_that_no_rule_enforces() -> None:
    """It is what discovering means."""
    assert told(DISCOVER, enforcing=False) == ["posture.mode"]


def test_a_text_names_the_values_that_it_speaks_of() -> None:
    """Placeholders are filled, so that a reader need not look the value up."""
    flags = {**STRONG, **DISCOVER}
    settings = load_settings(flags=flags, environ={}, today=TODAY)

    assert weaknesses(Known(settings=settings, today=TODAY)) == (
        ("posture.mode", "no rule refuses anything until 2026-11-26 is over"),
    )
