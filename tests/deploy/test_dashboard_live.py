"""Every panel of the dashboard shows something: a real Prometheus scrapes the gateway in use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests import local
from tests.deploy.grafana import Panel, panels, put_in
from tests.deploy.picture import WIDTH, page
from tests.deploy.prometheus import Prometheus, Series, needs_prometheus, prometheus
from tests.deploy.traffic import SWITCHED_OFF, WRITERS, Traffic, write_policies
from tests.e2e.browser import browser
from tests.e2e.process import CONTACT, gateway
from tests.e2e.stack import sandbox
from tests.patience import until

ROUNDS = 4
ROUNDS_FOR_A_PICTURE = 65
PICTURES = os.environ.get("PICTURES")
"""A folder: then the traffic lasts longer, and the dashboard is drawn there from its data."""
INTERVAL = 4 if PICTURES else 60
"""Seconds over which rates are told: as Grafana would, or so many that no scrape may come too late."""
QUIET = {
    "Records not written",
    "Rules running open",
    "Calls to state that failed",
    "Losses of state",
    "Workers restarted",
    "Log lines dropped",
    "State waits for a word",
    "Rules in the time shown: D",
}
"""Panels, or queries of panels, of what should not happen, and does not happen here: they show 0."""
MAY_BE_ZERO = {"Open holds", "Records waiting"}
"""Panels of what comes and goes between two scrapes, or is counted each minute."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to ask after the traffic."""

    prometheus: Prometheus
    start: float
    end: float

    def shown(self, panel: Panel, **values: str) -> dict[str, list[Series]]:
        """What a panel shows, by its queries."""
        seconds = int(self.end - self.start) + 1
        return {
            query.ref: self.prometheus.series(
                put_in(query.expression, seconds=seconds, interval=INTERVAL, values=values),
                self.start,
                self.end,
                instant=query.instant,
            )
            for query in panel.queries
        }


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """A gateway under all kinds of traffic, scraped meanwhile."""
    data = tmp_path_factory.mktemp("live")
    policies = data / "policies"
    write_policies(policies)
    with (
        sandbox() as soe,
        gateway(soe, data, "--policies", str(policies), environ={}) as running,
        prometheus(running.admin, data) as scraping,
        local.client() as http,
    ):
        traffic = Traffic(http, running.proxy, soe)
        for turn in range(ROUNDS_FOR_A_PICTURE if PICTURES else ROUNDS):
            if turn < ROUNDS:
                traffic.everything()
            else:
                traffic.something()
            scraping.scraped()
            if turn == 1:
                start = time.time()  # two scrapes are there: every rate can be told from now on
            if turn == 2:  # there was a scrape since: what happens now is an increase
                change(policies)
                os.kill(running.process.pid, signal.SIGHUP)
                switch_off(data, policies)
        with ThreadPoolExecutor(1) as beside:
            seen_slow = threading.Event()
            slow = beside.submit(traffic.wait_for_soe, seen_slow)
            try:
                until(lambda: scraping.shows("soe_gateway_upstream_connections > 0"))
            finally:
                seen_slow.set()
            slow.result()
            scraping.scraped()
        yield Seen(scraping, start, time.time())


def change(policies: Path) -> None:
    """Change a policy, so that the gateway reads them anew."""
    site = policies / "site.yaml"
    site.write_text(site.read_text().replace("limit: 400", "limit: 300"))


def switch_off(data: Path, policies: Path) -> None:
    """Switch an integration off, as an operator does beside the running gateway."""
    command = [sys.executable, "-m", "gateway", "integrations", "disable", SWITCHED_OFF]
    command += ["--reason", "tests", "--data", str(data), "--policies", str(policies)]
    subprocess.run(command, check=True, env={**os.environ, **CONTACT}, stdout=subprocess.DEVNULL)


@needs_prometheus
@pytest.mark.slow
def test_every_panel_shows_what_happened(seen: Seen) -> None:
    """No query fails, and none is empty; what happened is seen, what did not happen is 0."""
    wrong = []
    for panel in panels():
        for ref, found in seen.shown(panel).items():
            (expression,) = (each.expression for each in panel.queries if each.ref == ref)
            most = max((value for _, values in found for _, value in values), default=None)
            quiet = not QUIET.isdisjoint({panel.title, f"{panel.title}: {ref}"})
            if most is None or (panel.title not in MAY_BE_ZERO and (most > 0) == quiet):
                wrong.append(f"{panel.row}: {panel.title}: {ref} gives {most}: {expression}")

    assert not wrong, "\n".join(wrong)


@needs_prometheus
@pytest.mark.slow
def test_one_integration_is_shown_by_itself(seen: Seen) -> None:
    """Where two integrations are chosen, no other is in any panel."""
    chosen = set(WRITERS[:2])
    named = {
        labels["integration"]
        for panel in panels()
        for found in seen.shown(panel, integration="(" + "|".join(chosen) + ")").values()
        for labels, _ in found
        if "integration" in labels
    }

    assert chosen <= named <= chosen | {"none"}


@needs_prometheus
@pytest.mark.slow
@pytest.mark.parametrize(
    ("title", "label", "wanted"),
    [
        ("Writes by effect", "effect", {"allow", "hold", "refuse", "replay"}),
        ("What became of writes that passed", "outcome", {"ok", "refused", "failed", "unknown"}),
        ("Failing rules that only watch", "rule", {"links-its-source", "no-ticket-replies"}),
        ("Copies and boilerplate over time", "rule", {"already-posted", "same-answer-elsewhere"}),
        ("Writes by integration", "integration", set(WRITERS)),
    ],
)
def test_a_panel_tells_them_apart(seen: Seen, title: str, label: str, wanted: set[str]) -> None:
    """What happened in several ways stands as several series."""
    (panel,) = (each for each in panels() if each.title == title and each.raw["type"] != "row")
    found = {labels[label] for series in seen.shown(panel).values() for labels, _ in series}

    assert wanted <= found


@needs_prometheus
@pytest.mark.slow
def test_the_dashboard_can_be_drawn(seen: Seen) -> None:
    """What Grafana would show can be looked at: with PICTURES it becomes that of the documents."""
    html = page([(panel, seen.shown(panel)) for panel in panels()], seen.start, seen.end)
    if PICTURES:
        picture = Path(PICTURES) / "dashboard.png"
        photograph(html, picture)
        assert picture.stat().st_size < 400_000

    assert all(f"<h2>{escape(panel.title)}</h2>" in html for panel in panels())


def photograph(html: str, path: Path) -> None:
    """Let Chromium draw a page; few colours make a small file."""
    with browser() as running:
        tab = running.new_page(viewport={"width": WIDTH, "height": 900})
        tab.set_content(html)
        drawn = Image.open(BytesIO(tab.screenshot(full_page=True))).convert("RGB")
    drawn.quantize(256, kmeans=1, dither=Image.Dither.NONE).save(path, optimize=True)
