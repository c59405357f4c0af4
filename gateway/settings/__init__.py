"""Settings: flags over environment over `gateway.yaml` over defaults.

Wherever a value was written, the same strict readers read it, so every mistake is told at once,
with its place. `table` holds all settings, `readers` the kinds of values, `load` the sources.
"""

from gateway.settings.load import load_settings
from gateway.settings.table import FLAGS, TABLE, Settings, settings_reference

__all__ = ["FLAGS", "TABLE", "Settings", "load_settings", "settings_reference"]
