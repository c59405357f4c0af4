"""Writes gateway/text/lookalikes.py from the table of Unicode TR39; with --check, says if it is stale."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

from confusable_homoglyphs.confusables import confusables_data

TABLE = Path(__file__).parents[1] / "gateway" / "text" / "lookalikes.py"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
READ_OTHERWISE = {"і": "i", "ӏ": "l"}
"""TR39 takes both for an l; a reader sees an i in the first."""
HEAD = '''"""Characters of other scripts that read as ASCII letters.

Written by scripts/lookalikes.py from the table of Unicode Technical Standard 39 (confusables.txt,
Unicode License) as the library confusable-homoglyphs has it, for what NFKC does not fold already.
"""

from __future__ import annotations

LOOKALIKES = {
'''


def table() -> dict[str, str]:
    """Give, for each letter in lower case, the characters that read as it.

    Both cases of a character read as the same letter where TR39 does not say otherwise, so that
    case makes no difference in other scripts. Letters that resemble digits stay letters.
    """
    found: dict[str, str] = {}
    for letter in LETTERS:
        for row in confusables_data.get(letter, ()):
            char = row["c"]
            if len(char) == 1 and char > "\x7f" and unicodedata.normalize("NFKC", char) == char:
                found.setdefault(char, letter.lower())
    found |= READ_OTHERWISE
    for char, letter in list(found.items()):
        for other in (char.lower(), char.upper()):
            if len(other) == 1 and unicodedata.normalize("NFKC", other) == other > "\x7f":
                found.setdefault(other, letter)
    return {
        letter: "".join(sorted(char for char, like in found.items() if like == letter))
        for letter in sorted(set(found.values()))
    }


def main() -> int:
    """Write or check the module."""
    rows = "".join(
        f'    "{letter}": "{"".join(map(_escape, chars))}",\n' for letter, chars in table().items()
    )
    text = f"{HEAD}{rows}}}\n"
    if "--check" not in sys.argv:
        TABLE.write_text(text)
        return 0
    stale = TABLE.read_text() != text
    print(*(["gateway/text/lookalikes.py is not fresh: make gen"] if stale else []), sep="\n")
    return int(stale)


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


if __name__ == "__main__":
    sys.exit(main())
