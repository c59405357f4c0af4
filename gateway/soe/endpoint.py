"""What a row of the endpoint tables says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.model import Api


class BodyKind(StrEnum):
    """What the body of a request holds."""

    NONE = "none"
    OBJECT = "object"
    """A JSON object."""
    IDS = "ids"
    """A bare JSON array of integers."""
    FORM = "form"
    """Fields, in the form or in the query string."""
    IMAGE = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFields:
    """The names, in lower case, of the fields whose text a reader will see.

    `body` names several where a second field, such as the summary of an edit, is shown as well.
    """

    title: str = ""
    body: tuple[str, ...] = ()
    tags: str = ""

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        return frozenset(filter(None, (self.title, *self.body, self.tags)))


NO_TEXT = TextFields()

PUBLISHING = frozenset(
    f"{noun}.{verb}"
    for noun in ("question", "answer", "comment", "article", "collection")
    for verb in ("create", "edit")
) | {"suggested_edit.create"}
"""The operations that publish text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One row: a method, a path, and what they mean.

    Attributes:
        template: the path in lower case, with `{version}`, `{team}` and `{noun}` for what varies.
        operation: as policies name it; of no meaning where `write` is false.
        write: false for a read, also where it is a POST.
        text: where the published text is.
        previewable: `preview=true` makes SOE validate only, and its documents say so.
        redirects: a page for browsers, whose cookies belong to SOE's own host.
    """

    api: Api
    method: str
    template: str
    operation: str
    write: bool = True
    body: BodyKind = BodyKind.NONE
    text: TextFields = NO_TEXT
    previewable: bool = False
    redirects: bool = False

    @property
    def publishes(self) -> bool:
        """Whether it publishes text."""
        return self.operation in PUBLISHING
