"""State in one SQLite file, shared by the processes of one machine.

`store` is what is asked of it, over `rows` of writes, `caps`, `keys`, and lists of near-copies
(`near`, whose `table` is a mapped file of its own); `file` opens and mends the file, `schema` says
what is in it; `transactions` is the one thread that uses the connection, `janitor` another that
tidies up behind it.
"""

from gateway.state.sqlite.store import SqliteStore, open_sqlite

__all__ = ["SqliteStore", "open_sqlite"]
