"""Secrets put where requests have room for them, and the search for them in what comes out."""

from __future__ import annotations

import secrets
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Planted:
    """Secrets, each with the place where it was put."""

    where: dict[str, str] = field(default_factory=dict)

    def __call__(self, where: str) -> str:
        """Make a secret for a place."""
        secret = f"s3cr{len(self.where):03d}{secrets.token_hex(9)}"
        self.where[secret] = where
        return secret

    def also(self, secret: str, where: str) -> str:
        """Watch for a secret that somebody else made."""
        self.where[secret] = where
        return secret

    def found(self, told: Mapping[str, bytes]) -> set[str]:
        """Where each secret shows, in whatever form, as `place in source`."""
        return {
            f"{where} in {source}"
            for source, text in told.items()
            for secret, where in self.where.items()
            if any(form in text for form in forms(secret))
        }


def forms(secret: str) -> Iterator[bytes]:
    """The forms in which a secret could show: as it is, percent-encoded, in hex and in base64."""
    raw = secret.encode()
    yield raw
    yield "".join(f"%{byte:02X}" for byte in raw).encode()
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for before in range(3):  # a secret within something longer begins at any of three places
        for encode in (b64encode, urlsafe_b64encode):
            whole = encode(b"\0" * before + raw)
            yield whole[4 if before else 0 : -4]


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
