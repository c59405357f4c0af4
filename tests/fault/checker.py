"""What must hold of a site, whatever was done to it: three books are joined and compared.

The audit log says what was decided, what began to be sent and what became of it; SOE's recorder
says what came and whether it was executed; the clients say what they were told. A try's number
joins clients with SOE, a decision's id joins clients with the audit log, and a text's fingerprint
joins the audit log with SOE where the client went without an answer.

Each law is a function that gives a sentence for everything that breaks it.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gateway.audit.segments import lines, segments
from tests.fault.clients import Try
from tests.fault.soe import Arrival

READS_OK_AT_LEAST = 0.999
RECOVERED_WITHIN = 5.0
"""Seconds from the end of a fault to the first write that is accepted again."""
REFUSED_WITHIN = 1.0
"""Seconds within which a write is refused while something is out of order."""

_MAY_BE_EITHER = (0, 504)
"""No answer, or one that says that nobody can tell."""


@dataclass(frozen=True)
class Books:
    """The three books of a site.

    Attributes:
        audit: records of all its audit logs; those of a writer in its order.
        arrivals: the writes that SOE got.
        tries: the writes that clients sent.
    """

    audit: Sequence[Mapping[str, Any]]
    arrivals: Sequence[Arrival]
    tries: Sequence[Try]

    @cached_property
    def decisions(self) -> Mapping[str, Mapping[str, Any]]:
        """Decisions by write id."""
        return {each["write_id"]: each for each in self.audit if each["kind"] == "decision"}

    @cached_property
    def sendings(self) -> Mapping[str, Mapping[str, Any]]:
        """Lines that say that a write is about to be sent, by write id."""
        return {each["write_id"]: each for each in self.audit if each["kind"] == "sending"}

    @cached_property
    def outcomes(self) -> Mapping[str, tuple[str, ...]]:
        """All outcomes by write id."""
        found: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
        for each in self.audit:
            if each["kind"] == "outcome":
                found[each["write_id"]] += (each["outcome"],)
        return dict(found)

    @cached_property
    def allowed(self) -> Sequence[str]:
        """The ids of writes that were decided to pass."""
        return [write_id for write_id, each in self.decisions.items() if each["effect"] == "allow"]

    @cached_property
    def arrived(self) -> Mapping[int, Sequence[Arrival]]:
        """What came to SOE, by the number of the try."""
        found: defaultdict[int, list[Arrival]] = defaultdict(list)
        for each in self.arrivals:
            found[each.number].append(each)
        return found

    def of(self, each: Try) -> Sequence[Arrival]:
        """What came to SOE of a try."""
        return self.arrived.get(each.number, ())

    @property
    def open(self) -> list[str]:
        """Writes that were decided to pass and have no outcome yet."""
        return [write_id for write_id in self.allowed if not self.outcomes.get(write_id)]


def read_audit(*directories: Path) -> list[dict[str, Any]]:
    """Read audit logs; what is torn at a segment's end was never promised to anybody."""
    return [
        json.loads(line)
        for directory in directories
        for paths in segments(directory).values()
        for line in lines(paths)
    ]


def broken(books: Books) -> list[str]:
    """Everything that breaks a law about writes."""
    return [
        *nothing_arrives_undecided(books),
        *nothing_refused_arrives(books),
        *everything_allowed_has_one_outcome(books),
        *clients_are_told_the_truth(books),
        *outcomes_are_true(books),
        *nothing_is_sent_twice(books),
    ]


def nothing_arrives_undecided(books: Books) -> Iterator[str]:
    """G1: before each write that reaches SOE there is a decision to allow it, and `sending`."""
    seen_decision: set[str] = set()
    for record in books.audit:
        write_id = record.get("write_id", "")
        if record["kind"] == "decision" and record["effect"] == "allow":
            seen_decision.add(write_id)
        elif record["kind"] == "sending" and write_id not in seen_decision:
            yield f"G1 {write_id} began to be sent without a decision before it"
    by_decision = {each.decision: each for each in books.tries if each.decision}
    for decision, each in by_decision.items():
        for arrival in books.of(each):
            sending = books.sendings.get(decision)
            if sending is None or sending["at"] > arrival.at:
                yield f"G1 try {each.number} ({decision}) reached SOE without `sending` before it"
    # Who went without an answer knows no decision: there, as many of a text arrive as were sent.
    prints = {each.question.serial: each.question.fingerprint for each in books.tries}
    sent = defaultdict(list)
    for write_id, sending in books.sendings.items():
        found = books.decisions.get(write_id, {}).get("fingerprint") or {}
        sent[found.get("text")].append(sending["at"])
    of_text = defaultdict(list)
    for arrival in books.arrivals:
        of_text[arrival.serial].append(arrival.at)
    for serial, times in of_text.items():
        began = sorted(sent[prints.get(serial)])
        for count, at in enumerate(sorted(times), 1):
            if sum(each <= at for each in began) < count:
                yield f"G1 arrival {count} of serial-{serial} has no `sending` before it"


