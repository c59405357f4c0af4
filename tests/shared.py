"""Where the data that came from elsewhere lies: beside the checkout, never in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def shared(*parts: str) -> Path:
    """The path of shared data; skips the test where it is not present."""
    folder = Path(os.environ.get("SOE_GATEWAY_SHARED", ROOT.parent / "shared"))
    path = folder.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"shared data is not present beside the checkout: {'/'.join(parts)}")
    return path
