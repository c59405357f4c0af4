"""Run a small Stack Overflow Enterprise in memory, to develop and test against.

It speaks API v2.3 and v3, refuses what SOE refuses, and forgets everything when it stops. Its page
at / shows what stands on it. POST /_sandbox/next {"status": 404, "delay": 2, "drop": "after",
"count": 1} tells how the next writes are answered, with "reads": true all requests, with "headers"
and "members" what the answers get besides; /_sandbox/log lists what was asked; /_sandbox/reset
begins anew. The tokens ada (or demo), grace and alan act for people of these names, any other for
somebody made up. Below /_sandbox/oidc is an OpenID provider, where one signs in as any of them: its
client is soe-gateway with the secret sandbox-oidc-secret-and-nothing-else, on any loopback address.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path
from typing import Any, TextIO

from gateway.proxy.listener import Listener
from gateway.sandbox.app import Sandbox, sandbox_app
from gateway.sandbox.site import Site


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument(
        "--listen", default="127.0.0.1:8081", help="HOST:PORT; port 0 takes a free one"
    )
    parser.add_argument("--tls-cert", type=Path, help="certificate chain, PEM")
    parser.add_argument("--tls-key", type=Path, help="its private key, PEM")
    parser.add_argument(
        "--token",
        action="append",
        default=[],
        help="a known token; without it every token is somebody's",
    )
    parser.add_argument(
        "--throttle", action="store_true", help="one post of a token a minute in v2.3, as SOE"
    )
    parser.add_argument(
        "--redirect-uri",
        action="append",
        default=[],
        help="where the OpenID provider sends people back to, beside every loopback address",
    )
    parser.add_argument("--lenient", action="store_true", help="take answers to questions that are not there and questions without a title, and compress nothing for who asks that")  # fmt: skip


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Serve until told to stop."""
    site = Site(lenient=args.lenient, tokens=tuple(args.token))
    redirects = tuple(args.redirect_uri)
    app = _abortable(sandbox_app(Sandbox(site, throttle=args.throttle, redirects=redirects)))
    host, _, port = args.listen.rpartition(":")
    tls = (args.tls_cert, args.tls_key) if args.tls_cert and args.tls_key else None
    asyncio.run(_serve(Listener(app, (host, int(port)), tls=tls), out))
    return 0


async def _serve(listener: Listener, out: TextIO) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    url = await listener.start()
    print(json.dumps({"event": "sandbox.listening", "url": url}), file=out, flush=True)
    await stop.wait()
    await listener.stop(1)


def _abortable(app: Any) -> Any:
    """Let the app abort its connection, which ASGI has no word for."""

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        scope["sandbox.abort"] = send.__self__.transport.abort  # uvicorn's cycle
        await app(scope, receive, send)

    return outer
