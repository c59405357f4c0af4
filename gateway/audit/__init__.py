"""The audit log: what was decided before anything was sent, and what became of it.

Laws: a decision is durable before its write is sent; every forwarded write has one outcome, also
after kill -9; a file whose write or sync failed is never trusted again; no secret and no text of a
post stands in a record. A new sink is a class in `sinks.py` and a line in its `SINKS`.
"""
