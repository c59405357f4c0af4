"""A desk before the console: a browser that keeps cookies, and who may come to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
from selectolax.lexbor import LexborHTMLParser

from gateway.admin.app import admin_app
from gateway.admin.console import Console
from gateway.observe.metrics import Metrics
from gateway.policy.registry import digest
from gateway.proxy.switches import Switches
from tests.admin.rig import Recorded
from tests.proxy.rig import Quiet, Ticking

OWN = "http://127.0.0.1:9180"
OPERATOR, VIEWER = "token-of-an-operator", "token-of-a-viewer"
HTML = {"accept": "text/html,*/*"}
FORM = {**HTML, "origin": OWN, "sec-fetch-site": "same-origin"}


def hashed(token: str) -> str:
    """An entry of the settings for a token."""
    return f"sha256:{digest(token.encode())}"


@dataclass
class Desk:
    """A console of real parts, and a browser before it that keeps cookies."""

    console: Console
    clock: Ticking
    log: Quiet
    audit: Recorded
    switches: Switches
    cookies: dict[str, str] = field(default_factory=dict)

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] = HTML,
        data: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        app = admin_app(Metrics(), lambda: True, lambda: "r", self.console)
        transport = httpx.ASGITransport(app)
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {**headers, **({"cookie": cookie} if cookie else {})}
        async with httpx.AsyncClient(transport=transport, base_url=OWN) as client:
            answer = await client.request(method, path, headers=sent, data=data)
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in line:
                del self.cookies[name]
        return answer

    async def sign_in(self, token: str = OPERATOR, **more: str) -> httpx.Response:
        return await self.ask("POST", "/console/sign-in", FORM, {"key": token, **more})

    async def form(self, action: str) -> dict[str, str]:
        """What the first form that goes to a place holds."""
        seen = LexborHTMLParser((await self.ask("GET", "/console/integrations")).text)
        found = seen.css_first(f'form[action="/console/{action}"]')
        assert found is not None
        inputs = found.css("input[type=hidden]")
        return {str(e.attributes["name"]): str(e.attributes["value"]) for e in inputs}

    async def switch_off(self, **changes: str) -> httpx.Response:
        held = await self.form("integrations/disable")
        told = held | {"reason": "It floods.", **changes}
        return await self.ask("POST", "/console/integrations/disable", FORM, told)
