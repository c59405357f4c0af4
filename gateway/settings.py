"""Settings: flags over environment over `gateway.yaml` over defaults, one table of all of them.

Every value comes in as a YAML node, wherever it was written, and is read by the same strict
readers; so every mistake is told at once, with its place. To add a setting: a line in `_TABLE` and
a field in its section.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any

from gateway.audit.sinks import SINKS
from gateway.errors import ConfigError, Problem
from gateway.model import Contact
from gateway.parse import Mapping as MappingNode
from gateway.parse import Mark, Node, Reader, Scalar, Sequence, nearest
from gateway.proxy.upstream import Origin
from gateway.state import STORES

PREFIX = "SOE_GATEWAY_"
DEFAULT_FILE = Path("gateway.yaml")

Network = IPv4Network | IPv6Network
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: how it is read, what stands for it, and what it means."""

    read: Callable[[Reader, Node], Any]
    default: str
    meaning: str


# ── readers ──────────────────────────────────────────────────────────────────────────────────


def _text(reader: Reader, node: Node) -> str | None:
    return reader.text(node)


def _path(reader: Reader, node: Node) -> Path | None:
    text = reader.text(node)
    return None if text is None else Path(text)


def _existing(reader: Reader, node: Node) -> Path | None:
    path = _path(reader, node)
    if path is not None and not path.exists():
        reader.problem(node, f"{path} does not exist")
        return None
    return path


def _address(reader: Reader, node: Node) -> Address | None:
    text = node.text if isinstance(node, Scalar) else ""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        reader.problem(node, f"expected host:port, not {text!r}")
        return None
    return host.strip("[]"), int(port)


def _origin(reader: Reader, node: Node) -> Origin | None:
    text = reader.text(node)
    try:
        return None if text is None else Origin.parse(text)
    except ValueError as error:
        reader.problem(node, str(error))
        return None


def _state_url(reader: Reader, node: Node) -> str | None:
    return _url(reader, node, STORES)


def _sinks(reader: Reader, node: Node) -> tuple[str, ...] | None:
    items = node.items if isinstance(node, Sequence) else (node,)
    urls = [_url(reader, item, SINKS) for item in items if not isinstance(item, str)]
    return None if None in urls else tuple(url for url in urls if url is not None)


def _url(reader: Reader, node: Node, schemes: Mapping[str, object]) -> str | None:
    text = reader.text(node)
    if text is None:
        return None
    scheme, colon, _ = text.partition(":")
    if not colon or scheme not in schemes:
        known = ", ".join(f"{name}:" for name in schemes)
        reader.problem(node, f"expected a URL that begins with one of {known}")
        return None
    return text


def _networks(reader: Reader, node: Node) -> tuple[Network, ...] | None:
    networks = []
    for text in reader.texts(node) or ():
        try:
            networks.append(ip_network(text))
        except ValueError:
            reader.problem(node, f"{text!r} is no network such as 10.0.0.0/8")
    return tuple(networks)


def _shipped(reader: Reader, node: Node) -> str | None:
    return reader.choice(node, ("auto", "true", "false"))


def _admission(reader: Reader, node: Node) -> str | None:
    return reader.choice(node, ("allow", "refuse"))


def _none_only(reader: Reader, node: Node) -> str | None:
    return reader.choice(node, ("none",))


def _one(reader: Reader, node: Node) -> int | None:
    return reader.integer(node, at_least=1, at_most=1)


def _level(reader: Reader, node: Node) -> str | None:
    return reader.choice(node, ("debug", "info", "warning", "error"))


def _connections(reader: Reader, node: Node) -> int | None:
    return reader.integer(node, at_least=1, at_most=10_000)


def _flag(reader: Reader, node: Node) -> bool | None:
    return reader.boolean(node)


def _seconds(reader: Reader, node: Node) -> float | None:
    return reader.duration(node)


# ── the table ────────────────────────────────────────────────────────────────────────────────

