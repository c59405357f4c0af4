"""Settings: flags over environment over `gateway.yaml` over defaults.

Wherever a value was written, the same strict readers read it, so every mistake is told at once,
with its place. `table` holds all settings, `readers` the kinds of values, `load` the sources,
`weak` what is weaker than recommended.
"""

from gateway.settings.example import settings_example
from gateway.settings.load import load_settings
from gateway.settings.table import (
    FLAGS,
    TABLE,
    Settings,
    settings_reference,
)
from gateway.settings.weak import Known, weaknesses

__all__ = [
    "FLAGS",
    "TABLE",
    "Known",
    "Settings",
    "load_settings",
    "settings_example",
    "settings_reference",
    "weaknesses",
]
