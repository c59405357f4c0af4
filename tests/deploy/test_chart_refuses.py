"""Values that the chart refuses: what its schema does not allow, and what could not work together."""

from __future__ import annotations

from typing import Any

import pytest

from tests.deploy import chart
from tests.deploy.chart import DEFAULT, HELMS, REPLICAS, Object, needs_tools, site, with_values

pytestmark = needs_tools


WRONG: list[tuple[str, Any]] = [
    ("replcas", 2),
    ("replicas", 0),
    ("replicas", "2"),
    ("image.digest", "latest"),
    ("image.pullPolicy", "Sometimes"),
    ("settings.upstream.uri", "https://soe.example.com"),
    ("settings.server.listen", "0.0.0.0:80"),
    ("settings.server.workers", "two"),
    ("settings.sign_in.client_secret", "secret"),
    ("settings.identify.person", False),
    ("settings.proxy.trusted", "10.0.0.0/8"),
    ("policies.files.a/yaml", {"policy": "a"}),
    ("policies.files.sub/dir", 1),
    ("secrets.keys", ["audit-key"]),
    ("service.port", 70000),
    ("service.type", "ExternalName"),
    ("ingress.hosts", ["gateway.example.com"]),
    ("networkPolicy.from.everybody", []),
    ("networkPolicy.from.clients", {"podSelector": {}}),
    ("networkPolicy.to.soe.ports", []),
    ("persistence.size", "10"),
    ("monitoring.prometheusRule.runbooks", "docs/runbooks"),
    ("podDisruptionBudget.maxUnavailable", 0),
    ("preStopSeconds", 0),
    ("serviceAccount.token", True),
]
"""Values by dotted name that the schema does not allow."""


@pytest.mark.parametrize(("path", "value"), WRONG)
def test_a_wrong_value_is_refused(path: str, value: Any) -> None:
    """What has no such name or kind is told before anything is rendered."""
    ended = chart.template(with_values(DEFAULT, {path: value}))

    assert ended.returncode == 1
    assert "don't meet the specifications of the schema" in ended.stderr
    assert path.rsplit(".", maxsplit=1)[-1].replace("/", ".") in ended.stderr


def test_helm_3_tells_all_wrong_values_at_once() -> None:
    """Its own reader of schemas finds what that of helm 4 finds."""
    ended = chart.template(with_values(DEFAULT, dict(WRONG)), HELMS[1])

    assert ended.returncode == 1
    assert all(path.split(".")[-1].replace("/", ".") in ended.stderr for path, _ in WRONG)


@pytest.mark.parametrize(
    ("base", "changes", "told"),
    [
        ({}, {}, "settings.upstream.url is missing"),
        (DEFAULT, {"settings.site.contact": {}}, "settings.site.contact.name is missing"),
        (DEFAULT, {"replicas": 2}, "count and remember alone"),
        (REPLICAS, {"secrets.files": {"state-url": "redis://r"}}, "an audit key of its own"),
        (DEFAULT, {"settings.state.url": "redis://u:secret@redis"}, "holds a password"),
        (REPLICAS, {"settings.state.url": "redis://redis"}, "both given"),
        (
            DEFAULT,
            {"secrets.existing": "gateway", "secrets.files.audit/key": "c0de"},
            "both given",
        ),
        (REPLICAS, {"policies.files.integrations/yaml": "{}"}, "given twice"),
        (site("tls"), {"tls.secret": ""}, "over HTTPS alone"),
        (site("tls"), {"ingress.host": ""}, "ingress.host is missing"),
        (DEFAULT, {"networkPolicy.to.soe.to": []}, "could not reach SOE"),
        (REPLICAS, {"networkPolicy.to.redis.to": []}, "could not reach their state"),
        (site("existing-secrets"), {"networkPolicy.to.signIn.to": []}, "nobody could sign in"),
    ],
)
def test_what_cannot_work_is_told_at_once(base: Object, changes: Object, told: str) -> None:
    """Nothing is rendered, and the words say what to do; no secret is among them."""
    ended = chart.template(with_values(base, changes))

    assert ended.returncode == 1
    assert told in ended.stderr
    assert "secret@" not in ended.stderr
