"""Mend state by hand: end a refusal after a loss, forget a post, release a hold, reset a cap.

Works on the state that the settings name, beside a running gateway or without one. What is done,
and by whom, stands in the audit log before it is done.

  accept-loss           let writes pass again although state lost what it held
  forget POST           forget the text of a post (question/12): copies of it pass
  release DECISION      take back a write that is in flight, or whose outcome nobody knows:
                        its place in caps, its text and its idempotency key are free
  reset RULE [PART=…]   empty the counters of a cap: all, or those of integration=help-bot
                        (parts in the order of the rule's `per`)
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TextIO

from gateway.cli.assembly import audit_keys, open_audit, open_state, state_terms, state_url
from gateway.clock import SystemClock
from gateway.errors import AuditError, ProblemsError, StoreError
from gateway.ports import Administered
from gateway.settings import Settings, load_settings
from gateway.state.accounting import without_people

_FLAGS: Mapping[str, tuple[str, str]] = {
    "--state": ("state.url", "the state, as `serve` was given it"),
    "--data": ("data.directory", "the gateway's data directory (data)"),
    "--audit": ("audit.sinks", "where the audit log goes, as `serve` was given it"),
}

Deed = Callable[[Administered, str], Awaitable[int]]


async def _accept(store: Administered, _: str) -> int:
    return int(await store.accept_loss())


async def _forget(store: Administered, post: str) -> int:
    return await store.forget(post)


async def _release(store: Administered, write_id: str) -> int:
    return int(await store.release(write_id))


async def _reset(store: Administered, cap: str) -> int:
    return await store.reset(cap)


_DEEDS: Mapping[str, tuple[Deed, str, str]] = {
    "accept-loss": (_accept, "the loss is accepted: writes pass", "there was no loss to accept"),
    "forget": (_forget, "forgotten: {count}", "state knows no such post"),
    "release": (_release, "released", "state holds no such write, or SOE took it"),
    "reset": (_reset, "counters emptied: {count}", "there is no such counter"),
}
"""By action: what does it, and what to say where it did something and where there was nothing."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare actions and flags."""
    parser.add_argument("action", choices=list(_DEEDS))
    parser.add_argument("what", nargs="*", help="POST, DECISION, or RULE and its parts")
    parser.add_argument("--config", type=Path, help="the settings file (gateway.yaml)")
    for flag, (_, meaning) in _FLAGS.items():
        parser.add_argument(flag, help=meaning)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Do it; 1 where there was nothing to do, or it cannot be done."""
    wanted = {"accept-loss": (0, 0), "reset": (1, 99)}.get(args.action, (1, 1))
    if not wanted[0] <= len(args.what) <= wanted[1]:
        print(f"soe-gateway state {args.action}: see `soe-gateway state --help`", file=out)
        return 2
    given = ((name, getattr(args, flag[2:])) for flag, (name, _) in _FLAGS.items())
    flags = {name: value for name, value in given if value is not None}
    try:
        settings = load_settings(flags=flags, environ=os.environ, config=args.config, required=())
        count = asyncio.run(_do(settings, args.action, "|".join(args.what)))
    except ProblemsError as error:
        print(*error.problems, sep="\n", file=out)
        return 1
    except (StoreError, AuditError) as error:
        print(f"soe-gateway: {error}", file=out)
        return 1
    _, done, nothing = _DEEDS[args.action]
    if args.json:
        print(json.dumps({"action": args.action, "what": args.what, "count": count}), file=out)
    else:
        print(done.format(count=count) if count else nothing, file=out)
    return 0 if count else 1


async def _do(settings: Settings, action: str, what: str) -> int:
    if state_url(settings) == "memory:":
        raise StoreError("state in memory ends with its process: there is nothing to mend")
    clock = SystemClock()
    audit = open_audit(settings, audit_keys(settings), clock)
    try:
        store = open_state(settings, state_terms(settings, _unheard))
        try:
            event, by = f"state.{action.replace('-', '_')}", getpass.getuser()
            shown = without_people(what)
            audit.told(event, person=by, what=shown)
            count = await _DEEDS[action][0](store, what)
            audit.told(f"{event}_done", person=by, what=shown, count=count)
        finally:
            await store.close()
    finally:
        await audit.close()
    return count


def _unheard(_event: str, **_facts: object) -> None:
    """What the gateway logs, an operator sees by the answer."""
