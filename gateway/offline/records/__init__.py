"""Audit logs, read.

`read` gives the records of files, `decision` what one says of a write, and `order` the order in
which state was asked.
"""
