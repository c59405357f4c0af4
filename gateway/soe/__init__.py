"""Stack Overflow Enterprise's API as data, and the strict readers of what is sent to it. Pure.

To add an endpoint: one row in `v3`, `v23` or `other`. `api` finds the row of a request, `head` and
`read` take from it what rules look at, `credentials` whose it is, `answers` speaks to the caller.

Law: what two parsers could read differently is refused, never repaired.
"""
