"""The command line: one file a command, one line each in `COMMANDS`.

Exit codes are the same for all: 0 well, 1 a fault found, 2 called wrongly.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol, TextIO

from gateway import __version__

COMMANDS: Mapping[str, str] = {
    "serve": "run the gateway before Stack Overflow Enterprise",
    "sandbox": "run a small Stack Overflow Enterprise to develop and test against",
    "demo": "run both, and say what to try",
    "check": "look for problems in policies or settings, without running anything",
    "test": "run the tests that stand in policy files",
    "replay": "judge recorded writes by other policies: what would change, and why",
    "explain": "tell why a write was decided so, what a request would meet, or how alike two texts are",
    "integrations": "switch integrations off and on, and draft registrations out of what was seen",
    "audit": "look after the audit log: ask it, prove it, export it, cut it",
    "state": "mend state by hand: accept a loss, forget, release, reset",
    "keys": "make, list and revoke the gateway keys of integrations",
    "seed": "remember what stands on the site, so that copies of it are found",
    "healthcheck": "ask a running gateway whether it is well",
}
_INTERRUPTED = 130
"""What a shell says of a program that Ctrl-C ended."""


class Command(Protocol):
    """What a command's module has; its docstring is its help."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare flags and arguments."""

    def run(self, args: argparse.Namespace, out: TextIO) -> int:
        """Do it; 0 well, 1 a fault found."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Raises:
        SystemExit: 2 for a call that is wrong, 0 after help.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="soe-gateway",
        description="The write gateway before Stack Overflow Enterprise.",
        epilog="soe-gateway COMMAND --help tells more.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"soe-gateway {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    named = next((word for word in words if not word.startswith("-")), "")
    for name, summary in COMMANDS.items():
        below = commands.add_parser(
            name,
            help=summary,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name == named:  # what is not run is not imported
            _prepare(below, importlib.import_module(f"gateway.cli.{name}"))
    args = parser.parse_args(words)
    return _run(args)


def _prepare(parser: argparse.ArgumentParser, module: Command) -> None:
    parser.description = module.__doc__
    parser.set_defaults(run=module.run)
    module.add_arguments(parser)


def _run(args: argparse.Namespace) -> int:
    try:
        code: int = args.run(args, sys.stdout)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read has read enough. Python flushes once more at its end: into nothing, then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code
