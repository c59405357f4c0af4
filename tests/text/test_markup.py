"""HTML gives the words of the Markdown behind it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gateway.text.markup import markdown_of
from gateway.text.normalize import words

RENDER = MarkdownIt("commonmark").render
WRITTEN = [
    "Restart the agent, clear its cache & wait a minute; 3 < 4.",
    "# A heading\n\nWith *emphasis*, **strength** and `code_span()`.",
    "Some un**break**able words, some snake_case, some <kbd>Ctrl</kbd>+<kbd>C</kbd>.",
    "Read [the hand-book](https://wiki.example.com/agent#log-in) first.",
    'Read [the hand-book](https://wiki.example.com "its title") first.',
    "Look at <https://ci.example.com/job/4711?tab=log>, or ask <team@example.com>.",
    "![a picture of the dialog](https://i.example.com/x.png)",
    "- one\n- two\n\n> quoted\n> twice\n\n---\n\nAnd an end.",
    "1. first\n2. second\n   - inner\n3. third",
    "7. seventh\n8. eighth",
    "```python\nprint('a < b')\n```\n\nand\n\n    indented = 1\n",
    "```\nno language\n```\n\nthen `inline` and\n\n```bash\nls -l /var/log\n```",
    "Ünïcode, 日本語, “quotes” and an \\*escaped\\* star.",
]


@pytest.mark.parametrize("markdown", WRITTEN)
def test_rendered_markdown_has_the_words_of_its_source(markdown: str) -> None:
    """What an author wrote and what the site shows of it are one text."""
    assert words(markdown_of(RENDER(markdown))) == words(markdown)


@given(st.lists(st.text("ab1 &<>\"'äß日", min_size=1, max_size=9), min_size=1, max_size=9))
def test_paragraphs_of_plain_text_come_back(paragraphs: list[str]) -> None:
    """Escapes and paragraphs make no difference."""
    html = "".join(
        f"<p>{each.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}</p>"
        for each in paragraphs
    )

    assert words(markdown_of(html)) == words("\n\n".join(paragraphs))


@pytest.mark.parametrize(
    "html",
    [
        '<pre class="lang-py s-code-block"><code class="hljs language-python">x = 1</code></pre>',
        '<pre><code class="language-py">x = 1</code></pre>',
    ],
)
def test_the_language_of_code_is_told_once(html: str) -> None:
    """The site and other renderers name it at different tags."""
    assert words(markdown_of(html)) == words("```py\nx = 1\n```")


@given(st.text(max_size=200))
def test_no_text_stops_it(text: str) -> None:
    """Whatever a site sends is read to its end."""
    assert isinstance(markdown_of(text), str)


def test_html_that_is_not_whole_is_read_as_far_as_it_goes() -> None:
    """An open tag hides nothing that stands before it."""
    assert words(markdown_of("<p>Restart the <b>agent</p></ol></a>")) == [
        *("restart", "the", "b", "agent")
    ]
