"""The parts that commands put together from settings: key, state, audit log, the way to SOE."""

from __future__ import annotations

import datetime
import hashlib
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from gateway.audit.chain import Chain, begun
from gateway.audit.key import Keys, derived, load_or_make_keys
from gateway.audit.people import PEOPLE, Pseudonyms
from gateway.audit.record import Keeping
from gateway.audit.recovery import continued
from gateway.audit.sinks import Rotation, directory_of, open_sink
from gateway.audit.upkeep import Upkeep
from gateway.audit.writer import AuditWriter
from gateway.model import Switch
from gateway.policy.load import load
from gateway.policy.policyset import PolicySet
from gateway.ports import Administered, Clock, Store
from gateway.proxy.switches import Switches
from gateway.proxy.upstream import Pool, Timeouts, tls_context
from gateway.settings import Settings
from gateway.state import Terms, open_store
from gateway.state.switches import SwitchFile
from gateway.state.terms import PULSE_SECONDS


def audit_keys(settings: Settings) -> Keys:
    """Give the keys of the audit log, made where there are none; digests are made with the first.

    Raises:
        AuditError: they cannot be read or made.
    """
    return load_or_make_keys(key_file(settings))


def key_file(settings: Settings) -> Path:
    """Give the path of the file of keys: in the data directory where nothing else is said."""
    path: Path = settings["audit.key_file"] or settings["data.directory"] / "audit.key"
    return path


def state_url(settings: Settings) -> str:
    """Give the URL of state: a file in the data directory where nothing else is said."""
    data: Path = settings["data.directory"]
    return settings["state.url"] or f"sqlite:///{(data / 'state.db').absolute()}"


def state_terms(settings: Settings, tell: Callable[..., None], key: bytes | None = None) -> Terms:
    """Say how state is to behave.

    Args:
        tell: as `Terms.tell`.
        key: of the audit log, where digests are made with it.
    """
    return Terms(
        keep=settings["state.keep"],
        timeout=settings["state.timeout"],
        posts=settings["state.posts"],
        accept_loss=settings["state.after_loss"] == "accept",
        note=settings["data.directory"] / f"state-{_name(settings)}.epoch",
        mending=2 * PULSE_SECONDS,
        identity=derived(key, "state").hex()[:16] if key else "",
        tell=tell,
    )


def _name(settings: Settings) -> str:
    """Name the state, so that a note of one is not taken for that of another."""
    url = urlsplit(state_url(settings))
    place = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"  # no password
    return hashlib.sha256(place.encode()).hexdigest()[:8]


def open_state(settings: Settings, terms: Terms) -> Administered:
    """Open the store that the settings name.

    Raises:
        StoreError: it cannot be opened.
    """
    return open_store(state_url(settings), terms)


def sink_urls(settings: Settings) -> tuple[str, ...]:
    """Give the URLs of the audit log's sinks: a directory of the data directory by default."""
    data: Path = settings["data.directory"]
    return settings["audit.sinks"] or (f"file://{(data / 'audit').absolute()}",)


def audit_directories(settings: Settings) -> list[Path]:
    """Give the directories among the sinks."""
    urls = sink_urls(settings)
    return [directory_of(url) for url in urls if url.startswith("file:")]


def open_audit(settings: Settings, keys: Keys, clock: Clock) -> AuditWriter:
    """Open the audit log as a new writer, for what an operator does.

    Raises:
        AuditError: it cannot be opened.
    """
    chain = begun(f"{socket.gethostname()}-{secrets.token_hex(4)}", keys)
    return _open_audit(settings, keys, clock, chain)


