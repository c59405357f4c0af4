"""Holds the audit log against the site: what was written around it, and what became of posts.

`site` reads posts through API v2.3, `accounts` tells under whose names integrations write, `doubts`
looks for the texts of writes whose outcome is open, `reconcile` puts these together, `fate` counts
what was deleted, closed or voted down. Nothing is written to the site. No text leaves this package.
"""
