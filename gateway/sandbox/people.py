"""The site's people, and the tokens that act for them."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

_NAMED = ("Ada", "Grace", "Alan")
_TOKENS = {"demo": 1, "ada": 1, "grace": 2, "alan": 3}
"""Tokens that are told in documents, and the numbers of the people whose they are."""


@dataclass(slots=True)
class User:
    """A person: one of those who are always there, or made up from the token that acts for them."""

    id: int
    name: str
    role: str = "Registered"

    @property
    def login(self) -> str:
        """What they would type to sign in."""
        return self.name.lower()

    @property
    def email(self) -> str:
        """Their address, the same at the site and where they sign in."""
        return f"{self.login}@example.com"

    @property
    def external_id(self) -> str:
        """What names them where they sign in, which SOE keeps beside its own number."""
        return f"sandbox-{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A token that the site made.

    Attributes:
        client: the OAuth client that it was made for.
        parent: the token that it was exchanged for, where somebody impersonates.
    """

    user: User
    scope: tuple[str, ...]
    client: str = ""
    parent: str = ""


class People:
    """Who there is, and for whom a token acts.

    Args:
        known: the only tokens that are known, beside those that the site makes; with none,
            every token is somebody's.
    """

    def __init__(self, known: tuple[str, ...] = ()) -> None:
        self._known = frozenset(known)
        self.users: dict[int, User] = {}
        self.community = User(-1, "Community")
        self.minted: dict[str, Minted] = {}
        self._revoked: set[str] = set()
        self.reset()

    def reset(self) -> None:
        """Begin anew, with those who are always there."""
        self.users = {number: User(number, name) for number, name in enumerate(_NAMED, 1)}
        self.minted.clear()
        self._revoked.clear()

    def knows(self, token: str) -> bool:
        """Whether a token acts for somebody."""
        if not token or token in self._revoked:
            return False
        return not self._known or token in self._known or token in self.minted

    def user_of(self, token: str) -> User:
        """The person for whom a token acts; always the same."""
        if token in self.minted:
            return self.minted[token].user
        if token in _TOKENS:
            return self.users[_TOKENS[token]]
        number = int.from_bytes(hashlib.sha256(token.encode()).digest()[:3], "big") + 100
        return self.users.setdefault(number, User(number, f"user{number}"))

    def account(self, number: int) -> User | None:
        """The person of an account; -1 is the one that belongs to the site itself."""
        return self.community if number == self.community.id else self.users.get(number)

    def find(self, hint: str) -> User | None:
        """The person whom an address, a login or a number names."""
        for user in self.users.values():
            if hint.lower() in (user.email, user.login, user.external_id, str(user.id)):
                return user
        return None

    def mint(
        self, user: User, scope: tuple[str, ...], *, client: str = "", parent: str = ""
    ) -> str:
        """Make a token that acts for somebody."""
        token = secrets.token_urlsafe(16)
        self.minted[token] = Minted(user=user, scope=scope, client=client, parent=parent)
        return token

    def revoke(self, token: str) -> None:
        """Let a token act for nobody from now on."""
        self._revoked.add(token)
