"""What the frame of the console and its pages tell each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.admin.roles import Who

Told = Mapping[str, Any]
"""What a page tells: its template is filled with it, and programs get it as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Somebody who signed in looks at a page, or does something on it.

    Attributes:
        rest: of the path, where the page's own ends with a slash.
        query: the fields of the address; each is there once.
    """

    who: Who
    rest: str = ""
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A page of the console.

    Attributes:
        path: below `/console/`; with a slash at its end it takes whatever follows.
        title: in the navigation; a page without one does not stand there.
        template: a file of `templates`, which extends `frame.html`.
        live: it keeps itself up to date by `live.js`, where scripts run.
        show: gives what there is to tell; raises `RequestError` where there is no such thing.
    """

    path: str
    title: str = ""
    template: str
    show: Callable[[Visit], Awaitable[Told]]
    live: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done: the page to look at now, below `/console/`, and what programs are told."""

    place: str
    told: Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that operators do, by a form that goes to `/console/<path>`.

    Its form has `<input type="hidden" name="token" value="{{ token('<path>') }}">`. `do` records in
    the audit log who did it, before it is done.
    """

    path: str
    do: Callable[[Visit, Mapping[str, str]], Awaitable[Done]]
