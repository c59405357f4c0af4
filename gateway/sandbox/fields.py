"""What a request says beside its path: its fields, and under which address it found us."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request

_FORM = "application/x-www-form-urlencoded"


def base_of(request: Request) -> str:
    """The address under which the sandbox was asked, without a path."""
    return f"{request.url.scheme}://{request.headers.get('host', 'sandbox')}"


def form_of(request: Request, raw: bytes) -> list[tuple[str, str]]:
    """The fields of a form, in order; none where the body is something else."""
    if not request.headers.get("content-type", "").startswith(_FORM):
        return []
    return parse_qsl(raw.decode(errors="replace"), keep_blank_values=True)


def query_of(request: Request) -> list[tuple[str, str]]:
    """The fields of the query, in order."""
    return parse_qsl(request.url.query, keep_blank_values=True)


def fields_of(request: Request, raw: bytes) -> dict[str, str]:
    """The fields of query and form together."""
    return dict([*query_of(request), *form_of(request, raw)])
