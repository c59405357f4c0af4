"""Who may come in to the console, and as what. Pure, but for the count of failed tries."""

from __future__ import annotations

import hmac
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.pages.session import Session
from gateway.policy.registry import digest
from gateway.proxy.hold import Visitor

TOKEN, GROUP = "sha256:", "group:"
"""How an entry begins that is a token's digest, or a group; any other is an e-mail address."""
_SHOWN = 8
"""Hex digits of a token's digest by which it is told from others."""
_TRIES, _WITHIN = 10, 60.0
"""Failed tries of an address, and the seconds in which it may make so many."""
_ADDRESSES_AT_MOST = 1_000


class Role(StrEnum):
    """What somebody may do on the console."""

    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Who looks, by the name under which he is recorded."""

    name: str
    role: Role

    @property
    def may_act(self) -> bool:
        """Whether he may change anything."""
        return self.role is Role.OPERATOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Whom the settings let in: digests of tokens, e-mail addresses in lower case, and groups.

    Asked again with each request: who is taken out of the settings is out, whatever his cookie says.
    """

    viewers: Sequence[str] = ()
    operators: Sequence[str] = ()

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that matter here."""
        listed = (*self.operators, *self.viewers)
        return tuple(each.removeprefix(GROUP) for each in listed if each.startswith(GROUP))

    def by_token(self, token: str) -> tuple[Who, str] | None:
        """Give who has a token, and the digest by which he is known from then on."""
        hashed = TOKEN + digest(token.encode())
        who = self._by_digest(hashed)
        return None if who is None else (who, hashed)

    def by_session(self, session: Session) -> Who | None:
        """Give who signed in; None where he may not come in, or not any more."""
        if session.key:
            return self._by_digest(session.key)
        if not session.visitor.signed_in:
            return None
        role = self._role(_names(session.visitor))
        return None if role is None else Who(name=session.visitor.id, role=role)

    def _by_digest(self, hashed: str) -> Who | None:
        role = self._role((hashed,))
        name = f"token {hashed.removeprefix(TOKEN)[:_SHOWN]}"
        return None if role is None else Who(name=name, role=role)

    def _role(self, names: Sequence[str]) -> Role | None:
        for role, listed in ((Role.OPERATOR, self.operators), (Role.VIEWER, self.viewers)):
            if any(_same(name, each) for name in names for each in listed):
                return role
        return None


def _names(visitor: Visitor) -> tuple[str, ...]:
    # An address that begins as other entries do is none: it would open what they open.
    is_address = visitor.email and not visitor.email.lower().startswith((TOKEN, GROUP))
    address = (visitor.email.lower(),) if is_address else ()
    return (*address, *(GROUP + each for each in visitor.groups))


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


@dataclass(slots=True)
class Tries:
    """Counts failed tries by the address that they come from, for a minute."""

    _failed: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)

    def wait(self, address: str, now: float) -> float:
        """Give the seconds until an address may try again; 0 where it may now."""
        failed = self._failed.get(address)
        if failed is None or len(failed) < _TRIES:
            return 0.0
        return max(0.0, failed[0] + _WITHIN - now)

    def failed(self, address: str, now: float) -> None:
        """Count a try."""
        self._failed.setdefault(address, deque(maxlen=_TRIES)).append(now)
        self._failed.move_to_end(address)
        if len(self._failed) > _ADDRESSES_AT_MOST:
            self._failed.popitem(last=False)
