"""All settings: what they are, how they are read, what stands for them and what they mean.

To add one, add a field: its `Setting` is the one place that says all of this. Dotted names,
variables, flags and the reference page come from here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from gateway.model import Contact
from gateway.proxy.upstream import Origin
from gateway.settings import readers
from gateway.settings.readers import Address, Network, Read

PREFIX = "SOE_GATEWAY_"
_NOTHING = re.compile(r"(?!)")
_ALL = re.compile(r"(?s).+")
_CREDENTIALS = re.compile(r"(?<=://).*(?=@)|(?<=password=)[^&]*")
"""In the URL of a store. An address of Redis holds no other `@`."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How one setting is read, what stands for it where nobody sets it, and what it means.

    Without a default the value is None, unless it is `required`. `flag` is that of `serve`. What
    `hide` finds in a value is shown to nobody. An `example` stands in the example file.
    """

    read: Read
    default: str
    meaning: str
    flag: str = ""
    required: bool = False
    example: str = ""
    hide: re.Pattern[str] = _NOTHING


@dataclass(frozen=True, slots=True)
class Written:
    """A value as it was written, and where: `gateway.yaml:3:4`, `default`."""

    value: str
    origin: str


# fmt: off


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The gateway's own listeners."""

    listen: Annotated[Address, Setting(readers.address, "127.0.0.1:8080", "where the proxy listens; port 0 takes a free one", flag="--listen")]
    admin_listen: Annotated[Address, Setting(readers.address, "127.0.0.1:9180", "where health, metrics and the console listen", flag="--admin-listen")]
    workers: Annotated[int, Setting(readers.whole(1, 64), "1", "processes that share the port; more than one under a supervisor", flag="--workers")]
    public_url: Annotated[Origin | None, Setting(readers.origin, "", "where clients and people reach the gateway, as https://gateway.example.com, for links in its answers; as each request names it without it", example="https://gateway.example.com")]
    tls_cert: Annotated[Path | None, Setting(readers.file, "", "certificate chain for clients, PEM", flag="--tls-cert", example="/etc/soe-gateway/tls.crt")]
    tls_key: Annotated[Path | None, Setting(readers.file, "", "its private key, PEM", flag="--tls-key", example="/etc/soe-gateway/tls.key")]
    tls_client_ca: Annotated[Path | None, Setting(readers.file, "", "authorities of client certificates, PEM: whoever shows one is checked by them, and known by its names; nobody has to", example="/etc/soe-gateway/clients.pem")]
    head_timeout: Annotated[float, Setting(readers.seconds, "5s", "how long a request's head may take")]
    body_timeout: Annotated[float, Setting(readers.seconds, "20s", "how long a request's body may take")]
    idle_timeout: Annotated[float, Setting(readers.seconds, "60s", "how long an idle connection is kept")]
    drain: Annotated[float, Setting(readers.seconds, "25s", "how long a stop waits for what is in flight")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Stack Overflow Enterprise, and the way to it."""

    url: Annotated[Origin, Setting(readers.origin, "", "Stack Overflow Enterprise, as https://host", flag="--upstream", required=True, example="https://soe.example.com")]
    ca_file: Annotated[Path | None, Setting(readers.file, "", "authorities that SOE's certificate is checked by, PEM; the system's without it", example="/etc/soe-gateway/authorities.pem")]
    allow_http: Annotated[bool, Setting(readers.switch, "false", "allows plain HTTP to another machine")]
    connect_timeout: Annotated[float, Setting(readers.seconds, "5s", "how long connecting may take")]
    first_byte_timeout: Annotated[float, Setting(readers.seconds, "30s", "how long SOE may take to begin its answer")]
    total_timeout: Annotated[float, Setting(readers.seconds, "60s", "how long an exchange with SOE may take")]
    connections: Annotated[int, Setting(readers.whole(1, 10_000), "100", "connections to SOE at most, for each worker")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """Which policies are in force."""

    directory: Annotated[Path | None, Setting(readers.directory, "", "the site's own policy files; without it the shipped ones apply", flag="--policies", example="/etc/soe-gateway/policies")]
    shipped: Annotated[str, Setting(readers.word("auto", "true", "false"), "auto", "whether shipped policies apply beside the site's own; auto: where it has an overrides.yaml")]
    canary: Annotated[float, Setting(readers.seconds, "1m", "how often a write that must be refused is tried, to prove that the gate is shut; nothing of it reaches SOE")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posture:
    """Whether rules decide."""

    mode: Annotated[str, Setting(readers.word("guard", "discover"), "guard", "guard: rules decide; discover: for a time every rule only warns and anybody may write, to learn who writes what; posture sets it too")]
    until: Annotated[date, Setting(readers.day, "", "the last day of discover (UTC), at most 30 days ahead; then rules decide again", example="2027-01-31")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """Writes that wait for a person to confirm them."""

    open_for: Annotated[float, Setting(readers.seconds, "15m", "how long a held write waits for a person, and a confirmed one for its request")]
    per_integration: Annotated[int, Setting(readers.whole(1, 1_000), "20", "so many writes of an integration may be held in that time; more are refused")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """How people show who they are, on the page on which they confirm."""

    issuer: Annotated[str | None, Setting(readers.issuer, "", "the OpenID provider at which people sign in to confirm what is held, as its tokens name it; its redirect URI is server.public_url followed by /_gateway/signed-in", example="https://id.example.com/realms/staff")]
    client_id: Annotated[str | None, Setting(readers.text, "", "what the provider calls the gateway", example="soe-gateway")]
    client_secret: Annotated[str | None, Setting(readers.text, "", "the gateway's secret there; give it as a file", example="(better as a file: SOE_GATEWAY_SIGN_IN_CLIENT_SECRET_FILE)", hide=_ALL)] = field(repr=False)
    scopes: Annotated[str, Setting(readers.scopes, "openid email profile", "what is asked of the provider")]
    header: Annotated[str | None, Setting(readers.field, "", "the header field in which a proxy of proxy.trusted tells the e-mail address of who signed in there, as X-Forwarded-Email; from anybody else it counts for nothing", example="x-forwarded-email")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """Who may look at the console of the admin listener, and act there."""

    viewers: Annotated[tuple[str, ...] | None, Setting(readers.admitted, "", "who may look at the console: digests of tokens (sha256:…, as `soe-gateway keys new` makes them) and, where people sign in, e-mail addresses and group:NAME; with no operator either, the console is off", example="group:knowledge")]
    operators: Annotated[tuple[str, ...] | None, Setting(readers.admitted, "", "who may also act there, as switch an integration off", example="jane@example.com")]
    url: Annotated[Origin | None, Setting(readers.origin, "", "where people reach the console, as https://gateway-admin.example.com, if something stands before it; as each request names it without it. At the OpenID provider its redirect URI is this, followed by /console/signed-in", example="https://gateway-admin.example.com")]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where caps are counted and posts remembered."""

    url: Annotated[str | None, Setting(readers.store, "", "where caps and posts are remembered: sqlite:///path, redis://host, rediss://host, unix:///path or memory:; sqlite in the data directory without it", flag="--state", example="redis://state.example.com", hide=_CREDENTIALS)]
    keep: Annotated[float, Setting(readers.seconds, "90d", "how long they are remembered; no rule may look back further")]
    posts: Annotated[int, Setting(readers.whole(1, 2**27), "262144", "among how many posts, the newest, near-copies are found, in SQLite: 96 bytes for each on disk and in memory; `memory:` takes 65536 at most, Redis all")]
    timeout: Annotated[float, Setting(readers.seconds, "800ms", "how long a call may take; then writes that ask state are refused")]
    after_loss: Annotated[str, Setting(readers.word("refuse", "accept"), "refuse", "where the state came back without what it held: refuse what asks it until an operator accepts the loss, or accept it")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Where decisions and outcomes are recorded."""

    sinks: Annotated[tuple[str, ...] | None, Setting(readers.sinks, "", "where the audit log goes, one or more of file:///directory and stdout:; a file in the data directory without it", flag="--audit", example="file:///var/log/soe-gateway")]
    key_file: Annotated[Path | None, Setting(readers.path, "", "the key that proves the audit log; made in the data directory without it; to change it, add a line `id:key`, whose key signs from the next start on, and leave the others there", example="/run/secrets/audit.key")]
    segment: Annotated[int, Setting(readers.size, "64MiB", "how large a file of the log grows before the next is begun")]
    rotate: Annotated[float, Setting(readers.seconds, "1d", "how old it grows before that")]
    compress: Annotated[bool, Setting(readers.switch, "false", "whether files that are complete are compressed, to .jsonl.gz")]
    retention: Annotated[float | None, Setting(readers.seconds, "", "how old records grow before they are removed, as 400d, a file at a time, with the people of whom none is left; kept for ever without it", example="400d")]
    min_free: Annotated[int, Setting(readers.size, "64MiB", "how much of the disk stays free: with less, writes are refused, while outcomes of earlier ones are still recorded")]
    checkpoint: Annotated[tuple[str, ...] | None, Setting(readers.sinks, "stdout:", "where it is told how far each chain has come, so that a cut at its end shows: stdout: (a line in the log) and file:///directory, on another disk or machine")]
    checkpoint_every: Annotated[float, Setting(readers.seconds, "1m", "how often")]
    content: Annotated[str, Setting(readers.word("none", "excerpt", "full"), "none", "how much of a post's title and body the record of its decision keeps: none, excerpt (the first 200 characters of each) or full")]
    people: Annotated[str, Setting(readers.word("pseudonym", "name", "none"), "pseudonym", "how people stand in records: by a pseudonym that `soe-gateway audit forget` can cut off from the person, by name, which nothing but age removes, or not at all")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Files that the gateway makes for itself."""

    directory: Annotated[Path, Setting(readers.path, "data", "where the gateway keeps its files", flag="--data")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anonymous:
    """Callers that nobody registered."""

    read: Annotated[str, Setting(readers.word("allow", "refuse"), "allow", "reads by callers that nobody registered")]
    write: Annotated[str, Setting(readers.word("allow", "refuse"), "refuse", "writes by callers that nobody registered; identify.anonymous sets it too")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identify:
    """How callers are told apart."""

    anonymous: Anonymous
    person: Annotated[str, Setting(readers.word("off", "lookup"), "off", "whether SOE is asked whose token it is with every write; off: where a rule needs it")]
    person_timeout: Annotated[float, Setting(readers.seconds, "500ms", "how long a write waits for that; then who acts is not known")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteContact:
    """Whom refused integrations are told to ask."""

    name: Annotated[str, Setting(readers.text, "", "whom refused integrations are told to ask", required=True, example="Knowledge Team")]
    url: Annotated[str | None, Setting(readers.text, "", "a page about registration", example="https://wiki.example.com/write-gateway")]
    email: Annotated[str | None, Setting(readers.text, "", "an address for registration", example="knowledge@example.com")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The site that the gateway stands before."""

    contact: SiteContact


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """What stands before the gateway."""

    trusted: Annotated[tuple[Network, ...] | None, Setting(readers.networks, "", "networks of proxies before the gateway whose X-Forwarded-For counts", example="10.0.0.0/8")]
    client_certificate: Annotated[str, Setting(readers.field, "", "the header field in which they tell a client's certificate, as Envoy's x-forwarded-client-cert or PEM in URL encoding; from anybody else it is refused", example="x-forwarded-client-cert")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What is logged."""

    level: Annotated[str, Setting(readers.word("debug", "info", "warning", "error"), "info", "how much is logged")]


# fmt: on


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, read. `written` tells of each, by its dotted name, where its value stands."""

    server: Server
    upstream: Upstream
    policies: Policies
    posture: Posture
    holds: Holds
    sign_in: SignIn
    console: Console
    state: State
    audit: Audit
    data: Data
    identify: Identify
    site: Site
    proxy: Proxy
    log: Log
    written: Mapping[str, Written] = field(default_factory=dict, repr=False)

    def __getitem__(self, name: str) -> Any:
        """The value of a setting by its dotted name; None where it has none."""
        value: Any = self
        for part in name.split("."):
            value = getattr(value, part)
        return value

    @property
    def contact(self) -> Contact:
        """Whom refused integrations are told to ask."""
        contact = self.site.contact
        return Contact(name=contact.name, url=contact.url or "", email=contact.email or "")


def _walk(kind: type, prefix: str = "") -> Iterator[tuple[str, Setting]]:
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if hasattr(hint, "__metadata__"):
            yield prefix + name, hint.__metadata__[0]
        elif hasattr(hint, "__dataclass_fields__"):
            yield from _walk(hint, f"{prefix}{name}.")


TABLE: Mapping[str, Setting] = dict(_walk(Settings))
"""Every setting by its dotted name."""
FLAGS: Mapping[str, str] = {setting.flag: name for name, setting in TABLE.items() if setting.flag}
"""The flags of `serve`, and the settings that they set."""
SECTIONS = {name[:end] for name in TABLE for end, char in enumerate(name) if char == "."}
"""The dotted names of the sections."""
SHORT = {"identify.anonymous": "identify.anonymous.write", "posture": "posture.mode"}
"""What a single word in the place of a section sets."""


def variable(name: str) -> str:
    """Give the environment's name of a setting."""
    return PREFIX + name.replace(".", "_").upper()


def settings_from(values: Mapping[str, Any], written: Mapping[str, Written]) -> Settings:
    """Put values by dotted name into their sections."""
    settings: Settings = _section(Settings, "", {**values, "written": written})
    return settings


def _section(kind: type, prefix: str, values: Mapping[str, Any]) -> Any:
    hints = get_type_hints(kind).items()
    return kind(
        **{
            name: values[prefix + name]
            if prefix + name in values
            else _section(hint, f"{prefix}{name}.", values)
            for name, hint in hints
        }
    )


def settings_reference() -> str:
    """Give the table of all settings, in Markdown."""
    rows = [
        f"| `{name}` | `{variable(name)}` | {_code(setting.flag)} | "
        f"{'required' if setting.required else _code(setting.default)} | {setting.meaning} |"
        for name, setting in TABLE.items()
    ]
    heads = "| setting | environment | flag of `serve` | default | meaning |"
    return "\n".join([heads, "|---|---|---|---|---|", *rows])


def _code(written: str) -> str:
    return f"`{written}`" if written else "–"