def serve_audit(
    settings: Settings,
    keys: Keys,
    clock: Clock,
    on_sync: Callable[[float], None],
    on_write: Callable[[str], None],
    tell: Callable[..., None],
) -> AuditWriter:
    """Open the audit log as a gateway does: it goes on with the chain of one that ended.

    Its directories must be locked against other starts.

    Args:
        on_sync, on_write: as `AuditWriter` takes them.
        tell: takes an event for the log, from any thread.

    Raises:
        AuditError: it cannot be opened.
    """
    host = socket.gethostname()
    chain = continued(audit_directories(settings), host, keys)
    goes_on = chain is not None
    upkeep = Upkeep(
        audit_directories(settings),
        keys,
        clock,
        tell,
        checkpoints=settings["audit.checkpoint"] or (),
        every=settings["audit.checkpoint_every"],
        compress=settings["audit.compress"],
        retention=settings["audit.retention"],
        people=None if settings["audit.retention"] is None else open_people(settings, keys, clock),
    )
    chain = chain or begun(f"{host}-{secrets.token_hex(4)}", keys)
    audit = _open_audit(settings, keys, clock, chain, on_sync, on_write, upkeep)
    if goes_on:
        audit.told("audit.opened")
    return audit


def _open_audit(
    settings: Settings,
    keys: Keys,
    clock: Clock,
    chain: Chain,
    on_sync: Callable[[float], None] = lambda _: None,
    on_write: Callable[[str], None] = lambda _: None,
    upkeep: Upkeep | None = None,
) -> AuditWriter:
    rotation = Rotation(size=settings["audit.segment"], age=settings["audit.rotate"])
    people = PEOPLE[settings["audit.people"]](people_file(settings), people_key(keys), clock)
    return AuditWriter(
        [open_sink(url, chain.writer, rotation) for url in sink_urls(settings)],
        chain,
        clock,
        on_sync,
        on_write=on_write,
        keeping=Keeping(content=settings["audit.content"], people=people),
        min_free=settings["audit.min_free"],
        upkeep=upkeep,
    )


def people_file(settings: Settings) -> Path:
    """Give the path of the file that leads from pseudonyms to people."""
    data: Path = settings["data.directory"]
    return data / "people.db"


def people_key(keys: Keys) -> bytes:
    """Give the key of that file."""
    return derived(keys.first, "people")


def open_people(settings: Settings, keys: Keys, clock: Clock) -> Pseudonyms | None:
    """Open that file: where records have pseudonyms, and where it is left of when they had.

    Raises:
        AuditError: it cannot be opened.
    """
    path = people_file(settings)
    if settings["audit.people"] != "pseudonym" and not path.exists():
        return None
    return Pseudonyms(path, people_key(keys), clock)


def with_shipped(settings: Settings) -> bool | None:
    """Tell whether shipped policies apply, as `policy.load.sources` takes it."""
    word = settings["policies.shipped"]
    return None if word == "auto" else word == "true"


def load_policies(settings: Settings) -> PolicySet:
    """Load the policies that the settings name, as they judge in guard.

    Raises:
        PolicyError: with all problems.
    """
    today = datetime.datetime.now(datetime.UTC).date()
    return load(
        settings["policies.directory"],
        today=today,
        shipped=with_shipped(settings),
        kept=settings["state.keep"],
    )


def open_pool(settings: Settings) -> Pool:
    """Make the connections to SOE."""
    origin = settings["upstream.url"]
    ca_file = settings["upstream.ca_file"]
    return Pool(
        origin,
        ssl_context=tls_context(str(ca_file) if ca_file else None)
        if origin.scheme == "https"
        else None,
        timeouts=Timeouts(
            connect=settings["upstream.connect_timeout"],
            first_byte=settings["upstream.first_byte_timeout"],
            total=settings["upstream.total_timeout"],
        ),
        connections=settings["upstream.connections"],
    )


def open_switches(
    settings: Settings,
    store: Store,
    clock: Clock,
    *,
    tell: Callable[[Switch], None],
    fails: Callable[[str, Exception], None],
) -> Switches:
    """Give the switches of integrations, which this machine keeps in the data directory too.

    Args:
        tell: as of `Switches`, and `fails`.
    """
    file = SwitchFile(settings["data.directory"] / "switches.jsonl")
    return Switches(file, store, clock, tell=tell, fails=fails)
