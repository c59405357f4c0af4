"""Where settings come from, which source wins, and what is told of mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.settings import FLAGS, TABLE, Known, Settings, load_settings, weaknesses
from gateway.settings.table import SECTIONS, variable

REQUIRED = {
    "SOE_GATEWAY_UPSTREAM_URL": "https://soe.example.com",
    "SOE_GATEWAY_SITE_CONTACT_NAME": "Knowledge Team",
    "SOE_GATEWAY_SITE_CONTACT_EMAIL": "knowledge@example.com",
}
TOLD = {"upstream.url", "site.contact.name", "site.contact.email"}
"""What those variables set."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty directory, so that no gateway.yaml is found by chance."""
    monkeypatch.chdir(tmp_path)


def loaded(environ: Mapping[str, str] | None = None, /, **flags: str) -> Settings:
    """Settings from what is required and these; flags by dotted names with underscores twice."""
    named = {name.replace("__", "."): value for name, value in flags.items()}
    return load_settings(flags=named, environ={**REQUIRED, **(environ or {})})


def problems(
    environ: Mapping[str, str] | None = None,
    *,
    flags: Mapping[str, str] | None = None,
    yaml: str | None = None,
) -> list[str]:
    """What is told of settings that are wrong."""
    if yaml is not None:
        Path("gateway.yaml").write_text(yaml)
    with pytest.raises(ConfigError) as caught:
        load_settings(flags=flags or {}, environ={**REQUIRED, **(environ or {})})
    return [str(problem) for problem in caught.value.problems]


def weak(settings: Settings) -> tuple[tuple[str, str], ...]:
    """What is weaker than recommended in settings."""
    return weaknesses(Known(settings=settings, today=datetime.now(UTC).date()))


# ── which source wins ────────────────────────────────────────────────────────────────────────


def test_defaults_stand_for_what_nobody_sets() -> None:
    """With what is required alone, everything else has its default."""
    settings = loaded()

    assert settings.server.listen == ("127.0.0.1", 8080)
    assert settings.server.admin_listen == ("127.0.0.1", 9180)
    assert settings.upstream.total_timeout == 60.0
    assert settings.state.url is None
    assert settings.state.keep == 90 * 86_400
    assert settings.data.directory == Path("data")
    assert settings.identify.anonymous.read == "allow"
    assert settings.identify.anonymous.write == "refuse"
    assert {each.origin for name, each in settings.written.items() if name not in TOLD} == {
        "default"
    }


def test_flags_win_over_environment_over_file_over_defaults() -> None:
    """Each source has its say where the ones above it are silent."""
    Path("gateway.yaml").write_text(
        "server: {listen: 'h:1', admin_listen: 'h:2', drain: 3s}\nlog: {level: error}\n"
    )
    environ = {"SOE_GATEWAY_SERVER_LISTEN": "h:4", "SOE_GATEWAY_SERVER_ADMIN_LISTEN": "h:5"}

    settings = loaded(environ, server__listen="h:6")

    assert settings.server.listen == ("h", 6)
    assert settings.server.admin_listen == ("h", 5)
    assert settings.server.drain == 3.0
    assert settings.log.level == "error"
    assert settings.upstream.connections == 100


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_the_file_may_be_named(by: str, tmp_path: Path) -> None:
    """A file with another name is read instead of gateway.yaml."""
    Path("gateway.yaml").write_text("log: {level: error}\n")
    other = tmp_path / "other.yaml"
    other.write_text("log: {level: debug}\n")
    config = other if by == "argument" else None
    environ = REQUIRED | ({"SOE_GATEWAY_CONFIG": str(other)} if by == "environment" else {})

    assert load_settings(flags={}, environ=environ, config=config).log.level == "debug"


def test_a_named_file_must_be_there() -> None:
    """Only gateway.yaml itself may be missing."""
    assert problems({"SOE_GATEWAY_CONFIG": "gone.yaml"}) == [
        "gone.yaml:1:1: cannot be read: No such file or directory"
    ]


