"""What a post costs: reading, looking up, comparing and remembering, in CPU time of one thread.

`gateway` is with one rule for copies and one for boilerplate, `all rules` with those of the
evaluation: each of both twice, log events, log lines, hidden text. Beside it, in the same run, the
prototype of shared/detection, where its libraries are installed (selectolax, cmarkgfm,
confusable-homoglyphs, xxhash, numpy): figures of this machine mean little, their ratio more, and
also that on an idle machine only: what takes turns with others costs Python more than libraries.
Only posts of up to 4 KiB count, as real people wrote them.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from statistics import mean, quantiles
from typing import Any

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("SHARED", "../shared")).resolve() / "detection"
sys.path[:0] = [str(HERE), str(HERE.parents[1]), str(SHARED), str(SHARED / "prototype")]
_LONGEST = 4096
_TURN = 250
_WARM = 1500
_PLAIN = set("<>&*_`[]#\\|~")


def main() -> int:
    """Measure, and print the table."""
    if not (SHARED / "evalkit.py").exists():
        print(f"skipped: the corpora of the evaluation are not in {SHARED}")
        return 0
    import evalkit
    from inside import Inside

    from gateway.cli.serving import collector
    from gateway.text import similarity, sketch

    posts = [post for post in evalkit.load("honest", "dev") if len(post["body"]) <= _LONGEST]
    detectors: dict[str, Any] = {
        "gateway": Inside(HERE, ["copy", "template"]),
        "all rules": Inside(HERE),
    }
    try:
        import gate

        detectors["prototype"] = gate.Gate()
    except ImportError as error:
        print(f"the prototype is not measured: {error}")
    collector.spare()  # as a worker of the gateway does when it is ready
    times: dict[str, list[tuple[bool, int]]] = {name: [] for name in detectors}
    for first in range(0, len(posts), _TURN):  # in turn, but not so that each empties the caches
        for name, detector in detectors.items():
            sketch.read.cache_clear()
            similarity.compare.cache_clear()
            for post in posts[first : first + _TURN]:
                took = _once(detector, dict(post))
                if first >= _WARM:
                    times[name].append((not _PLAIN & set(post["body"]), took))
    for name, taken in times.items():
        each = [micros for _, micros in taken]
        cuts = quantiles(each, n=100)
        plain_ones = mean(micros for plain, micros in taken if plain)
        print(
            f"{name:10} mean {mean(each):6.0f}  p50 {cuts[49]:6.0f}  p99 {cuts[98]:6.0f}  "
            f"plain text {plain_ones:6.0f} us"
        )
    if "prototype" in times:
        means = {name: mean(micros for _, micros in taken) for name, taken in times.items()}
        for name in ("gateway", "all rules"):
            plain_ones = mean(micros for plain, micros in times[name] if plain)
            print(
                f"{name} / prototype: {means[name] / means['prototype']:.2f}, "
                f"plain text {plain_ones / means['prototype']:.2f} of its mean"
            )
    return 0


def _once(detector: Any, post: dict[str, Any]) -> int:
    """Decide and remember, once: the microseconds."""
    began = time.thread_time_ns()
    if hasattr(detector, "write"):
        detector.write(post)
    else:
        detector.check(post)
        detector.remember(post)
    return (time.thread_time_ns() - began) // 1000


if __name__ == "__main__":
    sys.exit(main())
