"""Remember what stands on the site, so that copies of it are found.

Reads questions, answers and articles through API v2.3, or v3 where that is not there, and keeps
their fingerprints in the state of `serve`; no text is kept. It takes the settings of `serve`. How
far it came stands in seed.json in the data directory: a run that was ended goes on from there, and
a later run reads what was written or edited since. Run it again, by cron, to know what people
wrote in between.

The credentials come from files, or from SOE_GATEWAY_SEED_TOKEN and SOE_GATEWAY_SEED_KEY. v2.3 wants
the key of an application or a token, v3 a token; reading is all that they need to allow.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

import uvloop

from gateway.cli.assembly import open_pool, open_state, state_terms, state_url
from gateway.cli.progress import progress
from gateway.clock import SystemClock
from gateway.errors import GatewayError, ProblemsError
from gateway.observe.logs import EVENTS
from gateway.offline.seed import v3, v23
from gateway.offline.seed.pace import Pace
from gateway.offline.seed.progress import Progress
from gateway.offline.seed.reader import Reader, SeedError
from gateway.offline.seed.run import APIS, AUTO, Counts, Watcher, choose, seed
from gateway.proxy.transport import PoolTransport
from gateway.settings import FLAGS, Settings, load_settings
from gateway.soe.read import is_slug

_SETTINGS = ("--upstream", "--state", "--data")
_VARIABLE = "SOE_GATEWAY_SEED_"
_RATE = 5.0
_MOST = 25.0
"""Requests a second: v3 takes 50 in two, and v2.3 cuts off whoever sends more than 30 in one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument("--config", type=Path, help="the settings file (gateway.yaml)")
    parser.add_argument("--upstream", help="Stack Overflow Enterprise, as https://host")
    parser.add_argument(
        "--state", help="sqlite:///path, redis://host, rediss://host or unix:///path"
    )
    parser.add_argument("--data", help="where the gateway keeps its files (data)")
    parser.add_argument("--api", choices=APIS, default=AUTO, help="which API is read (auto: v2.3, or v3 where that is not there)")  # fmt: skip
    parser.add_argument("--team", action="append", type=_team, default=[], metavar="SLUG", help="a team besides the main site; may be given again")  # fmt: skip
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="holds the access token")
    parser.add_argument("--key-file", type=Path, metavar="FILE", help="holds the application's key")
    parser.add_argument("--rate", type=_rate, default=_RATE, metavar="N", help=f"requests a second at most ({_RATE:g})")  # fmt: skip
    parser.add_argument("--restart", action="store_true", help="read everything anew")
    parser.add_argument("--dry-run", action="store_true", help="read everything and count, and remember nothing")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Read, and remember; 1 where settings, SOE or state stop it."""
    counts, begun = Counts(), time.monotonic()
    told: dict[str, object] = {}
    try:
        settings, credentials = _settings(args), _credentials(args)
        with contextlib.closing(progress(None if args.json else out)) as watcher:
            told = uvloop.run(_seed(args, settings, credentials, counts, watcher))
    except ProblemsError as error:
        told["error"] = "\n".join(map(str, error.problems))
    except (GatewayError, OSError) as error:
        told["error"] = f"soe-gateway: {error}"
    except KeyboardInterrupt:
        _tell_interrupted(args, counts, out)
        raise
    told |= asdict(counts) | {"seconds": round(time.monotonic() - begun, 1)}
    print(json.dumps(told) if args.json else _summary(told), file=out)
    return 1 if "error" in told else 0


async def _seed(
    args: argparse.Namespace,
    settings: Settings,
    credentials: Mapping[str, Mapping[str, str]],
    counts: Counts,
    watcher: Watcher,
) -> dict[str, object]:
    clock = SystemClock()
    contact = settings.contact
    pool = open_pool(settings)
    reader = Reader(
        PoolTransport(pool),
        pool.origin.url.decode(),
        pace=Pace(args.rate),
        credentials=credentials,
        contact=contact.url or contact.email or contact.name,
        note=watcher.note,
    )
    terms = state_terms(settings, lambda event, **_: watcher.note(EVENTS[event]))
    store = None if args.dry_run else open_state(settings, terms)
    try:
        about = {
            "upstream": pool.origin.url.decode(),
            "state": _without_secrets(state_url(settings)),
            "epoch": terms.noted(),
        }
        progress = Progress(
            settings["data.directory"] / "seed.json", about, clock.now(), terms.keep
        )
        if args.restart or args.dry_run:
            progress.restart(clock.now())
        elif progress.goes_on:
            watcher.note("Going on from where the last run ended; --restart reads everything.")
        sources = await choose(args.api, reader, [None, *args.team], clock.now)
        await seed(sources, store, progress, counts, watcher, clock.now)
    finally:
        await reader.aclose()
        if store is not None:
            await store.close()
    return {"requests": reader.requests, "waited": round(reader.pace.waited, 1)}


# ── what it is called with ───────────────────────────────────────────────────────────────────


def _settings(args: argparse.Namespace) -> Settings:
    given = {flag: getattr(args, flag[2:]) for flag in _SETTINGS}
    flags = {FLAGS[flag]: value for flag, value in given.items() if value is not None}
    settings = load_settings(flags=flags, environ=os.environ, config=args.config)
    if state_url(settings) == "memory:" and not args.dry_run:
        raise SeedError("memory: is gone when this command ends; name the state of serve")
    return settings


def _credentials(args: argparse.Namespace) -> Mapping[str, Mapping[str, str]]:
    """Give each API's header fields."""
    token = _secret("TOKEN", args.token_file)
    key = _secret("KEY", args.key_file)
    if not token and not key:
        raise SeedError(f"no credentials: give --token-file or --key-file, or set {_VARIABLE}TOKEN")
    fields = {"X-API-Key": key, "X-API-Access-Token": token}
    return {
        v23.API: {name: value for name, value in fields.items() if value},
        v3.API: {"Authorization": f"Bearer {token}"} if token else {"X-API-Key": key},
    }


def _secret(name: str, path: Path | None) -> str:
    """Read a secret, from a file rather than from the environment; empty without one."""
    try:
        text = path.read_text() if path else os.environ.get(_VARIABLE + name, "")
    except UnicodeDecodeError:
        raise SeedError(f"{path} does not hold one word") from None
    secret = text.strip()
    if not all("!" <= char <= "~" for char in secret) or (path and not secret):
        raise SeedError(f"{path or _VARIABLE + name} does not hold one word")
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


def _without_secrets(url: str) -> str:
    """Name the state without user, password and what else may hold one."""
    read = urlsplit(url)
    return f"{read.scheme}://{read.netloc.rpartition('@')[2]}{read.path}"


# ── what it says ─────────────────────────────────────────────────────────────────────────────


def _tell_interrupted(args: argparse.Namespace, counts: Counts, out: TextIO) -> None:
    if args.json:
        print(json.dumps({"error": "interrupted"} | asdict(counts)), file=out, flush=True)
        return
    goes_on = "nothing was remembered" if args.dry_run else "the same command goes on from there"
    goes_on = (
        goes_on if not args.restart else "the same command without --restart goes on from there"
    )
    print(f"Stopped after {counts.read} posts; {goes_on}.", file=out, flush=True)


def _summary(told: Mapping[str, object]) -> str:
    lines = [str(told["error"])] if "error" in told else []
    lines.append(
        f"{told['read']} posts read, {told['remembered']} new or changed, {told['skipped']} without "
        f"words, in {told['seconds']} s"
    )
    return "\n".join(lines)
