"""Texts, and changes to them that a reader does not see."""

from __future__ import annotations

import html
from collections.abc import Callable
from random import Random

from hypothesis import strategies as st

WORDS = [
    "restart",
    "agent",
    "clears",
    "cache",
    "token",
    "naïve",
    "größe",
    "service",
    "ключ",
    "проверка",
    "漢字",
    "lastly",
    "error",
]
"""Words of several scripts, none short enough to look like spaced letters."""

MARKS = [
    *("[", "]", "[[", "](", "[a]: b\n", "![a](b) ", "[a](b 'c')", "<", ">", "<b>", "</b>", "<!--"),
    *("-->", "<a href='", "<p>", "</div>", "<br/>", "*", "**", "_", "~~", "`", "```\n", "~~~\n"),
    *("|a|b|\n|-|-|\n", "|", "&amp;", "&", "&#97;", "\\", "\\*", "# ", "#", "> ", "- ", "- [ ] "),
    *("1. ", "12) ", "\n", "\n\n", " ", "    ", "\t", "a", "word ", "a\n=\n", "---\n", "\r", "\0"),
    *(
        "\u200b",
        "é",
        "漢",
        "https://a.example/b?c=d ",
        "/var/log/a.log",
        "c:\\a\\b",
        "1",
        "<?",
        "<!a",
    ),
]
"""What Markdown and HTML are made of."""

any_text = st.text(st.characters(exclude_categories=()), max_size=300)
"""Any string, halves of pairs of UTF-16 among it."""
marked_text = st.lists(st.sampled_from(MARKS), max_size=40).map("".join)
"""Text that is full of marks, most of them in the wrong place."""
table_text = st.lists(
    st.sampled_from(
        [
            *(
                "\n|a|b|\n|-|-|\n",
                "\n> a|b\n> -|-\n> ",
                "\n- a|b\n  :-|-:\n  ",
                "\na|\n-|\n",
                "|-",
                "-|-",
            ),
            *(
                "|",
                "|",
                "\\|",
                "-",
                ":",
                "\n",
                "\n\n",
                "[",
                "]",
                "[a]: b",
                "<",
                ">",
                "<!a",
                "<!--",
                "-->",
            ),
            *(
                "<b>",
                "</b>",
                "<div>\n",
                "&amp;",
                "`",
                "**",
                "a",
                "word ",
                "é",
                " ",
                "    ",
                "\t",
                "> ",
                "- ",
            ),
        ]
    ),
    max_size=40,
).map("".join)
"""Text of which much is a table, or nearly one."""
sentence = st.lists(st.sampled_from(WORDS), min_size=3, max_size=12).map(
    lambda words: " ".join(words).capitalize() + "."
)
prose = st.lists(sentence, min_size=1, max_size=4).map("\n\n".join)
"""Paragraphs of plain words."""
block = st.one_of(
    sentence,
    sentence.map(lambda text: f"# {text}"),
    sentence.map(lambda text: f"> {text}"),
    sentence.map(lambda text: f"- {text}\n- [ ] {text}"),
    sentence.map(lambda text: f"```\n{text}\n```"),
    sentence.map(lambda text: f"| a | b |\n|---|---|\n| {text} | **{text}** |"),
    sentence.map(lambda text: f"<details><summary>{text}</summary>\n\n{text}\n\n</details>"),
)
"""A paragraph, heading, quote, list, code, table, or what folds away."""

Change = Callable[[str, Random], str]


def _between(choices: list[str]) -> Change:
    """Put one of some strings in the place of every second space."""

    def change(text: str, random: Random) -> str:
        return "".join(
            random.choice(choices) if char == " " and random.random() < 0.5 else char
            for char in text
        )

    return change


