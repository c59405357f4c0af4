"""Which posts are logs, and which are about one."""

from __future__ import annotations

import pytest

from gateway.checks.log_text import LogText
from gateway.model import Post, Violation
from tests.samples import a_write

CHECK = LogText()
ENTRY = "2026-01-05 08:00:12,441 ERROR [main] com.example.App: no route to the secret host"
TRACE = """```
java.lang.NullPointerException: amount
\tat com.example.PaymentService.pay(PaymentService.java:42)
\tat com.example.Api.post(Api.java:17)
\tat com.example.Api.main(Api.java:3)
```"""
ASKS = "Paying in yen fails since Monday, while euros work as before."


def judged(body: str, check: LogText = CHECK) -> Violation | None:
    post = Post(title="NullPointerException: amount", body=body)
    return check.judge(a_write(post=post), None)


@pytest.mark.parametrize(
    "body",
    [ENTRY, f"    {ENTRY}", TRACE, f"Environment: production\n\n{TRACE}", f"Please fix\n\n{TRACE}",
     f"### Error\n\nNullPointerException: amount\n\n### Stack\n\n{TRACE}", f"{ENTRY}\n" * 40],
)  # fmt: skip
def test_a_log_is_no_post(body: str) -> None:
    """One entry that is all there is, a trace with a word or two, a whole log."""
    violation = judged(body)

    assert violation is not None
    assert (violation.code, violation.status) == ("log_text", 400)


@pytest.mark.parametrize(
    "body",
    ["", "How do I rotate the key?", f"{ASKS}\n\n{TRACE}", f"{TRACE}\n\n{ASKS}", f"{ASKS}\n{ENTRY}\n" * 9,
     f"升级以后支付服务无法启动，请问是什么原因？\n\n{TRACE}",
     f"Is it this line?\n\n{ENTRY}", f"{ASKS} {ASKS} {ASKS}\n\n    {ENTRY}"],
)  # fmt: skip
def test_a_post_about_a_log_passes(body: str) -> None:
    """People ask about stack traces: some words of their own are enough, however long the trace."""
    assert judged(body) is None


def test_a_form_that_a_tool_filled_in_wants_more_words() -> None:
    """A few words in the one field that is left to a person make no report."""
    form = f"### Steps\n\n{ASKS}\n\n### Stack (automated)\n\n{TRACE * 3}"

    assert judged(form) is not None
    assert judged(form.replace(" (automated)", "")) is None


@pytest.mark.parametrize(
    ("body", "check", "fails"),
    [
        (f"{ASKS}\n\n{TRACE}", LogText(words=20), True),
        (f"{ASKS}\n\n{TRACE}", LogText(words=20, share=0.9), False),
        (f"Is it this?\n\n{ENTRY}", LogText(lines=1), True),
        (f"Please fix\n\n{TRACE}", LogText(lines=5), False),
        (f"Please fix\n\n{TRACE}", LogText(words=1), False),
    ],
)
def test_the_parameters_say_how_much_is_too_much(body: str, check: LogText, fails: bool) -> None:
    """Share, lines and words, each by itself."""
    assert (judged(body, check) is not None) == fails


def test_the_refusal_tells_figures_and_no_text() -> None:
    """How many lines, which share, and how to ask instead."""
    violation = judged(f"Please fix\n\n{TRACE}")

    assert violation is not None
    assert violation.message == (
        "4 lines of a log or stack trace make 94% of this text; words of its own: 2."
    )
    assert "what was tried" in violation.fix
    assert violation.evidence == {
        "share": 0.9388,
        "lines": 4,
        "words": 2,
        "automated": False,
        "limit": 0.6,
    }
