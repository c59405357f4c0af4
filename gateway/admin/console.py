"""The frame of the console: who signs in, what each may see and do, and how it is answered.

To add a page, add a `View` to `views`; to add something that operators do, an `Act` to `acts`.
Laws: nobody sees anything before he signed in; who may only look changes nothing; what a browser
sends comes from a form of ours, in the session that was shown it. No page needs a script; the only
one is a file of ours, and runs on pages that are `live`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import orjson

from gateway.admin.followed import Followed
from gateway.admin.roles import Doors, Tries, Who
from gateway.admin.visit import Act, Told, View, Visit
from gateway.errors import AuditError, RequestError, StoreError
from gateway.observe.observer import Observer
from gateway.pages.forms import check_token, fields_of, form_of, query_of
from gateway.pages.page import CSS, HTML, JSON, SCRIPT, answer, part, rendered, see_other, style
from gateway.pages.session import Session, Sessions, is_secure
from gateway.pages.signin import ProviderError, SignIn
from gateway.proxy.exchange import ClientGoneError, Exchange, Receive, Response, Send, one
from gateway.proxy.waiting import own_url

ROOT = "/console/"
BACK = f"{ROOT}signed-in"
"""Where the provider of identities sends people back to."""
_PACKAGE = "gateway.admin"
_PLACE = re.compile(r"[a-z][A-Za-z0-9/._~%=&?+@:-]{0,500}")
"""A page below the root, and what it asks for."""
_NO_PAGE = RequestError(404, "no_page", "There is no such page on the console.")
_READING = ("GET", "HEAD")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Came:
    """A request, from whom, and by which session; without one it came with a token."""

    exchange: Exchange
    own: str
    path: str
    who: Who | None = None
    session: Session | None = None

    @property
    def by_page(self) -> bool:
        """Whether a person reads the answer, and no program."""
        return b"text/html" in (one(self.exchange.headers, b"accept") or b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """Answers what is asked under `/console`, as an ASGI app.

    Attributes:
        views: the pages, as they stand in the navigation; the first is where people arrive.
        sign_in: None where people cannot sign in by name, but by token alone.
        followed: what the pages know of the audit log.
        public_url: where people reach the console, as `https://host`; empty where nobody said so.
    """

    doors: Doors
    sessions: Sessions
    tries: Tries
    sign_in: SignIn | None
    observer: Observer
    views: Sequence[View]
    acts: Sequence[Act]
    followed: Followed
    public_url: str = ""

    async def close(self) -> None:
        """Cease to follow the audit log."""
        await self.followed.close()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve one request."""
        query = scope.get("query_string", b"")
        target = scope.get("raw_path", scope["path"].encode()) + (b"?" + query if query else b"")
        exchange = Exchange({**scope, "raw_target": target}, receive, send, str)
        with contextlib.suppress(ClientGoneError):
            await exchange.answer(await self._respond(exchange))

    async def _respond(self, exchange: Exchange) -> Response:
        """Give the answer; whatever goes wrong becomes one, as a page for people."""
        own = own_url(exchange, self.public_url)
        path = exchange.target.partition(b"?")[0].decode("latin-1").removeprefix(ROOT[:-1])
        came = _Came(exchange=exchange, own=own, path=path[1:])
        try:
            came = self._known(came)
            return await self._answered(came)
        except ClientGoneError:
            raise
        except RequestError as error:
            return self._wrong(came, error.status, HTTPStatus(error.status).phrase, error)
        except ProviderError as error:
            self.observer.event("sign_in.failed", reason=error.code)
            told = "Where you sign in did not say who you are. Try once more, or use a token."
            failed = RequestError(502, "sign_in_failed", told)
            return self._wrong(came, 502, "You could not be signed in", failed)
        except StoreError as error:
            self.observer.store_failed("console", error)
            told = f"The state cannot be asked: {error}."
            return self._wrong(came, 503, "Not now", RequestError(503, "state_unavailable", told))
        except AuditError as error:
            self.observer.audit_failed(error)
            told = "It could not be recorded, so it was not done."
            return self._wrong(came, 503, "Not now", RequestError(503, "audit_unavailable", told))
        except Exception as error:  # noqa: BLE001  # a page that fails must say so, and ends nothing
            self.observer.crashed(error)
            told = "This page failed. The log says where."
            return self._wrong(came, 500, "Failed", RequestError(500, "internal_error", told))

    def _known(self, came: _Came) -> _Came:
        """Find out who asks.

        Raises:
            RequestError: as `_by_token`.
        """
        exchange = came.exchange
        told = one(exchange.headers, b"authorization")
        if told is not None:
            who, _ = self._by_token(
                exchange, told.decode("latin-1").removeprefix("Bearer ").strip()
            )
            return replace(came, who=who)
        session = self.sessions.of(exchange, came.own)
        known = self.doors.by_session(session) if session is not None else None
        return replace(came, who=known, session=session)

    def _by_token(self, exchange: Exchange, token: str) -> tuple[Who, str]:
        """Give who has a token, and its digest.

        Raises:
            RequestError: `unknown_token` (401), or `too_many_tries` (429).
        """
        now = self.sessions.clock.now()
        wait = self.tries.wait(exchange.client, now)
        if wait > 0:
            told = f"Too many tokens were wrong. Try again in {wait:.0f} seconds."
            raise RequestError(429, "too_many_tries", told)
        found = self.doors.by_token(token)
        if found is None:
            self.tries.failed(exchange.client, now)
            self.observer.event("console.refused", client=exchange.client, reason="unknown_token")
            told = "This token opens nothing here: see console.viewers and console.operators."
            raise RequestError(401, "unknown_token", told)
        return found

    async def _answered(self, came: _Came) -> Response:
        path, reads = came.path, came.exchange.method in _READING
        if path == "style.css" and reads:
            return answer(CSS, style(_PACKAGE))
        if path == "live.js" and reads:
            return answer(SCRIPT, part("live.js", _PACKAGE))
        if path == "sign-in":
            return self._door(came) if reads else await self._enter(came)
        if self.sign_in is not None and reads and path == "sign-in/by-name":
            return await self.sign_in.start(came.exchange, came.own)
        if self.sign_in is not None and reads and path == "signed-in":
            return await self.sign_in.finish(came.exchange, came.own)
        if path == "sign-out" and came.exchange.method == "POST":
            return await self._leave(came)
        if came.who is None:
            return self._stranger(came)
        if came.exchange.method == "POST":
            return await self._act(came, came.who)
        if not reads:
            raise RequestError(405, "method_not_allowed", "Pages are read, and forms are sent.")
        if path == "":
            return see_other(ROOT + self.views[0].path)
        return await self._show(came, came.who)

    # ── pages and acts ───────────────────────────────────────────────────────────────────────

    async def _show(self, came: _Came, who: Who) -> Response:
        query = query_of(came.exchange)
        for view in self.views:
            takes_rest = view.path.endswith("/") and came.path.startswith(view.path)
            if came.path == view.path or takes_rest:
                rest = came.path.removeprefix(view.path)
                told = await view.show(Visit(who=who, rest=rest, query=query))
                return self._page(came, view.template, told, here=view)
        raise _NO_PAGE

    async def _act(self, came: _Came, who: Who) -> Response:
        act = next((each for each in self.acts if each.path == came.path), None)
        if act is None:
            raise _NO_PAGE
        if came.session is None:  # a token in a header is no browser's doing
            fields = await fields_of(came.exchange)
        else:
            fields = await form_of(came.exchange, came.own)
            check_token(self.sessions, came.session, act.path, fields)
        if not who.may_act:
            told = f"{who.name} may look, and change nothing: operators may (console.operators)."
            raise RequestError(403, "viewer", told)
        done = await act.do(Visit(who=who), fields)
        if came.by_page:
            return see_other(ROOT + done.place)
        return answer(JSON, orjson.dumps(done.told))

    def _page(
        self, came: _Came, template: str, told: Told, *, here: View | None = None, status: int = 200
    ) -> Response:
        """Give a page to people, and what it tells to programs."""
        if not came.by_page:
            return answer(JSON, orjson.dumps(told), status=status)
        session = came.session

        def token(purpose: str) -> str:
            return self.sessions.token(session, purpose) if session is not None else ""

        frame = {
            "root": ROOT,
            "who": came.who,
            "views": [each for each in self.views if each.title],
            "here": here.path if here is not None else "",
            "token": token,
        }
        html = rendered(template, package=_PACKAGE, **told, **frame)
        # A proxy that says who it is says so with each request; what binds our forms is ours to keep.
        kept = session is not None and session.proxied
        fields = (self.sessions.kept(session, came.own),) if session is not None and kept else ()
        live = here is not None and here.live
        return answer(HTML, html, status=status, forms=True, live=live, fields=fields)

    def _wrong(self, came: _Came, status: int, heading: str, error: RequestError) -> Response:
        told = {"heading": heading, "code": error.code, "detail": error.detail}
        return self._page(came, "wrong.html", told, status=status)

    # ── signing in and out ───────────────────────────────────────────────────────────────────

    def _stranger(self, came: _Came) -> Response:
        """Answer who did not sign in, or whom nobody lets in."""
        if came.session is not None and came.session.visitor.signed_in:
            name = came.session.visitor.id
            self.observer.event("console.refused", client=came.exchange.client, reason="no_role")
            told = (
                f"You are signed in as {name}, who may not look at this: ask whoever runs the "
                "gateway to put you into console.viewers or console.operators."
            )
            raise RequestError(403, "no_role", told)
        if not came.by_page or came.exchange.method not in _READING:
            told = "Sign in, or send a token: Authorization: Bearer …"
            raise RequestError(401, "not_signed_in", told)
        wanted = came.exchange.target.decode("latin-1").removeprefix(ROOT[:-1])[1:]
        carried = f"?to={quote(wanted)}" if _PLACE.fullmatch(wanted) else ""
        return see_other(f"{ROOT}sign-in{carried}")

    def _door(self, came: _Came) -> Response:
        told = {
            "to": query_of(came.exchange).get("to", ""),
            "by_name": self.sign_in is not None,
            "in_clear": came.own.startswith("http://") and is_secure(came.own),
        }
        return self._page(came, "sign-in.html", told)

    async def _enter(self, came: _Came) -> Response:
        """Sign somebody in by a token."""
        fields = await form_of(came.exchange, came.own)
        who, hashed = self._by_token(came.exchange, fields.get("key", "").strip())
        self.observer.event("console.signed_in", by=who.name, role=who.role.value)
        session = self.sessions.begun(key=hashed)
        return see_other(place(fields), (self.sessions.kept(session, came.own),))

    async def _leave(self, came: _Came) -> Response:
        fields = await form_of(came.exchange, came.own)
        check_token(self.sessions, came.session, "sign-out", fields)
        return see_other(f"{ROOT}sign-in", (self.sessions.ended(came.own),))


def place(fields: Mapping[str, str]) -> str:
    """Give the page that somebody wants to see, from what a form or an address says of it."""
    wanted = fields.get("to", "")
    return ROOT + (wanted if _PLACE.fullmatch(wanted) else "")
