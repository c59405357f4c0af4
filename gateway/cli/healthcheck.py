"""Ask a running gateway whether it is well: exit 0 if it is, 1 if not.

For container probes: it needs no shell and no curl.
"""

from __future__ import annotations

import argparse
from typing import TextIO

import httpx


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument("--admin", default="http://127.0.0.1:9180", help="the admin listener")
    parser.add_argument("--ready", action="store_true", help="ask whether it serves, too")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Ask, and say the answer."""
    path = "/readyz" if args.ready else "/healthz"
    try:
        answer = httpx.get(args.admin + path, timeout=3, trust_env=False)
    except httpx.HTTPError as error:
        print(f"{args.admin}{path}: {type(error).__name__}", file=out)
        return 1
    print(f"{args.admin}{path}: {answer.status_code}", file=out)
    return 0 if answer.is_success else 1
