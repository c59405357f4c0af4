"""Run the gateway before Stack Overflow Enterprise.

Settings come from flags, SOE_GATEWAY_… in the environment and gateway.yaml, in this order. One JSON
line says where it listens when it is ready. SIGTERM and SIGINT finish what is in flight; SIGHUP
looks at the policy files at once.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import uvloop

from gateway.cli.serving.fronts import Alone, Member
from gateway.cli.serving.nursery import Newborn, Nursery, begin
from gateway.cli.serving.parts import import_ahead
from gateway.cli.serving.supervisor import Supervisor
from gateway.cli.serving.worker import Gateway
from gateway.errors import GatewayError, ProblemsError
from gateway.observe.metrics import keep_in_files
from gateway.settings import Settings, load_settings

_FLAGS: Mapping[str, tuple[str, str]] = {
    "--listen": ("server.listen", "HOST:PORT of the proxy (127.0.0.1:8080); port 0 takes a free one"),
    "--admin-listen": ("server.admin_listen", "HOST:PORT of health and metrics (127.0.0.1:9180)"),
    "--upstream": ("upstream.url", "Stack Overflow Enterprise, as https://host"),
    "--policies": ("policies.directory", "the site's own policy files; without it the shipped ones"),
    "--state": ("state.url", "sqlite:///path, redis://host, rediss://host, unix:///path or memory:"),
    "--audit": ("audit.sinks", "file:///directory or stdout:; may be given again"),
    "--data": ("data.directory", "where the gateway keeps its files (data)"),
    "--workers": ("server.workers", "processes that share the port (1); more than one under a supervisor"),
    "--tls-cert": ("server.tls_cert", "certificate chain for clients, PEM"),
    "--tls-key": ("server.tls_key", "its private key, PEM"),
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that stand for settings."""
    parser.add_argument("--config", type=Path, help="the settings file (gateway.yaml)")
    for flag, (_, meaning) in _FLAGS.items():
        parser.add_argument(flag, help=meaning, action="append" if flag == "--audit" else "store")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Serve until told to stop; 1 where the settings, policies or files are wrong."""
    flags = {}
    for flag, (name, _) in _FLAGS.items():
        given = getattr(args, flag[2:].replace("-", "_"))
        if given is not None:
            flags[name] = ",".join(given) if isinstance(given, list) else given
    try:
        settings = load_settings(flags=flags, environ=os.environ, config=args.config)
        if settings["server.workers"] == 1:
            uvloop.run(Gateway(settings, Alone(settings)).serve())
            return 0
        import_ahead(settings)
        begun = begin()
        if isinstance(begun, Nursery):
            uvloop.run(Supervisor(settings, begun).serve())
        else:
            _work(settings, begun)
    except ProblemsError as error:
        for problem in error.problems:
            print(problem, file=out)
        return 1
    except (GatewayError, OSError) as error:
        print(f"soe-gateway: {error}", file=out)
        return 1
    return 0


def _work(settings: Settings, newborn: Newborn) -> None:
    """Serve as one of several, where the supervisor says."""
    keep_in_files(newborn.number, newborn.files)
    settings = replace(settings, server=replace(settings.server, listen=newborn.listen))
    uvloop.run(Gateway(settings, Member(newborn.number, newborn.channel)).serve())
