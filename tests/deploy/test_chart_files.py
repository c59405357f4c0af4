"""The files that the chart makes: the gateway reads its settings and policies, others theirs."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.offline.testing.suite import read_suite
from gateway.proxy.upstream import Origin
from gateway.settings import TABLE
from tests.deploy import chart
from tests.deploy.chart import (
    CHART,
    REPLICAS,
    every_site,
    needs_tools,
    objects_of,
    one,
    rendered,
    settings,
    site,
)
from tests.docs.pages import Block, blocks
from tests.shared import ROOT

pytestmark = needs_tools


@every_site
def test_the_gateway_takes_its_settings(name: str, tmp_path: Path) -> None:
    """It reads the rendered gateway.yaml, and finds every file that this names where it is mounted."""
    read = settings(rendered(site(name)), tmp_path)

    assert read.upstream.url == Origin.parse("https://soe.example.com")
    assert read.site.contact.name == "Knowledge Team"
    assert (read.server.tls_cert is not None) is (name == "tls")
    assert (read.audit.key_file is not None) is (name in {"replicas-redis", "existing-secrets"})
    assert (read.state.url or "").startswith("rediss:") is (name == "replicas-redis")
    assert (read.sign_in.client_secret == "secret") is (name == "existing-secrets")
    assert len(read.console.operators or ()) == (2 if name == "existing-secrets" else 0)


@every_site
def test_the_gateway_takes_its_policies(name: str, tmp_path: Path) -> None:
    """They load, the shipped ones among them, and some rule enforces."""
    read = settings(rendered(site(name)), tmp_path)
    policies = read_suite(read.policies.directory, today=date(2026, 11, 1)).policies

    assert policies.enforcing
    assert {"person-asked"} <= {rule.id for rule in policies.rules}
    assert ("help-bot" in policies.registry.names) is (name == "replicas-redis")


@pytest.mark.parametrize("block", blocks("values"), ids=str)
def test_values_that_are_shown_are_right(block: Block, tmp_path: Path) -> None:
    """What a page tells to write into values.yaml renders, and the gateway takes its settings."""
    objects = rendered(yaml.safe_load(block.text))

    assert settings(objects, tmp_path).site.contact.email == "knowledge@example.com"


def test_settings_arrive_as_they_were_written(tmp_path: Path) -> None:
    """A day stays a day, a number a number, and a word in the place of a section that section."""
    (tmp_path / "values.yaml").write_text(
        """\
settings:
  posture: {mode: discover, until: 2026-12-24}
  state: {posts: 1048576}
  identify: {anonymous: allow}
  server: {workers: 4}
"""
    )
    default = CHART / "ci" / "default-values.yaml"
    words = ("--values", default, "--values", tmp_path / "values.yaml")
    read = settings(objects_of(chart.helm("template", "gw", CHART, *words)), tmp_path / "pod")

    assert read.posture.until == date(2026, 12, 24)
    assert (read.state.posts, read.server.workers) == (1048576, 4)
    assert read.identify.anonymous.write == "allow"


def test_the_table_of_settings_is_that_of_the_gateway() -> None:
    """Each setting that is neither the chart's own nor a secret can be given, and no other."""
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())

    def names(at: Any, path: str = "") -> set[str]:
        at = at["anyOf"][0] if "anyOf" in at else at
        if "properties" not in at:
            return {path}
        below = at["properties"].items()
        return {name for key, each in below for name in names(each, f"{path}.{key}"[not path :])}

    given = names(schema["properties"]["settings"])
    kept = set(TABLE) - given
    assert given <= set(TABLE)
    assert kept == {
        *("server.listen", "server.admin_listen", "server.tls_cert", "server.tls_key"),
        *("policies.directory", "audit.key_file", "data.directory", "sign_in.client_secret"),
    }


def test_alerts_and_dashboard_are_those_that_are_tested() -> None:
    """The operator and Grafana get the files of deploy, the alerts with where their pages are."""
    objects = rendered(REPLICAS)
    text = (ROOT / "deploy" / "prometheus" / "rules.yaml").read_text()
    published = text.replace(": docs/runbooks/", ": https://wiki.example.com/gateway/")
    panels = (ROOT / "deploy" / "grafana" / "soe-write-gateway.json").read_text()

    assert one(objects, "PrometheusRule")["spec"] == yaml.safe_load(published)
    assert one(objects, "ConfigMap", "dashboard")["data"] == {"soe-write-gateway.json": panels}
