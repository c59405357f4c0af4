"""The events of `admin` records, each with its facts: what is done to the gateway.

A new event is a line in `EVENTS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.audit.schema.fields import (
    BOOLEAN,
    COUNT,
    INSTANT,
    TEXT,
    TEXTS,
    Field,
    Privacy,
    Table,
    hexadecimal,
    one_of,
)
from gateway.audit.schema.records import WRITE_ID
from gateway.model import Approver

# fmt: off
_BY = Field(type=TEXT, meaning="Who did it; empty where `audit.people` is `none`, or the people file could not be used.", privacy=Privacy.PSEUDONYM)
_WHAT = Field(type=TEXT, meaning="To what: a post, a decision id, or a counter, without the person in it.")
_PSEUDONYMS = Field(type=TEXTS, meaning="The pseudonyms that lead to nobody from here on.")
_TEAM = Field(type=TEXT, meaning="The team's slug; null for the main site.", nullable=True)
_URL = Field(type=TEXT, meaning="Where the post stands; null where SOE did not say.", privacy=Privacy.PUBLIC, nullable=True)
_HOLD: Mapping[str, Field] = {
    "by": Field(type=TEXT, meaning="Who decided; empty where `audit.people` is `none`.", privacy=Privacy.PSEUDONYM, absent="whoever had the link did"),
    "hold": Field(type=TEXT, meaning="The decision id of the write that was held."),
    "known": Field(type=one_of(Approver), meaning="As whom he was known."),
    "integration": Field(type=TEXT, meaning="Whose write it was."),
    "operation": Field(type=TEXT, meaning="What it does."),
}
_DEED: Mapping[str, Field] = {"by": _BY, "what": _WHAT}
_INTEGRATION = Field(type=TEXT, meaning="The integration's name.")
_SWITCH: Mapping[str, Field] = {"by": _BY, "integration": _INTEGRATION, "reason": Field(type=TEXT, meaning="Why, as the integration is told; empty where it is switched on.", privacy=Privacy.TEXT)}
_SWITCHED: Mapping[str, Field] = {"by": _BY, "integration": _INTEGRATION, "everywhere": Field(type=BOOLEAN, meaning="Whether the state has it, from which all replicas learn it; if not, it follows when the state answers again.")}
_DONE: Mapping[str, Field] = {**_DEED, "count": Field(type=COUNT, meaning="How many there were.")}


TORN = Table({
    "segment": Field(type=TEXT, meaning="The file."),
    "bytes": Field(type=COUNT, meaning="How much of a line is there."),
    "sha256": Field(type=hexadecimal(64), meaning="The digest of that."),
})
_HEAD_OF: Mapping[str, Any] = {"seq": {"type": "integer", "minimum": 1}, "mac": hexadecimal(64)}
_HEAD_AT: Mapping[str, Any] = {"type": "object", "properties": {**_HEAD_OF, "at": INSTANT}, "required": ["at", "mac", "seq"], "additionalProperties": False}
_BEGINS: Mapping[str, Any] = {"type": "object", "properties": {**_HEAD_OF, "left": {"const": False}}, "required": ["mac", "seq"], "additionalProperties": False}


def _by_writer(told: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "object", "additionalProperties": told}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that is done to the gateway: what, and the facts that are recorded of it."""

    meaning: str
    facts: Mapping[str, Field]


