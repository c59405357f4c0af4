"""A client of an OpenID provider: authorization code flow with PKCE, and nothing else of it.

Laws: the issuer is who the settings say, byte for byte; the algorithms are named here, never by a
token; what the provider sends is bounded in size and time; a code is redeemed by who asked for it.
OpenID Connect Core 1.0 sections 3.1 and 5.1, RFC 7636, RFC 9207.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import ssl
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx
import orjson
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from gateway.pages.signin import Attempt, ProviderError
from gateway.proxy.hold import Visitor

ALGORITHMS = ["RS256", "PS256", "ES256"]
"""By which an ID token may be signed: by a key that the provider publishes, never by a secret."""
_TIMEOUT = httpx.Timeout(5.0)
_TOTAL = 10.0
"""Seconds that one request to the provider may take in all."""
_LARGEST = 256 * 2**10
"""Bytes of an answer of the provider."""
_FRESH = 3600.0
"""Seconds for which the provider's description and its keys are kept."""
_AGAIN = 10.0
"""Seconds after which keys may be fetched again, because a token names one that is not known."""
_SKEW = 60
"""Seconds by which clocks may differ."""
_AT_ONCE = 8
_NOT_VOUCHED = (False, "false")


@dataclass(slots=True)
class _Known:
    """What the provider said of itself, and when."""

    told: Mapping[str, Any]
    at: float
    keys: KeySet | None = None
    keys_at: float = 0.0


