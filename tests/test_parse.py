"""YAML that people write: what is refused, where, in which words; what is read, as what."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.parse import MAX_BYTES, Mapping, Reader, Scalar, Sequence, nearest

Read = Callable[[Reader, Any], object]


def problems_of(text: str) -> list[str]:
    """What composing this text, and reading every value in it as text, finds wrong."""
    reader = Reader("f.yaml")
    root = reader.compose(text)
    if root is not None:
        for node in root.items.values():
            reader.text(node)
    return [str(problem).removeprefix("f.yaml:") for problem in reader.problems]


def value(written: str, read: Read) -> tuple[object, list[str]]:
    """What a reader makes of a value, and what it finds wrong."""
    reader = Reader("f.yaml")
    root = reader.compose(f"key: {written}\n")
    assert root is not None
    return read(reader, root.items["key"]), [problem.text for problem in reader.problems]


# ── the document ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1:1: the file is empty"),
        ("# only a comment\n", "1:1: the file is empty"),
        ("- a\n", "1:1: expected keys with values here"),
        ("a: b\n---\nc: d\n", "2:1: a second document; a file holds one"),
        ("%YAML 1.2\n---\na: b\n", "1:1: directives (%) are not allowed"),
        ("a: &x b\n", "1:4: anchors (&name) are not allowed"),
        ("a: !!str b\n", "1:4: tags (!name) are not allowed"),
        ("a: !!python/name:os.system x\n", "1:4: tags (!name) are not allowed"),
        ("<<: {a: b}\n", "1:1: merge keys (<<) are not allowed; write it out"),
        ("a: b\nc: d\na: e\n", "3:1: the key 'a' stands in line 1 already"),
        ("? [a]\n: b\n", "1:3: a key must be text"),
        ("no: a\n", "1:1: the key 'no' is not read as text by YAML; quote it"),
        ("7: a\n", "1:1: the key '7' is not read as text by YAML; quote it"),
        ("? \n: a\n", "1:2: the key nothing is not read as text by YAML; quote it"),
        ("a:\n\t- b\n", "2:1: found character that cannot start any token"),
        ("a: [b\n", "2:1: did not find expected ',' or ']'"),
        ("a: b\u202ec\n", "1:5: the invisible character U+202E is not allowed"),
        ("a: b\n\ufeffc: d\n", "2:1: the invisible character U+FEFF is not allowed"),
        ("a: b\x00\n", "1:5: the invisible character U+0000 is not allowed"),
        ("a: \ud800\n", "1:4: the invisible character U+D800 is not allowed"),
        ('a: "b\\0"\n', "1:4: control characters are not allowed"),
        ("a: " + "x" * MAX_BYTES, f"1:1: the file is larger than {MAX_BYTES} bytes"),
        ("a: " + "[" * 32 + "]" * 32, "1:35: nested deeper than 32 levels"),
    ],
)
def test_what_yaml_would_guess_repeat_or_run_is_a_problem(text: str, problem: str) -> None:
    """Each trap has its own words, with the line and the column where it stands."""
    assert problem in problems_of(text)


@pytest.mark.parametrize(
    "word",
    [
        *("off", "no", "On", "YES", "y", "n", "true", "null", "~", "1:30", "12:30:45", "010"),
        *("0o7", "0x1F", "1_000", ".inf", "-.INF", ".nan", "1.20", "1e3", "2026-12-31", "42"),
        "=",
    ],
)
def test_a_plain_value_that_is_no_text_for_yaml_must_be_quoted(word: str) -> None:
    """What YAML reads as something else than text is a text in quotes alone."""
    assert problems_of(f"a: {word}\n") == [f"1:4: {word!r} is not read as text by YAML; quote it"]
    assert problems_of(f"a: '{word}'\n") == []


def test_a_key_without_a_value_lacks_its_text() -> None:
    """As the owner in a draft of registrations; two quotes are an empty text."""
    assert problems_of("a: # who answers for it\n") == ["1:3: a text is missing here"]
    assert problems_of("a: ''\n") == []


@given(st.text("0123456789_+-.:eExXoObB~<=ynofaulrsTNtIi Z", max_size=9))
@example("-0b1_0")
@example("2026-1-1 1:2:3")
@example("+190:20:30.15")
@example("6.8523015e+5")
def test_nothing_that_yaml_resolves_to_another_type_is_read_as_text(word: str) -> None:
    """Where PyYAML's own resolver sees a number, a date, a truth or nothing, we see a problem."""
    reader = Reader("f.yaml")
    root = reader.compose(f"a: {word}\n")
    try:
        node = yaml.compose(f"a: {word}\n", Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return
    assert isinstance(node, yaml.MappingNode)
    (_, scalar) = node.value[0]
    if isinstance(scalar, yaml.ScalarNode) and scalar.tag != "tag:yaml.org,2002:str":
        assert root is None or "a" not in root.items or reader.text(root.items["a"]) is None
        assert reader.problems


def test_all_problems_are_told_at_once() -> None:
    """One pass over a file finds every mistake in it, whatever its kind."""
    text = "a: &x 1\nb: *x\na: !t c\nyes: d\ne: {f: g, f: h}\n"

    places = [problem.split(":")[:2] for problem in problems_of(text)]

    assert [":".join(place) for place in places] == [
        "1:4",
        "2:4",
        "3:1",
        "3:4",
        "4:1",
        "5:11",
        "1:4",
        "5:4",
    ]


def test_a_value_that_cannot_be_read_does_not_make_its_key_missing() -> None:
    """The key stands there: only its value is wrong, and is told once."""
    reader = Reader("f.yaml")
    root = reader.compose("a: *b\n")
    assert root is not None
    reader.mapping(root, keys=("a",), required=("a",))

    assert [problem.text for problem in reader.problems] == [
        "aliases (*name) are not allowed; write it out"
    ]


def test_an_alias_bomb_is_refused_before_it_multiplies() -> None:
    """Nothing that an alias stands for is ever built: each one is told where it stands."""
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]
    reader = Reader("f.yaml")
    reader.compose("\n".join(lines))

    assert len(reader.problems) == 40 + 2 * 39


