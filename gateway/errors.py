"""The error tree. A refusal by policy is no error but a `Decision`; these stop the pipeline.

Adapters translate foreign exceptions at their border; `proxy/app.py` turns what is left into answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model import Outcome


class GatewayError(Exception):
    """Whatever this program raises on purpose."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a file that people write; lines and columns count from 1."""

    path: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.text}"


class ProblemsError(GatewayError):
    """Files with mistakes, all of them at once."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class ConfigError(ProblemsError):
    """The settings are wrong: the process does not start."""


class PolicyError(ProblemsError):
    """A policy file is wrong: the last good policies stay in force."""


class RequestError(GatewayError):
    """The client is wrong: `status` is 4xx, `code` is stable, `detail` says how to mend it.

    The detail never holds text of the request.
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail


class StoreError(GatewayError):
    """The state is out of reach: each rule's `on_error` decides.

    Args:
        code: the first word of what a server answered, such as `OOM`; empty where none did.
    """

    def __init__(self, text: str, *, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class AuditError(GatewayError):
    """The decision could not be recorded: 503, and nothing is forwarded."""


class UpstreamError(GatewayError):
    """SOE failed; `outcome` says whether the write may have reached it.

    Args:
        code: what happened, for logs and metrics: `connect_failed`, `connect_timeout`,
            `tls_failed`, `first_byte_timeout`, `total_timeout`, `closed`, `malformed`, …
        outcome: `not_sent` when no byte of the request was written, else `unknown`.
    """

    def __init__(self, code: str, outcome: Outcome) -> None:
        super().__init__(code)
        self.code = code
        self.outcome = outcome
