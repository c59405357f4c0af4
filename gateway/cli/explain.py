"""Tell why a write was decided as it was, what a request would meet, or how alike two texts are.

  soe-gateway explain 01a2…                   a decision, by the id in Gateway-Decision: what its
                                              record tells, and each rule of the policies
  soe-gateway explain --request FILE.http     a request in a file, as a dry run with nothing in state
  soe-gateway explain --compare EARLIER NEW   the likeness of two texts, as `duplicate` and
                                              `boilerplate` see it: from 60 % on worth a second
                                              look, from 84 % on a copy. Markdown, or HTML where a
                                              name ends in .html

Each rule is told with what it looked at: whether it judges the write and if not, which of its keys
or conditions say so; what it asked of state; and what it found.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from gateway.cli.assembly import audit_directories, load_policies
from gateway.clock import SystemClock
from gateway.errors import ProblemsError, RequestError
from gateway.model import Api, Contact, Post
from gateway.offline.explaining.http_file import ReadError, read_file
from gateway.offline.explaining.texts import Explanation, Text, explain
from gateway.offline.explaining.walk import as_json, lines, walk, walk_recorded
from gateway.offline.records.decision import recorded
from gateway.offline.records.read import Spoilt, files, of_write
from gateway.parse import nearest
from gateway.policy.policyset import PolicySet
from gateway.proxy.refusals import REFUSALS, WireError
from gateway.settings import Settings, load_settings
from gateway.soe.answers import refuse_request
from gateway.text import markdown, page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare arguments."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("decision", nargs="?", metavar="ID", help="the id of a decision")
    what.add_argument("--request", type=Path, metavar="FILE", help="a request in a file")
    what.add_argument(
        "--compare",
        nargs=2,
        type=Path,
        metavar=("EARLIER", "NEW"),
        help="two files with a text each",
    )
    parser.add_argument("--as", dest="name", metavar="INTEGRATION", help="who sends the request, instead of whom its credentials name")  # fmt: skip
    parser.add_argument("--config", type=Path, help="the settings file (gateway.yaml)")
    parser.add_argument("--data", help="the gateway's data directory (data)")
    parser.add_argument("--audit", nargs="+", type=Path, metavar="FILE", help="audit files, or directories of them; those of the settings without it")  # fmt: skip
    parser.add_argument("--policies", type=Path, metavar="DIRECTORY", help="the policies; those of the settings without it")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Explain; 1 where it cannot be read, or there is no such decision."""
    if args.compare:
        return _compare(args, out)
    given = {"data.directory": args.data, "policies.directory": args.policies}
    flags = {name: str(value) for name, value in given.items() if value is not None}
    try:
        settings = load_settings(flags=flags, environ=os.environ, config=args.config, required=())
        policies = load_policies(settings)
        if args.request:
            return _request(args, settings, policies, out)
        return _decision(args, settings, policies, out)
    except ProblemsError as error:
        print(*error.problems, sep="\n", file=out)
    except OSError as error:
        print(f"soe-gateway: {error}", file=out)
    return 1


# ── a request ────────────────────────────────────────────────────────────────────────────────


def _request(args: argparse.Namespace, settings: Settings, policies: PolicySet, out: TextIO) -> int:
    names = policies.registry.names
    if args.name is not None and args.name not in names:
        print(
            f"soe-gateway: no integration is called {args.name!r}{nearest(args.name, names)}",
            file=out,
        )
        return 2
    contact = settings.contact if settings.contact.name else None
    try:
        write = read_file(
            args.request.read_bytes(),
            policies.registry,
            named=args.name,
            at=SystemClock().now(),
            anonymous=settings["identify.anonymous.write"],
        )
    except ReadError:
        _tell(args, out, {"effect": "allow", "read": True}, ["a read: no rule looks at it"])
        return 0
    except WireError as error:
        status, detail = REFUSALS[error.code]
        told_wire = {"effect": "refuse", "code": error.code, "status": status}
        _tell(args, out, told_wire, [f"refused on the wire, {status} {error.code}: {detail}"])
        return 0
    except RequestError as error:
        _tell(args, out, *_turned_away(error, contact))
        return 0
    walked = asyncio.run(walk(policies, write))
    heads = [_said(write.integration, write.tier, write.operation, write.team, write.thread), ""]
    _tell(args, out, as_json(walked, contact), [*heads, *lines(walked, contact)])
    return 0


def _turned_away(error: RequestError, contact: Contact | None) -> tuple[dict[str, Any], list[str]]:
    """Tell of a request that is refused before any rule looks at it."""
    reply = refuse_request(Api.V3, error, write_id=None, revision=None, contact=contact)
    told = {"effect": "refuse", "code": error.code, "status": reply.status}
    text = f"refused before any rule, {reply.status} {error.code}: {error.detail}"
    return told, [text]


# ── a decision ───────────────────────────────────────────────────────────────────────────────


def _decision(
    args: argparse.Namespace, settings: Settings, policies: PolicySet, out: TextIO
) -> int:
    spoilt = Spoilt()
    paths = files(args.audit or audit_directories(settings))
    found = of_write(paths, args.decision, spoilt)
    decisions = [each for each in found if each["kind"] == "decision"]
    if not decisions:
        unread = f"; {spoilt.count} lines could not be read" if spoilt.count else ""
        print(f"soe-gateway: no decision has this id in {len(paths)} files{unread}", file=out)
        return 1
    outcome = next((each for each in found if each["kind"] == "outcome"), None)
    walked = walk_recorded(policies, recorded(decisions[0]))
    told = {"record": decisions[0], "outcome": outcome, "now": as_json(walked, None)}
    by = f"As the policies {policies.revision} judge it now:"
    now = lines(walked, None)
    _tell(args, out, told, [*_of_record(decisions[0], outcome), "", by, *now])
    return 0


