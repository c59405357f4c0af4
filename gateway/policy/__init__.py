"""Policies: the language admins write, and the decision point that judges a write by it."""
