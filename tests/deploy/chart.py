"""The Helm chart as tests read it: rendered by a real helm, its objects as mappings."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from gateway.settings import load_settings
from gateway.settings.table import Settings
from tests.shared import ROOT

CHART = ROOT / "deploy" / "helm"
SITES = sorted((CHART / "ci").glob("*-values.yaml"))
"""The values of each kind of site."""
TOOLS = ROOT / ".cache" / "chart"
HELMS = ("helm-4", "helm-3")
KUBERNETES = ("1.30", "1.37")
needs_tools = pytest.mark.skipif(
    not (TOOLS / "made-by.txt").exists(),
    reason="helm and the schemas are not there: make chart fetches them",
)

Object = dict[str, Any]


def site(name: str) -> dict[str, Any]:
    """Give the values of a kind of site."""
    values: dict[str, Any] = yaml.safe_load((CHART / "ci" / f"{name}-values.yaml").read_text())
    return values


NAMES = [path.name.removesuffix("-values.yaml") for path in SITES]
DEFAULT = site("default")
REPLICAS = site("replicas-redis")
every_site = pytest.mark.parametrize("name", NAMES)
every_helm = pytest.mark.parametrize("by", HELMS)
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


def helm(*words: str | Path, by: str = HELMS[0]) -> subprocess.CompletedProcess[str]:
    """Call helm, with a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        return subprocess.run(
            [TOOLS / by, *words],
            env={**os.environ, "HOME": home, "KUBECONFIG": "/dev/null"},
            capture_output=True,
            text=True,
            check=False,
        )


def template(values: Mapping[str, Any], by: str = HELMS[0]) -> subprocess.CompletedProcess[str]:
    """Render the chart with some values, as the release `gw` in the namespace `soe`."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(values, file)
        file.flush()
        words = ("template", "gw", CHART, "--namespace", "soe", "--values", file.name)
        return helm(*words, by=by)


def rendered(values: Mapping[str, Any], by: str = HELMS[0]) -> list[Object]:
    """Give the objects that come of some values."""
    return list(_rendered(json.dumps(values), by))


@functools.cache
def _rendered(values: str, by: str) -> tuple[Object, ...]:
    return tuple(objects_of(template(json.loads(values), by)))


def objects_of(ended: subprocess.CompletedProcess[str]) -> list[Object]:
    """Give the objects that helm rendered."""
    assert ended.returncode == 0, ended.stderr
    return list(filter(None, yaml.load_all(ended.stdout, yaml.CSafeLoader)))


def with_values(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Lay changes over values, by dotted name; a dot in a name is written as a slash."""
    changed: dict[str, Any] = json.loads(json.dumps(values))
    for name, value in changes.items():
        *path, last = (part.replace("/", ".") for part in name.split("."))
        at = changed
        for part in path:
            at = at.setdefault(part, {})
        at[last] = value
    return changed


def one(objects: list[Object], kind: str, name: str = "") -> Object:
    """Give the only object of a kind, or that whose name ends so."""
    found = [
        each for each in objects if each["kind"] == kind and each["metadata"]["name"].endswith(name)
    ]
    assert len(found) == 1, f"{len(found)} of {kind} {name}"
    return found[0]


def pod(objects: list[Object]) -> Object:
    """Give the gateway's pod."""
    template: Object = one(objects, "StatefulSet")["spec"]["template"]
    return template


def pods(objects: list[Object]) -> Iterator[Object]:
    """Give every pod, that of the test too."""
    for each in objects:
        if each["kind"] == "Pod":
            yield each
        elif each["kind"] == "StatefulSet":
            yield each["spec"]["template"]


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


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a selector chooses something with these labels."""
    return selector.items() <= labels.items()


@functools.cache
def schema(api: str, kind: str, version: str) -> jsonschema_rs.Validator:
    """Give what an object of Kubernetes, or of the Prometheus operator, must be."""
    if api == "monitoring.coreos.com/v1":
        operators = json.loads((TOOLS / f"{kind.lower()}.json").read_text())
        return jsonschema_rs.Draft202012Validator(operators)
    group = "-".join(part.partition(".")[0] for part in api.split("/"))
    folder = TOOLS / f"kubernetes-{version}"
    own = json.loads((folder / f"{kind.lower()}-{group}.json").read_text())
    shared = json.loads((folder / "_definitions.json").read_text())
    registry = jsonschema_rs.Registry([(shared["$id"], shared)])
    return jsonschema_rs.Draft202012Validator(own, registry=registry)
