"""Switches of integrations in Redis or Valkey: a hash that is read by one command."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.model import Switch
from gateway.state.redis.client import Client
from gateway.state.redis.scripts import SITE, Scripts
from gateway.state.switches import as_json, from_json


class RedisSwitches:
    """The switches of a site; a loss of other data stands in nobody's way here."""

    def __init__(self, redis: Client, scripts: Scripts) -> None:
        self._redis = redis
        self._scripts = scripts

    async def all(self) -> tuple[Switch, ...]:
        """As `ports.Switches.all`."""
        told: list[str] = await self._redis.call("HVALS", f"{SITE}:switches")
        found = (from_json(each) for each in told)
        return tuple(sorted(found, key=lambda switch: switch.integration))

    async def join(self, switches: Sequence[Switch]) -> None:
        """As `ports.Switches.join`."""
        await self._scripts.run("switch", *(as_json(each) for each in switches))
