"""How writes wait for a person: passed by what one confirmed, or held, and told where and till when.

State away means that nothing passes by a confirmation, and that nothing new can wait: 503.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gateway.errors import StoreError
from gateway.model import (
    Api,
    Approver,
    Decision,
    Effect,
    Finding,
    Headers,
    Mode,
    Outcome,
    Person,
    Result,
    Violation,
    Write,
)
from gateway.observe.observer import Observer
from gateway.policy.decide import STATE_UNAVAILABLE
from gateway.policy.policyset import PolicySet, Rule
from gateway.ports import Persons, Titles
from gateway.proxy.exchange import Exchange, one
from gateway.proxy.hold import Hold, Status
from gateway.proxy.holds import RULE, Holds, Taken
from gateway.proxy.identify import Caller
from gateway.soe.answers import Waiting

PLACE = "/_gateway/holds/"
"""Where the page of a hold is, followed by its id; `/status` behind it tells programs."""

_AUTHORITY = re.compile(
    rb"(?:[A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)
_WHO = {
    Approver.PERSON: "the person to whom this SOE token belongs",
    Approver.OWNER: "the owner of this integration",
    Approver.LINK: "a person",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirming:
    """Lets writes wait for a person, and pass when one has confirmed them.

    Attributes:
        persons: tells who acts; None where nobody can.
        titles: tells what threads are called; None where nobody can.
        public_url: where clients reach the gateway, as `https://host`; empty where nobody said so.
    """

    holds: Holds
    observer: Observer
    persons: Persons | None = None
    titles: Titles | None = None
    public_url: str = ""

    async def take(self, write: Write, policies: PolicySet) -> Taken | None:
        """Take what was confirmed for this very request, for this write alone; None without it."""
        try:
            return await self.holds.take(write, _rules(write, policies))
        except StoreError as error:
            self.observer.store_failed("holds.take", error)
            return None

    async def ended(self, taken: Taken, outcome: Outcome, url: str | None) -> None:
        """Tell what became of a write that took what was confirmed, and where its post stands."""
        try:
            await self.holds.ended(taken, outcome, url)
        except StoreError as error:  # it stays used: what may have been written passes only once
            self.observer.store_failed("holds.ended", error)

    async def wait(
        self,
        exchange: Exchange,
        write: Write,
        decision: Decision,
        policies: PolicySet,
        caller: Caller,
        token: str | None,
    ) -> tuple[Decision, Waiting | None]:
        """Let a held write wait, and tell how; where it cannot wait, the decision refuses it.

        Args:
            token: the SOE token as it was presented, to find out who acts.
        """
        try:
            person, title = await asyncio.gather(
                self._person(write, token), self._title(write, token)
            )
            held = await self.holds.open(
                write,
                decision,
                _rules(write, policies),
                integration=caller.integration,
                person=person,
                thread_title=title,
            )
        except StoreError as error:
            self.observer.store_failed("holds.open", error)
            held = STATE_UNAVAILABLE
        if isinstance(held, Violation):
            why = Finding(
                rule=RULE, check=RULE, mode=Mode.ENFORCE, result=Result.FAIL, violation=held
            )
            return cannot_wait(decision, why), None
        return decision, waiting(held, exchange, self.public_url)

    async def _person(self, write: Write, token: str | None) -> Person | None:
        if self.persons is None or token is None:
            return None
        # v3 alone tells an e-mail address, and a token is the same person's in both.
        person = await self.persons.of(token, Api.V3, write.team)
        if person is None and write.api is not Api.V3:
            person = await self.persons.of(token, write.api, write.team)
        return person

    async def _title(self, write: Write, token: str | None) -> str:
        if self.titles is None or token is None or write.thread is None:
            return ""
        return await self.titles.title(token, write.team, write.thread)


def _rules(write: Write, policies: PolicySet) -> Sequence[Rule]:
    return policies.by_operation.get(write.operation, ())


def cannot_wait(decision: Decision, why: Finding) -> Decision:
    """Refuse what is held and cannot wait."""
    return replace(decision, effect=Effect.REFUSE, findings=(*decision.findings, why))


def waiting(hold: Hold, exchange: Exchange, public_url: str) -> Waiting:
    """Tell how a held write can be confirmed.

    Args:
        public_url: where clients reach the gateway, as `https://host`; empty where nobody said so.
    """
    confirm_url = f"{own_url(exchange, public_url)}{PLACE}{hold.id}"
    status_url = f"{confirm_url}/status"
    return Waiting(
        confirm_url=confirm_url,
        status_url=status_url,
        told=_told(hold, confirm_url, status_url),
        declined=hold.status is Status.DECLINED,
        accepted=_prefers_async(exchange.headers) and hold.status is not Status.DECLINED,
    )


def _told(hold: Hold, confirm_url: str, status_url: str) -> str:
    until = datetime.fromtimestamp(hold.until, UTC).strftime("%H:%M UTC")
    if hold.status is Status.DECLINED:
        return (
            f"Somebody looked at this request and declined it; until {until} that answers it, too."
        )
    if hold.status is Status.CONFIRMED:
        return "It is confirmed by now: send the same request again."
    if hold.approver is Approver.PERSON and hold.person is None:
        owners = ", ".join(dict.fromkeys(rule.owner for rule in hold.rules if rule.owner))
        ask = f": ask {owners}, who answer for this rule" if owners else ""
        return (
            "The person to whom this SOE token belongs must confirm it, and SOE does not tell who "
            f"that is{ask}. The page is {confirm_url}, how far it is tells {status_url}."
        )
    return (
        f"It is posted when {_WHO[hold.approver]} has confirmed it on {confirm_url} until {until} "
        f"and the same request is sent again. How far it is tells {status_url}."
    )


def own_url(exchange: Exchange, public_url: str) -> str:
    """Give the gateway's own address; unless somebody said it, as the client used it, if plain."""
    if public_url:
        return public_url
    host = one(exchange.headers, b"host") or b""
    return f"{exchange.scheme}://{host.decode()}" if _AUTHORITY.fullmatch(host) else ""


def _prefers_async(headers: Headers) -> bool:
    """Whether the client asks for 202 where an answer takes time (RFC 7240, section 4.1)."""
    told = b",".join(value for name, value in headers if name == b"prefer")
    words = (each.partition(b";")[0].strip().lower() for each in told.split(b","))
    return b"respond-async" in words