_TABLE: Mapping[str, Setting] = {
    "server.listen": Setting(_address, "127.0.0.1:8080", "where the proxy listens; port 0 takes a free one"),
    "server.admin_listen": Setting(_address, "127.0.0.1:9180", "where health, metrics and console listen"),
    "server.workers": Setting(_one, "1", "processes; this version has one"),
    "server.tls_cert": Setting(_existing, "", "certificate chain for clients, PEM"),
    "server.tls_key": Setting(_existing, "", "its private key, PEM"),
    "server.idle_timeout": Setting(_seconds, "60s", "how long an idle connection is kept"),
    "server.head_timeout": Setting(_seconds, "5s", "how long a request's head may take"),
    "server.body_timeout": Setting(_seconds, "20s", "how long a request's body may take"),
    "server.drain": Setting(_seconds, "25s", "how long a stop waits for what is in flight"),
    "upstream.url": Setting(_origin, "", "Stack Overflow Enterprise, as https://host; required"),
    "upstream.ca_file": Setting(_existing, "", "authorities that SOE's certificate is checked by"),
    "upstream.allow_http": Setting(_flag, "false", "allows plain HTTP to another machine"),
    "upstream.connect_timeout": Setting(_seconds, "5s", "how long connecting may take"),
    "upstream.first_byte_timeout": Setting(_seconds, "30s", "how long SOE may take to begin its answer"),
    "upstream.total_timeout": Setting(_seconds, "60s", "how long an exchange with SOE may take"),
    "upstream.connections": Setting(_connections, "100", "connections to SOE at most"),
    "policies.directory": Setting(_existing, "", "the site's own policies; without it the shipped ones apply"),
    "policies.shipped": Setting(_shipped, "auto", "whether shipped policies apply beside the site's own; auto: where it has an overrides.yaml"),
    "state.url": Setting(_state_url, "", "where caps and posts are remembered: sqlite:///path or memory:; sqlite in the data directory without it"),
    "state.keep": Setting(_seconds, "90d", "how long they are remembered"),
    "state.timeout": Setting(_seconds, "1s", "how long a call may take"),
    "audit.sinks": Setting(_sinks, "", "where the audit log goes: file:///directory, stdout:; a file in the data directory without it"),
    "audit.key_file": Setting(_path, "", "the key that proves the audit log; made in the data directory without it"),
    "audit.content": Setting(_none_only, "none", "how much of a post's text is kept"),
    "data.directory": Setting(_path, "data", "where the gateway keeps its files"),
    "identify.anonymous.read": Setting(_admission, "allow", "reads by callers that nobody registered"),
    "identify.anonymous.write": Setting(_admission, "refuse", "writes by callers that nobody registered"),
    "site.contact.name": Setting(_text, "", "whom refused integrations are told to ask; required"),
    "site.contact.url": Setting(_text, "", "a page about registration"),
    "site.contact.email": Setting(_text, "", "an address for registration"),
    "proxy.trusted": Setting(_networks, "", "networks of proxies before the gateway whose X-Forwarded-For counts"),
    "log.level": Setting(_level, "info", "how much is logged"),
}  # fmt: skip
_REQUIRED = ("upstream.url", "site.contact.name")
_SHORT = {"identify.anonymous": "identify.anonymous.write"}
"""Settings that a single word sets for a part."""


# ── the settings ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, read. `warnings` say what is weaker than recommended."""

    values: Mapping[str, Any] = field(repr=False)
    warnings: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        """The value of a setting by its dotted name; None where it has none."""
        return self.values[name]

    @property
    def contact(self) -> Contact:
        """Whom refused integrations are told to ask."""
        return Contact(
            name=self["site.contact.name"],
            url=self["site.contact.url"] or "",
            email=self["site.contact.email"] or "",
        )


def load_settings(
    *, flags: Mapping[str, str], environ: Mapping[str, str], config: Path | None = None
) -> Settings:
    """Read all sources.

    Args:
        flags: of the command line, by dotted name.
        environ: the environment; `SOE_GATEWAY_SECTION_NAME`, or `…_FILE` for a file that holds it.
        config: the file; without it `SOE_GATEWAY_CONFIG`, or `gateway.yaml` where there is one.

    Raises:
        ConfigError: with every mistake of every source.
    """
    problems: list[Problem] = []
    named = config or (
        Path(environ["SOE_GATEWAY_CONFIG"]) if environ.get("SOE_GATEWAY_CONFIG") else None
    )
    path = named or (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    nodes: dict[str, tuple[Reader, Node]] = {}
    for found in (
        _from_file(path, problems) if path else {},
        _from_environment(environ, problems),
        _from_flags(flags),
    ):
        nodes.update(found)
    values: dict[str, Any] = {}
    for name, setting in _TABLE.items():
        reader, node = nodes.get(name, (Reader("default"), None))
        if node is None and setting.default:
            node = _scalar(setting.default)
        values[name] = None if node is None else setting.read(reader, node)
        if node is None and name in _REQUIRED:
            variable = PREFIX + name.replace(".", "_").upper()
            where = str(path or DEFAULT_FILE)
            told = f"{name} is missing; set it here, or as {variable}"
            problems.append(Problem(where, 1, 1, told))
    for reader in {id(reader): reader for reader, _ in nodes.values()}.values():
        problems += reader.problems
    problems += _contradictions(values, nodes)
    if problems:
        raise ConfigError(tuple(sorted(set(problems))))
    return Settings(values, tuple(_warnings(values)))


def _from_file(path: Path, problems: list[Problem]) -> dict[str, tuple[Reader, Node]]:
    reader = Reader(str(path))
    try:
        root = reader.compose(path.read_bytes().decode())
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(str(path), 1, 1, f"cannot be read: {error}"))
        return {}
    found: dict[str, tuple[Reader, Node]] = {}
    if root is not None:
        _flatten(reader, root, "", found)
    problems += reader.problems
    reader.problems = []
    return found


