"""Who reaches whom in the chart: ports, selectors, the network policy, the Ingress and the monitor."""

from __future__ import annotations

from pathlib import Path

from gateway.proxy.upstream import Origin
from tests.deploy.chart import (
    DEFAULT,
    REPLICAS,
    every_site,
    gateway,
    needs_tools,
    one,
    pod,
    rendered,
    selects,
    settings,
    site,
    with_values,
)

pytestmark = needs_tools


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
