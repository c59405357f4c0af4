"""Every setting, from every place in which it can be given."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.settings import FLAGS, TABLE, Settings, load_settings, settings_example
from gateway.settings.table import SHORT, variable

DISCOVERED = datetime.now(UTC).date().isoformat()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def given() -> dict[str, str]:
    """A value for every setting; paths lie here, and are there."""
    values = {name: each.default or each.example or "x" for name, each in TABLE.items()}
    values["posture.until"] = DISCOVERED
    for name, value in values.items():
        if value.startswith("/"):
            values[name] = Path(value).name
            Path(values[name]).touch()
    Path(values["policies.directory"]).unlink()
    Path(values["policies.directory"]).mkdir()
    return values


def from_environment(values: dict[str, str]) -> Settings:
    """Settings of one variable each."""
    environ = {variable(name): value for name, value in values.items()}
    return load_settings(flags={}, environ=environ)


def test_every_setting_is_given_by_its_variable() -> None:
    """The environment alone can say everything, and is told as the place of each value."""
    values = given()

    written = from_environment(values).written

    assert {name: each.origin for name, each in written.items()} == {
        name: f"environment {variable(name)}" for name in TABLE
    }


def test_every_setting_is_given_by_a_file_that_its_variable_names() -> None:
    """…_FILE gives the same value, for every setting."""
    values = given()
    environ = {}
    for name, value in values.items():
        held = Path(f"held-{name}")
        held.write_text(f"{value}\n")
        environ[f"{variable(name)}_FILE"] = str(held)

    settings = load_settings(flags={}, environ=environ)

    assert {name: settings[name] for name in TABLE} == {
        name: from_environment(values)[name] for name in TABLE
    }
    assert {each.origin for each in settings.written.values()} == {
        f"environment {name}" for name in environ
    }


def test_every_flag_of_serve_gives_its_setting() -> None:
    """Flags win over variables, one by one."""
    values = given()
    flags = {name: values[name] for name in FLAGS.values()}
    environ = {variable(name): value for name, value in values.items()}

    written = load_settings(flags=flags, environ=environ).written

    assert {name for name, each in written.items() if each.origin.startswith("command line")} == {
        *flags
    }


def test_the_example_loads_as_it_is() -> None:
    """Whoever copies it has settings that are right, and equal to the defaults."""
    Path("example.yaml").write_text(settings_example())
    Path("least.yaml").write_text(
        "upstream: {url: 'https://soe.example.com'}\nsite: {contact: {name: Knowledge Team}}\n"
    )

    example = load_settings(flags={}, environ={}, config=Path("example.yaml"))
    least = load_settings(flags={}, environ={}, config=Path("least.yaml"))

    assert {name: example[name] for name in TABLE} == {name: least[name] for name in TABLE}


def test_the_example_has_every_setting_and_what_may_stand_there() -> None:
    """With the comments taken off, all of it is read, and means what the environment says."""
    values = given()
    names = "|".join({name.rpartition(".")[2] for name in TABLE} | {"console", "proxy"})
    text = re.sub(rf"^( *)# (?=(?:{names}):)", r"\1", settings_example(), flags=re.MULTILINE)
    text = re.sub(r"/etc/soe-gateway/|/run/secrets/", "", text)
    text = re.sub(r"until: .*", f"until: {DISCOVERED}", text)
    Path("example.yaml").write_text(text)

    settings = load_settings(flags={}, environ={}, config=Path("example.yaml"))

    for name, setting in TABLE.items():
        if setting.default or setting.example:
            assert settings[name] == from_environment(values)[name], name
            assert settings.written[name].origin.startswith("example.yaml:"), name


def test_what_is_secret_is_shown_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a secret nor a password in a URL comes out of `check --settings`."""
    Path("gateway.yaml").write_text(
        "upstream: {url: 'https://soe.example.com'}\nsite: {contact: {name: Knowledge Team}}\n"
        "sign_in: {issuer: 'https://id.example.com', client_id: us, client_secret: hunter2}\n"
        "state: {url: 'rediss://me:hunter2/@redis.example.com'}\n"
    )

    assert main(["check", "--settings"]) == 0
    told = capsys.readouterr().out

    assert "hunter2" not in told
    assert re.search(r"^state.url +rediss://\*\*\*@redis.example.com +gateway", told, re.MULTILINE)
    assert re.search(r"^sign_in.client_secret +\*\*\* +gateway.yaml:3:", told, re.MULTILINE)


@pytest.mark.parametrize(
    "url", ["unix:///s?db=1&password=hunter2&username=me", "redis://:hunter2@[::1]:1/2"]
)
def test_a_password_is_masked_in_every_form_of_url(url: str) -> None:
    """What else the URL says stays readable."""
    shown = TABLE["state.url"].hide.sub("***", url)

    assert "hunter2" not in shown
    assert shown.startswith(url[:8])


def test_short_forms_are_told_at_their_place() -> None:
    """One word for a section is the value of the setting that it stands for."""
    Path("gateway.yaml").write_text(
        "upstream: {url: 'https://soe.example.com'}\nsite: {contact: {name: Knowledge Team}}\n"
        "posture: guard\nidentify: {anonymous: refuse}\n"
    )

    written = load_settings(flags={}, environ={}).written

    assert {written[name].origin for name in SHORT.values()} == {
        "gateway.yaml:3:10",
        "gateway.yaml:4:23",
    }