def test_a_variable_may_name_a_file_that_holds_the_value() -> None:
    """…_FILE is how a secret store hands values over; the last line break does not count."""
    Path("held").write_text("Other Team\n")
    environ = {variable: value for variable, value in REQUIRED.items() if "NAME" not in variable}
    environ["SOE_GATEWAY_SITE_CONTACT_NAME_FILE"] = "held"

    assert load_settings(flags={}, environ=environ).contact.name == "Other Team"


def test_an_empty_variable_sets_nothing() -> None:
    """A deployment that leaves a variable empty gets the default."""
    assert loaded({"SOE_GATEWAY_IDENTIFY_ANONYMOUS": ""}).identify.anonymous.write == "refuse"


def test_one_word_for_anonymous_sets_writes() -> None:
    """`identify.anonymous` is short for its `write`, in every source."""
    Path("gateway.yaml").write_text("identify: {anonymous: allow}\n")

    assert loaded().identify.anonymous.write == "allow"
    assert loaded({"SOE_GATEWAY_IDENTIFY_ANONYMOUS": "refuse"}).identify.anonymous.write == "refuse"


def test_variables_of_others_are_left_alone() -> None:
    """Only our own prefix is ours to be strict about."""
    assert loaded({"PATH": "/bin", "SOE_OTHER": "x"}) == loaded()


def test_lists_are_lists_or_words_between_commas() -> None:
    """What YAML writes as a list, a variable and a flag write with commas."""
    Path("gateway.yaml").write_text("proxy: {trusted: [10.0.0.0/8, '::1/128']}\n")
    listed = (ip_network("10.0.0.0/8"), ip_network("::1/128"))

    assert loaded().proxy.trusted == listed
    assert loaded(proxy__trusted="::1/128, 10.0.0.0/8").proxy.trusted == listed[::-1]


# ── mistakes ─────────────────────────────────────────────────────────────────────────────────


def test_every_mistake_of_every_source_is_told_at_once() -> None:
    """One start tells all that is to be mended, each with its place."""
    Path("gateway.yaml").write_text("sever: {}\nserver: {drain: 10}\nlog: {level: loud}\n")
    environ = {"SOE_GATEWAY_UPSTREAM_URI": "x", "SOE_GATEWAY_STATE_TIMEOUT": "1"}

    with pytest.raises(ConfigError) as caught:
        load_settings(flags={"server.listen": "8080"}, environ=environ)

    duration = "expected a duration such as 10s, 5m, 2h or 30d, not"
    assert [str(problem) for problem in caught.value.problems] == [
        "command line:1:1: --listen: expected host:port, not '8080'",
        f"environment:1:1: SOE_GATEWAY_STATE_TIMEOUT: {duration} '1'",
        (
            "environment:1:1: SOE_GATEWAY_UPSTREAM_URI: there is no such setting; "
            "did you mean 'SOE_GATEWAY_UPSTREAM_URL'?"
        ),
        (
            "gateway.yaml:1:1: site.contact.name is missing; "
            "set it here or as SOE_GATEWAY_SITE_CONTACT_NAME"
        ),
        "gateway.yaml:1:1: unknown key 'sever'; did you mean 'server'?",
        (
            "gateway.yaml:1:1: upstream.url is missing; "
            "set it here or as SOE_GATEWAY_UPSTREAM_URL or --upstream"
        ),
        f"gateway.yaml:2:17: {duration} '10'",
        "gateway.yaml:3:14: 'loud' is none of debug, info, warning, error",
    ]


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("server: 8080\n", "gateway.yaml:1:9: expected keys with values here"),
        ("server: {lisen: 'h:1'}\n", "1:10: unknown key 'lisen'; did you mean 'listen'?"),
        ("identify: {anonymous: {writes: allow}}\n", "1:24: unknown key 'writes'"),
        ("identify: {anonymous: maybe}\n", "1:23: 'maybe' is none of allow, refuse"),
        ("identify: {anonymous: [allow]}\n", "1:23: expected keys with values here"),
        ("site: {contact: {url: no}}\n", "1:23: 'no' is not read as text by YAML; quote it"),
        ("server: {workers: 65}\n", "1:19: must be at most 64"),
        (
            "server: {workers: 2}\nstate: {url: 'memory:'}\n",
            "2:14: each of several workers would count alone",
        ),
        (
            "server: {workers: 2}\naudit: {sinks: ['stdout:']}\n",
            "several workers would mix their lines",
        ),
        ("server: {drain: 0s}\n", "1:17: must be longer than 0"),
        ("server: {listen: '::1:80'}\n", "1:18: expected host:port, not '::1:80'"),
        ("server: {listen: 'h:70000'}\n", "1:18: expected host:port, not 'h:70000'"),
        ("upstream: {allow_http: yes}\n", "1:24: expected true or false here, not 'yes'"),
        ("upstream: {ca_file: gone.pem}\n", "1:21: there is no file gone.pem"),
        ("policies: {directory: gone}\n", "1:23: there is no directory gone"),
        ("policies: {shipped: maybe}\n", "1:21: 'maybe' is none of auto, true, false"),
        ("state: {url: 'redis:h'}\n", "1:14: expected memory:, sqlite:///path, redis://host"),
        ("state: {url: 'sqlite:x'}\n", "1:14: expected memory:, sqlite:///path, redis://host"),
        ("audit: {sinks: ['file://x']}\n", "1:17: expected file:///directory or stdout:"),
        ("audit: {content: all}\n", "1:18: 'all' is none of none, excerpt, full"),
        ("audit: {segment: 64MB}\n", "1:18: expected a size as 64MiB, in KiB, MiB or GiB"),
        ("proxy: {trusted: [10.0.0.1/8]}\n", "'10.0.0.1/8' is no network such as 10.0.0.0/8"),
        ("- a\n", "gateway.yaml:1:1: expected keys with values here"),
    ],
)
def test_what_the_file_says_wrongly_is_told(yaml: str, problem: str) -> None:
    """Each mistake has its line, its column and its words."""
    assert any(problem in told for told in problems(yaml=yaml))


