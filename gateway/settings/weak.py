"""What is weaker than recommended: a row each, told at every start and by `check --settings`.

To add one, add a row: the setting that mends it, when it is weak, and what follows from it. A text
may name values, as `{posture.until}`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from ipaddress import ip_address
from pathlib import Path

from gateway.settings.table import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a start knows; `enforcing` tells whether a rule of the policies can refuse."""

    settings: Settings
    today: date
    enforcing: bool = True


@dataclass(frozen=True, slots=True)
class Weakness:
    """Something that is weaker than recommended, and the setting that mends it."""

    setting: str
    holds: Callable[[Known], bool]
    text: str


def weaknesses(known: Known) -> tuple[tuple[str, str], ...]:
    """Give the setting and the text of what is weak."""
    sections = {name: getattr(known.settings, name) for name in known.settings.__slots__}
    return tuple((row.setting, row.text.format_map(sections)) for row in WEAK if row.holds(known))


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _discovers(known: Known) -> bool:
    return known.settings.posture.mode == "discover" and not _is_over(known)


def _is_over(known: Known) -> bool:
    posture = known.settings.posture
    return posture.mode == "discover" and posture.until < known.today


def _leaves_shipped_out(known: Known) -> bool:
    policies = known.settings.policies
    own = policies.directory
    return policies.shipped == "auto" and own is not None and not (own / "overrides.yaml").exists()


def _takes_tokens_in_clear(known: Known) -> bool:
    settings = known.settings
    is_alone = is_loopback(settings.server.listen[0])
    return not (is_alone or settings.server.tls_cert or settings.proxy.trusted)


def _shows_console_in_clear(known: Known) -> bool:
    settings = known.settings
    is_on = settings.console.viewers or settings.console.operators
    is_alone = is_loopback(settings.server.admin_listen[0])
    return bool(is_on) and settings.console.url is None and not is_alone


def _syncs_nothing(known: Known) -> bool:
    sinks = known.settings.audit.sinks
    return sinks is not None and not any(url.startswith("file:") for url in sinks)


def _keeps_whole_disk_free(known: Known) -> bool:
    audit, data = known.settings.audit, known.settings.data.directory
    urls = (f"file://{data.absolute()}",) if audit.sinks is None else audit.sinks
    files = (Path(url.removeprefix("file://")) for url in urls if url.startswith("file:"))
    return any(size is not None and size < audit.min_free for size in map(_disk_size, files))


def _disk_size(directory: Path) -> int | None:
    """Give the size of the disk that a directory is on, or will be; None where nobody can tell."""
    for each in (directory, *directory.parents):
        with suppress(OSError):
            return shutil.disk_usage(each).total
    return None


def _trusts_everybody(known: Known) -> bool:
    return any(network.prefixlen == 0 for network in known.settings.proxy.trusted or ())


def _cannot_be_asked(known: Known) -> bool:
    contact = known.settings.site.contact
    return not (contact.url or contact.email)


# fmt: off
WEAK = (
    Weakness("posture.mode", _discovers, "no rule refuses anything until {posture.until} is over"),
    Weakness("posture.until", _is_over, "{posture.until} is over, so the posture is guard"),
    Weakness("policies.directory", lambda known: not (known.enforcing or _discovers(known)), "no rule enforces: every write of a registered integration passes"),
    Weakness("policies.shipped", _leaves_shipped_out, "the shipped policies do not apply, as {policies.directory} has no overrides.yaml; an empty one lets them, and `false` says that this is meant"),
    Weakness("identify.anonymous.write", lambda known: known.settings.identify.anonymous.write == "allow", "anybody may write whom no policy stops"),
    Weakness("upstream.allow_http", lambda known: known.settings.upstream.allow_http, "tokens may cross the network in clear"),
    Weakness("server.tls_cert", _takes_tokens_in_clear, "other machines reach the gateway over plain HTTP; set a certificate, or proxy.trusted where a proxy before it ends TLS"),
    Weakness("proxy.trusted", _trusts_everybody, "every caller may say from which address it comes"),
    Weakness("console.url", _shows_console_in_clear, "over plain HTTP no browser keeps a session beyond this machine"),
    Weakness("state.url", lambda known: known.settings.state.url == "memory:", "caps and posts are forgotten at every restart"),
    Weakness("state.after_loss", lambda known: known.settings.state.after_loss == "accept", "a state that lost what it held is taken as it is: caps and copies begin anew"),
    Weakness("audit.sinks", _syncs_nothing, "no sink is synced to a disk"),
    Weakness("audit.min_free", _keeps_whole_disk_free, "the disk of the audit log is smaller than what is to stay free of it, so every write is refused; set less, or take a larger disk"),
    Weakness("audit.key_file", lambda known: known.settings.audit.key_file is None, "the key was made beside the log that it proves; name a file that lies elsewhere"),
    Weakness("audit.people", lambda known: known.settings.audit.people == "none", "records name nobody: who acted can never be told"),
    Weakness("site.contact.email", _cannot_be_asked, "refusals name a contact, and no way to reach it"),
)
# fmt: on
