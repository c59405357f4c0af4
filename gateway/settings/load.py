"""Reads the sources of settings, one over the other, and finds what is wrong in any of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from gateway.errors import ConfigError
from gateway.parse import Mapping as MappingNode
from gateway.parse import Mark, Node, Reader, Scalar, Sequence, nearest
from gateway.policy.posture import LONGEST
from gateway.proxy.upstream import Origin
from gateway.settings.readers import Address
from gateway.settings.table import (
    PREFIX,
    SECTIONS,
    SHORT,
    TABLE,
    Settings,
    Written,
    settings_from,
    variable,
)
from gateway.settings.weak import is_loopback

DEFAULT_FILE = Path("gateway.yaml")

Given = dict[str, tuple[Reader, Node]]
"""What a source says: a node for a setting's dotted name, and the reader that knows its place."""

_START = Mark(1, 1)
_OTHERS = {f"{PREFIX}{name}" for name in ("CONFIG", "SEED_KEY", "SEED_TOKEN", "SHARED")}
"""Variables that are no settings: the file, `seed`'s credentials, and where tests find their data."""


class _WordReader(Reader):
    """Reads a word that has a name instead of a place."""

    def __init__(self, path: str, name: str) -> None:
        super().__init__(path)
        self._name = name

    def problem(self, at: Node | Mark, text: str) -> None:
        super().problem(at, f"{self._name}: {text}")

    def place(self, at: Node | Mark) -> str:
        return f"{self.path} {self._name}"


def load_settings(
    *,
    flags: Mapping[str, str],
    environ: Mapping[str, str],
    config: Path | None = None,
    required: Collection[str] | None = None,
    today: date | None = None,
) -> Settings:
    """Read all sources.

    Args:
        flags: of the command line, by dotted name; lists are separated by commas.
        environ: the environment; `SOE_GATEWAY_SECTION_NAME`, or `…_FILE` for a file that holds it.
        config: the file; without it `SOE_GATEWAY_CONFIG`, or `gateway.yaml` where there is one.
        required: the settings that must be given; None for all that `serve` needs.
        today: for what has an end; None for the day that it is, in UTC.

    Raises:
        ConfigError: with every mistake of every source.
    """
    named = config or environ.get(f"{PREFIX}CONFIG")
    path = Path(named or DEFAULT_FILE)
    own = Reader(str(path))
    readers = [own]
    given: Given = {}
    if named or path.exists():
        given |= _from_file(path, own)
    given |= _from_environment(environ, readers)
    given |= _from_flags(flags, readers)
    values: dict[str, Any] = {}
    for name, setting in TABLE.items():
        default = _scalar(setting.default) if setting.default else None
        reader, node = given.get(name, (own, default))
        values[name] = None if node is None else setting.read(reader, node)
        if node is None and (setting.required if required is None else name in required):
            ways = filter(None, ("set it here", f"as {variable(name)}", setting.flag))
            own.problem(_START, f"{name} is missing; {' or '.join(ways)}")
    today = today or datetime.now(UTC).date()
    _find_contradictions(values, given, today)
    problems = {problem for reader in readers for problem in reader.problems}
    if problems:
        raise ConfigError(tuple(sorted(problems)))
    return settings_from(values, _written(given))


def _from_file(path: Path, reader: Reader) -> Given:
    try:
        root = reader.compose(path.read_bytes().decode())
    except (OSError, UnicodeDecodeError) as error:
        reader.problem(_START, f"cannot be read: {getattr(error, 'strerror', None) or error}")
        return {}
    return {} if root is None else dict(_flatten(reader, root, ""))


def _flatten(
    reader: Reader, mapping: MappingNode, prefix: str
) -> Iterator[tuple[str, tuple[Reader, Node]]]:
    for key, node in mapping.items.items():
        name = prefix + key
        if name in TABLE:
            yield name, (reader, node)
        elif name in SHORT and isinstance(node, Scalar):
            yield SHORT[name], (reader, node)
        elif name in SECTIONS:
            below = reader.mapping(node)
            if below is not None:
                yield from _flatten(reader, below, f"{name}.")
        else:
            beside = [each for each in (*TABLE, *SECTIONS) if each.startswith(prefix)]
            known = [each[len(prefix) :] for each in beside if "." not in each[len(prefix) :]]
            reader.problem(mapping.keys[key], f"unknown key {key!r}{nearest(key, known)}")


def _from_environment(environ: Mapping[str, str], readers: list[Reader]) -> Given:
    names = {variable(name): name for name in TABLE}
    names |= {variable(short): name for short, name in SHORT.items()}
    given: Given = {}
    for word, value in sorted(environ.items()):
        if not word.startswith(PREFIX) or word in _OTHERS or not value:
            continue
        reader = _WordReader("environment", word)
        readers.append(reader)
        held = word not in names and names.get(word.removesuffix("_FILE"))
        name = held or names.get(word)
        if name is None:
            reader.problem(_START, f"there is no such setting{nearest(word, names)}")
        elif name in given:
            reader.problem(_START, f"{name} is set by another variable already")
        elif text := _content(value, reader) if held else value:
            given[name] = (reader, _scalar(text))
    return given