def _of_record(told: Mapping[str, Any], outcome: Mapping[str, Any] | None) -> list[str]:
    who = _said(
        told["integration"], told.get("tier"), told["operation"], told["team"], told["thread"]
    )
    sizes = ", ".join(f"{name} {size}" for name, size in told["sizes"].items())
    rules = [
        f"  {each['result']:5} {each['rule']} ({each['mode']})"
        + (f": {each['code']}" if each["code"] else "")
        + "".join(f", {name} {value}" for name, value in each.get("evidence", {}).items())
        for each in told["findings"]
    ]
    return [
        f"{told['write_id']}: {told['effect']} at {_time(told['at'])}, under {told['revision']}",
        who,
        f"User-Agent: {told.get('user_agent', 'not recorded')}",
        f"X-Explicit-Action: {_acts(told)}",
        f"sizes: {sizes}; tags: {', '.join(told.get('tags', ())) or 'none'}",
        *([f"repeats {told['repeats']}"] if told["repeats"] else []),
        *_state(told.get("state")),
        _ended(told, outcome),
        "",
        "As it was decided:",
        *rules,
    ]


def _acts(told: Mapping[str, Any]) -> str:
    acts = told.get("explicit_action")
    if acts is None:
        return "not recorded"
    return " and ".join(act or "(unreadable)" for act in acts) or "not sent"


def _state(state: Mapping[str, Any] | None) -> list[str]:
    if state is None:
        return []
    if state.get("failed"):
        return ["state was out of reach"]
    waits = ", ".join(state.get("in_flight", ()))
    return [f"found in flight: {waits}"] if waits else []


def _ended(told: Mapping[str, Any], outcome: Mapping[str, Any] | None) -> str:
    if told["effect"] != "allow":
        return "nothing of it was sent"
    if outcome is None:
        return "no outcome is on record"
    post = outcome.get("post") or {}
    facts = (outcome.get("upstream_status"), post.get("id"), post.get("url"))
    return f"outcome: {outcome['outcome']} " + " ".join(str(fact) for fact in facts if fact)


def _said(
    integration: str, tier: str | None, operation: str, team: str | None, thread: str | None
) -> str:
    who = f"{integration} ({tier})" if tier else integration
    where = f"team {team}" if team else "the main site"
    return f"{who}: {operation} on {where}" + (f", under {thread}" if thread else "")


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _tell(args: argparse.Namespace, out: TextIO, told: Mapping[str, Any], text: list[str]) -> None:
    print(json.dumps(told) if args.json else "\n".join(text), file=out)


# ── two texts ────────────────────────────────────────────────────────────────────────────────


def _compare(args: argparse.Namespace, out: TextIO) -> int:
    try:
        earlier, new = (_text(path) for path in args.compare)
    except (OSError, UnicodeDecodeError) as error:
        print(f"cannot be read: {error}", file=out)
        return 1
    found = explain(earlier, new)
    _tell(args, out, asdict(found), _lines(found))
    return 0


def _text(path: Path) -> Text:
    body = path.read_text(encoding="utf-8")
    is_page = path.suffix.lower() in (".html", ".htm")
    return Text(post=Post(body=body), read=page.read if is_page else markdown.read)


def _lines(found: Explanation) -> list[str]:
    lines = [
        f"{found.one_author.score:5.0%}  where one author puts both under two threads",
        f"{found.two_authors.score:5.0%}  between two authors",
        "",
        f"{found.two_authors.of_new:5.0%}  of the new text stands in the earlier one",
        f"{found.two_authors.of_earlier:5.0%}  of the earlier text stands in the new one",
    ]
    if found.equal:
        lines.append("Both read the same: letter case, marks and invisible characters aside.")
    elif found.same_event:
        lines.append("Both are the same log event: only numbers, ids, times or paths differ.")
    if found.few:
        lines.append(
            "One of them has so few words that likeness tells nothing: in answers and comments "
            "of under 8 words only repetition counts."
        )
    if found.passages:
        lines += ["", "The longest passages that both have:"]
        lines += [f"  “{passage}”" for passage in found.passages]
    lines += ["", "What was looked at:                     earlier      new"]
    lines += [f"  {name:36}{one:9}{two:9}" for name, one, two in _figures(found)]
    return lines


def _figures(found: Explanation) -> list[tuple[str, int, int]]:
    (masked, other_masked), (counts, other) = found.masked, found.counts
    return [
        ("words", *found.words),
        ("numbers, ids, times (ignored)", masked["0"], other_masked["0"]),
        ("addresses (ignored)", masked["url"], other_masked["url"]),
        ("paths (ignored)", masked["path"], other_masked["path"]),
        ("quoted words (ignored)", counts.quoted, other.quoted),
        ("words of forms (not the writer's own)", counts.form, other.form),
        ("invisible characters (ignored)", counts.invisible, other.invisible),
        ("letters that no reader sees (ignored)", counts.unseen, other.unseen),
    ]
