"""Look after the audit log: whether it is whole, and what is too old to be kept.

One file a sub-command, one line each in `SUBCOMMANDS`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping
from typing import TextIO

from gateway.cli.audit.selecting import FilterError, note
from gateway.errors import GatewayError, ProblemsError

SUBCOMMANDS: Mapping[str, str] = {
    "query": "ask what was written: by whom, on whose word, and what became of it",
    "export": "give the records in the words of a SIEM: Elastic Common Schema or OCSF",
    "reconcile": "find what was written around the gateway, and what became of writes left open",
    "fate": "count which posts of each integration were deleted, closed or voted down",
    "verify": "prove that no record was changed, dropped or moved, and name the first that was",
    "cut": "remove what is older than a day, so that the rest verifies",
    "people": "tell who stands behind a pseudonym",
    "forget": "cut somebody off from the records, for good",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands, each with its own flags."""
    below = parser.add_subparsers(dest="subcommand", metavar="SUBCOMMAND", required=True)
    for name, summary in SUBCOMMANDS.items():
        module = importlib.import_module(f"gateway.cli.audit.{name}")
        one = below.add_parser(
            name,
            help=summary,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        one.set_defaults(do=module.run)
        module.add_arguments(one)


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Run the sub-command; 1 where something cannot be read or written, 2 where a filter cannot be."""
    try:
        code: int = args.do(args, out)
    except FilterError as error:
        note(str(error))
        return 2
    except ProblemsError as error:
        print(*error.problems, sep="\n", file=sys.stderr)
        return 1
    except BrokenPipeError:
        raise
    except (GatewayError, OSError) as error:
        note(str(error))
        return 1
    return code
