"""What a judged, recorded and synced write costs, beside a bare pass-through of httpx, in one run."""

from __future__ import annotations

import sys
from pathlib import Path

from common import (
    LOAD_CORE,
    PROXY_CORE,
    Candidate,
    compare,
    folder,
    free_port,
    gateway,
    nginx,
    require,
    running,
    valkey,
    wait_for,
)

HERE = Path(__file__).parent
ANSWER = '{"id":4711,"webUrl":"https://soe.example/questions/4711","body":"' + "x" * 1970 + '"}'
PER_TOKEN = "questions-per-integration: {rate_cap: {per: [token]}}\n"
"""Each write has a token of its own, so that the shipped caps count and never refuse."""


def main() -> None:
    """Run it; --short for a look."""
    require("nginx", "wrk")
    short = "--short" in sys.argv
    soe, bare = free_port(), free_port()
    upstream = f"http://127.0.0.1:{soe}"
    with folder() as files:
        policies = files / "policies"
        policies.mkdir()
        (policies / "overrides.yaml").write_text(PER_TOKEN)
        told = ("--policies", str(policies))
        stock = [sys.executable, str(HERE / "stock.py"), str(bare), upstream]
        answer = f"default_type application/json; return 200 '{ANSWER}';"
        with (
            nginx(files, soe, LOAD_CORE, answer),
            running(stock, PROXY_CORE) as httpx,
            gateway(upstream, files / "synced", *told) as (synced_port, synced),
            gateway(upstream, files / "memory", *told, "--state", "memory:") as (port, pid),
            valkey(files, LOAD_CORE) as state,
            gateway(upstream, files / "shared", *told, "--state", state) as (shared_port, shared),
        ):
            wait_for(bare)
            candidates = [
                Candidate("httpx, bare", bare, httpx.pid),
                Candidate("gateway", synced_port, synced),
                Candidate("gateway, state in memory", port, pid),
                Candidate("gateway, state in Valkey", shared_port, shared),
            ]
            load = ["-s", str(HERE / "write.lua"), "http://127.0.0.1:PORT/api/v3/questions"]
            rounds, seconds = (2, 1) if short else (5, 3)
            compare(candidates, lambda _: load, rounds=rounds, seconds=seconds, connections=16)


if __name__ == "__main__":
    main()