def _content(path: str, reader: Reader) -> str:
    try:
        return Path(path).read_bytes().decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        told = getattr(error, "strerror", None) or "it is not UTF-8"
        reader.problem(_START, f"{path} cannot be read: {told}")
        return ""


def _from_flags(flags: Mapping[str, str], readers: list[Reader]) -> Given:
    given: Given = {}
    for name, value in flags.items():
        reader = _WordReader("command line", TABLE[name].flag or name)
        readers.append(reader)
        given[name] = (reader, _scalar(value))
    return given


def _scalar(text: str) -> Scalar:
    return Scalar(_START, text, quoted=True)


def _written(given: Given) -> dict[str, Written]:
    """Give what stands for each setting, and where; nothing of what is secret."""
    defaults = {name: Written(each.default, "default") for name, each in TABLE.items()}
    return defaults | {
        name: Written(TABLE[name].hide.sub("***", _text(node)), reader.place(node))
        for name, (reader, node) in given.items()
    }


def _text(node: Node) -> str:
    if isinstance(node, Sequence):
        return ", ".join(map(_text, node.items))
    return node.text if isinstance(node, Scalar) else ""


# ── what is right by itself, and wrong together ──────────────────────────────────────────────


def _find_contradictions(values: Mapping[str, Any], given: Given, today: date) -> None:
    def wrong(name: str, text: str) -> None:
        reader, node = given[name]
        reader.problem(node, text)

    origin: Origin | None = values["upstream.url"]
    in_clear = origin is not None and origin.scheme == "http" and not is_loopback(origin.host)
    if in_clear and not values["upstream.allow_http"]:
        wrong("upstream.url", "plain HTTP leaves this machine; use https, or upstream.allow_http")
    for one, other in (("cert", "key"), ("key", "cert")):
        if f"server.tls_{one}" in given and f"server.tls_{other}" not in given:
            wrong(f"server.tls_{one}", f"server.tls_{other} is missing")
    if "server.tls_client_ca" in given and "server.tls_cert" not in given:
        wrong(
            "server.tls_client_ca", "server.tls_cert is missing: certificates come with TLS alone"
        )
    if "proxy.client_certificate" in given and not values["proxy.trusted"]:
        wrong("proxy.client_certificate", "proxy.trusted is missing: nobody may tell certificates")
    _find_contradictions_of_signing_in(values, given, wrong)
    listen: Address | None = values["server.listen"]
    if listen and listen[1] and listen == values["server.admin_listen"]:
        told = "server.listen and server.admin_listen are the same address"
        wrong("server.listen" if "server.listen" in given else "server.admin_listen", told)
    if (values["server.workers"] or 1) > 1:
        if values["state.url"] == "memory:":
            told = "each of several workers would count alone; use sqlite, or server.workers: 1"
            wrong("state.url", told)
        if "stdout:" in (values["audit.sinks"] or ()):
            told = "several workers would mix their lines on stdout:; use a file, or one worker"
            wrong("audit.sinks", told)
    until: date | None = values["posture.until"]
    if values["posture.mode"] == "discover" and "posture.until" not in given:
        wrong("posture.mode", "posture.until is missing: to discover is for a time")
    if until is not None and (until - today).days > LONGEST:
        wrong("posture.until", f"at most {LONGEST} days ahead")


def _find_contradictions_of_signing_in(
    values: Mapping[str, Any], given: Given, wrong: Callable[[str, str], None]
) -> None:
    together = ("sign_in.issuer", "sign_in.client_id", "sign_in.client_secret")
    for name in together if any(each in given for each in together) else ():
        if name not in given:
            wrong(next(each for each in together if each in given), f"{name} is missing")
    if "sign_in.header" in given and not values["proxy.trusted"]:
        wrong("sign_in.header", "proxy.trusted is missing: nobody may say who signed in")
    for name in ("console.viewers", "console.operators"):
        by_name = [each for each in values[name] or () if not each.startswith("sha256:")]
        if by_name and not values["sign_in.issuer"] and not values["sign_in.header"]:
            told = (
                "nobody can sign in by name: set sign_in.issuer or sign_in.header, or use sha256:…"
            )
            wrong(name, told)
    console: Origin | None = values["console.url"]
    if console is not None and console.scheme == "http" and not is_loopback(console.host):
        wrong("console.url", "people sign in over https alone: else their session can be taken")
    public: Origin | None = values["server.public_url"]
    in_clear = public is not None and public.scheme == "http" and not is_loopback(public.host)
    if in_clear and ("sign_in.issuer" in given or "sign_in.header" in given):
        told = "people sign in over https alone: else their session can be taken on its way"
        wrong("server.public_url", told)
