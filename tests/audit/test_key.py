"""The key that proves the log."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.audit.key import derived, load_or_make_key
from gateway.errors import AuditError


def test_a_key_is_made_once(tmp_path: Path) -> None:
    """The first start makes it, for its owner alone; the next finds it."""
    path = tmp_path / "data" / "audit.key"
    key, made = load_or_make_key(path)

    assert made
    assert len(bytes.fromhex(key.decode())) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_make_key(path) == (key, False)
    assert list(path.parent.iterdir()) == [path]


def test_of_many_starts_at_once_one_makes_the_key(tmp_path: Path) -> None:
    """All have the same, and none reads half of it."""
    with ThreadPoolExecutor(16) as pool:
        keys = list(pool.map(load_or_make_key, [tmp_path / "audit.key"] * 64))

    assert len({key for key, _ in keys}) == 1
    assert sum(made for _, made in keys) == 1


def test_a_short_key_proves_nothing(tmp_path: Path) -> None:
    """It could be guessed."""
    path = tmp_path / "audit.key"
    path.write_text("secret\n")

    with pytest.raises(AuditError, match="shorter than 32") as caught:
        load_or_make_key(path)
    assert "secret" not in str(caught.value)


def test_a_key_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """The message names the file."""
    (tmp_path / "file").write_text("")

    with pytest.raises(AuditError, match=r"audit\.key cannot be read"):
        load_or_make_key(tmp_path / "file" / "audit.key")


def test_each_purpose_has_a_key_of_its_own() -> None:
    """Always the same for the same purpose, and never the key itself."""
    assert derived(b"k" * 32, "a") == derived(b"k" * 32, "a")
    assert len({derived(b"k" * 32, "a"), derived(b"k" * 32, "b"), b"k" * 32}) == 3