def test_one_setting_is_set_by_one_variable() -> None:
    """Two variables for one setting contradict each other, whatever they say."""
    assert problems({"SOE_GATEWAY_LOG_LEVEL": "info", "SOE_GATEWAY_LOG_LEVEL_FILE": "f"}) == [
        "environment:1:1: SOE_GATEWAY_LOG_LEVEL_FILE: log.level is set by another variable already"
    ]
    both = {
        "SOE_GATEWAY_IDENTIFY_ANONYMOUS": "allow",
        "SOE_GATEWAY_IDENTIFY_ANONYMOUS_WRITE": "refuse",
    }
    assert len(problems(both)) == 1


def test_a_file_that_should_hold_a_value_must_be_readable() -> None:
    """The file's name is told, nothing of what it holds."""
    Path("bytes").write_bytes(b"\xff")

    assert problems({"SOE_GATEWAY_LOG_LEVEL_FILE": "gone"}) == [
        (
            "environment:1:1: SOE_GATEWAY_LOG_LEVEL_FILE: gone cannot be read: "
            "No such file or directory"
        )
    ]
    assert problems({"SOE_GATEWAY_LOG_LEVEL_FILE": "bytes"}) == [
        "environment:1:1: SOE_GATEWAY_LOG_LEVEL_FILE: bytes cannot be read: it is not UTF-8"
    ]


def test_a_password_in_the_upstream_is_refused_and_not_repeated() -> None:
    """A URL with credentials is no origin, and the problem shows nothing of it."""
    told = problems(flags={"upstream.url": "https://user:hunter2@soe.example.com:x"})

    assert len(told) == 1
    assert "hunter2" not in told[0]


@pytest.mark.parametrize("url", ["http://soe.example.com", "http://10.1.2.3"])
def test_plain_http_stays_on_this_machine_unless_allowed(url: str) -> None:
    """Tokens cross a network in clear only where somebody said so, and then it is a warning."""
    assert problems({"SOE_GATEWAY_UPSTREAM_URL": url}) == [
        (
            "environment:1:1: SOE_GATEWAY_UPSTREAM_URL: "
            "plain HTTP leaves this machine; use https, or upstream.allow_http"
        )
    ]
    allowed = loaded({"SOE_GATEWAY_UPSTREAM_URL": url, "SOE_GATEWAY_UPSTREAM_ALLOW_HTTP": "true"})
    assert ("upstream.allow_http", "tokens may cross the network in clear") in weak(allowed)


