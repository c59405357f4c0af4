"""How well copies, boilerplate and floods are found: the corpora of shared/detection, judged.

In process, the real checks over the memory store; with --over-http the real gateway before the
sandbox, which takes some ten minutes. The corpora are not part of the project: they are looked for
in SHARED, ../shared otherwise, and where they are not, that is said and nothing is measured.

Thresholds are fixed: what a rule at 84 % refuses counts at @0.001, what one at 60 % finds at @0.003.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("SHARED", "../shared")).resolve() / "detection"
THRESHOLDS = {0.001: 0.84, 0.003: 0.60}
_OPEN = {
    "SOE_GATEWAY_IDENTIFY_ANONYMOUS": "allow",
    "SOE_GATEWAY_SITE_CONTACT_NAME": "The evaluation",
    "SOE_GATEWAY_SITE_CONTACT_EMAIL": "evaluation@example.com",
}
_SHORT = {"evasion_n": 3, "flood_n": 40, "boil_n": 300}
sys.path[:0] = [str(HERE), str(HERE.parents[1]), str(SHARED)]


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--over-http", action="store_true", help="through the real gateway")
    parser.add_argument("--short", action="store_true", help="a part of each, in a minute")
    parser.add_argument("--split", default="dev", help="which half of the corpora")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    args = parser.parse_args()
    if not (SHARED / "evalkit.py").exists():
        print(f"skipped: the corpora of the evaluation are not in {SHARED}")
        return 0
    how = _SHORT if args.short else {}
    out = _over_http(args.split, how) if args.over_http else _inside(args.split, how)
    if args.json:
        kept = {key: value for key, value in out.items() if key != "honest_top"}
        args.json.write_text(json.dumps(kept, default=str))
    return 0


def _inside(split: str, how: dict[str, Any]) -> dict[str, Any]:
    import evalkit
    from inside import Inside

    detector = Inside()
    out: dict[str, Any] = evalkit.run(detector, split, thresholds=THRESHOLDS, **how)
    evalkit.show_evasion(out, 0.003)
    if not how:
        _show_families(detector, split)
    return out


def _over_http(split: str, how: dict[str, Any]) -> dict[str, Any]:
    import evalkit
    import http_detector

    with _served() as url:
        out: dict[str, Any] = evalkit.run(
            http_detector.HttpDetector(url),
            split,
            thresholds={0.001: 0.5},
            clock=time.perf_counter_ns,
            **how,
        )
    evalkit.show_evasion(out)
    return out


def _show_families(detector: Any, split: str) -> None:
    """The boilerplate of each kind: second and later posts of a template, in percent."""
    import evalkit

    detector.reset()
    seen: collections.Counter[str] = collections.Counter()
    found: dict[str, list[float]] = collections.defaultdict(list)
    for post in evalkit.load("boilerplate", split):
        score = detector.check(post).score
        if seen[post["template"]]:
            found[post["template"].split(":")[0]].append(score)
        seen[post["template"]] += 1
        detector.remember(post)
    for family, scores in sorted(found.items(), key=lambda each: -len(each[1])):
        shares = (sum(s >= t for s in scores) / len(scores) for t in THRESHOLDS.values())
        print(f"    boilerplate {family:18s} n={len(scores):4d} ", *(f"{s:6.1%}" for s in shares))


@contextmanager
def _served() -> Iterator[str]:
    """A gateway before a sandbox, both with everything they do otherwise."""
    command = [sys.executable, "-m", "gateway"]
    with tempfile.TemporaryDirectory() as data:
        sandbox = subprocess.Popen(
            [*command, "sandbox", "--listen", "127.0.0.1:0", "--lenient"], stdout=subprocess.PIPE
        )
        try:
            site = _ready(sandbox)["url"]
            gateway = subprocess.Popen(
                [
                    *(*command, "serve", "--listen", "127.0.0.1:0"),
                    *("--admin-listen", "127.0.0.1:0", "--upstream", site),
                    *("--policies", str(HERE), "--data", data),
                ],
                stdout=subprocess.PIPE,
                env=os.environ | _OPEN,
            )
            try:
                yield _ready(gateway)["proxy"]
            finally:
                gateway.terminate()
                gateway.wait()
        finally:
            sandbox.terminate()
            sandbox.wait()


def _ready(process: subprocess.Popen[bytes]) -> dict[str, str]:
    assert process.stdout is not None
    for line in process.stdout:
        try:
            told: dict[str, str] = json.loads(line)
        except ValueError:
            continue
        if told.get("event", "").endswith(".listening"):
            threading.Thread(
                target=collections.deque, args=(process.stdout, 0), daemon=True
            ).start()  # its log is read, or the pipe fills
            return told
    raise RuntimeError("it did not start")


if __name__ == "__main__":
    sys.exit(main())
