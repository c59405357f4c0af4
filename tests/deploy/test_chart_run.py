"""The pod that the chart renders, really run by podman, and a policy that changes while it runs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import local
from tests.deploy import containers
from tests.deploy.chart import (
    Object,
    files,
    gateway,
    needs_tools,
    one,
    pod,
    rendered,
    site,
    with_values,
)
from tests.deploy.containers import IMAGE, Container
from tests.e2e.stack import sandbox
from tests.patience import until


def missing() -> str:
    """Name what is not there of what running needs; empty where all is."""
    if os.environ.get("CONTAINERS") != "run":
        return "make chart-run runs the pod; it takes seconds"
    if shutil.which("podman") is None:
        return "podman cannot be found"
    there = ["podman", "image", "exists", IMAGE]
    if subprocess.run(there, capture_output=True, check=False).returncode:
        return f"there is no image {IMAGE}: make image-test builds it"
    return ""


MISSING = missing()
pytestmark = [
    needs_tools,
    pytest.mark.skipif(bool(MISSING), reason=MISSING),
    pytest.mark.timeout(300),
]
KEY = "sgw_" + "k" * 43
VALUES = with_values(
    site("default"),
    {
        "secrets.files.audit/key": "c0de" * 16,
        "secrets.files.integrations/yaml": f"""\
integrations:
  help-bot:
    owner: it-service
    contact: it-service@example.com
    purpose: Posts what people ask in chat
    tier: trusted
    operations: [question.create]
    keys: ["sha256:{hashlib.sha256(KEY.encode()).hexdigest()}"]
""",
    },
)
OWNER = 10001
QUESTION = {"title": "How do I renew the key?", "body": "It ends on Friday.", "tags": ["tls"]}


def put(folder: Path, texts: dict[str, str], generation: int) -> None:
    """Lay files into a mounted directory as Kubernetes does, or others in their place, all at once."""
    real = folder / f"..{generation}"
    real.mkdir(parents=True)
    for name, text in texts.items():
        (real / name).write_text(text)
        os.chown(real / name, 0, OWNER)
        (real / name).chmod(0o440)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..new").symlink_to(real.name)
    (folder / "..new").rename(folder / "..data")
    shutil.rmtree(folder / f"..{generation - 1}", ignore_errors=True)


def here(objects: list[Object], directory: Path, soe: str) -> Object:
    """The rendered pod as podman can run it: volumes are folders here, ports are free ones.

    Its probes are left out, since podman asks by a curl in the container; so is its sleep before
    a stop. Users, capabilities, arguments, resources and mounts are as the chart says.
    """
    spec = {**pod(objects)["spec"], "hostNetwork": True, "restartPolicy": "Never"}
    volumes = [*spec.pop("volumes"), {"name": "data"}]
    for volume in volumes:
        put(directory / volume["name"], files(objects, volume), 1)
    for name in ("data", "tmp"):
        os.chown(directory / name, OWNER, OWNER)
    spec["volumes"] = [
        {"name": each["name"], "hostPath": {"path": str(directory / each["name"])}}
        for each in volumes
    ]
    told = {
        "SERVER_LISTEN": "127.0.0.1:0",
        "SERVER_ADMIN_LISTEN": "127.0.0.1:0",
        "UPSTREAM_URL": soe,
    }
    container = {**gateway(objects), "image": IMAGE, "imagePullPolicy": "Never"}
    container["env"] = [
        *container.get("env", []),
        *({"name": f"SOE_GATEWAY_{name}", "value": value} for name, value in told.items()),
    ]
    for name in ("startupProbe", "livenessProbe", "readinessProbe", "lifecycle", "ports"):
        container.pop(name)
    metadata = {"name": f"chart-{directory.name[-20:]}".replace("_", "-")}
    spec["containers"] = [container]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture
def soe() -> Iterator[str]:
    """A sandbox behind the gateway."""
    with sandbox() as url:
        yield url


@pytest.fixture
def running(soe: str, tmp_path: Path) -> Iterator[Container]:
    """The pod."""
    with containers.play(here(rendered(VALUES), tmp_path, soe), tmp_path) as it:
        yield it


def write(running: Container) -> httpx.Response:
    """Ask a question as the registered integration, without a person's act."""
    fields = {"authorization": "Bearer demo", "x-gateway-key": KEY}
    with local.client() as client:
        return client.post(f"{running.proxy}/api/v3/questions", json=QUESTION, headers=fields)


def asking(proxy: str) -> str:
    """The program by which helm test asks the Service, asking the proxy."""
    (*_, container) = one(rendered(VALUES), "Pod")["spec"]["containers"]
    script: str = container["args"][0]
    asked = script.replace("http://gw-soe-write-gateway:80", proxy)
    assert asked != script
    return asked


def revision(running: Container) -> str:
    """The policy revision in force, as readiness tells it."""
    answer = local.get(f"{running.admin}/readyz")
    assert answer.status_code == 200
    return str(answer.json()["policy_revision"])


def test_the_pod_runs_as_the_chart_says_and_follows_its_policies(
    running: Container, tmp_path: Path
) -> None:
    """As nobody who can do nothing it refuses, and once the ConfigMap changed it no longer does."""
    status = running.status()
    began = running.inspect("{{.State.StartedAt}}")
    before = revision(running)
    running.run("soe-gateway", "healthcheck", "--ready", f"--admin={running.admin}")
    running.run("python", "-c", asking(running.proxy))
    refused = write(running)
    tuned = VALUES | {"policies": {"files": {"overrides.yaml": "person-asked: {mode: warn}\n"}}}
    objects = rendered(tuned)
    (volume,) = (each for each in pod(objects)["spec"]["volumes"] if each["name"] == "policies")
    put(tmp_path / "policies", files(objects, volume), 2)
    until(lambda: revision(running) != before)
    accepted = write(running)

    assert status["Uid"].split() == status["Gid"].split() == [str(OWNER)] * 4
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert running.inspect("{{.HostConfig.ReadonlyRootfs}}") == "true"
    assert running.inspect("{{.HostConfig.Memory}}") == str(512 * 2**20)
    assert (refused.status_code, refused.json()["code"]) == (403, "explicit_action")
    assert accepted.status_code == 201
    assert running.inspect("{{.State.StartedAt}}") == began
    containers.call("podman", "stop", "--time", "60", running.name)
    assert running.inspect("{{.State.ExitCode}}") == "0"
    assert list((tmp_path / "data" / "audit").glob("audit-*.jsonl"))