def _after(choices: list[str], rate: float = 0.2) -> Change:
    """Put one of some strings behind some letters that others follow."""

    def change(text: str, random: Random) -> str:
        parts = []
        for char, following in zip(text, text[1:] + " ", strict=True):
            inside = char.isalpha() and following.isalpha()
            parts += [char, random.choice(choices) if inside and random.random() < rate else ""]
        return "".join(parts)

    return change


def _instead(replace: Callable[[str], str], rate: float = 0.5) -> Change:
    """Write some characters otherwise."""

    def change(text: str, random: Random) -> str:
        return "".join(replace(char) if random.random() < rate else char for char in text)

    return change


def _emphasis(text: str, random: Random) -> str:
    return " ".join(
        f"{word[:2]}**{word[2:]}**" if word.isalpha() and random.random() < 0.3 else word
        for word in text.split(" ")
    )


def _full_width(char: str) -> str:
    return chr(ord(char) + 0xFEE0) if char.isascii() and char.isalpha() else char


def _mathematical(char: str) -> str:
    return chr(0x1D5BA + ord(char) - 97) if "a" <= char <= "z" else char


_LOOKALIKES = dict(zip("aceiopsxyABCEHK", "асеіорѕхуАВСЕНК", strict=True))
UNSEEN: dict[str, Change] = {
    "white space": _between(["  ", "\t", "\n", " \n "]),
    "other spaces": _between(["\u00a0", "\u2003", "\u2028", "\u3000", "\u202f", "\u2800"]),
    "zero-width characters": _after(["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad"]),
    "other fillers": _after(["\u180e", "\ufe0f", "\U000e0061", "\u034f", "\U000e0100", "\u115f"]),
    "marks of direction": _after(["\u200e", "\u202a", "\u202c", "\u2066", "\u2069", "\u061c"]),
    "control characters": _after(["\x01", "\x08", "\x1b", "\x7f", "\x9f", "\0"]),
    "marks above and below": _after([chr(code) for code in range(0x300, 0x370)]),
    "letter case": _instead(lambda char: char.upper() if len(char.upper()) == 1 else char),
    "look-alikes": _instead(lambda char: _LOOKALIKES.get(char, char)),
    "full width": _instead(_full_width),
    "mathematical letters": _instead(_mathematical),
    "punctuation": _between([", ", "... ", " - ", "; ", "! ", " “", "” ", " … "]),
    "comments": _between([" <!-- x 1 --> ", " <!---->", " <!-- - -->\n"]),
    "comments within words": _after(["<!-- x -->", "<!---->"]),
    "empty elements within words": _after(
        ["<b></b>", "<span></span>", "<i class='x'></i>", "<wbr>"]
    ),
    "emphasis within words": _emphasis,
    "entities": _instead(lambda char: f"&#{ord(char)};" if char.isalpha() else char),
    "entities in base 16": _instead(lambda char: f"&#x{ord(char):x};" if char.isalpha() else char),
    "hidden elements": _between(
        [
            ' <span style="display:none">x</span>',
            " <i hidden>x</i>",
            "<span style='font-size: 0px'>x</span> ",
            ' <b style="opacity:0.0">x</b>',
            " <span style='visibility : HIDDEN'>x<i>y</i></span>",
        ]
    ),
    "hidden elements within words": _after(['<span style="display:none">x</span>']),
    "link definitions": lambda text, _: (
        text + '\n\n[one]: https://a.example "of no use"\n[//]: # (x)\n'
    ),
    "bullets": lambda text, _: "\n\n".join(f"- {part}" for part in text.split("\n\n")),
    "numbers of a list": lambda text, _: "\n".join(f"1. {part}" for part in text.split("\n\n")),
    "escapes": lambda text, _: text.replace(".", "\\."),
    "HTML": lambda text, _: "".join(f"<p>{html.escape(part)}</p>" for part in text.split("\n\n")),
    "paragraphs within elements": lambda text, _: f"<div>\n\n{text}\n\n</div>",
    "line ends": lambda text, _: text.replace("\n", "\r\n"),
}
"""What changes a text and not what is read."""
