"""What clients send and what rules ask about it, out of so few values that writes meet."""

from __future__ import annotations

import os
from array import array
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from gateway.model import (
    Fingerprint,
    Lookup,
    Need,
    Outcome,
    Published,
    Reservation,
    Settlement,
    Sharers,
)
from tests.property.model import CAPS
from tests.samples import a_write

ROUNDS = os.environ.get("FAULT_ROUNDS")
_EXAMPLES = (15 if ROUNDS else 5) * int(os.environ.get("STATE_ROUNDS", "1"))
"""Of each machine; `make fault` looks at more, and `STATE_ROUNDS=20` twenty times as long."""
COPIES = "copies"
PRINTS: Mapping[str, tuple[int, ...]] = {
    "": (),
    "p": (1, 2, 3, 4, 5, 6),
    "q": (1, 2, 3, 11, 12, 13),
    "r": (1, 2, 21, 22, 1 << 31, *range(100, 110)),
    "s": (1, 31, 32),
}
"""Some share prints; `s` shares one with each, which is not near, and `r` more than it lists."""
REMEMBERED_FOR = 100.0
"""How far back the enforced look-up sees: longer than a write is in flight."""


@dataclass(frozen=True, repr=False)
class Ask:
    """What a client sends, and what the rules ask about it."""

    text: str = "x"
    event: str = "e"
    prints: str = ""
    request: str = ""
    key: str | None = None
    caps: frozenset[str] = frozenset()
    copies: bool = False
    """Whether a rule enforces that there is no copy."""
    observed: bool = False
    remember: bool = True
    preview: bool = False
    publishes: bool = True
    team: str | None = None
    person: str | None = None
    target: str | None = None
    member: str | None = None
    """Who uses what others may use too."""

    def __repr__(self) -> str:
        """As it can be made again; what is usual goes without saying."""
        said = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if getattr(self, each.name) != each.default
        }
        return f"Ask({', '.join(f'{name}={value!r}' for name, value in said.items())})"


def seldom(value: bool) -> st.SearchStrategy[bool]:
    """One of eight times."""
    return st.sampled_from([*[not value] * 7, value])


def asks(caps: Collection[str], keys: Collection[str | None]) -> st.SearchStrategy[Ask]:
    """Anything, out of few texts, requests and keys, so that they meet."""
    return st.builds(
        Ask,
        text=st.sampled_from("xy"),
        event=st.sampled_from("ex"),
        prints=st.sampled_from(["", "", *PRINTS]),
        request=st.sampled_from(["r", "r", "s", ""]),
        key=st.sampled_from(list(keys)),
        caps=st.frozensets(st.sampled_from(list(caps))),
        copies=st.booleans(),
        observed=st.booleans(),
        remember=seldom(False),
        preview=seldom(True),
        publishes=seldom(False),
        team=st.sampled_from([None, None, "acme"]),
        person=st.sampled_from([None, "jane"]),
        target=st.sampled_from([None, None, "question/1"]),
        member=st.sampled_from([None, "m", "n"]),
    )


def fingerprint(text: str, event: str, prints: str) -> Fingerprint:
    """What a text leaves."""
    packed = array("I", sorted(PRINTS[prints])).tobytes()
    return Fingerprint(text=text, event=event, words=9, prints=packed, sketch=prints.encode())


ENDINGS = st.just(Settlement(outcome=Outcome.NOT_SENT, template=True)) | st.builds(
    Settlement,
    outcome=st.sampled_from([Outcome.OK, *Outcome]),
    post=st.sampled_from([None, "question/1", "question/2"]),
    url=st.sampled_from([None, "https://soe.example.com/q/1"]),
    answer=st.none() | st.binary(min_size=1, max_size=3),
    lost=st.sampled_from([None, None, b"lost"]),
)
PROCESS = st.integers(0, 2)
BACK = st.sampled_from([0, 0, 1, 1, 2, 3])
"""How many writes ago."""


def lookup(compare: str, digest: str, within: float, **scope: Any) -> Lookup:
    """A question for copies, on the main site unless said otherwise."""
    return Lookup(compare=compare, digest=digest, within=within, **({"team": None} | scope))


def reservation(ask: Ask, at: float, number: int) -> Reservation:
    """What the pipeline asks of state for it."""
    write = a_write(
        id=f"w{number}",
        at=at,
        request=ask.request,
        key=ask.key,
        preview=ask.preview,
        publishes=ask.publishes,
        team=ask.team,
        person=ask.person,
        target=ask.target,
        fingerprint=fingerprint(ask.text, ask.event, ask.prints),
    )
    first: dict[str, Need] = {name: CAPS[name] for name in sorted(ask.caps)}
    if ask.copies:
        first[COPIES] = lookup("text", ask.text, REMEMBERED_FOR, across_teams=True, near=True)
    if ask.member is not None:
        first["shared"] = Sharers(name="used", member=ask.member, within=20.0)
    others: list[Mapping[str, Need]] = []
    if ask.observed:
        others = [
            {"observed": CAPS["observed"]},
            {"near": lookup("event", ask.event, 70.0, team=ask.team, near=True)},
            {"own": lookup("event", ask.event, 50.0, team=ask.team, author=write.author)},
            {"sharers": Sharers(name="observed", member=ask.member or "o", within=1e5)},
        ]
    return Reservation(write=write, groups=(first, *others), remember=ask.remember)


def probe(request: str, at: float) -> Reservation:
    """A question about all that there is."""
    needs: dict[str, Need] = {**CAPS}
    for digest in "xy":
        needs[f"text {digest}"] = lookup("text", digest, 1e5, across_teams=True, near=True)
        needs[f"main {digest}"] = lookup("text", digest, 40.0, near=True)
    for digest in "ex":
        needs[f"event {digest}"] = lookup("event", digest, 1e5, team="acme")
        of_jane = {"across_teams": True, "author": "person:jane", "near": True}
        needs[f"author {digest}"] = lookup("event", digest, 1e5, **of_jane)
    of_acme = {"team": "acme", "near": True, "author": "person:jane"}
    needs["of acme"] = lookup("event", "none", 1e5, **of_acme)
    for name in ("used", "observed"):
        for member, within in (("", 1e5), ("m", 40.0)):
            used = Sharers(name=name, member=member, within=within)
            needs[f"{name} {member}"] = used
    asking = a_write(id="probe", at=at, request=request, fingerprint=fingerprint("", "", "r"))
    return Reservation(write=asking, groups=(needs,))


def seeded(post: str, text: str) -> Published:
    """A question that stands on the site."""
    return Published(
        post=post,
        author="person:jane",
        operation="question.create",
        team=None,
        thread=None,
        url=None,
        fingerprint=fingerprint(text, text, "p" if text == "x" else "r"),
    )


FULL = ROUNDS == "full"
"""The long form, in which processes over a server meet as their paces have it."""
long_form = pytest.mark.skipif(not FULL, reason="a part of the long form: make fault")


def run(machine: type[RuleBasedStateMachine]) -> None:
    """Try a machine's steps in many orders."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=_EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            derandomize=not FULL,  # the long form looks for new orders
            phases=set(Phase) - {Phase.explain},
            suppress_health_check=list(HealthCheck),
        ),
    )
