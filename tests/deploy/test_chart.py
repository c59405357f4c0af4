"""The chart: both helms take it, clusters would take what it renders, and its parts fit together."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway import __version__
from gateway.offline.testing.suite import read_suite
from gateway.proxy.upstream import Origin
from gateway.settings import TABLE, load_settings
from gateway.settings.table import Settings
from tests.deploy import chart
from tests.deploy.chart import (
    CHART,
    HELMS,
    KUBERNETES,
    SITES,
    Object,
    needs_tools,
    objects_of,
    one,
    pod,
    pods,
    rendered,
    selects,
    site,
    with_values,
)
from tests.docs.pages import Block, blocks
from tests.shared import ROOT

pytestmark = needs_tools
NAMES = [path.name.removesuffix("-values.yaml") for path in SITES]
DEFAULT = site("default")
REPLICAS = site("replicas-redis")
every_site = pytest.mark.parametrize("name", NAMES)
every_helm = pytest.mark.parametrize("by", HELMS)


def gateway(objects: list[Object]) -> Object:
    """The gateway's container."""
    (container,) = pod(objects)["spec"]["containers"]
    return dict(container)


def settings(objects: list[Object], tmp_path: Path) -> Settings:
    """Let the gateway read its settings, with every file where the pod has it."""
    spec = pod(objects)["spec"]
    held = {each["name"]: each for each in spec["volumes"]}
    for mount in gateway(objects)["volumeMounts"]:
        folder = tmp_path / mount["mountPath"].lstrip("/")
        folder.mkdir(parents=True)
        for name, text in files(objects, held.get(mount["name"], {})).items():
            (folder / name).write_text(text)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            moved = re.sub(r"(?<![\w/:.])(/etc|/run|/var)/", rf"{tmp_path}\1/", path.read_text())
            path.write_text(moved)
    told = {each["name"]: f"{tmp_path}{each['value']}" for each in gateway(objects).get("env", [])}
    return load_settings(flags={}, environ=told)


def files(objects: list[Object], volume: Object) -> dict[str, str]:
    """What lies in a volume; of what the chart does not make, what it is used for."""
    if "projected" in volume:
        sources = volume["projected"]["sources"]
        return {name: text for each in sources for name, text in files(objects, each).items()}
    found: dict[str, str] = {}
    for kind, data in (("configMap", "data"), ("secret", "stringData")):
        if kind in volume:
            name = volume[kind].get("name") or volume[kind]["secretName"]
            found = next(
                (each[data] for each in objects if named(each) == (kind.lower(), name)), OUTSIDE
            )
    items = (volume.get("secret") or {}).get("items")
    return {each["path"]: found[each["key"]] for each in items} if items else found


def named(each: Object) -> tuple[str, str]:
    """An object's kind and name."""
    return each["kind"].lower(), each["metadata"]["name"]


OUTSIDE = {
    "tls.crt": "PEM",
    "tls.key": "PEM",
    "soe.pem": "PEM",
    "clients.pem": "PEM",
    "redis.pem": "PEM",
    "audit.key": "c0de" * 16,
    "state-url": "redis://redis:6379/0",
    "sign-in-client-secret": "secret",
    "console-operators": f"sha256:{'0' * 64},jane@example.com\n",
    "overrides.yaml": "",
    "integrations.yaml": "integrations: {}\n",
}
"""Files that the chart does not make."""


@every_helm
@pytest.mark.parametrize("values", SITES, ids=NAMES)
def test_the_linter_finds_nothing(values: Path, by: str) -> None:
    """Both helms lint the chart strictly, with the values of every kind of site."""
    ended = chart.helm("lint", "--strict", CHART, "--values", values, by=by)

    assert ended.returncode == 0, ended.stdout + ended.stderr


@every_site
def test_both_helms_render_the_same(name: str) -> None:
    """A site may change from helm 3 to 4 and back."""
    ours, theirs = (rendered(site(name), by) for by in HELMS)

    assert sorted(ours, key=named) == sorted(theirs, key=named)


