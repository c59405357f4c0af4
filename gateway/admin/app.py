"""The app of the admin listener: health and metrics, which ask neither state nor SOE, and the console."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.admin.console import Console
from gateway.observe.metrics import Metrics, WorkersMetrics

_OFF = """\
The console is off: the settings let nobody in.

Make a token with `soe-gateway keys new`, and put its digest into gateway.yaml:

  console:
    operators: ["sha256:…"]    # may look, and switch integrations off and on
    viewers: ["sha256:…"]      # may look

or, where people sign in (sign_in.issuer, sign_in.header), their e-mail addresses or "group:NAME".
"""


def admin_app(
    metrics: Metrics | WorkersMetrics,
    ready: Callable[[], bool],
    revision: Callable[[], str],
    console: Console | None = None,
) -> Starlette:
    """Make the app.

    Args:
        ready: whether reads are served: false from the moment of a stop on.
        revision: the policy revision in force.
        console: None where the settings let nobody in.
    """

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        status = 200 if ready() else 503
        return JSONResponse({"ready": status == 200, "policy_revision": revision()}, status)

    async def show_metrics(_: Request) -> Response:
        body = await asyncio.to_thread(metrics.render)
        return Response(body, headers={"content-type": CONTENT_TYPE_LATEST})

    async def no_console(_: Request) -> Response:
        return PlainTextResponse(_OFF, 404)

    shown = console or no_console
    routes = [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", show_metrics),
        Route("/console", shown),
        Route("/console/{rest:path}", shown),
    ]
    return Starlette(routes=routes)
