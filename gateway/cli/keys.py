"""Make, list and revoke the gateway keys of integrations.

  new [NAME]             make a key; with --file its digest goes into that integrations.yaml
  list                   who is registered, by what, and until when
  revoke NAME [DIGEST]   take the key away whose digest begins so

A key is shown once and stored nowhere: give it to the integration, which sends it as X-Gateway-Key.
An integration may have two, so that a new one is in use before the older one goes. Comments and
order in the file stay; a running gateway takes the change within seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any, TextIO

from gateway.policy.registrations import (
    EditError,
    named,
    read_integrations,
    with_key,
    without_key,
)
from gateway.policy.registry import Integration, digest, new_key
from gateway.policy.sources import INTEGRATIONS

_SHOWN = 8
"""Hex digits of a digest that tell it from others."""


class _CalledWronglyError(EditError):
    """The words do not go together."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument("action", choices=["new", "list", "revoke"])
    parser.add_argument("name", nargs="?", help="the integration")
    parser.add_argument("digest", nargs="?", default="", help="how the digest begins, where there are two")  # fmt: skip
    parser.add_argument("--file", type=Path, help=f"the {INTEGRATIONS} to read or change")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Do it, and say what was done; 1 where the file cannot be read or changed, 2 called wrongly."""
    code = 0
    try:
        told, lines = _ACTIONS[args.action](args)
    except (EditError, UnicodeDecodeError) as error:
        code = 2 if isinstance(error, _CalledWronglyError) else 1
        told, lines = {"problem": str(error)}, [str(error)]
    except OSError as error:
        code, text = 1, f"{error.filename or args.file}: {error.strerror}"
        told, lines = {"problem": text}, [text]
    print(*([json.dumps(told)] if args.json else lines), sep="\n", file=out)
    return code


_Told = tuple[dict[str, Any], list[str]]


def _new(args: argparse.Namespace) -> _Told:
    if args.digest or (args.file is None) != (args.name is None):
        raise _CalledWronglyError("keys new, or keys new NAME --file integrations.yaml")
    key = new_key(secrets.token_bytes(32))
    hashed = digest(key.encode())
    told: dict[str, Any] = {"key": key, "digest": f"sha256:{hashed}"}
    if args.file is None:
        return told, [
            f"key, for the integration:      {key}",
            f"digest, for integrations.yaml: {told['digest']}",
        ]
    text = _read(args.file)
    older = named(read_integrations(text, str(args.file)), args.name).keys
    _write(args.file, with_key(text, args.name, hashed, str(args.file)))
    lines = [
        f"key, for {args.name}: {key}",
        f"its digest {hashed[:_SHOWN]}… stands in {args.file}",
    ]
    if older:
        lines.append(
            f"the older key {older[0][:_SHOWN]}… works as well; when nobody uses it any more: "
            f"soe-gateway keys revoke {args.name} {older[0][:_SHOWN]} --file {args.file}"
        )
    return told | {"integration": args.name, "older": [f"sha256:{each}" for each in older]}, lines


def _list(args: argparse.Namespace) -> _Told:
    if args.file is None or args.name is not None:
        raise _CalledWronglyError("keys list --file integrations.yaml")
    integrations = read_integrations(_read(args.file), str(args.file))
    rows: list[tuple[str, ...]] = [
        ("integration", "keys, the older first", "known as well by", "expires")
    ]
    rows += [_row(each) for each in integrations]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return {"integrations": [_document(each) for each in integrations]}, lines


def _row(one: Integration) -> tuple[str, ...]:
    counts = {
        "token": len(one.tokens),
        "certificate": len(one.certificates),
        "OAuth client": len(one.oauth_clients),
    }
    also = [f"{n} {what}{'s' if n > 1 else ''}" for what, n in counts.items() if n]
    keys = " ".join(each[:_SHOWN] for each in one.keys)
    return (one.name, keys or "–", ", ".join(also) or "–", str(one.expires or "–"))


def _document(one: Integration) -> dict[str, Any]:
    return {
        "integration": one.name,
        "keys": [each[:_SHOWN] for each in one.keys],
        "tokens": len(one.tokens),
        "certificates": len(one.certificates),
        "oauth_clients": len(one.oauth_clients),
        "expires": one.expires and one.expires.isoformat(),
    }


def _revoke(args: argparse.Namespace) -> _Told:
    if args.file is None or args.name is None:
        raise _CalledWronglyError("keys revoke NAME [DIGEST] --file integrations.yaml")
    text = _read(args.file)
    integration = named(read_integrations(text, str(args.file)), args.name)
    gone = _meant(integration, args.digest.removeprefix("sha256:"))
    _write(args.file, without_key(text, args.name, gone, str(args.file)))
    left = [each for each in integration.keys if each != gone]
    lines = [f"the key {gone[:_SHOWN]}… of {args.name} is no longer known"]
    if not left:
        lines.append(f"{args.name} has no gateway key any more")
    told = {"integration": args.name, "revoked": f"sha256:{gone}", "left": len(left)}
    return told, lines


def _meant(integration: Integration, beginning: str) -> str:
    found = [each for each in integration.keys if each.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    keys = " and ".join(each[:_SHOWN] for each in integration.keys)
    if not integration.keys:
        raise EditError(f"{integration.name} has no gateway key")
    raise EditError(f"which key of {integration.name}? It has {keys}; the first is the older")


_ACTIONS = {"new": _new, "list": _list, "revoke": _revoke}


def _read(path: Path) -> str:
    return path.read_bytes().decode()


def _write(path: Path, text: str) -> None:
    """Put the text in the file's place, whole or not at all; its mode stays."""
    target = path.resolve()
    fd, unfinished = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fchmod(fd, target.stat().st_mode & 0o777)
            os.fsync(fd)
        Path(unfinished).replace(target)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
