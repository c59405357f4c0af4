"""Writes files as a version of the gateway writes them: `python tests/upgrade/write.py CHECKOUT NAME`.

Runs the gateway of a checkout (a git worktree of an earlier commit or tag) before its own sandbox,
posts two questions, a copy, and keeps the data directory as `tests/upgrade/NAME.tar.gz`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx

HERE = Path(__file__).parent
KEY = "sgw_upgraded-bot-and-nothing-else-whatever-it-says"
QUESTIONS = (
    ("How do I renew the certificate?", "It runs out on Friday, and I found no run-book for it."),
    (
        "Which queue takes the invoices?",
        "The old one was closed in spring and nothing replaced it.",
    ),
    (
        "Why is the build agent so slow?",
        "Since Monday each stage takes twice the time it took before.",
    ),
    (
        "Who owns the billing dashboard?",
        "Two panels are empty and the wiki page names nobody at all.",
    ),
)
"""The first two are posted by the version that writes; the third fits the cap, the fourth does not."""
SETTINGS = {
    "SOE_GATEWAY_SITE_CONTACT_NAME": "Knowledge Team",
    "SOE_GATEWAY_SITE_CONTACT_EMAIL": "knowledge@example.com",
    "SOE_GATEWAY_IDENTIFY_ANONYMOUS": "allow",
    "SOE_GATEWAY_STATE_KEEP": "36500d",  # whenever a test reads it, nothing has expired
    "SOE_GATEWAY_STATE_POSTS": "64",
}


def ask(base: str, number: int) -> httpx.Response:
    """Post one of the questions."""
    title, body = QUESTIONS[number]
    headers = {"X-Explicit-Action": "true", "X-Gateway-Key": KEY, "Authorization": "Bearer demo"}
    question = {"title": title, "body": body, "tags": ["tls"]}
    return httpx.post(
        f"{base}/api/v3/questions", headers=headers, json=question, timeout=60, trust_env=False
    )


@contextlib.contextmanager
def running(checkout: Path, *words: str) -> Iterator[dict[str, str]]:
    """Run a command of a checkout's gateway; gives what it says when it listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", *words],
        cwd=checkout,
        env={
            **os.environ,
            **SETTINGS,
            "PYTHONPATH": f"{checkout}:{os.environ.get('PYTHONPATH', '')}",
        },
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line.startswith(b"{"):
            raise SystemExit((line + process.stdout.read()).decode())
        yield json.loads(line)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def policies(folder: Path) -> Path:
    """The policies, with windows as earlier versions take them; what is remembered is the same."""
    directory = folder / "policies"
    directory.mkdir()
    for path in (HERE / "policies").iterdir():
        (directory / path.name).write_text(path.read_text().replace("36500d", "90d"))
    return directory


def main() -> None:
    """Post, and pack what lies in the data directory then."""
    checkout, name = Path(sys.argv[1]).resolve(), sys.argv[2]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
        serve = ["serve", *listen, "--data", str(data), "--policies", str(policies(Path(folder)))]
        with contextlib.ExitStack() as both:
            sandbox = running(checkout, "sandbox", "--listen", "127.0.0.1:0")
            serve += ["--upstream", both.enter_context(sandbox)["url"]]
            gateway = both.enter_context(running(checkout, *serve))
            told = [ask(gateway["proxy"], number) for number in (0, 1, 0)]
        assert [each.status_code // 100 for each in told] == [2, 2, 4]
        with tarfile.open(HERE / f"{name}.tar.gz", "w:gz", compresslevel=9) as packed:
            packed.add(data, "data")


if __name__ == "__main__":
    main()
