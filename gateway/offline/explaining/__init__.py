"""Why a write is decided as it is, and why texts are alike.

`walk` leads a write past every rule, `http_file` reads the write that somebody noted down, `texts`
compares two.
"""
