"""A code works once and soon, and only for who asked for it."""

from __future__ import annotations

import base64
import hashlib

from hypothesis import given
from hypothesis import strategies as st

from gateway.sandbox.codes import CHALLENGE, Codes, proves

LIFETIME = 60.0
STEPS = st.lists(
    st.one_of(
        st.just(("issue", 0.0)),
        st.tuples(st.just("redeem"), st.floats(0, 30).map(lambda number: number // 1)),
        st.tuples(st.just("wait"), st.floats(0, 2 * LIFETIME)),
    ),
    max_size=40,
)


@given(steps=STEPS)
def test_no_code_works_twice_or_late(steps: list[tuple[str, float]]) -> None:
    """Whatever is issued, waited and tried: the first try within the lifetime works, no other."""
    at = 1_000.0
    codes = Codes[int](LIFETIME, lambda: at)
    issued: list[tuple[str, float]] = []
    tried: set[str] = set()
    for step, number in steps:
        if step == "issue":
            issued.append((codes.issue(len(issued)), at))
        elif step == "wait":
            at += number
        elif issued:
            which = int(number) % len(issued)
            code, since = issued[which]
            works = code not in tried and at < since + LIFETIME
            tried.add(code)

            assert codes.redeem(code) == (which if works else None)


def test_what_nobody_issued_is_no_code() -> None:
    """Neither a guess nor nothing at all."""
    codes = Codes[int](LIFETIME, lambda: 0.0)
    codes.issue(1)

    assert (codes.redeem(""), codes.redeem("guess")) == (None, None)


VERIFIERS = st.text("abcXYZ019._~-", min_size=43, max_size=128)


def challenge_of(verifier: str) -> str:
    """The challenge, as RFC 7636 section 4.2 writes it."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().replace("=", "")


@given(verifier=VERIFIERS, other=VERIFIERS)
def test_only_its_own_verifier_proves_a_challenge(verifier: str, other: str) -> None:
    """Of any two verifiers each proves its own challenge, and the challenge does not prove itself."""
    challenge = challenge_of(verifier)

    assert CHALLENGE.fullmatch(challenge)
    assert proves(verifier, challenge)
    assert proves(other, challenge) == (other == verifier)
    assert not proves(challenge, challenge)


def test_the_example_of_the_rfc_proves() -> None:
    """Appendix B of RFC 7636; and a verifier that is too short does not count."""
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

    assert proves("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", challenge)
    assert not proves("short", challenge_of("short"))