@every_site
@pytest.mark.parametrize("version", KUBERNETES)
def test_clusters_take_what_is_rendered(name: str, version: str) -> None:
    """Every object keeps the strict schema of its kind, where a field that is not known is wrong."""
    for each in rendered(site(name)):
        found = chart.schema(each["apiVersion"], each["kind"], version).iter_errors(each)

        assert [f"{error.json_path}: {error.message}" for error in found] == [], named(each)


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


@every_site
def test_the_audit_log_lies_on_the_pods_own_volume(name: str, tmp_path: Path) -> None:
    """Where the gateway writes, a claim of this pod is mounted, which stays when the release goes."""
    objects = rendered(site(name))
    spec = one(objects, "StatefulSet")["spec"]
    (claim,) = spec["volumeClaimTemplates"]
    mounts = {each["name"]: each for each in gateway(objects)["volumeMounts"]}
    read = settings(objects, tmp_path)

    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert str(read.data.directory) == f"{tmp_path}{mounts[claim['metadata']['name']]['mountPath']}"
    assert set(spec["persistentVolumeClaimRetentionPolicy"].values()) == {"Retain"}


@every_site
def test_every_mount_has_its_volume_and_only_two_can_be_written(name: str) -> None:
    """Data and temporary files; whole directories are mounted, so that changes arrive."""
    objects = rendered(site(name))
    spec = one(objects, "StatefulSet")["spec"]
    volumes = {each["name"] for each in pod(objects)["spec"]["volumes"]}
    claims = {each["metadata"]["name"] for each in spec["volumeClaimTemplates"]}
    mounts = gateway(objects)["volumeMounts"]

    assert {each["name"] for each in mounts} == volumes | claims
    assert {each["name"] for each in mounts if not each.get("readOnly")} == {"data", "tmp"}
    assert all("subPath" not in each for each in mounts)


