"""The example file: every setting, as a deployment would begin with."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from typing import get_type_hints

from gateway.settings.table import Setting, Settings, variable

_HEAD = """\
# gateway.yaml: every setting of the gateway, with its default and what it means. Made by `make gen`.
#
# What is left out keeps its default; only upstream.url and site.contact.name must be given. Each
# setting can also be given by the environment variable that stands above it, by that variable with
# _FILE behind it, which names a file that holds the value, and some by a flag of `serve`. Flags win
# over variables, variables over this file. `soe-gateway check --settings FILE` finds what is wrong."""


def settings_example() -> str:
    """Give a settings file with every setting; what has no default is commented out."""
    return "\n".join([_HEAD, *_example(Settings, ""), ""])


def _example(kind: type, prefix: str) -> Iterator[str]:
    """Give the lines of a section, a blank one before each entry."""
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if hasattr(hint, "__metadata__"):
            yield from ("", *_entry(prefix + name, hint.__metadata__[0]))
        elif hasattr(hint, "__dataclass_fields__"):
            below = [*_example(hint, f"{prefix}{name}.")]
            is_set = any(line.strip()[:1] not in ("", "#") for line in below)
            yield from ("", f"# {hint.__doc__}", f"{'' if is_set else '# '}{name}:")
            yield from (line and f"  {line}" for line in below)


def _entry(name: str, setting: Setting) -> Iterator[str]:
    yield from (f"# {line}" for line in textwrap.wrap(setting.meaning, 94))
    yield f"# {', '.join(filter(None, (variable(name), setting.flag)))}"
    is_set = bool(setting.default) or setting.required
    value = _quoted(setting.default or setting.example)
    yield f"{'' if is_set else '# '}{name.rpartition('.')[2]}: {value}".rstrip()


def _quoted(text: str) -> str:
    """Give a value with quotes where YAML would take it for something else."""
    is_plain = re.fullmatch(r"[\w./:@+ -]*[\w/]|", text) and text not in ("on", "off", "yes", "no")
    return text if is_plain else json.dumps(text)
