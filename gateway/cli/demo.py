"""Run a sandbox of Stack Overflow Enterprise with the gateway before it, and say what to try.

Everything starts fresh, under the shipped policies and with one registered integration. With
--upstream the gateway runs before a real site instead. --selftest sends every example that would
be printed, and says which did not behave as it says: exit 1 if one did not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import httpx

from gateway.policy.registry import digest, new_key
from gateway.sandbox import oidc

KEY = "sgw_demo-key-of-the-sandbox-and-nothing-else"
_TOKEN = "Bearer demo"
_QUESTION = {
    "title": "How do I rotate the signing key?",
    "body": "The key of the payment service runs out next week, and I found no run-book for it.",
    "tags": ["security"],
}
_ANSWER = {"body": "Restart the agent, clear its cache, wait a minute and then log in again."}
_NEWS = {"title": "Release 4.2 is out: what changes for you?", "body": "The **old** tokens end on Friday, see [the notes](https://wiki.example.com/4.2).", "tags": ["release"]}  # fmt: skip
_EVENT = {"title": "Job 4711 failed", "body": "Job 4711 failed on node-3 at 10:04:55, see /var/log/4711.log", "tags": ["ci"]}  # fmt: skip
_SAME_EVENT = {"title": "Job 4712 failed", "body": "Job 4712 failed on node-8 at 10:09:57, see /var/log/4712.log", "tags": ["ci"]}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Example:
    """One request to try, and what comes back: a status, and a word of the answer."""

    title: str
    status: int
    answer: str
    path: str
    body: Mapping[str, object] | None = None
    act: bool = True
    key: bool = True
    times: int = 1
    extra: Mapping[str, str] = field(default_factory=dict)

    def headers(self) -> dict[str, str]:
        """The header fields, in the order in which they are printed."""
        fields = {"Authorization": _TOKEN}
        if self.key:
            fields["X-Gateway-Key"] = KEY
        if self.body is not None:
            fields["Content-Type"] = "application/json"
            if self.act:
                fields["X-Explicit-Action"] = "true"
        return fields | dict(self.extra)

    def curl(self, base: str) -> str:
        """The request as a command line."""
        words = ["curl", "-s"]
        for name, value in self.headers().items():
            words += ["-H", f"{name}: {value}"]
        if self.body is not None:
            words += ["-d", json.dumps(self.body)]
        return shlex.join([*words, base + self.path])


EXAMPLES = (
    Example("a read passes", 200, "items", "/api/v3/questions"),
    Example("a write that a person asked for passes", 201, "webUrl", "/api/v3/questions", _QUESTION),
    Example(
        "refused: no word of a user's act (a-person-asked)", 403, "explicit_action",
        "/api/v3/questions", _QUESTION, act=False,
    ),
    Example("refused: the same question again (no-copies)", 400, "already-posted", "/api/v3/questions", _QUESTION),
    Example("an event of a log passes once", 201, "webUrl", "/api/v3/questions", _EVENT),
    Example("refused: the same event with other numbers (no-floods)", 400, "same-event-again", "/api/v3/questions", _SAME_EVENT),
    Example("an answer passes", 201, "questionId", "/api/v3/questions/1/answers", _ANSWER),
    Example(
        "refused: the same answer under another question (no-boilerplate)", 400,
        "same-answer-elsewhere", "/api/v3/questions/3/answers", _ANSWER,
    ),
    Example(
        "refused: an integration that nobody registered", 403, "unregistered_caller",
        "/api/v3/questions", _QUESTION, key=False,
    ),
    Example(
        "only asked: what would happen (dry run)", 200, "effect", "/api/v3/questions", _QUESTION,
        extra={"X-Gateway-Dry-Run": "true"},
    ),
    Example(
        "held: Ada, whose token it is, must see it first (seen-first)", 403, "confirm_url",
        "/api/v3/questions", _NEWS,
    ),
)  # fmt: skip
_CONFIRM = (
    "# Open the confirm_url of that answer in a browser, sign in as Ada (the sandbox asks for no",
    "# password), press Post it, and send the last one again: 201, …webUrl…, and once more: 403.",
    "",
)
_PATIENT = {
    "SOE_GATEWAY_STATE_TIMEOUT": "20s",
    "SOE_GATEWAY_IDENTIFY_PERSON_TIMEOUT": "20s",
}
"""Who tries it on a busy laptop wants the answer, and no refusal for want of a second."""
_SEEN_FIRST = """\
policy: seen-first
owner: demo
rules:
  seen-first:
    title: Announcements are seen by who makes them
    mode: hold
    for: [question.create]
    if: {title: {matches: '(?i)^release '}}
    message: An announcement goes out under somebody's name.
    fix: Ask a question instead, or have it confirmed.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument("--listen", default="127.0.0.1:8080", help="HOST:PORT of the gateway")
    parser.add_argument("--admin-listen", default="127.0.0.1:9180", help="HOST:PORT of its metrics")
    parser.add_argument(
        "--sandbox-listen", default="127.0.0.1:8081", help="HOST:PORT of the sandbox"
    )
    parser.add_argument("--upstream", help="a real site, as https://host, instead of the sandbox")
    parser.add_argument("--selftest", action="store_true", help="try every example, and stop")


