"""The command line: one file a command, one line each in `COMMANDS`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol, TextIO

from gateway import __version__

COMMANDS: Mapping[str, str] = {
    "serve": "run the gateway before Stack Overflow Enterprise",
    "sandbox": "run a small Stack Overflow Enterprise to develop and test against",
    "demo": "run both, and say what to try",
    "check": "look for problems in policies, without running anything",
    "test": "run the tests that stand in policy files",
    "keys": "make a gateway key for an integration",
    "healthcheck": "ask a running gateway whether it is well",
}


class Command(Protocol):
    """What a command's module has; its docstring is its help."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare flags and arguments."""

    def run(self, args: argparse.Namespace, out: TextIO) -> int:
        """Do it; 0 well, 1 a fault found."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 2 for a call that is wrong."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="soe-gateway",
        description="The write gateway before Stack Overflow Enterprise.",
        epilog="soe-gateway COMMAND --help tells more.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    named = words[0] if words else ""
    modules: dict[str, Command] = {}
    for name, summary in COMMANDS.items():
        if name != named:  # what is not run is not imported
            commands.add_parser(name, help=summary)
            continue
        module = importlib.import_module(f"gateway.cli.{name}")
        below = commands.add_parser(
            name,
            help=summary,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(below)
        modules[name] = module
    args = parser.parse_args(words)
    try:
        return modules[args.command].run(args, sys.stdout)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