@every_site
def test_pods_are_as_restricted_as_the_standard_asks(name: str) -> None:
    """Every pod keeps Kubernetes' `restricted`, has a read-only root and no token."""
    for each in pods(rendered(site(name))):
        spec = each["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        kinds = {key for volume in spec.get("volumes", []) for key in volume} - {"name"}
        assert kinds <= {"configMap", "secret", "projected", "emptyDir"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"requests", "limits"} <= container["resources"].keys()


@every_site
def test_ports_and_selectors_fit(name: str, tmp_path: Path) -> None:
    """Services, budget, spread and policy choose the gateway's pods alone, by ports that listen."""
    objects = rendered(site(name))
    labels = pod(objects)["metadata"]["labels"]
    tests_labels = one(objects, "Pod")["metadata"]["labels"]
    read = settings(objects, tmp_path)
    listening = {"proxy": read.server.listen[1], "admin": read.server.admin_listen[1]}
    ports = {each["name"]: each["containerPort"] for each in gateway(objects)["ports"]}
    services = [each["spec"] for each in objects if each["kind"] == "Service"]
    spread = pod(objects)["spec"]["topologySpreadConstraints"]
    selectors = [each["selector"] for each in services]
    selectors += [each["labelSelector"]["matchLabels"] for each in spread]
    for kind in ("StatefulSet", "PodDisruptionBudget"):
        selectors.append(one(objects, kind)["spec"]["selector"]["matchLabels"])

    assert ports == listening
    assert {port["targetPort"] for each in services for port in each["ports"]} <= ports.keys()
    headless = one(objects, "Service", one(objects, "StatefulSet")["spec"]["serviceName"])
    assert headless["spec"]["clusterIP"] == "None"
    for selector in selectors:
        assert selects(selector, labels)
        assert not selects(selector, tests_labels)


@every_site
def test_probes_ask_the_pod_alone(name: str) -> None:
    """They go to the admin listener's health, which asks neither SOE nor the store."""
    container = gateway(rendered(site(name)))
    asked = {
        kind: container[kind]["httpGet"]
        for kind in ("startupProbe", "livenessProbe", "readinessProbe")
    }

    assert asked == {
        "startupProbe": {"path": "/healthz", "port": "admin"},
        "livenessProbe": {"path": "/healthz", "port": "admin"},
        "readinessProbe": {"path": "/readyz", "port": "admin"},
    }


@pytest.mark.parametrize("drain", ["", "25s", "1500ms", "3m"])
@pytest.mark.parametrize("before", [1, 20])
def test_a_pod_is_given_the_time_that_it_takes_to_stop(
    drain: str, before: int, tmp_path: Path
) -> None:
    """Before it is killed it takes late requests, drains, and settles for five seconds more."""
    changes: Object = {"preStopSeconds": before}
    objects = rendered(
        with_values(DEFAULT, changes | ({"settings.server.drain": drain} if drain else {}))
    )
    read = settings(objects, tmp_path)
    slept = gateway(objects)["lifecycle"]["preStop"]["sleep"]["seconds"]
    spare = pod(objects)["spec"]["terminationGracePeriodSeconds"] - slept - read.server.drain

    assert slept == before
    assert 5 < spare < 11


@pytest.mark.parametrize(
    ("changes", "restarts"),
    [
        ({"settings.log.level": "debug"}, True),
        ({"secrets.files.audit/key": "beef" * 16}, True),
        ({"secrets.files.state-url": "rediss://another"}, True),
        ({"authorities": "others"}, True),
        ({"policies.files.overrides/yaml": "no-floods: {mode: warn}\n"}, False),
        ({"secrets.files.integrations/yaml": "integrations: {}\n"}, False),
        ({"secrets.files.help-bot-token": "another"}, False),
        ({"replicas": 4}, False),
        ({"networkPolicy.enabled": False}, False),
    ],
)
def test_pods_restart_for_what_is_read_once_alone(changes: Object, restarts: bool) -> None:
    """Settings and the secrets of a start replace them; policies and registrations arrive by themselves."""
    before, after = (pod(rendered(each)) for each in (REPLICAS, with_values(REPLICAS, changes)))

    assert (before != after) is restarts


@every_site
def test_the_network_policy_names_everybody_whom_it_lets_through(name: str) -> None:
    """No rule has an empty list of peers or ports, which would mean all of them."""
    objects = rendered(site(name))
    if name == "minimal":
        assert not [each for each in objects if each["kind"] == "NetworkPolicy"]
        return
    spec = one(objects, "NetworkPolicy")["spec"]

    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert selects(spec["podSelector"]["matchLabels"], pod(objects)["metadata"]["labels"])
    for rule in spec["ingress"]:
        assert rule["from"]
        assert rule["ports"]
    for rule in spec["egress"]:
        assert rule["to"]
        assert rule["ports"]
    assert [rule["ports"][0]["port"] for rule in spec["ingress"]] == ["proxy", "admin"]
    assert all(peer for rule in (*spec["ingress"],) for peer in rule["from"])


def test_nobody_comes_whom_the_site_did_not_name() -> None:
    """Without clients and monitoring, only the chart's own test reaches the pods."""
    objects = rendered(with_values(DEFAULT, {"networkPolicy.from": {}}))
    tests_labels = one(objects, "Pod")["metadata"]["labels"]

    for rule in one(objects, "NetworkPolicy")["spec"]["ingress"]:
        (peer,) = rule["from"]
        assert selects(peer["podSelector"]["matchLabels"], tests_labels)
        assert peer.keys() == {"podSelector"}


def test_pods_reach_what_the_site_named_alone() -> None:
    """Names, SOE and Redis of a site that has no other; each by its own ports."""
    egress = one(rendered(REPLICAS), "NetworkPolicy")["spec"]["egress"]
    reached = [({port["port"] for port in rule["ports"]}, rule["to"]) for rule in egress]
    named_here = REPLICAS["networkPolicy"]["to"]

    assert [ports for ports, _ in reached] == [{53}, {6379}, {443}]
    assert [to for _, to in reached[1:]] == [named_here["redis"]["to"], named_here["soe"]["to"]]


def test_the_ingress_leads_to_the_service_and_links_to_the_ingress(tmp_path: Path) -> None:
    """What people get as links is the name under which the Ingress answers."""
    objects = rendered(site("tls"))
    (rule,) = one(objects, "Ingress")["spec"]["rules"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    service = one(objects, "Service", backend["name"])
    read = settings(objects, tmp_path)

    assert backend["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}
    assert read.server.public_url == Origin.parse(f"https://{rule['host']}")


def test_alerts_and_dashboard_are_those_that_are_tested() -> None:
    """The operator and Grafana get the files of deploy, the alerts with where their pages are."""
    objects = rendered(REPLICAS)
    text = (ROOT / "deploy" / "prometheus" / "rules.yaml").read_text()
    published = text.replace(": docs/runbooks/", ": https://wiki.example.com/gateway/")
    panels = (ROOT / "deploy" / "grafana" / "soe-write-gateway.json").read_text()

    assert one(objects, "PrometheusRule")["spec"] == yaml.safe_load(published)
    assert one(objects, "ConfigMap", "dashboard")["data"] == {"soe-write-gateway.json": panels}


def test_the_monitor_scrapes_each_pod_once() -> None:
    """It chooses the Service without an address of its own, and that alone, by the admin port."""
    objects = rendered(REPLICAS)
    monitor = one(objects, "ServiceMonitor")["spec"]
    chosen = [
        each["spec"]
        for each in objects
        if each["kind"] == "Service"
        and selects(monitor["selector"]["matchLabels"], each["metadata"]["labels"])
    ]

    assert [each["clusterIP"] for each in chosen] == ["None"]
    assert [each["port"] for each in monitor["endpoints"]] == ["admin"]
    assert [port["targetPort"] for port in chosen[0]["ports"]] == ["admin"]


def test_every_value_is_told_of() -> None:
    """A comment stands above each value, or above the mapping that holds it."""
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    table = (CHART / "README.md").read_text()
    told = set(re.findall(r"^\| `([A-Za-z.]+)` \|", table, re.MULTILINE))

    def leaves(at: Any, path: str = "") -> list[str]:
        if path in told or not isinstance(at, dict):
            return [path]
        return [
            leaf for key, below in at.items() for leaf in leaves(below, f"{path}.{key}"[not path :])
        ]

    assert set(leaves(values)) == told


def test_the_chart_has_the_gateways_version() -> None:
    """One version for the program, its image and its chart."""
    described = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert described["version"] == described["appVersion"] == __version__
    assert gateway(rendered(DEFAULT))["image"] == f"soe-write-gateway:{__version__}"


@pytest.mark.parametrize("name", ["default", "replicas-redis"])
def test_the_notes_say_what_to_do_next(name: str, tmp_path: Path) -> None:
    """Whoever installs it learns how to look, where it is, and that nobody may go around it."""
    values = with_values(site(name), {"networkPolicy.from": {}})
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
    words = ("install", "gw", CHART, "--namespace", "soe", "--dry-run=client", "--values")
    _, _, notes = chart.helm(*words, tmp_path / "values.yaml").stdout.partition("NOTES:")

    assert "helm -n soe test gw" in notes
    assert "http://gw-soe-write-gateway.soe.svc\n" in notes
    assert "nobody else reach SOE's API" in notes
    assert "nobody but helm test reaches the proxy yet" in notes
    assert ("no secret file audit.key" in notes) is (name == "default")


@every_helm
def test_the_package_holds_all_that_is_rendered(by: str, tmp_path: Path) -> None:
    """What helm packs renders as the folder does."""
    assert chart.helm("package", CHART, "--destination", tmp_path, by=by).returncode == 0
    (package,) = tmp_path.glob("*.tgz")
    values = CHART / "ci" / "replicas-redis-values.yaml"
    words = ("--namespace", "soe", "--values", values)
    objects = objects_of(chart.helm("template", "gw", package, *words, by=by))

    assert sorted(objects, key=named) == sorted(rendered(REPLICAS, by), key=named)


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
