"""The key that proves the log."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.audit.key import Keys, derived, load_or_make_keys, only
from gateway.errors import AuditError


def test_a_key_is_made_once(tmp_path: Path) -> None:
    """The first start makes it, for its owner alone; the next finds it."""
    path = tmp_path / "data" / "audit.key"
    keys = load_or_make_keys(path)

    assert keys == only(keys.first)
    assert len(bytes.fromhex(keys.first.decode())) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_make_keys(path) == keys
    assert list(path.parent.iterdir()) == [path]


def test_of_many_starts_at_once_one_makes_the_key(tmp_path: Path) -> None:
    """All have the same, and none reads half of it."""
    with ThreadPoolExecutor(16) as pool:
        keys = list(pool.map(load_or_make_keys, [tmp_path / "audit.key"] * 64))

    assert len({each.first for each in keys}) == 1


def test_a_short_key_proves_nothing(tmp_path: Path) -> None:
    """It could be guessed."""
    path = tmp_path / "audit.key"
    path.write_text("secret\n")

    with pytest.raises(AuditError, match="shorter than 32") as caught:
        load_or_make_keys(path)
    assert "secret" not in str(caught.value)


def test_a_key_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """The message names the file."""
    (tmp_path / "file").write_text("")

    with pytest.raises(AuditError, match=r"audit\.key cannot be read"):
        load_or_make_keys(tmp_path / "file" / "audit.key")


def test_each_purpose_has_a_key_of_its_own() -> None:
    """Always the same for the same purpose, and never the key itself."""
    assert derived(b"k" * 32, "a") == derived(b"k" * 32, "a")
    assert len({derived(b"k" * 32, "a"), derived(b"k" * 32, "b"), b"k" * 32}) == 3


A, B = "a" * 32, "b" * 40


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (A, {"1": A}),
        (f"{A}\n2:{B}\n", {"1": A, "2": B}),
        (f"\n  old:{A}\n\n2027-01:{B}", {"old": A, "2027-01": B}),
    ],
)
def test_the_last_key_signs_and_the_first_makes_digests(
    tmp_path: Path, text: str, ids: dict[str, str]
) -> None:
    """A key that is added changes no digest, and those before it stay known."""
    path = tmp_path / "audit.key"
    path.write_text(text)
    keys = load_or_make_keys(path)

    assert keys == Keys({name: key.encode() for name, key in ids.items()})
    assert (keys.first.decode(), keys.newest) == (A, list(ids)[-1])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{A}\n{B}", ":2: expected `id:key`"),
        (f"1:{A}\n1:{B}", ":2: there is a key 1 already"),
        (f"{A}\n2:{B[:31]}", ":2 is shorter than 32"),
        ("\n", "is shorter than 32"),
    ],
)
def test_a_key_file_that_is_wrong_is_told_by_its_line(tmp_path: Path, text: str, told: str) -> None:
    """And nothing of a key is."""
    path = tmp_path / "audit.key"
    path.write_text(text)

    with pytest.raises(AuditError, match=told) as caught:
        load_or_make_keys(path)
    assert "aaa" not in str(caught.value)
    assert "bbb" not in str(caught.value)
