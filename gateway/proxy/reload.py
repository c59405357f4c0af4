"""The active policies, and how they change while the gateway runs.

Laws: a set becomes active whole or not at all; whatever is wrong with the files, the last good set
stays in force and the log and a metric say so.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

from gateway.errors import PolicyError, Problem
from gateway.observe.observer import Observer
from gateway.policy.policyset import PolicySet
from gateway.policy.sources import Held

_State = tuple[bytes | None, tuple[Held | str, ...]]


class Policies:
    """Holds the active policy set; `current` is swapped, never changed.

    Args:
        load: reads the files into a set; raises `PolicyError`.
        directory: what is watched, None where only shipped policies apply.
        posture: gives what is in force now of what was loaded; asked again and again, for a posture
            ends whatever state the files are in.
    """

    def __init__(
        self,
        load: Callable[[], PolicySet],
        directory: Path | None,
        observer: Observer,
        posture: Callable[[PolicySet], PolicySet] = lambda loaded: loaded,
    ) -> None:
        self._load = load
        self._directory = directory
        self._observer = observer
        self._posture = posture
        seen = self._digest()
        self._loaded = load()
        self.current = posture(self._loaded)
        self._seen: _State = (seen, self.current.registry.held)
        self._record: Callable[[str], None] = lambda _: None
        observer.policies_loaded(self.current)

    def follow(self, record: Callable[[str], None]) -> None:
        """Let something know the revision in force, now and with every change."""
        self._record = record
        self._record(self.current.revision)

    async def watch(self, interval: float = 1.0) -> None:
        """Look for changes for ever.

        Contents are compared, not times or events: a ConfigMap's symlink swap replaces the folder
        under the files, to which a watch on either of them goes blind. A fault of ours is told, and
        ends neither the watch nor a posture's time.
        """
        while True:
            await asyncio.sleep(interval)
            try:
                self._keep_posture()
                if await asyncio.to_thread(self._state) != self._seen:
                    await self.reload()
            except Exception as error:  # noqa: BLE001  # nobody else would look at files again
                self._observer.crashed(error)

    async def reload(self) -> None:
        """Load the files again; keep the active set if they are wrong."""
        self._seen = await asyncio.to_thread(self._state)
        try:
            loaded = await asyncio.to_thread(self._load)
            self._refuse_disarmed(loaded)
        except PolicyError as error:
            self._observer.policies_refused(error, self.current)
            return
        held = loaded.registry.held  # what it holds is in no revision
        if (loaded.revision, held) != (self._loaded.revision, self._loaded.registry.held):
            self._loaded = loaded
            self._activate(self._posture(loaded))
            self._seen = (self._seen[0], held)
        self._observer.policies_loaded(self.current)

    def _keep_posture(self) -> None:
        """Let the rules decide again when the time in which they only warn is over."""
        wanted = self._posture(self._loaded)
        if wanted.revision != self.current.revision:
            self._activate(wanted)
            self._observer.policies_loaded(wanted)

    def _activate(self, policies: PolicySet) -> None:
        changed = policies.revision != self.current.revision
        self.current = policies
        if changed:
            self._record(policies.revision)

    def _refuse_disarmed(self, loaded: PolicySet) -> None:
        if self._loaded.enforcing and not loaded.enforcing:
            text = (
                "no rule enforces any more, and before there was one; "
                "if that is meant, restart the gateway"
            )
            raise PolicyError((Problem(str(self._directory), 1, 1, text),))

    def _state(self) -> _State:
        """What lies in the directory, and in the files that hold secrets, wherever they are."""
        return self._digest(), tuple(each.again() for each in self.current.registry.held)

    def _digest(self) -> bytes | None:
        """A digest of everything in the directory; None while it cannot be read."""
        if self._directory is None:
            return b""
        digest = hashlib.sha256()
        try:
            for path in sorted(self._directory.rglob("*")):
                if path.is_file():
                    digest.update(str(path).encode() + b"\0" + path.read_bytes() + b"\0")
        except OSError:
            return None
        return digest.digest()
