"""What the admin listener says of the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.admin.app import admin_app
from gateway.observe.metrics import Metrics


class Gateway:
    """What the app asks: whether reads are served, and under which policies."""

    ready = True
    revision = "r1"


@pytest.fixture
def state() -> Gateway:
    """A gateway that serves."""
    return Gateway()


@pytest.fixture
async def admin(state: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the admin listener's app."""
    metrics = Metrics()
    metrics.audit_errors.inc(3)
    app = admin_app(metrics, lambda: state.ready, lambda: state.revision)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://admin") as client:
        yield client


async def test_a_process_that_answers_is_healthy(admin: httpx.AsyncClient, state: Gateway) -> None:
    """Health is about the process alone, so nobody restarts it for what others lack."""
    state.ready = False
    answer = await admin.get("/healthz")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


@pytest.mark.parametrize(("ready", "status"), [(True, 200), (False, 503)])
async def test_readiness_is_whether_reads_are_served(
    admin: httpx.AsyncClient, state: Gateway, ready: bool, status: int
) -> None:
    """A stopping gateway gets no new traffic; the answer names the revision in force."""
    state.ready = ready
    answer = await admin.get("/readyz")

    assert answer.status_code == status
    assert answer.json() == {"ready": ready, "policy_revision": "r1"}


async def test_metrics_are_as_prometheus_asks(admin: httpx.AsyncClient) -> None:
    """The body is the exposition of this gateway's registry, under its own media type."""
    answer = await admin.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "soe_gateway_audit_errors_total 3.0" in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/healthz", 405), ("DELETE", "/metrics", 405), ("GET", "/", 404)],
)
async def test_there_is_nothing_to_change_here(
    admin: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    """Reading is all that the listener offers."""
    assert (await admin.request(method, path)).status_code == status
