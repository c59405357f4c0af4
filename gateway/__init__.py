"""soe-write-gateway: the reverse proxy that judges what integrations write to Stack Overflow Enterprise."""

__version__ = "0.1.0"
