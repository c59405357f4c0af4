"""SOE's API as data: which endpoints there are, how a post is read, how its clients are answered.

Pure. A new endpoint is a row in `v3.py`, `v23.py` or `other.py`. Laws: the raw target is what is
classified; what two parsers could read differently is refused, never repaired; what no row names
is a write, and is refused.
"""
