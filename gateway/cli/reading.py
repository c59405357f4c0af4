"""What commands have in common that read the site: their flags, credentials and way to SOE.

The credentials come from files, or from SOE_GATEWAY_SEED_TOKEN and SOE_GATEWAY_SEED_KEY, whichever
command it is: they only read.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.cli.assembly import open_pool
from gateway.offline.reading.pace import Pace
from gateway.offline.reading.reader import Reader, ReadingError
from gateway.offline.reading.v23 import API as V23
from gateway.offline.seed.v3 import API as V3
from gateway.proxy.transport import PoolTransport
from gateway.settings import Settings, load_settings
from gateway.soe.read import is_slug

_VARIABLE = "SOE_GATEWAY_SEED_"
_RATE = 5.0
_MOST = 25.0
"""Requests a second: v3 takes 50 in two, and v2.3 cuts off whoever sends more than 30 in one."""


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Declare which site is read, and how."""
    parser.add_argument("--upstream", help="Stack Overflow Enterprise, as https://host")
    parser.add_argument("--team", action="append", type=_team, default=[], metavar="SLUG", help="a team besides the main site; may be given again")  # fmt: skip
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="holds the access token")
    parser.add_argument("--key-file", type=Path, metavar="FILE", help="holds the application's key")
    parser.add_argument("--rate", type=_rate, default=_RATE, metavar="N", help=f"requests a second at most ({_RATE:g})")  # fmt: skip


def reading_settings(args: argparse.Namespace) -> Settings:
    """Load the settings that name the site and the gateway's files.

    Raises:
        ProblemsError: they are wrong.
    """
    given = {"upstream.url": args.upstream, "data.directory": args.data}
    flags = {name: value for name, value in given.items() if value is not None}
    return load_settings(flags=flags, environ=os.environ, config=args.config)


def open_reader(
    args: argparse.Namespace, settings: Settings, purpose: str, note: Callable[[str], None]
) -> Reader:
    """Make what asks the site.

    Raises:
        ReadingError: there are no credentials, or they cannot be read.
    """
    credentials, contact, pool = _credentials(args), settings.contact, open_pool(settings)
    return Reader(
        PoolTransport(pool),
        pool.origin.url.decode(),
        pace=Pace(args.rate),
        credentials=credentials,
        purpose=purpose,
        contact=contact.url or contact.email or contact.name,
        note=note,
    )


def _credentials(args: argparse.Namespace) -> Mapping[str, Mapping[str, str]]:
    """Give each API's header fields."""
    token = _secret("TOKEN", args.token_file)
    key = _secret("KEY", args.key_file)
    if not token and not key:
        raise ReadingError(
            f"no credentials: give --token-file or --key-file, or set {_VARIABLE}TOKEN"
        )
    fields = {"X-API-Key": key, "X-API-Access-Token": token}
    return {
        V23: {name: value for name, value in fields.items() if value},
        V3: {"Authorization": f"Bearer {token}"} if token else {"X-API-Key": key},
    }


def _secret(name: str, path: Path | None) -> str:
    """Read a secret, from a file rather than from the environment; empty without one."""
    try:
        text = path.read_text() if path else os.environ.get(_VARIABLE + name, "")
    except UnicodeDecodeError:
        raise ReadingError(f"{path} does not hold one word") from None
    secret = text.strip()
    if not all("!" <= char <= "~" for char in secret) or (path and not secret):
        raise ReadingError(f"{path or _VARIABLE + name} does not hold one word")
    return secret


def _team(text: str) -> str:
    if not is_slug(text.lower()):
        raise argparse.ArgumentTypeError("expected the slug of a team, as in /c/SLUG")
    return text.lower()


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= _MOST:
        raise argparse.ArgumentTypeError(f"expected a number above 0, and at most {_MOST:g}")
    return rate