def _flatten(
    reader: Reader, mapping: MappingNode, prefix: str, found: dict[str, tuple[Reader, Node]]
) -> None:
    for key, node in mapping.items.items():
        name = prefix + key
        if name in _TABLE:
            found[name] = (reader, node)
        elif isinstance(node, MappingNode) and any(each.startswith(f"{name}.") for each in _TABLE):
            _flatten(reader, node, f"{name}.", found)
        elif name in _SHORT:
            found[_SHORT[name]] = (reader, node)
        else:
            known = {
                each[len(prefix) :].split(".")[0] for each in _TABLE if each.startswith(prefix)
            }
            told = f"unknown key {key!r}{nearest(key, known)}"
            reader.problem(mapping.keys[key], told)


def _from_environment(
    environ: Mapping[str, str], problems: list[Problem]
) -> dict[str, tuple[Reader, Node]]:
    names = {name.replace(".", "_").upper(): name for name in _TABLE}
    names |= {name.replace(".", "_").upper(): full for name, full in _SHORT.items()}
    found: dict[str, tuple[Reader, Node]] = {}
    for variable, value in sorted(environ.items()):
        word = variable.removeprefix(PREFIX)
        if word == variable or word in ("CONFIG", "SHARED"):
            continue
        reader = Reader(f"environment {variable}")
        if word not in names and word.removesuffix("_FILE") in names:
            held = _held(reader, value)
            if held is not None:
                found[names[word.removesuffix("_FILE")]] = (reader, held)
            problems += reader.problems
        elif word not in names:
            known = [PREFIX + each for each in names]
            told = f"there is no such setting{nearest(variable, known)}"
            problems.append(Problem(reader.path, 1, 1, told))
        elif value:
            found[names[word]] = (reader, _listed(names[word], value))
    return found


def _held(reader: Reader, path: str) -> Node | None:
    """Give what a file holds, for a variable that ends in `_FILE`."""
    try:
        return _scalar(Path(path).read_text().rstrip("\n"))
    except OSError as error:
        reader.problem(Mark(1, 1), f"{path} cannot be read: {error.strerror}")
        return None


def _from_flags(flags: Mapping[str, str]) -> dict[str, tuple[Reader, Node]]:
    return {
        name: (Reader(f"command line {name}"), _listed(name, value))
        for name, value in flags.items()
    }


def _listed(name: str, value: str) -> Node:
    """Make a node of a word; lists are separated by commas."""
    if _TABLE[name].read in (_sinks, _networks):
        return Sequence(Mark(1, 1), tuple(_scalar(part.strip()) for part in value.split(",")))
    return _scalar(value)


def _scalar(text: str) -> Scalar:
    return Scalar(Mark(1, 1), text, quoted=True)


def _contradictions(
    values: Mapping[str, Any], nodes: Mapping[str, tuple[Reader, Node]]
) -> list[Problem]:
    """Find what is right by itself and wrong together."""
    problems = []

    def told(name: str, text: str) -> None:
        reader, node = nodes[name]
        problems.append(Problem(reader.path, node.mark.line, node.mark.column, text))

    origin: Origin | None = values["upstream.url"]
    in_clear = origin is not None and origin.scheme == "http" and not _is_loopback(origin.host)
    if in_clear and not values["upstream.allow_http"]:
        told("upstream.url", "plain HTTP leaves this machine; use https, or upstream.allow_http")
    for one, other in (
        ("server.tls_cert", "server.tls_key"),
        ("server.tls_key", "server.tls_cert"),
    ):
        if values[one] and not values[other] and one in nodes:
            told(one, f"{other} is missing")
    return problems


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _warnings(values: Mapping[str, Any]) -> list[str]:
    found = []
    if values["identify.anonymous.write"] == "allow":
        found.append("identify.anonymous.write: anybody may write whom no policy stops")
    if values["upstream.allow_http"]:
        found.append("upstream.allow_http: tokens may cross the network in clear")
    if values["state.url"] == "memory:":
        found.append("state.url: caps and posts are forgotten at every restart")
    if values["audit.sinks"] and not any(url.startswith("file:") for url in values["audit.sinks"]):
        found.append("audit.sinks: no sink is synced to a disk")
    if not (values["site.contact.url"] or values["site.contact.email"]):
        found.append("site.contact: refusals name a contact, and no way to reach it")
    return found


def settings_reference() -> str:
    """Give the table of all settings, in Markdown."""
    rows = [
        f"| `{name}` | `{PREFIX}{name.replace('.', '_').upper()}` | "
        f"{f'`{setting.default}`' if setting.default else '–'} | {setting.meaning} |"
        for name, setting in _TABLE.items()
    ]
    return "\n".join(["| setting | environment | default | meaning |", "|---|---|---|---|", *rows])
