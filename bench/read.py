"""What a read costs through the gateway, beside nginx as a reverse proxy, in one run."""

from __future__ import annotations

import sys

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
)

BODY = '{"items":["' + "x" * 2030 + '"]}'


def main() -> None:
    """Run it; --short for a look."""
    require("nginx", "wrk")
    short = "--short" in sys.argv
    soe, proxy = free_port(), free_port()
    # Without `keepalive` nginx would connect anew for each request, and look four times as dear.
    kept = f"upstream soe {{ server 127.0.0.1:{soe}; keepalive 64; keepalive_requests 1000000; }}"
    forward = "proxy_pass http://soe; proxy_http_version 1.1; proxy_set_header Connection '';"
    with (
        folder() as files,
        nginx(files, soe, LOAD_CORE, f"default_type application/json; return 200 '{BODY}';"),
        nginx(files, proxy, PROXY_CORE, forward, kept) as nginx_pid,
        gateway(f"http://127.0.0.1:{soe}", files / "data") as (port, pid),
    ):
        candidates = [Candidate("nginx", proxy, nginx_pid), Candidate("gateway", port, pid)]
        load = ["-H", "Authorization: Bearer t", "-H", "User-Agent: bench/1.0 (bench@example.com)"]
        load += ["http://127.0.0.1:PORT/api/v3/questions?page=1&pageSize=30"]
        rounds, seconds = (2, 1) if short else (5, 3)
        compare(candidates, lambda _: load, rounds=rounds, seconds=seconds, connections=16)


if __name__ == "__main__":
    main()
