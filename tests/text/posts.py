"""Posts of our own, as honest people write them, and what is done to hide that one is a copy."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable

HONEST = {
    "badge": "Restart the agent, clear its cache, wait a minute and then log in again with your badge. If the light stays red, the reader on the second floor has lost its clock and somebody has to set it by hand before any door opens.",
    "pipeline": "Our nightly pipeline fails in the packaging step since we moved to the new runners. The log ends after the checksum of the third archive, and nothing is written to the artefact store. Has anybody seen this with runners behind the proxy in Hamburg?",
    "holiday": "You enter leave in the portal under *My time*, not in the calendar. The team lead gets a mail, and only after she agreed does the calendar show it. Half days are entered as hours, because the form does not know them.",
    "cluster": "The third node leaves the cluster every few hours. In the metrics I see that its disk waits for whole seconds before, so I moved the journal to the fast volume, and since yesterday it has stayed. The other nodes never had the journal on the slow one.",
    "invoice": "When an invoice has two cost centres, split it in the second form before you forward it. Accounting sends it back otherwise, and the supplier waits another four weeks. There is a template for the split on the finance page.",
    "review": "I would not merge this yet. The retry loop swallows the error of the first attempt, so whoever reads the log later sees only the second one, which is a consequence. Please log both, and give up after three attempts instead of never.",
    "vpn": "On the train the tunnel breaks whenever the phone changes cells. Set the keep-alive of the client to ten seconds and switch off the check of the source address; then it survives the change and the terminal stays open.",
    "schema": "We store amounts as integers of cents and the currency beside them. Floats lost a cent in every thousandth booking, and nobody noticed until the audit. If you need fractions of cents for prices of energy, use the decimal type and round once, at the end.",
}
"""No two of them share more than a few words."""

QUOTES = "\n".join(f"> {sentence}." for sentence in HONEST["review"].split(". "))
"""What many people quote."""


def _each_word(change: Callable[[str, random.Random], str], rate: float) -> Disguise:
    def disguise(text: str, chance: random.Random) -> str:
        words = text.split(" ")
        return " ".join(
            change(word, chance) if chance.random() < rate and len(word) > 4 else word
            for word in words
        )

    return disguise


def _swap(word: str, chance: random.Random) -> str:
    at = chance.randrange(len(word) - 1)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _made_up(chance: random.Random, words: int) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return " ".join("".join(chance.choices(letters, k=chance.randint(3, 8))) for _ in range(words))


def _sentences(text: str, chance: random.Random) -> str:
    sentences = text.split(". ")
    chance.shuffle(sentences)
    return ". ".join(sentences)


Disguise = Callable[[str, random.Random], str]
_HOMOGLYPHS = str.maketrans("aceopxy", "асеорху")

DISGUISES: dict[str, Disguise] = {
    "nothing": lambda text, _: text,
    "shouting": lambda text, _: text.upper(),
    "a greeting and a signature": lambda text, _: f"Hi all,\n\n{text}\n\nThanks in advance!\nAnna",
    "a time and an id": lambda text, chance: f"[2026-11-{chance.randint(1, 28):02}T08:14:01] id={chance.getrandbits(64):x}\n\n{text}",
    "sentences in another order": _sentences,
    "quoted whole": lambda text, _: "\n".join(f"> {line}" for line in text.split("\n")),
    "a block of code": lambda text, _: f"~~~\n{text}\n~~~",
    "swapped letters": _each_word(_swap, 0.1),
    "dropped words": _each_word(lambda _word, _chance: "", 0.1),
    "look-alike letters": lambda text, _: text.translate(_HOMOGLYPHS),
    "wide letters": lambda text, _: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "characters of no width": lambda text, _: "\u200b".join(text),
    "comments in words": _each_word(lambda word, _: f"{word[:2]}<!-- x -->{word[2:]}", 0.5),
    "entities": lambda text, _: "".join(f"&#{ord(c)};" if c.isalpha() else c for c in text),
    "emphasis in words": _each_word(lambda word, _: f"{word[:2]}**{word[2:]}**", 0.4),
    "hidden words between": lambda text, chance: text.replace(" ", f' <span style="display:none">{_made_up(chance, 1)}</span> '),
    "folded away": lambda text, _: f"<details><summary>More</summary>\n\n{text}\n\n</details>",
    "three times as many words behind": lambda text, chance: f"{text}\n\n{_made_up(chance, 120)}",
    "a text of somebody else before": lambda text, _: f"{HONEST['invoice']}\n\n{text}",
    "a table": lambda text, _: "|a|b|c|\n|-|:-:|-|\n" + "".join(f"| {' | '.join(text.split()[at : at + 3])} |\n" for at in range(0, len(text.split()), 3)),
    "cells beyond a table's head": lambda text, _: "a|b\n-|-\n" + f"c|d|{'|'.join(text.split('. '))}".replace("\n", " "),
    "base64": lambda text, _: f"Please decode:\n\n    {base64.b64encode(text.encode()).decode()}",
    "tag characters": lambda text, _: "See below. " + "".join(chr(0xE0000 + ord(c)) for c in text if ord(c) < 128),
    "an image's text": lambda text, _: f"![{text}](https://example.com/x.png)",
}  # fmt: skip
"""How a copy is hidden, by name."""
