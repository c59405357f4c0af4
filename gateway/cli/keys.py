"""Make a gateway key for an integration.

The key is shown once and stored nowhere: give it to the integration, which sends it as
X-Gateway-Key, and put its digest into integrations.yaml.
"""

from __future__ import annotations

import argparse
import json
import secrets
from typing import TextIO

from gateway.policy.registry import digest, new_key


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument("action", choices=["new"])
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Print a key and its digest."""
    key = new_key(secrets.token_bytes(32))
    told = {"key": key, "digest": f"sha256:{digest(key.encode())}"}
    if args.json:
        print(json.dumps(told), file=out)
        return 0
    print(f"key, for the integration:      {told['key']}", file=out)
    print(f"digest, for integrations.yaml: {told['digest']}", file=out)
    return 0
