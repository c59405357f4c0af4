"""What is made by its slots is what a frozen dataclass is."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from gateway.slots import set_by_slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """As `dataclasses` makes it."""

    one: int
    two: str = field(default="two", repr=False)


@set_by_slots
@dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    """The same, made by its slots."""

    one: int
    two: str = field(default="two", repr=False)


def test_it_differs_in_nothing() -> None:
    """Defaults, what is the same, what shows and what stays out, and that nothing can be set."""
    quick, plain = Quick(one=1), Plain(one=1)

    assert (quick.one, quick.two) == (plain.one, plain.two)
    assert quick == Quick(one=1, two="two") != replace(quick, one=2)
    assert hash(quick) == hash(Quick(one=1))
    assert repr(quick) == repr(plain).replace("Plain", "Quick")
    with pytest.raises(FrozenInstanceError):
        quick.one = 2  # type: ignore[misc]


def test_what_is_missing_or_unknown_is_told_as_of_any_class() -> None:
    """By its name."""
    with pytest.raises(TypeError, match=r"Quick\.__init__.*'one'"):
        Quick()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"Quick\.__init__.*'three'"):
        Quick(one=1, three=3)  # type: ignore[call-arg]


def test_what_does_more_than_set_fields_is_refused() -> None:
    """At once, not when the first is made."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Doing:
        one: int = 1

        def __post_init__(self) -> None:
            raise AssertionError

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Listing:
        items: list[int] = field(default_factory=list)

    with pytest.raises(ValueError, match=r"Listing\.items"):
        set_by_slots(Listing)
    with pytest.raises(ValueError, match="Doing"):
        set_by_slots(Doing)
