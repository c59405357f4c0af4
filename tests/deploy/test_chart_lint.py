"""Both helms take the chart, clusters would take what it renders, and its pages say what it takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway import __version__
from tests.deploy import chart
from tests.deploy.chart import (
    CHART,
    DEFAULT,
    HELMS,
    KUBERNETES,
    NAMES,
    REPLICAS,
    SITES,
    every_helm,
    every_site,
    gateway,
    named,
    needs_tools,
    objects_of,
    rendered,
    site,
    with_values,
)

pytestmark = needs_tools


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

        assert [f"{error.instance_path}: {error.message}" for error in found] == [], named(each)


@every_helm
def test_the_package_holds_all_that_is_rendered(by: str, tmp_path: Path) -> None:
    """What helm packs renders as the folder does."""
    assert chart.helm("package", CHART, "--destination", tmp_path, by=by).returncode == 0
    (package,) = tmp_path.glob("*.tgz")
    values = CHART / "ci" / "replicas-redis-values.yaml"
    words = ("--namespace", "soe", "--values", values)
    objects = objects_of(chart.helm("template", "gw", package, *words, by=by))

    assert sorted(objects, key=named) == sorted(rendered(REPLICAS, by), key=named)


def test_the_chart_has_the_gateways_version() -> None:
    """One version for the program, its image and its chart."""
    described = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert described["version"] == described["appVersion"] == __version__
    assert gateway(rendered(DEFAULT))["image"] == f"soe-write-gateway:{__version__}"


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
