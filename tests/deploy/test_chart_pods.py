"""The pods of the chart: what they mount and may do, how they are asked, stopped and replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.chart import (
    DEFAULT,
    REPLICAS,
    Object,
    every_site,
    gateway,
    needs_tools,
    one,
    pod,
    pods,
    rendered,
    settings,
    site,
    with_values,
)

pytestmark = needs_tools


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
