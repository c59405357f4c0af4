"""What a row of the tables says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from gateway.model import Api


class BodyKind(Enum):
    """How the body of a write is read."""

    NONE = auto()
    """Nothing to read: empty, or an empty JSON object."""
    JSON = auto()
    """A JSON object."""
    JSON_LIST = auto()
    """A JSON array of ids."""
    FORM = auto()
    """Fields in the form, the query, or both (v2.3 and OAuth)."""
    IMAGE = auto()
    """One file, as it is or in `multipart/form-data`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of SOE's API.

    Attributes:
        template: the path below the API's prefix, as `questions/{id}/answers`.
        operation: what rules call it; for reads a name for logs alone.
        write: whether SOE changes anything.
        publishes: whether it publishes text.
        previewable: whether v2.3 documents `preview` for it.
        redirects: whether a person's browser is sent on to SOE itself.
        everywhere: whether v3 has it below `teams/{team}` too.
    """

    api: Api
    method: str
    template: str
    operation: str
    body: BodyKind = BodyKind.NONE
    write: bool = True
    publishes: bool = False
    previewable: bool = False
    redirects: bool = False
    everywhere: bool = True
