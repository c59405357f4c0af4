"""Who is calling: the integration behind a request's credentials.

What a caller presents may earn (a gateway key, an SOE token whose digest is registered); what it
merely says (User-Agent, v2.3 key, path) never does.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from gateway.errors import RequestError
from gateway.model import ANONYMOUS, Headers
from gateway.policy.registry import Integration, Registry, digest
from gateway.proxy.exchange import one
from gateway.soe.read import Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls: `integration` is None for a caller that nobody registered.

    `token` and `credential` as of `Write`.
    """

    integration: Integration | None
    token: str | None
    credential: str | None = None

    @property
    def name(self) -> str:
        """The integration's name for rules, logs and metrics."""
        return self.integration.name if self.integration else ANONYMOUS

    @property
    def tier(self) -> str:
        """The integration's tier; empty where nobody registered it."""
        return self.integration.tier if self.integration else ""


def identify(
    registry: Registry, headers: Headers, credentials: Credentials, secret: bytes
) -> Caller:
    """Name the caller from its gateway key and its SOE token.

    Args:
        secret: keys the digest under which the token is known to rules, state and audit.

    Raises:
        RequestError: `unknown_gateway_key` (401), or `ambiguous_credentials` (400) where key and
            token belong to two integrations.
    """
    by_token = by_key = None
    token = credential = None
    if credentials.token is not None:
        raw = credentials.token.encode()
        token = hashlib.blake2b(raw, key=secret, digest_size=16).hexdigest()
        credential = digest(raw)
        by_token = registry.by_token(credential)
    key = one(headers, b"x-gateway-key")
    if key is not None:
        by_key = registry.by_key(digest(key))
        if by_key is None:
            raise RequestError(401, "unknown_gateway_key", "No integration has this gateway key.")
    if by_key and by_token and by_key.name != by_token.name:
        raise RequestError(
            400,
            "ambiguous_credentials",
            "The gateway key and the SOE token belong to two different integrations.",
        )
    integration = by_key or by_token
    if integration is not None or credential is None:
        return Caller(integration=integration, token=token)
    return Caller(integration=None, token=token, credential=f"sha256:{credential}")


def admit_read(caller: Caller, anonymous: str) -> None:
    """Let a read pass, or refuse a caller that nobody registered where reads ask for it."""
    if caller.integration is None and anonymous != "allow":
        raise _unregistered(caller)


def objection(caller: Caller, operation: str, at: float, anonymous: str) -> RequestError | None:
    """Say why a caller may not write this: it is not registered for it.

    `unknown_caller` (401), `unregistered_caller`, `integration_expired` or
    `operation_not_registered` (403); None where it may, and the rules judge.
    """
    integration = caller.integration
    if integration is None:
        return None if anonymous == "allow" else _unregistered(caller)
    if integration.expires and datetime.fromtimestamp(at, UTC).date() > integration.expires:
        return RequestError(
            403,
            "integration_expired",
            f"The registration of {integration.name} ended on {integration.expires}.",
        )
    if not any(fnmatchcase(operation, allowed) for allowed in integration.operations):
        return RequestError(
            403,
            "operation_not_registered",
            f"{integration.name} is not registered for {operation}.",
        )
    return None


def _unregistered(caller: Caller) -> RequestError:
    tell = (
        "Tell the contact named here what you will post, where, and which action of a user "
        "starts it; then send the gateway key that you get as X-Gateway-Key."
    )
    if caller.token is None:
        return RequestError(401, "unknown_caller", f"The request names no caller. {tell}")
    return RequestError(403, "unregistered_caller", f"This integration is not registered. {tell}")
