"""How fast `soe-gateway seed` reads a site, what CPU a post costs it, and how much memory it takes.

The sandbox answers from this machine, so the wall time is that of the pace (25 requests a second at
most); the CPU time says what is left of a core for a faster site.
"""

from __future__ import annotations

import asyncio
import datetime
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from common import LOAD_CORE, folder, running

from gateway.proxy.listener import Listener
from gateway.sandbox.app import Sandbox, sandbox_app
from gateway.sandbox.site import Post, Site

FIRST = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
TEXT = "the agent restarts when its certificate runs out so check /var/log/agent.log for 4711"


def filled(count: int) -> Site:
    """A site of questions with one and a half answers each, of 160 words each."""
    site, chance = Site(), random.Random(7)
    space, person = site.space(None), site.user_of("somebody")
    numbers = itertools.count(100)
    question = 1
    for place in range(count):
        number, at = next(numbers), FIRST + datetime.timedelta(minutes=place)
        body = (
            " ".join(chance.choices(TEXT.split(), k=150))
            + f" in *case* number `{number}` of many.\n"
        )
        if place % 5 in (0, 2):
            question = number
            post = Post("question", number, body, person, at, f"Case {number}?", ("agent",))
        else:
            post = Post("answer", number, body, person, at, parent=question)
            space.posts["question", question].answered = at
        space.posts[post.kind, number] = post
    space.tags["agent"] = 1
    return site


async def serve(count: int) -> None:
    """Serve a filled site until told to stop."""
    listener = Listener(sandbox_app(Sandbox(filled(count))), ("127.0.0.1", 0))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(json.dumps({"url": await listener.start()}), flush=True)
    await stop.wait()
    await listener.stop(0)


def measure(api: str, url: str, data: Path) -> None:
    """Run the command once, and print what it took."""
    command = [sys.executable, "-m", "gateway", "seed", "--upstream", url, "--data", str(data)]
    command += ["--api", api, "--rate", "25", "--json"]
    environ = {"SOE_GATEWAY_SITE_CONTACT_NAME": "bench", "SOE_GATEWAY_SEED_TOKEN": "bench"}
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **environ})
    assert process.stdout is not None
    told = json.loads(process.stdout.read())
    _, _, used = os.wait4(process.pid, 0)
    cpu = used.ru_utime + used.ru_stime
    print(
        f"{api:5} {told['remembered']} posts, {told['requests']} requests, "
        f"{time.monotonic() - begun:.1f} s ({told['waited']} s of pace), CPU {cpu:.2f} s "
        f"({cpu / told['read'] * 1e3:.2f} ms a post, start included), {used.ru_maxrss / 1024:.0f} MiB"
    )


def main() -> None:
    """Measure both APIs; --short for a look."""
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(int(sys.argv[2])))
        return
    count = 500 if "--short" in sys.argv else 5000
    with (
        folder() as files,
        running([sys.executable, __file__, "serve", str(count)], LOAD_CORE) as soe,
    ):
        assert soe.stdout is not None
        url = json.loads(soe.stdout.readline())["url"]
        for api in ("v2.3", "v3"):
            measure(api, url, files / api)


if __name__ == "__main__":
    main()