@given(st.text(max_size=60) | st.text("ab:-? \n\t[]{}#&*!|>'\"%@`,~<0", max_size=60))
@example("a: \r b")
@example("a: |9\n  b")
@example("\x85")
@example("[" * 10_000)
def test_any_text_gives_a_mapping_or_a_problem(text: str) -> None:
    """No text raises, and none is passed over in silence."""
    reader = Reader("f.yaml")
    root = reader.compose(text)

    assert root is not None or reader.problems
    assert all(problem.line >= 1 and problem.column >= 1 for problem in reader.problems)


trees = st.recursive(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text("abc"), below, max_size=4),
    max_leaves=12,
)


def plain(node: object) -> object:
    """The values of a node, without places."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    assert isinstance(node, Mapping)
    return {key: plain(item) for key, item in node.items.items()}


@given(st.dictionaries(st.text("abc"), trees, max_size=4))
def test_quoted_text_is_read_as_it_stands(tree: dict[str, object]) -> None:
    """Whatever is written in quotes comes out as the same keys, lists and texts."""
    reader = Reader("f.yaml")
    root = reader.compose(yaml.safe_dump(tree, default_style='"', width=10_000))

    assert reader.problems == []
    assert plain(root) == tree


def test_nodes_know_their_places() -> None:
    """Keys and values have lines and columns from 1."""
    root = Reader("f.yaml").compose("a:\n  b: [c, d]\n")

    assert root is not None
    below = root.items["a"]
    assert isinstance(below, Mapping)
    assert (below.keys["b"].line, below.keys["b"].column) == (2, 3)
    listed = below.items["b"]
    assert isinstance(listed, Sequence)
    assert [item.mark.column for item in listed.items] == [7, 10]


# ── values ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("read", "written", "expected"),
    [
        (Reader.text, "a b", "a b"),
        (Reader.text, "'no'", "no"),
        (Reader.texts, "[a, 'off']", ("a", "off")),
        (Reader.texts, "a", ("a",)),
        (Reader.texts, "[]", ()),
        (Reader.integer, "-12", -12),
        (Reader.boolean, "true", True),
        (Reader.boolean, "false", False),
        (Reader.duration, "500ms", 0.5),
        (Reader.duration, "90d", 7_776_000.0),
        (Reader.percent, "84%", 0.84),
        (Reader.percent, "0.5%", 0.005),
        (Reader.date, "2026-12-31", datetime.date(2026, 12, 31)),
        (Reader.instant, "2026-01-05T08:00Z", 1_767_600_000.0),
        (Reader.instant, "2026-01-05T09:00:30+01:00", 1_767_600_030.0),
        (Reader.json, "{a: [1, true, null, '1', b]}", {"a": [1, True, None, "1", "b"]}),
    ],
)
def test_values_are_read_as_what_they_are(read: Read, written: str, expected: object) -> None:
    """Each reader gives the typed value, and nothing is wrong."""
    assert value(written, read) == (expected, [])


@pytest.mark.parametrize(
    ("read", "written", "problem"),
    [
        (Reader.text, "[a]", "expected a text here"),
        (Reader.texts, "[a, no]", "'no' is not read as text by YAML; quote it"),
        (Reader.texts, "{a: b}", "expected a list of texts here"),
        (
            Reader.instant,
            "2026-01-05T08:00",
            "expected a time such as 2026-12-31T23:00Z, not '2026-01-05T08:00'",
        ),
        (Reader.instant, "[]", "expected a time such as 2026-12-31T23:00Z here"),
        (Reader.json, "no", "'no' is not read as text by YAML; quote it"),
        (Reader.integer, "010", "expected a whole number here, not '010'"),
        (Reader.integer, "1_000", "expected a whole number here, not '1_000'"),
        (Reader.integer, "٣", "expected a whole number here, not '٣'"),
        (Reader.integer, "[]", "expected a whole number here"),
        (Reader.boolean, "yes", "expected true or false here, not 'yes'"),
        (Reader.boolean, "True", "expected true or false here, not 'True'"),
        (Reader.duration, "10", "expected a duration such as 10s, 5m, 2h or 30d, not '10'"),
        (Reader.duration, "1:30", "expected a duration such as 10s, 5m, 2h or 30d, not '1:30'"),
        (Reader.duration, "٣s", "expected a duration such as 10s, 5m, 2h or 30d, not '٣s'"),
        (Reader.percent, "101%", "expected a percentage such as 84%, not '101%'"),
        (Reader.percent, "0.84", "expected a percentage such as 84%, not '0.84'"),
        (Reader.date, "2026-02-30", "expected a date such as 2026-12-31, not '2026-02-30'"),
        (Reader.date, "2026-1-1", "expected a date such as 2026-12-31, not '2026-1-1'"),
    ],
)
def test_values_that_are_something_else_are_problems(
    read: Read, written: str, problem: str
) -> None:
    """Nothing is guessed: the problem names what was expected."""
    assert value(written, read) == (None, [problem])


def test_numbers_keep_their_bounds() -> None:
    """A whole number outside its bounds is a problem."""
    assert value("0", lambda reader, node: reader.integer(node, at_least=1)) == (
        None,
        ["must be at least 1"],
    )
    assert value("9", lambda reader, node: reader.integer(node, at_most=8)) == (
        None,
        ["must be at most 8"],
    )


def test_a_word_out_of_several_is_told_its_nearest() -> None:
    """A misspelt choice names all words, and the one that was probably meant."""
    options = ("enforce", "observe")

    assert value("observe", lambda reader, node: reader.choice(node, options)) == ("observe", [])
    assert value("enforced", lambda reader, node: reader.choice(node, options)) == (
        None,
        ["'enforced' is none of enforce, observe; did you mean 'enforce'?"],
    )


def test_unknown_and_missing_keys_are_told() -> None:
    """Every key is known or a problem, and every required one is there or a problem."""
    reader = Reader("f.yaml")
    root = reader.compose("titel: a\nmode: b\n")
    assert root is not None
    reader.mapping(root, keys=("title", "mode"), required=("title",))

    assert [str(problem) for problem in reader.problems] == [
        "f.yaml:1:1: unknown key 'titel'; did you mean 'title'?",
        "f.yaml:1:1: the key 'title' is missing",
    ]


def test_a_list_is_no_mapping() -> None:
    """Keys are asked of a mapping alone."""
    assert value("[a]", Reader.mapping) == (None, ["expected keys with values here"])


def test_nothing_is_suggested_for_a_word_like_no_other() -> None:
    """A guess that helps nobody is not made."""
    assert nearest("zebra", ("title", "mode")) == ""