@pytest.mark.parametrize("url", ["http://127.0.0.1:5000", "http://[::1]", "http://localhost"])
def test_plain_http_to_this_machine_is_well(url: str) -> None:
    """A sandbox on the loopback needs no certificate."""
    assert weak(loaded(upstream__url=url)) == weak(loaded())


def test_certificate_and_key_come_together() -> None:
    """Half of TLS is a mistake."""
    Path("c.pem").touch()

    assert problems(flags={"server.tls_cert": "c.pem"}) == [
        "command line:1:1: --tls-cert: server.tls_key is missing"
    ]


def test_certificates_of_clients_come_with_tls() -> None:
    """An authority for what nobody can show would check nothing."""
    Path("ca.pem").touch()

    assert problems({"SOE_GATEWAY_SERVER_TLS_CLIENT_CA": "ca.pem"}) == [
        "environment:1:1: SOE_GATEWAY_SERVER_TLS_CLIENT_CA: server.tls_cert is missing: "
        "certificates come with TLS alone"
    ]


def test_a_field_tells_certificates_where_somebody_is_trusted() -> None:
    """Else every request that has it would be refused."""
    assert problems({"SOE_GATEWAY_PROXY_CLIENT_CERTIFICATE": "X-Forwarded-Client-Cert"}) == [
        "environment:1:1: SOE_GATEWAY_PROXY_CLIENT_CERTIFICATE: proxy.trusted is missing: nobody "
        "may tell certificates"
    ]
    assert problems(yaml="proxy: {trusted: 10.0.0.0/8, client_certificate: a b}\n") == [
        "gateway.yaml:1:50: expected the name of a header field: letters, digits, hyphens"
    ]
    told = loaded(proxy__client_certificate="X-Client", proxy__trusted="10.0.0.0/8")
    assert told["proxy.client_certificate"] == "x-client"


def test_what_signs_people_in_is_set_together() -> None:
    """A provider without a client, and a client without a provider, sign nobody in."""
    issuer, client = "https://id.example.com/realms/a", "gateway"
    assert problems({"SOE_GATEWAY_SIGN_IN_CLIENT_ID": client}) == [
        "environment:1:1: SOE_GATEWAY_SIGN_IN_CLIENT_ID: sign_in.client_secret is missing",
        "environment:1:1: SOE_GATEWAY_SIGN_IN_CLIENT_ID: sign_in.issuer is missing",
    ]
    told = loaded(sign_in__issuer=issuer, sign_in__client_id=client, sign_in__client_secret="s3")
    assert (told["sign_in.issuer"], told["sign_in.scopes"]) == (issuer, "openid email profile")
    assert "s3" not in repr(told)
    assert problems(yaml=f"sign_in: {{issuer: {issuer}, client_id: {client}}}\n") == [
        "gateway.yaml:1:19: sign_in.client_secret is missing"
    ]


@pytest.mark.parametrize(
    "issuer",
    ["http://id.example.com", "id.example.com", "https://", "https://id/?a=b", "https://u@id/"],
)
def test_a_provider_is_reached_safely(issuer: str) -> None:
    """By https, or on this machine; what comes after its address is not a part of it."""
    assert problems({"SOE_GATEWAY_SIGN_IN_ISSUER": issuer})[0].endswith(
        f"expected https://host/path; http from this machine alone, not {issuer!r}"
    )


def test_a_scope_tells_who_signed_in() -> None:
    """Without `openid` nothing does."""
    assert problems({"SOE_GATEWAY_SIGN_IN_SCOPES": "email profile"}) == [
        "environment:1:1: SOE_GATEWAY_SIGN_IN_SCOPES: openid is missing: without it nobody is told "
        "who signed in"
    ]


def test_a_field_tells_who_signed_in_where_somebody_is_trusted() -> None:
    """Else anybody could say that he is somebody."""
    assert problems({"SOE_GATEWAY_SIGN_IN_HEADER": "X-Forwarded-Email"}) == [
        "environment:1:1: SOE_GATEWAY_SIGN_IN_HEADER: proxy.trusted is missing: nobody may say who "
        "signed in"
    ]
    told = loaded(sign_in__header="X-Forwarded-Email", proxy__trusted="10.0.0.0/8")
    assert told["sign_in.header"] == "x-forwarded-email"