EVENTS: Mapping[str, Event] = {
    "audit.closed": Event("The writer ended, and left no write open.", {
        "recovered": Field(type=COUNT, meaning="How many writes of a dead process the line before gave their outcome.", absent="the process wrote it itself")}),
    "audit.opened": Event("A start goes on with the chain of a writer that ended.", {}),
    "audit.torn": Event("A start found what a crash had torn, at the ends of a dead writer's files.", {
        "torn": Field(type=[TORN], meaning="The ends that are torn.")}),
    "audit.checkpoint": Event("How far the other writers of the directory had come when this one last looked.", {
        "writers": Field(type=_by_writer(_HEAD_AT), meaning="By writer, the number, `mac` and instant of its last record.")}),
    "audit.cut": Event("Records were about to be removed that are older than an instant.", {
        "by": Field(type=TEXT, meaning="Who did it; empty where `audit.people` is `none`.", privacy=Privacy.PSEUDONYM, absent="`audit.retention` did"),
        "before": Field(type={"type": "number"}, meaning="That instant."),
        "segments": Field(type=COUNT, meaning="How many files went."),
        "writers": Field(type=_by_writer(_BEGINS), meaning="By writer, the number and `mac` of the record after which its chain begins from now on; `left` is false where none of it is left.")}),
    "policies.loaded": Event("Other policies are in force in this process: at its start, and with every change.", {
        "revision": Field(type=TEXT, meaning="Their revision.")}),
    "hold.confirmed": Event("Somebody confirmed what was held.", _HOLD),
    "hold.declined": Event("Somebody declined it.", _HOLD),
    "integration.disabled": Event("An operator is about to switch an integration off.", _SWITCH),
    "integration.disabled_done": Event("He did.", _SWITCHED),
    "integration.enabled": Event("An operator is about to switch an integration on again.", _SWITCH),
    "integration.enabled_done": Event("He did.", _SWITCHED),
    "state.accept_loss": Event("An operator is about to accept a loss of state.", _DEED),
    "state.accept_loss_done": Event("He did.", _DONE),
    "state.forget": Event("An operator is about to let state forget a post.", _DEED),
    "state.forget_done": Event("He did.", _DONE),
    "state.release": Event("An operator is about to take back a reservation.", _DEED),
    "state.release_done": Event("He did.", _DONE),
    "state.reset": Event("An operator is about to empty counters of a cap.", _DEED),
    "state.reset_done": Event("He did.", _DONE),
    "reconcile.around": Event("The site has a post by an account of an integration that no record tells of.", {
        "by": _BY, "team": _TEAM, "post": Field(type=TEXT, meaning="The post, as `question/123`.", privacy=Privacy.PUBLIC), "url": _URL,
        "written": Field(type=INSTANT, meaning="When it was written, as the site tells."),
        "integration": Field(type=TEXT, meaning="Whose account it is; empty for one that was named to the command.")}),
    "reconcile.outcome": Event("The site was asked for a write whose outcome the log leaves open.", {
        "by": _BY, "write_id": WRITE_ID, "team": _TEAM,
        "answer": Field(type={"type": "string", "enum": ["found", "not_found", "undecidable"]}, meaning="Whether its text stands there."),
        "post": Field(type=TEXT, meaning="The post, as `question/123`; null where none was found.", privacy=Privacy.PUBLIC, nullable=True), "url": _URL}),
    "reconcile.done": Event("The log was held against the site, and what was found is recorded.", {
        "by": _BY, "since": Field(type=INSTANT, meaning="From when on."), "until": Field(type=INSTANT, meaning="Up to when."),
        "around": Field(type=COUNT, meaning="Posts without a record, those of earlier records among them."),
        "answers": Field(type=COUNT, meaning="Writes whose outcome the log leaves open.")}),
    "people.forget": Event("An operator is about to cut somebody off from the records.", {"by": _BY, "pseudonyms": _PSEUDONYMS}),
    "people.forget_done": Event("He did.", {"by": _BY, "pseudonyms": _PSEUDONYMS}),
    "people.erased": Event("People of whom no record is left were about to be erased from the people file.", {
        "by": Field(type=TEXT, meaning=_BY.meaning, privacy=Privacy.PSEUDONYM, absent="`audit.retention` did"),
        "before": Field(type={"type": "number"}, meaning="An instant: who was last told on its day or later stays."),
        "count": Field(type=COUNT, meaning="How many pseudonyms lead to nobody from here on; fewer where one was told again just then.")}),
}
"""By name, what `admin` records tell of."""
# fmt: on
