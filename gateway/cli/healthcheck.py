"""Ask a running gateway whether it is well: exit 0 if it is, 1 if not.

For container probes: it needs no shell and no curl, and finds the admin listener where
SOE_GATEWAY_SERVER_ADMIN_LISTEN says.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
from typing import TextIO

_SECONDS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument("--admin", metavar="HOST:PORT", help="the admin listener (127.0.0.1:9180)")
    parser.add_argument("--ready", action="store_true", help="ask whether it serves, too")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Ask, and say the answer."""
    listener = args.admin or os.environ.get("SOE_GATEWAY_SERVER_ADMIN_LISTEN") or "127.0.0.1:9180"
    listener = listener.removeprefix("http://").rstrip("/")
    path = "/readyz" if args.ready else "/healthz"
    well, answer = _ask(listener, path)
    if args.json:
        print(json.dumps({"url": f"http://{listener}{path}", "well": well, "answer": answer}), file=out)  # fmt: skip
    else:
        print(f"http://{listener}{path}: {answer}", file=out)
    return 0 if well else 1


def _ask(listener: str, path: str) -> tuple[bool, str]:
    """Give whether the answer is 200, and the answer's status or why there is none."""
    try:
        connection = http.client.HTTPConnection(listener, timeout=_SECONDS)
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        return False, type(error).__name__
    return status == http.client.OK, str(status)
