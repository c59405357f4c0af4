"""The app of the admin listener. Neither page asks state or SOE: reads must outlive both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.observe.metrics import Metrics, WorkersMetrics


def admin_app(
    metrics: Metrics | WorkersMetrics, ready: Callable[[], bool], revision: Callable[[], str]
) -> Starlette:
    """Make the app.

    Args:
        ready: whether reads are served: false from the moment of a stop on.
        revision: the policy revision in force.
    """

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        status = 200 if ready() else 503
        return JSONResponse({"ready": status == 200, "policy_revision": revision()}, status)

    async def show_metrics(_: Request) -> Response:
        body = await asyncio.to_thread(metrics.render)
        return Response(body, headers={"content-type": CONTENT_TYPE_LATEST})

    routes = [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", show_metrics),
    ]
    return Starlette(routes=routes)
