"""The fields of each record that tells of a write.

Tests hold every record against these tables. To add a field, write it in `audit.record` and give it
a line here. `since` is the version of the schema (`record.SCHEMA`) from which on it is always there.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.audit.record import EXCERPT, SCHEMA, USER_AGENT_AT_MOST
from gateway.audit.schema.fields import (
    BASE64,
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
from gateway.model import Api, Approver, Effect, Mode, Outcome, Result

# fmt: off
HEAD: Mapping[str, Field] = {
    "schema": Field(type={"type": "integer", "minimum": 1, "maximum": SCHEMA}, meaning="The version of this schema."),
    "kind": Field(type=TEXT, meaning="What the line tells: `decision`, `sending`, `outcome` or `admin`."),
    "at": Field(type=INSTANT, meaning="The instant, in seconds since 1970 (UTC); of a decision that of the write."),
}
"""What every record begins with."""

CHAIN: Mapping[str, Field] = {
    "key_id": Field(type=TEXT, meaning="The id of the key that signs from this line on.", absent="it is the key of the line before, or the only one"),
    "seq": Field(type={"type": "integer", "minimum": 1}, meaning="The number of the line in its writer's chain; the first is 1."),
    "writer": Field(type=TEXT, meaning="Which process wrote it: host and a random word."),
    "prev": Field(type=TEXT, meaning="`mac` of the line before; empty for the first."),
    "mac": Field(type=hexadecimal(64), meaning="HMAC-SHA256 of the line up to here, by `audit.key`."),
}
"""What every line ends with; the chain puts it there."""

WRITE_ID = Field(type=TEXT, meaning="The decision id, as `Gateway-Decision` told the client: it ties the lines of one write together.")

STATE = Table({
    "at": Field(type=INSTANT, meaning="When state says it was asked.", absent="state did not answer"),
    "number": Field(type=COUNT, meaning="Where the reservation stands among all of one state.", absent="state did not answer"),
    "answered": Field(type=INSTANT, meaning="When the gateway had its answer: what ended later was not in it.", absent="state did not answer, or the record is older than this"),
    "in_flight": Field(type=TEXTS, meaning="Decision ids of the writes that state found and had not heard the end of: copies, and earlier tries of the same request.", absent="there were none"),
    "failed": Field(type=BOOLEAN, meaning="True where state did not answer.", absent="it answered"),
})

CONFIRMED = Table({
    "hold": Field(type=TEXT, meaning="The decision id of the write that was held first."),
    "by": Field(type=TEXT, meaning="Who confirmed; empty for whoever had the link.", privacy=Privacy.PSEUDONYM),
    "known": Field(type=one_of(Approver), meaning="As whom he was known: the acting `person`, the `owner`, or whoever had the `link`."),
    "rules": Field(type=TEXTS, meaning="The rules that he was told of."),
})

EARLIER = Table({
    "url": Field(type=TEXT, meaning="Where it stands, as SOE told it; null where that is not known.", nullable=True),
    "at": Field(type=INSTANT, meaning="When it was written."),
    "integration": Field(type=TEXT, meaning="Which integration wrote it."),
})

FINDING = Table({
    "rule": Field(type=TEXT, meaning="The rule's id."),
    "check": Field(type=TEXT, meaning="Its check; empty for a rule that is conditions alone."),
    "mode": Field(type=one_of(Mode), meaning="Its mode."),
    "result": Field(type=one_of(Result), meaning="What it found: `skip` where it was not asked, `error` where it could not judge."),
    "code": Field(type=TEXT, meaning="The code of the violation; null where there was none.", nullable=True),
    "open": Field(type=BOOLEAN, meaning="True where it could not judge and lets pass (`on_error: allow`)."),
    "status": Field(type=COUNT, meaning="The HTTP status that it refuses with.", absent="there was no violation"),
    "evidence": Field(type={"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}, meaning="The check's figures, by name; no text of a post. The [checks](checks.md) list the names.", absent="there was no violation"),
    "earlier": Field(type=EARLIER, meaning="The earlier post that it speaks of.", absent="it speaks of none, or of one in another private team"),
    "confirmable": Field(type=BOOLEAN, meaning="True where the acting person's confirmation would satisfy it.", absent="it would not"),
    "consented": Field(type=BOOLEAN, meaning="True where somebody confirmed what it held.", absent="nobody did"),
})

SIZES = Table({
    "title": Field(type=COUNT, meaning="Characters of the title."),
    "body": Field(type=COUNT, meaning="Characters of the body."),
    "tags": Field(type=COUNT, meaning="Tags."),
    "user_agent": Field(type=COUNT, meaning="Characters of the User-Agent.", since=2),
})

COUNTS = Table({
    "title": Field(type=COUNT, meaning="Letters and digits of the title."),
    "seen": Field(type=COUNT, meaning="Those that a reader sees, and of what was decoded."),
    "said": Field(type=COUNT, meaning="Those of what was decoded."),
    "unseen": Field(type=COUNT, meaning="Those that a reader does not see."),
    "opaque": Field(type=COUNT, meaning="Letters of what looks encoded and cannot be decoded."),
    "invisible": Field(type=COUNT, meaning="Characters that nobody sees."),
    "mixed": Field(type=COUNT, meaning="Words that mix alphabets."),
    "quoted": Field(type=COUNT, meaning="Words in quotes."),
    "form": Field(type=COUNT, meaning="Words in headings, task lists and what folds away."),
})

FINGERPRINT = Table({
    "text": Field(type=TEXT, meaning="Digest of the words as read: equal for texts that read the same.", privacy=Privacy.DIGEST),
    "event": Field(type=TEXT, meaning="The same with numbers, ids, times and paths masked.", privacy=Privacy.DIGEST),
    "words": Field(type=COUNT, meaning="Real words."),
    "prints": Field(type=BASE64, meaning="Hashes of pieces of the text, by which near-copies are found; of a short text two of its author as well, as he stands in this record.", privacy=Privacy.DIGEST, since=2),
    "sketch": Field(type=BASE64, meaning="What other texts are compared with, as state keeps it.", privacy=Privacy.DIGEST, since=2),
    "whole": Field(type=BASE64, meaning="The same before it was cut to what state keeps; null where it is too long.", privacy=Privacy.DIGEST, nullable=True, absent="nothing was cut"),
    "counts": Field(type=COUNTS, meaning="What a reader sees of the text, and what not; null where it was not counted.", nullable=True, since=2),
})

KEPT_TEXT = Table({
    "title": Field(type=TEXT, meaning=f"The title; {EXCERPT} characters of it under `excerpt`.", privacy=Privacy.TEXT),
    "body": Field(type=TEXT, meaning=f"The body; {EXCERPT} characters of it under `excerpt`.", privacy=Privacy.TEXT),
})

DECISION: Mapping[str, Field] = {
    "logged": Field(type=INSTANT, meaning="When the line was written.", since=2),
    "write_id": WRITE_ID,
    "effect": Field(type=one_of(Effect), meaning="What was decided. `replay`: the stored answer to the same request was given again."),
    "revision": Field(type=TEXT, meaning="The revision of the policies that decided; it ends in `+discover` where they only warned."),
    "repeats": Field(type=TEXT, meaning="The decision id of the earlier write that decided in place of the rules; else null.", nullable=True, since=2),
    "state": Field(type=STATE, meaning="How state was asked; null where it was not, or told of a repeat.", nullable=True, since=2),
    "integration": Field(type=TEXT, meaning="Which integration wrote, by its name in the registry; `anonymous` where nobody registered it.", privacy=Privacy.NOBODY),
    "tier": Field(type=TEXT, meaning="Its tier; empty for `anonymous`.", since=2),
    "person": Field(type=TEXT, meaning="Who acts, as SOE tells whose the token is; null where nobody asked or SOE did not say. Under `audit.people: name` the number of the account. Records made before pseudonyms were random hold a digest under `audit.key`.", privacy=Privacy.PSEUDONYM, nullable=True),
    "person_name": Field(type=TEXT, meaning="That person's name and address.", privacy=Privacy.PSEUDONYM, absent="`audit.people` is not `name`, or `person` is null"),
    "token": Field(type=TEXT, meaning="Digest of the SOE token; null without one. A token that was exchanged for another stands under that one.", privacy=Privacy.KEYED, nullable=True),
    "credential": Field(type={"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}, meaning="SHA-256 of the SOE token of a caller that nobody registered, as `integrations.yaml` takes it; else null.", privacy=Privacy.DIGEST, nullable=True, since=2),
    "api": Field(type=one_of(Api), meaning="Which API it came through."),
    "operation": Field(type=TEXT, meaning="What it does, as in [operations](operations.md)."),
    "team": Field(type=TEXT, meaning="The team's slug; null for the main site.", nullable=True),
    "thread": Field(type=TEXT, meaning="The thread in which the post stands, as `question/11`; null for a new one.", privacy=Privacy.PUBLIC, nullable=True),
    "target": Field(type=TEXT, meaning="The existing post that is edited, voted on or deleted, as `answer/12`; else null. It is made of the path's numbers: nothing of a query or path stands here.", privacy=Privacy.PUBLIC, nullable=True),
    "publishes": Field(type=BOOLEAN, meaning="Whether it publishes text.", since=2),
    "preview": Field(type=BOOLEAN, meaning="SOE was asked to validate only."),
    "user_agent": Field(type={"type": "string", "maxLength": USER_AGENT_AT_MOST}, meaning=f"The User-Agent, {USER_AGENT_AT_MOST} characters at most; what looks like a credential in it is masked.", privacy=Privacy.CALLER, since=2),
    "explicit_action": Field(type={"type": "array", "items": {"type": ["string", "null"]}}, meaning="Each `X-Explicit-Action`: a word as it came; of an assertion `act`, `at`, `ref` and `to`, what stands for a person in the place of `by`, and of other members `-`, for they are there; null for what could not be read.", privacy=Privacy.PSEUDONYM, since=2),
    "confirmed": Field(type=CONFIRMED, meaning="Who confirmed this very request; null where nobody did.", nullable=True, since=2),
    "findings": Field(type=[FINDING], meaning="What each rule found that looked at the write."),
    "sizes": Field(type=SIZES, meaning="How much there was of what is not kept whole."),
    "tags": Field(type=TEXTS, meaning="The tags, those of at most 64 characters among the first 20.", privacy=Privacy.TEXT, since=2),
    "digest": Field(type=TEXT, meaning="Digest of caller, method, target, content type and body: equal for the same request.", privacy=Privacy.KEYED),
    "key": Field(type=TEXT, meaning="Digest of caller and `Idempotency-Key` (v2.3: `request_id`); null without one.", privacy=Privacy.KEYED, nullable=True, since=2),
    "fingerprint": Field(type=FINGERPRINT, meaning="What the text leaves; null where the write has none.", privacy=Privacy.DIGEST, nullable=True),
    "text": Field(type=KEPT_TEXT, meaning="The text itself.", privacy=Privacy.TEXT, absent="`audit.content` is `none`"),
}

SENDING: Mapping[str, Field] = {"write_id": WRITE_ID}

POST = Table({
    "id": Field(type=TEXT, meaning="The new post, as `question/123`; null where SOE did not say.", privacy=Privacy.PUBLIC, nullable=True),
    "url": Field(type=TEXT, meaning="Where it stands; null where SOE did not say.", privacy=Privacy.PUBLIC, nullable=True),
})

_BY_RECOVERY = "a start wrote the line for a process that had died"

OUTCOME: Mapping[str, Field] = {
    "write_id": WRITE_ID,
    "outcome": Field(type=one_of(Outcome), meaning="What became of it: SOE took it (`ok`), said no (`refused`) or broke (`failed`); nobody can tell (`unknown`); nothing was sent (`not_sent`)."),
    "integration": Field(type=TEXT, meaning="As in the decision.", absent=_BY_RECOVERY),
    "operation": Field(type=TEXT, meaning="As in the decision.", absent=_BY_RECOVERY),
    "upstream_status": Field(type=COUNT, meaning="The HTTP status of SOE's answer; null where none came.", nullable=True, absent=_BY_RECOVERY),
    "post": Field(type=POST, meaning="The post that was made.", absent=_BY_RECOVERY),
    "answer_kept": Field(type=BOOLEAN, meaning="Whether SOE's answer was kept for the next request under the same idempotency key.", absent=_BY_RECOVERY + ", or in schema 1"),
    "latency": Field(type=INSTANT, meaning="Seconds since the write's `at`.", absent=_BY_RECOVERY),
    "recovered": Field(type={"const": True}, meaning="True where a start wrote the line for a process that had died.", absent="the process wrote it itself"),
}
# fmt: on

KINDS: Mapping[str, tuple[str, Mapping[str, Field]]] = {
    "decision": ("What was decided about a write, durable before anything is sent.", DECISION),
    "sending": ("The first byte of a write is about to go to SOE.", SENDING),
    "outcome": ("What became of a write that was decided to pass: one for each.", OUTCOME),
}
"""What the kinds tell, but for `admin`, whose facts are those of its event."""
