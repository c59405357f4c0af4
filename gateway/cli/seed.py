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

from gateway.cli.assembly import open_state, state_terms, state_url
from gateway.cli.progress import progress
from gateway.cli.reading import add_reading, open_reader
from gateway.clock import SystemClock
from gateway.errors import GatewayError, ProblemsError
from gateway.observe.logs import EVENTS
from gateway.offline.reading.reader import ReadingError
from gateway.offline.seed.progress import Progress
from gateway.offline.seed.run import APIS, AUTO, Counts, Watcher, choose, seed
from gateway.settings import FLAGS, Settings, load_settings

_SETTINGS = ("--upstream", "--state", "--data")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument("--config", type=Path, help="the settings file (gateway.yaml)")
    add_reading(parser)
    parser.add_argument(
        "--state", help="sqlite:///path, redis://host, rediss://host or unix:///path"
    )
    parser.add_argument("--data", help="where the gateway keeps its files (data)")
    parser.add_argument("--api", choices=APIS, default=AUTO, help="which API is read (auto: v2.3, or v3 where that is not there)")  # fmt: skip
    parser.add_argument("--restart", action="store_true", help="read everything anew")
    parser.add_argument("--dry-run", action="store_true", help="read everything and count, and remember nothing")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Read, and remember; 1 where settings, SOE or state stop it."""
    counts, begun = Counts(), time.monotonic()
    told: dict[str, object] = {}
    try:
        settings = _settings(args)
        with contextlib.closing(progress(None if args.json else out)) as watcher:
            told = uvloop.run(_seed(args, settings, counts, watcher))
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
    counts: Counts,
    watcher: Watcher,
) -> dict[str, object]:
    clock = SystemClock()
    reader = open_reader(args, settings, "seed", watcher.note)
    terms = state_terms(settings, lambda event, **_: watcher.note(EVENTS[event]))
    store = None if args.dry_run else open_state(settings, terms)
    try:
        about = {
            "upstream": settings["upstream.url"].url.decode(),
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
        raise ReadingError("memory: is gone when this command ends; name the state of serve")
    return settings


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
