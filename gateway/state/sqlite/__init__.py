"""State in one SQLite file, shared by the processes of one machine.

`store` holds the statements, `file` opens and mends the file, `transactions` is the one thread that
uses the connection, `janitor` another that tidies up behind it.
"""

from gateway.state.sqlite.store import SqliteStore, open_sqlite

__all__ = ["SqliteStore", "open_sqlite"]
