"""Draft the registrations out of what was seen, and switch integrations off and on.

  list                             who is registered, and who is switched off, by whom and why
  disable NAME --reason TEXT       switch one off: every write of it is refused from then on
  enable NAME                      switch it on again
  propose --audit data/audit --out policies/integrations.yaml

`disable` and `enable` work on the state and the data directory that the settings name, beside a
running gateway or without one; all its workers and replicas follow within about a second, and it
holds until it is switched on, through restarts and losses of the state. What is done, and by whom,
stands in the audit log. NAME may be `anonymous`, for all callers that nobody registered.

`propose` reads the audit log of a gateway that lets callers pass whom nobody registered (`posture:
discover`) and writes an integrations.yaml: each caller with the digests of its tokens, what it
calls itself, what it wrote and how much. The draft loads once owner, contact and purpose of each
are filled in. A file that is there is never overwritten.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import getpass
import json
import os
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from gateway.admin.integrations import listed, names
from gateway.cli.assembly import (
    audit_directories,
    audit_keys,
    open_audit,
    open_state,
    open_switches,
    state_terms,
    state_url,
)
from gateway.cli.progress import progress
from gateway.clock import SystemClock
from gateway.errors import AuditError, ProblemsError, StoreError
from gateway.offline.propose import Draft, as_json, as_yaml, propose
from gateway.offline.records.read import Spoilt, files, records
from gateway.parse import nearest
from gateway.policy.registrations import EditError, read_integrations
from gateway.policy.registry import Integration
from gateway.policy.sources import INTEGRATIONS
from gateway.proxy.switches import REASON_AT_MOST, Switches, switched
from gateway.settings import Settings, load_settings

_FLAGS = {
    "policies": "policies.directory",
    "state": "state.url",
    "data": "data.directory",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare action and flags."""
    parser.add_argument("action", choices=["list", "disable", "enable", "propose"])
    parser.add_argument("name", nargs="?", help="the integration to switch")
    parser.add_argument("--reason", help="why it is switched off; it is told so")
    parser.add_argument("--config", type=Path, help="the settings file (gateway.yaml)")
    parser.add_argument("--policies", help="the site's own policy files, as `serve` was given them")
    parser.add_argument("--state", help="the state, as `serve` was given it")
    parser.add_argument("--data", help="the gateway's data directory (data)")
    parser.add_argument("--audit", nargs="+", metavar="FILE", help="audit files, or directories of them, to propose from; to record in with disable and enable, as `serve` was given it")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the draft goes, instead of standard output; a file that is there stays")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Do it; 1 where something cannot be read or done, 2 called wrongly."""
    if (args.action in ("disable", "enable")) != (args.name is not None):
        print("soe-gateway integrations disable NAME --reason TEXT, or enable NAME", file=out)
        return 2
    if (args.action == "disable") != bool(args.reason and args.reason.strip()):
        print("--reason says why an integration is switched off, and belongs to disable", file=out)
        return 2
    flags = {name: getattr(args, word) for word, name in _FLAGS.items() if getattr(args, word)}
    if args.audit and args.action != "propose":
        flags["audit.sinks"] = ",".join(args.audit)
    try:
        settings = load_settings(flags=flags, environ=os.environ, config=args.config, required=())
        if args.action == "propose":
            return _propose(args, settings, out)
        if args.action == "list":
            return asyncio.run(_list(args, settings, out))
        return asyncio.run(_switch(args, settings, out))
    except ProblemsError as error:
        print(*error.problems, sep="\n", file=out)
    except FileExistsError:
        print(f"soe-gateway: {args.out} is there already; give another --out", file=out)
    except (OSError, EditError, StoreError, AuditError) as error:
        print(f"soe-gateway: {error}", file=out)
    return 1


# ── switches ─────────────────────────────────────────────────────────────────────────────────


