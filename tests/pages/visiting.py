"""A browser that looks at the gateway's pages in one process, and a gateway that holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

from selectolax.lexbor import LexborHTMLParser

from gateway.pages.pages import Pages
from gateway.pages.people import People
from gateway.pages.session import Sessions
from gateway.policy.load import load
from gateway.proxy.hold import Hold
from tests.proxy.rig import Rig

OWN = "http://127.0.0.1:8080"
NONE: Mapping[str, str | None] = {}
RULES = """\
policy: people-look
owner: knowledge-team
rules:
  looked-at: {title: Somebody looks at it, mode: hold, approver: APPROVER, for: ["*"], if: {title: {matches: '.'}}, message: It has a title., fix: Leave it out.}
"""


def hold_all(rig: Rig, approver: str = "person", registry: str = "", more: str = "") -> None:
    """Let a rule hold every post."""
    directory = rig.directory.parent / "policies"
    (directory / "tests.yaml").write_text(RULES.replace("APPROVER", approver) + more)
    if registry:
        (directory / "integrations.yaml").write_text(registry)
    rig.app.policies.current = load(directory, today=date(2026, 11, 24))


def people(rig: Rig) -> People:
    """The pages on which people decide."""
    assert isinstance(rig.app.pages, Pages)
    return rig.app.pages.people


def with_people(rig: Rig, **changes: Any) -> None:
    """Change these pages."""
    assert isinstance(rig.app.pages, Pages)
    rig.app = replace(rig.app, pages=replace(rig.app.pages, people=replace(people(rig), **changes)))


def with_sessions(rig: Rig, **changes: Any) -> Sessions:
    """Change what tells who looks."""
    sessions = replace(people(rig).confirm.sessions, **changes)
    with_people(rig, confirm=replace(people(rig).confirm, sessions=sessions))
    return sessions


async def held(
    rig: Rig, *, token: bytes = b"of-ada", body: str = "It runs out.", **more: Any
) -> str:
    """Send a question that is held; gives the id of its hold."""
    status, _, told = await send(rig, token=token, body=body, **more)
    assert status == 403, told
    return str(json.loads(told)["confirm_url"]).rpartition("/")[2]


async def send(
    rig: Rig, *, token: bytes = b"of-ada", body: str = "It runs out.", key: bytes = b"", **more: Any
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Send a question."""
    question = {"title": "How do I rotate the key?", "body": body, "tags": ["keys"]} | more
    fields = {"authorization": f"Bearer {token.decode()}", "content-type": "application/json"}
    if key:
        fields["x-gateway-key"] = key.decode()
    sent = json.dumps(question).encode()
    return await call(rig, "POST", "/api/v3/questions", fields=fields, body=sent)


async def hold_of(rig: Rig, hold_id: str) -> Hold:
    """The hold as it stands."""
    hold = await people(rig).confirm.holds.get(hold_id)
    assert hold is not None
    return hold


async def call(
    rig: Rig,
    method: str,
    target: str,
    *,
    fields: Mapping[str, str] | None = None,
    body: bytes = b"",
    client: str = "127.0.0.1",
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Send a request; of several fields of one name the answer shows all, with a line for each."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    told: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def answered(message: Any) -> None:
        told.append(message)

    named = {"host": OWN.removeprefix("http://"), "content-length": str(len(body))}
    scope = {
        "type": "http",
        "method": method,
        "raw_target": target.encode(),
        "headers": [(n.encode(), v.encode()) for n, v in (named | dict(fields or {})).items()],
        "client": (client, 1),
        "scheme": "http",
    }
    await rig.app(scope, receive, answered)
    found: dict[bytes, bytes] = {}
    for name, value in told[0]["headers"]:
        found[name] = found[name] + b"\n" + value if name in found else value
    return told[0]["status"], found, b"".join(message["body"] for message in told[1:])


@dataclass
class Seen:
    """A page as a browser has it."""

    status: int
    fields: dict[bytes, bytes]
    html: str

    @property
    def tree(self) -> LexborHTMLParser:
        return LexborHTMLParser(self.html)

    @property
    def text(self) -> str:
        """What stands there."""
        body = self.tree.body
        return " ".join(body.text(separator=" ").split()) if body else ""

    @property
    def buttons(self) -> list[str]:
        """What can be decided."""
        return [each.text() for each in self.tree.css("button[name=decision]")]

    def form(self, path: str = "") -> dict[str, str]:
        """The fields of the form that goes to a place."""
        chosen = f'form[action="{path}"]' if path else "form:not([action])"
        found = self.tree.css(f"{chosen} input")
        return {str(e.attributes["name"]): str(e.attributes["value"] or "") for e in found}


@dataclass
class Browser:
    """A browser: it keeps cookies, says where its forms come from, and follows nothing."""

    rig: Rig
    fields: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    client: str = "127.0.0.1"

    async def look(self, target: str, method: str = "GET") -> Seen:
        """Open a page."""
        return await self._call(method, target, {"sec-fetch-site": "cross-site"}, b"")

    async def send(
        self, target: str, form: Mapping[str, str], changes: Mapping[str, str | None] = NONE
    ) -> Seen:
        """Send a form of a page of ours, unless it is told otherwise."""
        fields = {
            "origin": OWN,
            "sec-fetch-site": "same-origin",
            "content-type": "application/x-www-form-urlencoded",
        } | dict(changes)
        kept = {name: value for name, value in fields.items() if value is not None}
        return await self._call("POST", target, kept, urlencode(form).encode())

    async def decide(
        self, hold_id: str, decision: str = "post", changes: Mapping[str, str | None] = NONE
    ) -> Seen:
        """Open a hold's page and press a button."""
        seen = await self.look(page(hold_id))
        return await self.send(page(hold_id), seen.form() | {"decision": decision}, changes)

    async def _call(self, method: str, target: str, fields: dict[str, str], body: bytes) -> Seen:
        named = {"accept": "text/html,*/*", **self.fields, **fields}
        if self.cookies:
            named["cookie"] = "; ".join(f"{n}={v}" for n, v in self.cookies.items())
        told = await call(self.rig, method, target, fields=named, body=body, client=self.client)
        for line in told[1].get(b"set-cookie", b"").decode().splitlines():
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in line:
                del self.cookies[name]
        return Seen(told[0], told[1], told[2].decode())


def page(hold_id: str) -> str:
    """The address of a hold's page."""
    return f"/_gateway/holds/{hold_id}"


def signed_in(rig: Rig, email: str = "ada@example.com", **changes: Any) -> Browser:
    """A browser in which somebody signed in, whom a proxy before the gateway tells."""
    with_sessions(rig, header=b"x-forwarded-email", **changes)
    return Browser(rig, fields={"x-forwarded-email": email})
