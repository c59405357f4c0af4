"""What runs without a gateway, a room for each command.

`testing` plays the tests that stand in policy files (`test`, `check`), `records` reads audit logs,
`replaying` judges what they hold again (`replay`), `explaining` shows a write past every rule and
two texts side by side (`explain`), `propose` drafts registrations (`integrations propose`), `seed`
reads what stands on a site (`seed`). Above `records` and `replaying`, no room knows another.
"""
