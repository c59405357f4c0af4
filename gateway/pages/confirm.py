"""The page on which a person sees what will stand under his name, and says whether it shall.

Laws: to look changes nothing, whoever looks and by whatever method; what decides is a form of this
very page, sent by the session that was shown it; the text is shown to those alone who may decide.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from gateway.errors import RequestError
from gateway.model import Contact
from gateway.pages.forms import check_token, form_of, place, query_of
from gateway.pages.holds import facts
from gateway.pages.page import HTML, answer, rendered, see_other
from gateway.pages.rendered import draw
from gateway.pages.session import Session, Sessions
from gateway.pages.signin import SIGN_OUT
from gateway.policy.policyset import PolicySet
from gateway.policy.registry import Integration
from gateway.proxy.exchange import Exchange, Response
from gateway.proxy.hold import ANYBODY, Hold, Status, Visitor
from gateway.proxy.holds import Holds

_NO_HOLD = RequestError(404, "no_hold", "No post waits here for you, or none does any more.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """Shows what waits for a person, and takes the decision.

    Attributes:
        contact: whom to ask where nobody can confirm.
        site: where people reach SOE, as `https://host`.
        can_sign_in: whether there is a provider at which people can.
    """

    holds: Holds
    sessions: Sessions
    contact: Contact
    site: str
    can_sign_in: bool

    async def show(
        self, exchange: Exchange, policies: PolicySet, hold_id: str, own: str
    ) -> Response:
        """Show a hold to whoever asks; what its text says, to who may decide.

        Raises:
            RequestError: `no_hold` (404), or `ambiguous_fields` (400).
        """
        hold = await self.holds.get(hold_id)
        if hold is None:
            raise _NO_HOLD
        session = self.sessions.of(exchange, own)
        fields: tuple[tuple[bytes, bytes], ...] = ()
        return_to = query_of(exchange).get("return_to", "")
        objection = hold.objection(session.visitor if session else ANYBODY)
        is_asked = hold.status is Status.OPEN and objection is None
        if is_asked:
            session = session or self.sessions.begun()
            fields = (self.sessions.kept(session, own),)
        told = {
            **facts(hold, session.visitor if session else ANYBODY, self.site),
            **self._signing_in(hold, session, return_to),
            **_sender(hold, _registered(policies, hold), return_to),
            **await self._text(hold, is_asked=is_asked),
            "objection": objection,
            "contact": self.contact,
        }
        return answer(HTML, rendered("hold.html", **told), forms=True, fields=fields)

    async def decide(self, exchange: Exchange, hold_id: str, own: str) -> Response:
        """Take a decision, once, from who may make it; then show what became of it.

        Raises:
            RequestError: as `form_of` and `check_token`; `no_decision` (400), `no_hold` (404), or
                what `Hold.objection` tells (403).
        """
        fields = await form_of(exchange, own)
        found = self.sessions.of(exchange, own)
        session = check_token(self.sessions, found, hold_id, fields)
        take = {"post": self.holds.confirm, "decline": self.holds.decline}.get(
            fields.get("decision", "")
        )
        if take is None:
            raise RequestError(400, "no_decision", "The form says neither to post it nor not to.")
        answered = await take(hold_id, session.visitor)
        if answered.hold is None:
            raise _NO_HOLD
        if answered.objection is not None:
            raise RequestError(
                403, answered.objection.value, "This is for somebody else to decide: see the page."
            )
        return see_other(place(hold_id, query_of(exchange).get("return_to", "")))

    async def _text(self, hold: Hold, *, is_asked: bool) -> dict[str, Any]:
        """Draw the text, in a thread: of a long one it takes longer than others may wait."""
        post = await self.holds.text(hold) if is_asked else None
        return {
            "post": await asyncio.to_thread(draw, post) if post is not None else None,
            "has_text": post is not None and (post.has_text or bool(post.tags)),
        }

    def _signing_in(self, hold: Hold, session: Session | None, return_to: str) -> dict[str, Any]:
        """What the page needs of who looks at it, and for its forms."""
        visitor = session.visitor if session else ANYBODY
        asked = {"hold": hold.id} | ({"return_to": return_to} if return_to else {})
        return {
            "hold_id": hold.id,
            "return_to": return_to,
            "visitor": _shown(visitor),
            "by_proxy": session is not None and session.proxied,
            "can_sign_in": self.can_sign_in or (session is not None and session.proxied),
            "sign_in": f"/_gateway/sign-in?{urlencode(asked)}",
            "token": self.sessions.token(session, hold.id) if session else "",
            "out_token": self.sessions.token(session, SIGN_OUT) if session else "",
        }


def _shown(visitor: Visitor) -> str:
    """Who somebody is, as he reads it."""
    if visitor.name and visitor.email:
        return f"{visitor.name} ({visitor.email})"
    return visitor.name or visitor.id


def _registered(policies: PolicySet, hold: Hold) -> Integration | None:
    found = (each for each in policies.registry.integrations if each.name == hold.integration)
    return next(found, None)


def _sender(hold: Hold, integration: Integration | None, return_to: str) -> dict[str, Any]:
    """Who sends it, and the way back to it once that was decided, where it is a registered one."""
    is_decided = hold.status is not Status.OPEN
    back = is_decided and integration is not None and integration.may_return_to(return_to)
    return {
        "integration": {
            "name": hold.integration,
            "owner": hold.owner,
            "contact": hold.contact,
            "purpose": integration.purpose if integration else "",
        },
        "back": return_to if back else "",
    }
