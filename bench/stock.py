"""A bare pass-through of stock httpx under uvicorn: what `write.py` measures the gateway beside."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import uvicorn

HOP_BY_HOP = (b"host", b"connection", b"content-length", b"transfer-encoding")


def app(upstream: str) -> Any:
    """Make the app: streams both ways, judges nothing, records nothing."""
    client = httpx.AsyncClient(base_url=upstream, trust_env=False)

    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return

        async def body() -> AsyncIterator[bytes]:
            more = True
            while more:
                message = await receive()
                more = message.get("more_body", False)
                yield message.get("body", b"")

        sent = [field for field in scope["headers"] if field[0] not in HOP_BY_HOP]
        request = client.build_request(scope["method"], scope["path"], headers=sent, content=body())
        response = await client.send(request, stream=True)
        fields = [(name.lower(), value) for name, value in response.headers.raw]
        await send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": [field for field in fields if field[0] not in HOP_BY_HOP[1:]],
            }
        )
        async for chunk in response.aiter_raw():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})

    return proxy


if __name__ == "__main__":
    uvicorn.run(
        app(sys.argv[2]),
        port=int(sys.argv[1]),
        http="httptools",
        loop="uvloop",
        lifespan="off",
        access_log=False,
        log_level="error",
    )
