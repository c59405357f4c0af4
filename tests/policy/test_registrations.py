"""Keys go into integrations.yaml and out of it, and nothing else of it changes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.registrations import EditError, read_integrations, with_key, without_key

A, B, NEW = "a" * 64, "b" * 64, "c" * 64
OTHERS = """\
# who may write
integrations:
  first-bot:   # äöü
    owner: o
    contact: c
    purpose: p
    keys: ["sha256:1111111111111111111111111111111111111111111111111111111111111111"]

"""
HEAD = "  help-bot:\n    owner: o   # of whom\n    contact: c\n"
LAST = "\n  last-bot: {owner: o, contact: c, purpose: p}\n"
KEYS = {
    "a list": f'    keys: ["sha256:{A}"]   # since spring\n',
    "a list over lines": f"    keys: [\n      'sha256:{A}',   # since spring\n    ]\n",
    "plain": f"    keys: [sha256:{A}]\n",
    "one text": f"    keys: sha256:{A}   # since spring\n",
    "one quoted": f'    keys: "sha256:{A}"\n',
    "dashes": f"    keys:\n      # since spring\n      - sha256:{A}   # it is\n",
    "dashes at the margin": f'    keys:\n    - "sha256:{A}"\n',
}
TWO = {
    "a list": f'    keys: ["sha256:{A}", "sha256:{B}"]\n',
    "a list over lines": f"    keys: [\n      sha256:{A},   # old\n      sha256:{B}\n    ]\n",
    "dashes": f"    keys:\n      - sha256:{A}   # old\n      - sha256:{B}   # new\n",
}
FLOW = {
    "first": f"{{keys: [sha256:{A}], owner: o, contact: c, purpose: p}}",
    "last": f"{{owner: o, contact: c, purpose: p, keys: sha256:{A}}}",
    "between": f'{{owner: o, contact: c, keys: ["sha256:{A}"], purpose: p}}',
}


def file(keys: str, *, above: bool = False) -> str:
    """The file, where the keys of one integration are written so."""
    purpose = "    purpose: >\n      posts what\n      somebody wrote\n"
    return OTHERS + HEAD + (keys + purpose if above else purpose + keys) + LAST


def keys_of(text: str) -> tuple[str, ...]:
    """The keys of that integration."""
    return next(each.keys for each in read_integrations(text) if each.name == "help-bot")


def comments(text: str) -> list[str]:
    return re.findall("#.*", text)


@pytest.mark.parametrize("above", [True, False], ids=["above", "below"])
@pytest.mark.parametrize("written", [*KEYS.values(), ""], ids=[*KEYS, "none"])
def test_a_key_goes_behind_those_that_are_there(written: str, above: bool) -> None:
    """However they are written; every line but theirs stays, and so do all comments."""
    before = file(written, above=above)
    after = with_key(before, "help-bot", NEW)

    assert keys_of(after) == ((A, NEW) if written else (NEW,))
    assert comments(after) == comments(before)
    changed = set(before.splitlines()) - set(after.splitlines())
    assert len(changed) <= 1


@pytest.mark.parametrize("written", KEYS.values(), ids=KEYS)
def test_the_only_key_goes_with_its_name(written: str) -> None:
    """What is left has no keys, and loads."""
    after = without_key(file(written), "help-bot", A)

    assert keys_of(after) == ()
    assert "keys" not in after.partition("help-bot")[2]
    assert after.startswith(OTHERS + HEAD)
    assert after.endswith(LAST)


@pytest.mark.parametrize("gone", [A, B], ids=["the older", "the newer"])
@pytest.mark.parametrize("written", TWO.values(), ids=TWO)
def test_either_of_two_keys_goes(written: str, gone: str) -> None:
    """The other one stays."""
    after = without_key(file(written), "help-bot", gone)

    assert keys_of(after) == tuple({A, B} - {gone})


@pytest.mark.parametrize("written", FLOW.values(), ids=FLOW)
def test_registrations_on_one_line_are_edited_as_well(written: str) -> None:
    """Added, taken, and taken again."""
    before = f"{OTHERS}  help-bot: {written}{LAST}"
    added = with_key(before, "help-bot", NEW)
    none = without_key(without_key(added, "help-bot", A), "help-bot", NEW)

    assert keys_of(added) == (A, NEW)
    assert keys_of(none) == ()
    assert keys_of(with_key(none, "help-bot", NEW)) == (NEW,)


@given(
    st.sampled_from([*KEYS.values(), *TWO.values(), ""]),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([LAST, "\n", ""]),
)
def test_added_and_taken_again_is_as_before(
    written: str, above: bool, ends: str, last: str
) -> None:
    """For every way to write them, with either line end, and at the end of a file."""
    text = file(written, above=above).removesuffix(LAST) + last
    before = text.replace("\n", ends)
    if len(keys_of(before)) == 2:
        with pytest.raises(EditError, match="aaaaaaaa \\(the older\\) and bbbbbbbb"):
            with_key(before, "help-bot", NEW)
        return
    again = without_key(with_key(before, "help-bot", NEW), "help-bot", NEW)

    assert keys_of(again) == keys_of(before)
    assert comments(again) == comments(before)
    assert again.count("\r") == (again.count("\n") if ends == "\r\n" else 0)


def test_what_a_program_cannot_edit_is_left_to_people() -> None:
    """Keys in a file of their own, a registration that begins beside its name, problems."""
    for text, told in (
        ("integrations: {help-bot: {owner: o}}\n", "the key 'contact' is missing"),
        ("integrations: []\n", "expected keys with values here"),
        (file(KEYS["a list"]).replace("help-bot", "other-bot"), "no integration is called"),
    ):
        with pytest.raises(EditError, match=told):
            with_key(text, "help-bot", NEW)


def test_keys_in_a_file_of_their_own_are_left_to_people(tmp_path: object) -> None:
    """The list is elsewhere, and may be shared."""
    from pathlib import Path

    directory = Path(str(tmp_path))
    (directory / "keys.txt").write_text(f"sha256:{A}\n")
    path = str(directory / "integrations.yaml")
    text = file("    keys: {file: keys.txt}\n")

    for edit, digest in ((with_key, NEW), (without_key, A)):
        with pytest.raises(EditError, match="only a person can edit"):
            edit(text, "help-bot", digest, path)
