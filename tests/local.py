"""Requests to what runs on this machine, each on a connection of its own.

The environment's proxies are left out, and so are the certificates of the world: to read those
takes ten times as long as a request.
"""

from __future__ import annotations

from functools import partial

import httpx

from tests.patience import PATIENCE

request = partial(httpx.request, trust_env=False, verify=False, timeout=PATIENCE)
get = partial(request, "GET")
post = partial(request, "POST")
client = partial(httpx.Client, trust_env=False, timeout=PATIENCE)
