"""A page as an answer: a template, filled, with header fields by which it can do nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.model import Headers
from gateway.proxy.exchange import Response

PAGES = "gateway.pages"
HTML, JSON, CSS = b"text/html; charset=utf-8", b"application/json", b"text/css"
SCRIPT = b"text/javascript"
_POLICY = (
    b"default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action "
)
_LIVE = b"; script-src 'self'; connect-src 'self'"
_SAFE: Headers = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    # Other sites learn nothing; with `no-referrer` our own forms would come without their Origin.
    (b"referrer-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (b"vary", b"accept, authorization, cookie, x-gateway-key"),
)


def answer(
    content_type: bytes,
    body: bytes,
    *,
    status: int = 200,
    forms: bool = False,
    live: bool = False,
    fields: Iterable[tuple[bytes, bytes]] = (),
) -> Response:
    """Give an answer that runs no script, is framed by nobody, and is kept nowhere.

    Args:
        forms: it may hold forms, which go to this very origin.
        live: it runs scripts that are files of this origin, which may ask this origin.
        fields: header fields beside.
    """
    length = (b"content-length", b"%d" % len(body))
    policy = (
        b"content-security-policy",
        _POLICY + (b"'self'" if forms else b"'none'") + (_LIVE if live else b""),
    )
    return Response(
        status, ((b"content-type", content_type), length, policy, *_SAFE, *fields), body
    )


def see_other(location: str, fields: Iterable[tuple[bytes, bytes]] = ()) -> Response:
    """Send the browser to another place, which it is to read."""
    place = (b"location", location.encode("latin-1"))
    return answer(HTML, b"", status=303, fields=(place, *fields))


def rendered(template: str, *, package: str = PAGES, **told: Any) -> bytes:
    """Fill a template, which stands in the folder `templates` of a package."""
    return _templates(package).get_template(template).render(**told).encode()


@cache
def _templates(package: str) -> Environment:
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = _moment
    environment.filters["second"] = _second
    environment.filters["machine"] = _machine
    return environment


def _moment(at: float) -> str:
    """An instant, to the minute; in UTC, for the page runs nothing that would know another zone."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _second(at: float) -> str:
    """An instant, to the second; the year is left to who can tell it from the page."""
    return datetime.fromtimestamp(at, UTC).strftime("%d %b %H:%M:%S")


def _machine(at: float) -> str:
    """An instant, as the attribute `datetime` of HTML has it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def part(name: str, package: str = PAGES) -> bytes:
    """Give a file that the pages of a package share, as it is."""
    return files(package).joinpath("templates", name).read_bytes()


def style(package: str = PAGES) -> bytes:
    """Give the stylesheet of all pages of a package."""
    return part("style.css", package)
