"""What a reader does not see is not said."""

from __future__ import annotations

import base64

import pytest

from gateway.checks.hidden_text import HiddenText
from gateway.model import Post, Violation
from gateway.text.fingerprint import fingerprint
from tests.samples import a_write

CHECK = HiddenText()
TEXT = (
    "Restart the agent, clear its cache, wait a minute, and then log in again with the badge that "
    "you got on your first day; if it is lost, ask the desk for a new one and wait for the post."
)
ALIKE = str.maketrans("aeocp", "аеоср")
KEY = base64.b64encode(bytes(range(1, 250)) * 2).decode()
PEM = "\n".join(KEY[at : at + 64] for at in range(0, len(KEY), 64))


def judged(body: str, title: str = "", check: HiddenText = CHECK) -> Violation | None:
    post = Post(title=title, body=body)
    return check.judge(a_write(post=post, fingerprint=fingerprint(post)), None)


HIDDEN = {
    "a comment": f"See below.\n\n<!--\n{TEXT}\n-->",
    "nothing else": f"<!-- {TEXT} -->",
    "an element": f'See below. <span style="display:none">{TEXT}</span>',
    "an attribute": f"See below. <div hidden>{TEXT}</div>",
    "a link's title": f'See below.\n\n[//]: # "{TEXT}"',
    "many comments": "See below." + "".join(f"<!-- {word} -->" for word in TEXT.split() * 2),
    "base64": f"Decode:\n\n```\n{base64.b64encode(TEXT.encode()).decode()}\n```",
    "an unreadable code": f"Decode: {KEY}",
    "tags": "See below. " + "".join(chr(0xE0000 + ord(char)) for char in TEXT),
}
DISGUISED = {
    "look-alikes": TEXT.translate(ALIKE),
    "some look-alikes": " ".join(
        word.translate(ALIKE) if at % 2 else word for at, word in enumerate(TEXT.split())
    ),
    "zero-width everywhere": "\u200b".join(TEXT),
    "zero-width here and there": TEXT.replace("t", "t\u2060"),
    "direction marks": TEXT.replace(" ", " \u202a"),
    "entities": TEXT.replace("e", "e&#8203;"),
}
HONEST = {
    "no text": "",
    "plain": TEXT,
    "a form with help": "<!-- Please search first, and link to what is near to yours. -->\n**What**\n"
    "<!-- What did you see, and what did you want to see? -->\nIt ends.\n<!-- The version. -->\n4.2",
    "a comment beside a text": f"{TEXT}\n<!-- {TEXT} -->",
    "a short comment": "Done. <!-- sent by help-bot -->",
    "comments in code": f"How do I write this?\n\n```html\n<!-- {TEXT} -->\n```",
    "a certificate": f"Why is it refused?\n\n```\n-----BEGIN CERTIFICATE-----\n{PEM}\n```",
    "a picture": f"![how it looks](data:image/png;base64,{KEY})",
    "a commit": "Fix it.\n\nChange-Id: I800ff6d899ca0123456789abcdefABCDEF012345",
    "emoji": "Fine! " + "👩\u200d💻 ❤\ufe0f 1\ufe0f\u20e3 " * 20,
    "Persian": "می\u200cخواهم کتاب\u200cها را ببینم " * 10,
    "Hebrew with names": "הפעל את \u2066nginx\u2069 מחדש " * 10,
    "Hindi": "क्\u200dष शक्\u200cति " * 12,
    "Thai": "รีสตาร์ท\u200bระบบ\u200bใหม่ " * 12,
    "Russian with names": "Перезапусти сервис nginx, очисти cache и войди через SSO. " * 5,
    "physics": "The shift is 5 μm at ΔT = 3 K, so αx and βy are small against the wave. " * 5,
    "soft hyphens": "Donau\u00addampf\u00adschiff\u00adfahrts\u00adgesell\u00adschaft " * 10,
    "fillers of a short answer": "\u200b" * 30 + "See the docs",
    "names": "Jürgen, Łukasz, Zoë, Đặng and Nguyễn say so. " * 10,
}


@pytest.mark.parametrize("body", [*HIDDEN.values(), *DISGUISED.values()], ids=[*HIDDEN, *DISGUISED])
def test_what_readers_do_not_see_is_refused(body: str) -> None:
    """Whatever way it is hidden or disguised."""
    violation = judged(body, title="How do I get in?")

    assert violation is not None
    assert (violation.code, violation.status) == ("hidden_text", 400)


@pytest.mark.parametrize("body", HONEST.values(), ids=HONEST)
def test_what_is_honest_passes(body: str) -> None:
    """Forms, code, certificates, emoji, and all the world's scripts."""
    assert judged(body) is None


@pytest.mark.parametrize(
    ("body", "check", "fails"),
    [
        (HIDDEN["a comment"], HiddenText(letters=500), False),
        (HIDDEN["a comment"], HiddenText(ratio=100), False),
        (HONEST["a comment beside a text"], HiddenText(ratio=1), True),
        (DISGUISED["some look-alikes"], HiddenText(share=0.9), False),
    ],
)
def test_the_parameters_say_how_much_is_too_much(body: str, check: HiddenText, fails: bool) -> None:
    """Ratio, letters and share, each by itself."""
    assert (judged(body, check=check) is not None) == fails


def test_the_refusal_tells_figures_and_no_text() -> None:
    """How much is seen, how much not, and where to write it."""
    hidden, disguised = judged(HIDDEN["a comment"]), judged(DISGUISED["look-alikes"])

    assert hidden is not None
    assert disguised is not None
    assert hidden.message == (
        "A reader sees 8 letters of this post and not the other 139: they stand in comments or "
        "hidden elements, or are encoded."
    )
    assert hidden.evidence == {"share": 0.9456, "hidden": 139, "visible": 8, "limit": 10}
    assert disguised.message.startswith("15 of 17 words mix letters of several scripts")
    assert "agent" not in f"{hidden} {disguised}"


def test_a_write_without_text_passes() -> None:
    """A vote has nothing to hide."""
    assert CHECK.judge(a_write(post=Post(), fingerprint=None), None) is None