class Provider:
    """The provider of the settings.

    Args:
        issuer: its address, as its tokens name it.
        now: gives the instant, in Unix seconds.
        groups: the groups that matter here: of no other it is told who belongs to it.
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        client_secret: str,
        scopes: str,
        *,
        now: Callable[[], float],
        groups: Collection[str] = (),
    ) -> None:
        self.issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._scopes = scopes
        self._now = now
        self._groups = groups
        self._known: _Known | None = None
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._tls = ssl.create_default_context()

    async def address(self, attempt: Attempt, *, another: bool = False) -> str:
        """As `signin.Provider.address`."""
        told = (await self._described()).told
        challenge = hashlib.sha256(attempt.verifier.encode()).digest()
        asked = {
            "client_id": self._client_id,
            "redirect_uri": attempt.back,
            "response_type": "code",
            "scope": self._scopes,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        if another:
            asked["prompt"] = "login"
        place = str(told["authorization_endpoint"])
        return f"{place}{'&' if '?' in place else '?'}{urlencode(asked)}"

    async def redeem(self, attempt: Attempt, came: Mapping[str, str]) -> Visitor:
        """As `signin.Provider.redeem`."""
        known = await self._described()
        says_who = known.told.get("authorization_response_iss_parameter_supported") is True
        if came.get("iss", "" if says_who else self.issuer) != self.issuer:
            raise ProviderError("other_issuer")
        if "code" not in came:
            raise ProviderError("not_signed_in")
        fields = {
            "grant_type": "authorization_code",
            "code": came["code"],
            "redirect_uri": attempt.back,
            "code_verifier": attempt.verifier,
        }
        methods = known.told.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        basic = None
        if "client_secret_basic" in methods:  # RFC 6749 section 2.3.1: both are encoded first
            basic = (quote_plus(self._client_id), quote_plus(self._client_secret))
        else:
            fields |= {"client_id": self._client_id, "client_secret": self._client_secret}
        told = await self._ask("POST", known.told["token_endpoint"], data=fields, auth=basic)
        token = told.get("id_token")
        if not isinstance(token, str):
            raise ProviderError("no_id_token")
        claims = self._checked(await self._decoded(token, known), attempt)
        named = claims.get("groups")
        groups = named if isinstance(named, list) else [named]
        return _visitor(claims, tuple(each for each in self._groups if each in groups))

    # ── the token ────────────────────────────────────────────────────────────────────────────

    async def _decoded(self, token: str, known: _Known) -> Mapping[str, Any]:
        """Verify a token by the provider's keys; where it names one that is not known, by its newest."""
        for keys in (await self._keys(known), None):
            try:
                found = keys or await self._keys(known, anew=True)
                return jwt.decode(token, found, algorithms=ALGORITHMS).claims
            except InvalidKeyIdError as error:
                if keys is None or self._now() < known.keys_at + _AGAIN:
                    raise ProviderError("unknown_key") from error
            except (JoseError, ValueError) as error:
                raise ProviderError("bad_id_token") from error
        raise AssertionError

    def _checked(self, claims: Mapping[str, Any], attempt: Attempt) -> Mapping[str, Any]:
        """Make sure that a token is meant for us, for this attempt, and now."""
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        now, ends, made = self._now(), claims.get("exp"), claims.get("iat")
        nonce = claims.get("nonce")
        sound = (
            claims.get("iss") == self.issuer
            and self._client_id in audiences
            and claims.get("azp", self._client_id if len(audiences) == 1 else None)
            == self._client_id
            and isinstance(ends, int | float)
            and now < ends + _SKEW
            and isinstance(made, int | float)
            and made < now + _SKEW
            and isinstance(nonce, str)
            and hmac.compare_digest(nonce.encode(), attempt.nonce.encode())
            and isinstance(claims.get("sub"), str)
        )
        if not sound:
            raise ProviderError("foreign_id_token")
        return claims

    # ── the provider ─────────────────────────────────────────────────────────────────────────

    async def _described(self) -> _Known:
        """Give what the provider says of itself, as it said within the last hour."""
        if self._known is not None and self._now() < self._known.at + _FRESH:
            return self._known
        place = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        told = await self._ask("GET", place)
        if told.get("issuer") != self.issuer:
            raise ProviderError("other_issuer")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not self._may_be_asked(told.get(name)):
                raise ProviderError("bad_description")
        self._known = _Known(told, self._now())
        return self._known

    def _may_be_asked(self, place: Any) -> bool:
        """Whether an address of the provider's is as safe as its own."""
        if not isinstance(place, str) or not place.isascii():
            return False
        parts, own = urlsplit(place), urlsplit(self.issuer)
        if parts.scheme == "https":
            return bool(parts.hostname)
        return own.scheme == "http" and (parts.scheme, parts.netloc) == (own.scheme, own.netloc)

    async def _keys(self, known: _Known, *, anew: bool = False) -> KeySet:
        if known.keys is None or anew:
            told = (await self._ask("GET", known.told["jwks_uri"])).get("keys")
            known.keys = KeySet([*_read_keys(told if isinstance(told, list) else [])])
            known.keys_at = self._now()
        return known.keys

    async def _ask(
        self,
        method: str,
        place: str,
        *,
        data: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> dict[str, Any]:
        """Ask the provider for an object of JSON; no redirect is followed, no proxy asked."""
        body = b""
        try:
            async with (
                asyncio.timeout(_TOTAL),
                self._at_once,
                httpx.AsyncClient(timeout=_TIMEOUT, verify=self._tls, trust_env=False) as client,
                client.stream(
                    method,
                    place,
                    data=data,
                    auth=auth or httpx.USE_CLIENT_DEFAULT,
                    headers={"accept": "application/json"},
                ) as response,
            ):
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _LARGEST:
                        raise ProviderError("answer_too_large")
                status = response.status_code
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:  # TimeoutError among them
            raise ProviderError("provider_away") from error
        try:
            told = orjson.loads(body)
        except orjson.JSONDecodeError:
            told = None
        if status != 200 or not isinstance(told, dict):
            refused = isinstance(told, dict) and told.get("error") == "invalid_grant"
            raise ProviderError("code_refused" if refused else f"provider_said_{status}")
        return told


def _read_keys(told: Sequence[Any]) -> Iterator[RSAKey | ECKey]:
    """Read the keys that can verify a token; a provider has others as well."""
    for each in filter(lambda one: isinstance(one, dict) and one.get("use", "sig") == "sig", told):
        with contextlib.suppress(JoseError, ValueError, TypeError, KeyError):
            if each.get("kty") == "RSA":
                yield RSAKey.import_key(each)
            elif each.get("kty") == "EC":
                yield ECKey.import_key(each)


def _visitor(claims: Mapping[str, Any], groups: tuple[str, ...]) -> Visitor:
    """Tell who a token speaks of; a number of the provider's is no account of SOE's."""
    told = claims.get("email"), claims.get("name") or claims.get("preferred_username")
    email, name = (each.strip() if isinstance(each, str) else "" for each in told)
    if claims.get("email_verified") in _NOT_VOUCHED:
        email = ""
    return Visitor(email=email[:320], subject=claims["sub"][:255], name=name[:200], groups=groups)