def nothing_refused_arrives(books: Books) -> Iterator[str]:
    """G2: no byte of a refused write reaches SOE."""
    refused = books.decisions.keys() - set(books.allowed)
    for write_id in refused & books.sendings.keys():
        yield f"G2 {write_id} was refused and began to be sent"
    for each in books.tries:
        if each.decision in refused and each.number in books.arrived:
            yield f"G2 try {each.number} ({each.decision}) was refused and reached SOE"


def everything_allowed_has_one_outcome(books: Books) -> Iterator[str]:
    """G3: each decision to allow has one outcome, and nothing else was sent and has one."""
    for write_id in books.allowed:
        count = len(books.outcomes.get(write_id, ()))
        if count != 1:
            yield f"G3 {write_id} has {count} outcomes"
    for write_id in books.outcomes.keys() - set(books.allowed):
        # Its decision could not be recorded: then nothing was sent, and that may be said.
        if set(books.outcomes[write_id]) != {"not_sent"} or write_id in books.decisions:
            yield f"G3 {write_id} has an outcome and was not decided to pass"


def clients_are_told_the_truth(books: Books) -> Iterator[str]:
    """G4: 2xx means that this very write was executed; a refusal means that it was not.

    An answer that is given again tells of an earlier try, and then this one went nowhere.
    """
    made = {(arrival.serial, arrival.post) for arrival in books.arrivals if arrival.executed}
    for each in books.tries:
        if each.replayed and (each.question.serial, each.post) in made and not books.of(each):
            continue
        executed = [arrival for arrival in books.of(each) if arrival.executed]
        told = f"G4 try {each.number} of serial-{each.question.serial} got {each.status}"
        if each.accepted and [arrival.post for arrival in executed] != [each.post]:
            yield f"{told} and question {each.post}, but SOE made {executed}"
        elif not each.accepted and each.status not in _MAY_BE_EITHER and executed:
            yield f"{told} {each.code}, but SOE made {executed}"


def outcomes_are_true(books: Books) -> Iterator[str]:
    """An outcome says what SOE did; only `unknown` says nothing."""
    for each in books.tries:
        outcome = next(iter(books.outcomes.get(each.decision, ())), "")
        arrivals = books.of(each)
        executed = any(arrival.executed for arrival in arrivals)
        true = {
            "ok": executed,
            "refused": bool(arrivals) and not executed,
            "failed": bool(arrivals) and not executed,
            "not_sent": not arrivals,
        }
        if not true.get(outcome, True):
            yield f"outcome {outcome} of try {each.number}, but SOE got {arrivals}"
    not_sent = Counter(
        (books.decisions[write_id].get("fingerprint") or {}).get("text")
        for write_id in books.allowed
        if "not_sent" in books.outcomes.get(write_id, ())
    )
    decided = Counter(
        (books.decisions[write_id].get("fingerprint") or {}).get("text")
        for write_id in books.allowed
    )
    arrived = Counter(arrival.serial for arrival in books.arrivals)
    for question in {each.question for each in books.tries}:
        text = question.fingerprint
        if arrived[question.serial] > decided[text] - not_sent[text]:
            yield f"serial-{question.serial} reached SOE and was recorded as not sent"


def nothing_is_sent_twice(books: Books) -> Iterator[str]:
    """One request in, at most one request out."""
    for number, arrivals in books.arrived.items():
        if len(arrivals) > 1:
            yield f"try {number} reached SOE {len(arrivals)} times"


def most_at_once(arrivals: Sequence[Arrival], serial: str) -> int:
    """How many writes of a text SOE had in its hands at one time, at most."""
    ours = [each for each in arrivals if each.serial == serial]
    return max(
        (sum(each.at <= at.at < each.until for each in ours) for at in ours),
        default=0,
    )


def recovery(tries: Sequence[Try], end_of_fault: float) -> float:
    """The seconds from the end of a fault to the first write accepted of those begun after it."""
    after = [each.ended for each in tries if each.accepted and each.began >= end_of_fault]
    return min(after, default=float("inf")) - end_of_fault
