"""The parts that commands put together from settings: key, state, audit log, the way to SOE."""

from __future__ import annotations

import datetime
import hashlib
import secrets
import socket
from collections.abc import Callable, Collection
from pathlib import Path
from urllib.parse import urlsplit

from gateway.audit.chain import Chain, begun
from gateway.audit.key import Keys, derived, load_or_make_keys
from gateway.audit.people import PEOPLE
from gateway.audit.record import Keeping
from gateway.audit.recovery import continued
from gateway.audit.sinks import Rotation, directory_of, open_sink
from gateway.audit.upkeep import Upkeep
from gateway.audit.writer import AuditWriter
from gateway.model import Switch
from gateway.observe.observer import Observer
from gateway.pages.confirm import Confirm
from gateway.pages.oidc import Provider
from gateway.pages.people import People
from gateway.pages.session import Sessions
from gateway.pages.signin import SignIn
from gateway.policy.load import load
from gateway.policy.policyset import PolicySet
from gateway.policy.posture import discovering, ends
from gateway.ports import Administered, Clock, Recorder, Store
from gateway.proxy.holds import Holds
from gateway.proxy.reload import Policies
from gateway.proxy.switches import Switches
from gateway.proxy.upstream import Origin, Pool, Timeouts, tls_context
from gateway.seal import Seal
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


def audit_key(settings: Settings) -> bytes:
    """Give the key that digests are made with.

    Raises:
        AuditError: it cannot be read or made.
    """
    return audit_keys(settings).first


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
    secret = derived(keys.first, "people")
    people = PEOPLE[settings["audit.people"]](people_file(settings), secret)
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


def open_policies(
    settings: Settings, clock: Clock, observer: Observer, *, secrets: bool
) -> Policies:
    """Load the policies that the settings name, as they are in force, to be watched.

    Args:
        secrets: whether what integrations are sent with is read, too.

    Raises:
        PolicyError: with all problems.
    """

    def loaded() -> PolicySet:
        return load(
            settings["policies.directory"],
            today=datetime.datetime.fromtimestamp(clock.now(), datetime.UTC).date(),
            shipped=with_shipped(settings),
            kept=settings["state.keep"],
            secrets=secrets,
        )

    def in_force(policies: PolicySet) -> PolicySet:
        posture = settings.posture
        is_discovering = posture.mode == "discover" and clock.now() < ends(posture.until)
        return discovering(policies) if is_discovering else policies

    return Policies(loaded, settings["policies.directory"], observer, in_force)


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


def open_holds(
    settings: Settings, store: Store, audit: Recorder, key: bytes, clock: Clock, observer: Observer
) -> Holds:
    """Give the holds of the site, which stand in the state.

    Args:
        key: of the audit log, so that all replicas read what one of them sealed.
    """
    return Holds(
        store=store,
        audit=audit,
        clock=clock,
        observer=observer,
        seal=Seal(derived(key, "holds")),
        new_id=lambda: secrets.token_hex(16),
        open_for=settings["holds.open_for"],
        per_integration=settings["holds.per_integration"],
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


def open_provider(
    settings: Settings, clock: Clock, groups: Collection[str] = ()
) -> Provider | None:
    """Make the client of the OpenID provider, where there is one.

    Args:
        groups: as of `Provider`.
    """
    if settings["sign_in.issuer"] is None:
        return None
    return Provider(
        settings["sign_in.issuer"],
        settings["sign_in.client_id"],
        settings["sign_in.client_secret"],
        settings["sign_in.scopes"],
        now=clock.now,
        groups=groups,
    )


def open_people(
    settings: Settings, key: bytes, clock: Clock, observer: Observer, holds: Holds
) -> People:
    """Make the pages on which people sign in and decide.

    Args:
        key: of the audit log, so that all replicas read the same cookies.
    """
    sessions = Sessions(
        seal=Seal(derived(key, "sessions")),
        clock=clock,
        secret=derived(key, "forms"),
        header=(settings["sign_in.header"] or "").encode(),
        trusted=settings["proxy.trusted"] or (),
    )
    provider = open_provider(settings, clock)
    sign_in = None if provider is None else SignIn(provider=provider, sessions=sessions)
    public: Origin | None = settings["server.public_url"]
    return People(
        confirm=Confirm(
            holds=holds,
            sessions=sessions,
            contact=settings.contact,
            site=settings["upstream.url"].url.decode(),
            can_sign_in=sign_in is not None,
        ),
        sign_in=sign_in,
        observer=observer,
        public_url=public.url.decode() if public else "",
    )
