"""A post is drawn as its readers see it, and nothing in it acts, loads or hides on our page."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from gateway.model import Post
from gateway.pages.rendered import Drawn, draw, marked

PIECES = st.lists(
    st.sampled_from(
        [
            *"<>\"'&=/ `*_[]()!|#-\n\0\u200b\u202e\ud800",
            "a",
            "href=",
            "src=x ",
            "onerror=alert(1) ",
            "style=x ",
            "<a href='javascript:alert(1)'>",
            '<a href="https://x.example/\'>">',
            "<a href=/_gateway/sign-out>",
            "</a>",
            "<img ",
            "<img src=x alt='<script>'>",
            "<script>",
            "</script>",
            "<!--",
            "-->",
            "<svg>",
            "<math>",
            "<style>",
            "<form action=/_gateway/sign-out>",
            "<input name=token>",
            "<button>",
            "<textarea>",
            "<template>",
            "<noscript>",
            "<base href=//evil.example>",
            "<meta http-equiv=refresh>",
            "</article>",
            "</section>",
            "</main>",
            "[x](https://y.example)",
            "![x](https://y.example)",
            "[x](javascript:alert(1))",
            "&lt;",
            "&#x3c;",
            "&quot;",
            "~~x~~",
            "|a|\n|-|\n",
            "```\n",
            "# ",
        ]
    ),
    max_size=40,
).map("".join)
NAMES = (
    "a b blockquote br code dd del dl dt em h1 h2 h3 h4 h5 h6 hr i ins kbd li ol p pre s span "
    "strike strong sub sup table tbody td th thead tr ul"
)
ALLOWED = frozenset(NAMES.split())


def drawn(body: str) -> Drawn:
    return draw(Post(title="A title", body=body))


def tree(found: Drawn) -> LexborHTMLParser:
    return LexborHTMLParser(f"<article>{found.body}</article><p id=after>after</p>")


@given(PIECES)
def test_nothing_that_acts_is_left(body: str) -> None:
    """Whatever was written: no script, no form, no field, no image, no style; and it ends where it ends."""
    page = tree(drawn(body.encode("utf-8", "replace").decode()))

    inner = page.css_first("article")
    assert inner is not None
    for node in inner.css("*"):
        if node.tag in ("article", "-text"):
            continue
        assert node.tag in ALLOWED
        allowed = {"a": {"href", "rel"}, "span": {"class"}, "ol": {"start"}}.get(node.tag, set())
        assert set(node.attributes) <= allowed
    after = page.css_first("#after")
    assert after is not None
    assert after.parent is not None
    assert after.parent.tag == "body"


@given(PIECES)
def test_each_link_tells_where_it_leads(body: str) -> None:
    """As its own text, or behind it; to other sites alone, for ours acts."""
    page = tree(drawn(body.encode("utf-8", "replace").decode()))

    for link in page.css("article a"):
        target = str(link.attributes["href"])
        assert target.startswith(("https://", "http://", "mailto:", "ftp://"))
        follows = link.next.next if link.next else None
        told = follows.text() if follows is not None and follows.tag == "span" else ""
        assert target in (link.text().strip(), told[len("[leads to ") : -1])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("# Big\n\n**b** `c`", "<h3>Big</h3>\n<p><strong>b</strong> <code>c</code></p>"),
        ("~~old~~", "<p><del>old</del></p>"),
        ("a <kbd>b</kbd><br>c", "<p>a <kbd>b</kbd><br>c</p>"),
        ("1. a\n2. b", "<ol>\n<li>a</li>\n<li>b</li>\n</ol>"),
        ("```python\nx < 1\n```", "<pre><code>x &lt; 1\n</code></pre>"),
        ("- [ ] a", "<ul>\n<li>[ ] a</li>\n</ul>"),
    ],
)
def test_markdown_is_drawn_as_the_site_draws_it(body: str, expected: str) -> None:
    """CommonMark, with tables, struck words and some HTML; headings below our own."""
    assert (drawn(body).body or "").strip() == expected


def test_tables_are_drawn() -> None:
    """As the site has them."""
    page = tree(drawn("| a | b |\n|---|---|\n| 1 | 2 |"))

    assert [cell.text() for cell in page.css("th, td")] == ["a", "b", "1", "2"]


@pytest.mark.parametrize(
    ("body", "hidden"),
    [
        ("All of it.", 0),
        ("<!-- twelve chars -->x", 11),
        ("[//]: # (a hidden title)\n\nx", 12),
        ("<script>abc</script>", 15),
    ],
)
def test_letters_that_readers_do_not_see_are_counted(body: str, hidden: int) -> None:
    """In comments, in titles of links that are none, in what is never shown."""
    assert drawn(body).hidden == hidden


def test_what_html_hides_is_shown() -> None:
    """Our page has none of the ways to hide words."""
    found = drawn(
        '<div style="display:none">one</div> <span hidden>two</span> <dialog>three</dialog>'
    )

    text = tree(found).css_first("article")
    assert text is not None
    assert text.text().split() == ["one", "two", "three"]


WRAPPED = (
    "svg math select template textarea iframe noscript title object audio video canvas frameset "
    "plaintext xmp noembed noframes option details summary dialog body html head table caption "
    "marquee ruby rt button label fieldset custom-tag style script"
)


@pytest.mark.parametrize("name", WRAPPED.split())
def test_a_word_is_shown_or_counted(name: str) -> None:
    """Whatever it stands in: nothing is confirmed that is neither seen nor told."""
    found = drawn(f"<{name}>zebra</{name}> rest")

    assert "zebra" in str(found.body) or found.hidden >= len("zebra")


def test_characters_that_nobody_sees_are_written_out() -> None:
    """In the title and in the source; and how many places there are."""
    found = draw(Post(title="pay\u200bpal", body="a\u202eb <i>", tags=("t\u00ad",)))

    assert found.title == "pay<mark>U+200B</mark>pal"
    assert found.source == "a<mark>U+202E</mark>b &lt;i&gt;"
    assert found.tags == ("t<mark>U+00AD</mark>",)
    assert found.marks == 2


@given(st.text())
def test_marking_changes_no_other_character(text: str) -> None:
    """What is seen is what was written."""
    seen = LexborHTMLParser(f"<pre>x{marked(text.encode('utf-8', 'replace').decode())}</pre>")
    plain = "".join(char for char in text if char.isascii() and char.isprintable())

    node = seen.css_first("pre")
    assert node is not None
    for mark in node.css("mark"):
        mark.decompose()
    assert "".join(c for c in node.text() if c.isascii() and c.isprintable()) == f"x{plain}"


TANGLED = {
    "fonts in fonts": "".join(f"<font size={number}>" for number in range(7000)),
    "boxes in boxes": "<div>" * 20_000,
    "quotes in quotes": "> " * 45_000 + "x",
    "bold in italics": "<b><i>" * 15_000,
    "wide tables": "|a" * 1000 + "|\n" + "|-" * 1000 + "|\n" + "|x\n" * 30_000,
}


@pytest.mark.parametrize("body", TANGLED.values(), ids=TANGLED)
def test_what_would_take_long_to_draw_is_shown_as_it_was_written(body: str) -> None:
    """Parsers of HTML take quadratic time for what lies in one another."""
    started = time.process_time()

    found = drawn(body)

    assert found.body is None
    assert time.process_time() - started < 2  # it would be ten
    assert len(found.source) >= len(body)