def run(args: argparse.Namespace, out: TextIO) -> int:
    """Start both, print the examples, wait; or try them."""
    with tempfile.TemporaryDirectory(prefix="soe-gateway-") as name, contextlib.ExitStack() as both:
        data = Path(name)
        upstream = args.upstream
        if upstream is None:
            sandbox = ["sandbox", "--listen", args.sandbox_listen]
            told = both.enter_context(_child(sandbox, "sandbox.listening", out))
            upstream = told["url"]
        serve = ["serve", "--listen", args.listen, "--admin-listen", args.admin_listen]
        serve += ["--upstream", upstream, "--data", str(data), "--policies", str(_policies(data))]
        operator = new_key(secrets.token_bytes(32))
        known = {"SOE_GATEWAY_CONSOLE_OPERATORS": f"sha256:{digest(operator.encode())}"}
        known |= _PATIENT | (_signing_in(upstream) if args.upstream is None else {})
        told = both.enter_context(_child(serve, "server.listening", out, known))
        if args.selftest:
            return _selftest(told["proxy"], out)
        told["operator"] = operator
        _explain(told, upstream, data, out, sandbox=args.upstream is None)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


def _policies(data: Path) -> Path:
    """Write the site's own files: an integration, a rule that holds, and that the shipped apply."""
    directory = data / "policies"
    directory.mkdir()
    (directory / "overrides.yaml").write_text("")
    (directory / "seen-first.yaml").write_text(_SEEN_FIRST)
    (directory / "integrations.yaml").write_text(
        "integrations:\n"
        "  demo-bot:\n"
        "    owner: demo\n"
        "    contact: demo@example.com\n"
        "    purpose: trying the gateway\n"
        f'    keys: ["sha256:{digest(KEY.encode())}"]\n'
    )
    return directory


def _signing_in(sandbox: str) -> dict[str, str]:
    """Let people sign in at the sandbox's provider."""
    return {
        "SOE_GATEWAY_SIGN_IN_ISSUER": sandbox + oidc.PATH,
        "SOE_GATEWAY_SIGN_IN_CLIENT_ID": oidc.CLIENT_ID,
        "SOE_GATEWAY_SIGN_IN_CLIENT_SECRET": oidc.CLIENT_SECRET,
    }


@contextlib.contextmanager
def _child(
    words: Sequence[str], event: str, out: TextIO, settings: Mapping[str, str] | None = None
) -> Iterator[dict[str, str]]:
    """Run a command of ours; gives its line that says it listens, and ends it by its id."""
    kept = {name: value for name, value in os.environ.items() if name[:12] != "SOE_GATEWAY_"}
    environ = {
        "SOE_GATEWAY_SITE_CONTACT_NAME": "Knowledge Team",
        "SOE_GATEWAY_SITE_CONTACT_EMAIL": "knowledge@example.com",
    }
    process = subprocess.Popen(  # noqa: S603  # our own words
        [sys.executable, "-m", "gateway", *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**kept, **environ, **(settings or {})},
        start_new_session=True,  # Ctrl-C is for us, who then end it in order
    )
    try:
        yield _listening(process, event, out)
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()
        process.wait()


def _listening(process: subprocess.Popen[str], event: str, out: TextIO) -> dict[str, str]:
    assert process.stdout is not None
    for line in process.stdout:
        try:
            told = json.loads(line)
        except ValueError:
            print(line, end="", file=out)  # why it does not start
            continue
        if told.get("event") == event:
            threading.Thread(target=_drain, args=(process,), daemon=True).start()
            return dict(told)
    raise SystemExit(1)


def _drain(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    with contextlib.suppress(ValueError):
        for _ in process.stdout:
            pass


def _explain(
    told: Mapping[str, str], upstream: str, data: Path, out: TextIO, *, sandbox: bool
) -> None:
    behind = f"{upstream}   (a sandbox; look at what is posted there)" if sandbox else upstream
    lines = [
        "",
        f"The gateway: {told['proxy']}   its health and metrics: {told['admin']}/metrics",
        f"Behind it:   {behind}",
        f"Its console: {told['admin']}/console   the token to sign in: {told['operator']}",
        f"What it does: soe-gateway audit query --data {data}",
        f"Its policies: {data / 'policies'}",
        "",
        "Try, in this order:",
        "",
    ]
    for example in EXAMPLES if sandbox else EXAMPLES[:1]:
        lines += [f"# {example.title}: {example.status}, …{example.answer}…"]
        lines += [f"{example.curl(told['proxy'])}; echo", ""]
    lines += _CONFIRM if sandbox else ()
    print(*lines, "Ctrl-C ends it.", sep="\n", file=out, flush=True)


def _selftest(base: str, out: TextIO) -> int:
    wrong = 0
    for example in EXAMPLES:
        body = None if example.body is None else json.dumps(example.body)
        answer = httpx.request(
            "GET" if body is None else "POST",
            base + example.path,
            headers=example.headers(),
            content=body,
            timeout=20,
            trust_env=False,
        )
        well = answer.status_code == example.status and example.answer in answer.text
        wrong += not well
        print(f"{'ok  ' if well else 'FAIL'} {answer.status_code} {example.title}", file=out)
        if not well:
            print(f"     expected {example.status}, …{example.answer}…: {answer.text}", file=out)
    return 1 if wrong else 0