def test_people_sign_in_over_https() -> None:
    """But on this machine."""
    signing = "proxy: {trusted: 10.0.0.0/8}\nsign_in: {header: X-Email}\n"

    assert problems(yaml=signing + "server: {public_url: 'http://gateway.example.com'}\n") == [
        "gateway.yaml:3:22: people sign in over https alone: else their session can be taken on "
        "its way"
    ]
    loaded(sign_in__header="X-Email", proxy__trusted="10.0.0.0/8", server__public_url="http://localhost:8080")  # fmt: skip


def test_the_console_lets_in_digests_addresses_and_groups() -> None:
    """Never a token itself, which is not repeated; names where people sign in, and over https."""
    digest = f"sha256:{'ab' * 32}"
    header = {"sign_in__header": "X-Email", "proxy__trusted": "10.0.0.0/8"}
    told = loaded(console__operators=f"{digest},Jane@X.de,group:Site admins", **header)
    assert told["console.operators"] == (digest, "jane@x.de", "group:Site admins")

    for secret in ("sgw_the-token-itself", "sha256:AB", "nobody"):
        [problem] = problems(yaml=f"console: {{viewers: [{digest}, {secret}]}}\n")
        assert "expected sha256: and the digest of a token" in problem
        assert secret not in problem
    [problem] = problems(yaml="console: {operators: [jane@x.de]}\n")
    assert "nobody can sign in by name" in problem
    [problem] = problems(yaml=f"console: {{operators: [{digest}], url: http://console.x.de}}\n")
    assert "over https alone" in problem


def test_two_listeners_need_two_addresses() -> None:
    """The admin listener never stands where integrations can reach it by mistake."""
    told = "server.listen and server.admin_listen are the same address"

    assert problems(flags={"server.listen": "127.0.0.1:9180"}) == [
        f"command line:1:1: --listen: {told}"
    ]
    free = loaded(server__listen="127.0.0.1:0", server__admin_listen="127.0.0.1:0")
    assert free.server.listen == free.server.admin_listen


def test_to_discover_is_for_a_time() -> None:
    """It needs a last day, of the next thirty."""
    discover = {"SOE_GATEWAY_POSTURE": "discover"}
    today = datetime.now(UTC).date()

    assert problems(discover) == [
        "environment:1:1: SOE_GATEWAY_POSTURE: posture.until is missing: to discover is for a time"
    ]
    far = {**discover, "SOE_GATEWAY_POSTURE_UNTIL": str(today + timedelta(31))}
    assert problems(far) == ["environment:1:1: SOE_GATEWAY_POSTURE_UNTIL: at most 30 days ahead"]
    well = {**discover, "SOE_GATEWAY_POSTURE_UNTIL": str(today + timedelta(30))}
    assert loaded(well).posture.until == today + timedelta(30)


@given(st.dictionaries(st.sampled_from(sorted(TABLE)), st.text(max_size=12), max_size=5))
def test_any_flags_give_settings_or_problems(flags: dict[str, str]) -> None:
    """Whatever is written, the answer is settings or a list of problems, never a crash."""
    try:
        settings = load_settings(flags=flags, environ=REQUIRED)
    except ConfigError as error:
        assert all(problem.path == "command line" for problem in error.problems)
    else:
        assert isinstance(settings, Settings)


# ── names ────────────────────────────────────────────────────────────────────────────────────


def test_no_two_settings_share_a_variable() -> None:
    """A variable means one setting, also with …_FILE behind it."""
    names = [variable(name) for name in (*TABLE, *SECTIONS)]

    assert len(set(names)) == len(names)


def test_every_flag_names_a_setting() -> None:
    """The flags of `serve` are those of the design."""
    assert FLAGS == {
        "--listen": "server.listen",
        "--admin-listen": "server.admin_listen",
        "--workers": "server.workers",
        "--tls-cert": "server.tls_cert",
        "--tls-key": "server.tls_key",
        "--upstream": "upstream.url",
        "--policies": "policies.directory",
        "--state": "state.url",
        "--audit": "audit.sinks",
        "--data": "data.directory",
    }
