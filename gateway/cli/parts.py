"""Parts that several commands make from the settings."""

from __future__ import annotations

from collections.abc import Callable

from gateway.proxy.upstream import Pool, Timeouts, tls_context
from gateway.settings import Settings
from gateway.state import Terms


def pool(settings: Settings) -> Pool:
    """Make the connections to SOE."""
    origin = settings["upstream.url"]
    ca_file = settings["upstream.ca_file"]
    return Pool(
        origin,
        ssl_context=tls_context(str(ca_file) if ca_file else None)
        if origin.scheme == "https"
        else None,
        timeouts=Timeouts(
            connect=settings["upstream.connect_timeout"],
            first_byte=settings["upstream.first_byte_timeout"],
            total=settings["upstream.total_timeout"],
        ),
        connections=settings["upstream.connections"],
    )


def state_url(settings: Settings) -> str:
    """Say where state is: where the settings say, or in the data directory."""
    in_data = settings["data.directory"] / "state.db"
    return settings["state.url"] or f"sqlite:///{in_data.absolute()}"


def state_terms(settings: Settings, tell: Callable[..., None]) -> Terms:
    """Say how state is to behave.

    Args:
        tell: hears what happened to its data, as `Terms.tell`.
    """
    return Terms(
        keep=settings["state.keep"],
        timeout=settings["state.timeout"],
        accept_loss=settings["state.after_loss"] == "accept",
        note=settings["data.directory"] / "state.epoch",
        tell=tell,
    )