async def _list(args: argparse.Namespace, settings: Settings, out: TextIO) -> int:
    async with _switches(settings) as switches:
        away = await switches.look()
        rows = list(listed(_registered(settings), switches.current))
    if args.json:
        print(json.dumps({"integrations": rows, "state": "store" not in away}), file=out)
        return 0
    table: list[tuple[str, ...]] = [("integration", "tier", "owner", "contact", "writes")]
    table += [_line(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        print("  ".join(map(str.ljust, line, widths)).rstrip(), file=out)
    if "store" in away:
        print("the state does not answer: this is what the data directory knows", file=out)
    return 0


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    off = row["disabled"]
    if off is None:
        writes = "on"
    else:
        since = datetime.fromtimestamp(off["at"], UTC).strftime("%Y-%m-%d %H:%M UTC")
        writes = f"OFF since {since}, by {off['by']}: {off['reason']}"
    return (row["name"], row["tier"] or "–", row["owner"] or "–", row["contact"] or "–", writes)


async def _switch(args: argparse.Namespace, settings: Settings, out: TextIO) -> int:
    off, reason = args.action == "disable", " ".join((args.reason or "").split())
    if len(reason) > REASON_AT_MOST:
        print(f"soe-gateway: a reason has {REASON_AT_MOST} characters at most", file=out)
        return 1
    clock = SystemClock()
    async with _switches(settings) as switches:
        await switches.look()
        known = names(_registered(settings), switches.current)
        if args.name not in known:
            told = f"no integration is called {args.name!r}{nearest(args.name, known)}"
            print(f"soe-gateway: {told}; known: {', '.join(known)}", file=out)
            return 1
        audit = open_audit(settings, audit_keys(settings), clock)
        try:
            everywhere = await switched(
                switches, audit, args.name, off=off, by=getpass.getuser(), reason=reason
            )
        finally:
            await audit.close()
    if args.json:
        told_json = {"integration": args.name, "disabled": off, "everywhere": everywhere}
        print(json.dumps(told_json), file=out)
        return 0
    print(f"{args.name} is switched {'off' if off else 'on'}", file=out)
    if not everywhere:
        told = "the gateway of this data directory passes it on when the state answers again"
        print(f"the state does not answer, so other replicas do not know it yet: {told}", file=out)
    return 0


@contextlib.asynccontextmanager
async def _switches(settings: Settings) -> AsyncIterator[Switches]:
    """Give what state and data directory know of switches."""
    if state_url(settings) == "memory:":
        raise StoreError("state in memory is its process's own: use the console of the gateway")
    store = open_state(settings, state_terms(settings, lambda *_, **__: None))
    try:
        yield open_switches(
            settings, store, SystemClock(), tell=lambda _: None, fails=lambda *_: None
        )
    finally:
        await store.close()


def _registered(settings: Settings) -> Sequence[Integration]:
    """Read who is registered in the site's own policies."""
    folder: Path | None = settings["policies.directory"]
    file = None if folder is None else folder / INTEGRATIONS
    if file is None or not file.exists():
        return ()
    return read_integrations(file.read_bytes().decode(), str(file))


# ── drafts ───────────────────────────────────────────────────────────────────────────────────


def _propose(args: argparse.Namespace, settings: Settings, out: TextIO) -> int:
    spoilt = Spoilt()
    paths = files([*map(Path, args.audit)] if args.audit else audit_directories(settings))
    with contextlib.closing(progress(None, unit="B")) as watcher:
        watcher.begins("audit log", sum(path.stat().st_size for path in paths))
        draft = propose(records(paths, spoilt, watcher.advances))
    _put(args, draft, out)
    if args.out is not None and not args.json:
        unread = f"; {spoilt.count} lines could not be read" if spoilt.count else ""
        print(f"{len(draft.callers)} integrations drafted in {args.out}{unread}", file=out)
    return 0


def _put(args: argparse.Namespace, draft: Draft, out: TextIO) -> None:
    if args.out is not None:
        with args.out.open("x", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in as_yaml(draft))
    if args.json:
        print(json.dumps(as_json(draft)), file=out)
    elif args.out is None:
        print(*as_yaml(draft), sep="\n", file=out)
