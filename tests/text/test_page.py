"""HTML is read as a browser shows it, and in linear time."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from gateway.text import page
from gateway.text.visible import FORM, OWN, QUOTED, Visible, finish
from gateway.text.words import words

INLINE = ["b", "i", "em", "span", "kbd", "a href='x'", "font color=red", 'b class="hidden>"']
BLOCK = ["div", "p", "ul", "li", "blockquote", "h2", "details", "section", "td"]
HIDDEN = [
    *("span hidden", "p hidden=''", 'div style="display: none"', "b style='color:transparent'"),
    *("span style='font-size:.0em'", "span STYLE=Visibility:hidden", "template", "video"),
    *("h2 hidden", "section hidden", "blockquote hidden", "ul hidden", "li hidden", "dd hidden"),
    *("button hidden", "a hidden", "form hidden", "h3 style='display:none'"),
    *("span style='position:absolute;left:-999em'", "i style='opacity:/**/0'"),
]
ALONE = ["<hr>", "<hr hidden>", "<br>", "<br style='display:none'>", "<img src=x hidden>"]
CLOSING = [
    *(*BLOCK[:2], *BLOCK[4:8], "h3", "pre", "dl", "center", "fieldset"),
    *("p hidden", 'div style="display: none"', "h2 hidden", "h3 hidden", "section hidden"),
    *("ul hidden", "blockquote style='visibility:hidden'", "address hidden"),
]
"""Blocks, seen or not; each ends an open paragraph, and headings end one another."""
PARTING = (
    "div,p,ul,li,dl,dt,dd,blockquote,h2,h3,details,section,address,center,fieldset,pre,"
    "table,tr,td,th,br,hr,img"
)
LEAKY = [
    *("table", "table hidden", "tbody hidden", "tr", "tr hidden", "td", "td hidden", "th"),
    *("caption", "caption hidden", "svg hidden", "math hidden"),
]
"""Elements out of which others come, and parts of tables, of which no notice is taken elsewhere."""
text = st.sampled_from(
    ["one", "two ", " three", "four &amp; ", "fi&#118;e", "<!-- six -->", "&lt;b>"]
)


def element(tag: str, inner: str) -> str:
    return f"<{tag}>{inner}</{tag.split(maxsplit=1)[0]}>"


def elements(tags: list[str], inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(element, st.sampled_from(tags), st.lists(inner, max_size=4).map("".join))


def listed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Lists and tables, of which the one or the other part may be hidden."""
    return st.one_of(
        elements(["ul", "ul hidden"], elements(["li", "li hidden"], inner)),
        elements(["dl", "dl hidden"], elements(["dt", "dd", "dd hidden"], inner)),
        elements(
            ["table", "table hidden"],
            elements(["tr", "tr hidden"], elements(["td", "th", "td hidden"], inner)),
        ),
    )


inline = st.recursive(text, lambda inner: elements([*INLINE, *HIDDEN[4:8]], inner), max_leaves=12)
whole = st.recursive(
    inline,
    lambda inner: st.one_of(elements(CLOSING, inner), listed(inner), st.sampled_from(ALONE)),
    max_leaves=12,
).map(lambda html: f"<!doctype html><section>{html}</section>")
"""Elements that may stand in one another, each with its end."""
soup = st.lists(
    st.one_of(
        text,
        st.sampled_from([*INLINE, *BLOCK, *HIDDEN, *LEAKY]).map(lambda tag: f"<{tag}>"),
        st.sampled_from(["b", "i", "span", "a", "h3", "table", "tr", *BLOCK]).map(
            lambda name: f"</{name}>"
        ),
        st.sampled_from(["<br>", "<img src=x>", "<hr />", "<script>7</script>", "<!x>", "</>"]),
    ),
    max_size=14,
).map("".join)
"""Tags as they come."""


def read(html: str) -> Visible:
    return finish(page.read(html))


def seen(html: str) -> list[str]:
    return words(" ".join(passage.text for passage in read(html).passages))


def browser(html: str) -> list[str]:
    """Words that a browser shows."""
    tree = LexborHTMLParser(html)
    hidden = "[hidden],[style],template,video,script,font[size]"
    for node in tree.css(hidden):
        node.decompose()
    for node in tree.css(PARTING):
        node.insert_before(" ")
        node.insert_after(" ")
    return words(tree.body.text() if tree.body else "")


@given(whole)
@example('<section><p>one<div style="display: none"></div>one</p></section>')
@example("<section>one<h2 hidden></h2>one<span hidden><h2>two</h2></span>one</section>")
@example("<section>one<h2 hidden><h3>two</h3></h2>three</section>")
def test_whole_html_is_read_as_a_browser_does(html: str) -> None:
    """The same words in the same order."""
    assert seen(html) == browser(html)


@given(soup)
def test_of_broken_html_nothing_is_missed(html: str) -> None:
    """Letters that a browser shows are read, though not each that is read is shown."""
    assert not Counter("".join(browser(html))) - Counter("".join(seen(html)))


@pytest.mark.parametrize("tag", HIDDEN)
def test_hidden_elements_are_not_seen(tag: str) -> None:
    """What stands in them is counted as unseen, and words around them go on."""
    told = read(f"be{element(tag, 'x<b>y</b>')}fore")

    assert "".join("".join(p.text for p in told.passages).split()) == "before"
    assert "".join(told.unseen.split()) == "xy"


@pytest.mark.parametrize(
    "html",
    [
        "<p hidden>one<p>two",
        "<div><span hidden>one</div>two",
        "<ul><li hidden>one<li>two</ul>",
        "<li hidden>one</ul><li>two",
        "<dl><dd hidden>one<dt>two</dl>",
        "<table><tr><td hidden>one<td>two</table>",
        "<script>one<b '</script>two",
        '<p title="a>b">two</p><!-- one',
        "<p don't>two<!-- ' -->",
        "<style>one</style >two",
        'two<span style="display:none',
    ],
)
def test_what_is_hidden_ends_where_a_browser_ends_it(html: str) -> None:
    """Also where its end tag is missing."""
    assert seen(html) == ["two"] == browser(html)


def test_passages_have_their_kinds() -> None:
    """Quotes and forms, also within one another."""
    told = read(
        "one<blockquote>two<h1>three</h1></blockquote><details>four</details>"
        '<ul><li><input type="checkbox"> five</li><li>six</li></ul>'
        '<pre class="lang-suggestion:-0+0">seven</pre>'
    )

    assert [(kind, words(text)) for kind, text in told.passages] == [
        (OWN, ["one"]),
        (QUOTED, ["two"]),
        (QUOTED | FORM, ["three"]),
        (FORM, ["four"]),
        (FORM, ["five"]),
        (OWN, ["six"]),
        (QUOTED, ["seven"]),
    ]


def test_descriptions_of_images_are_read_if_they_are_texts() -> None:
    """A word or two are only a name."""
    assert seen('one<img alt="a picture">two') == ["one", "two"]
    assert len(seen('<img alt="a text that stands in the description">')) == 7


def test_entities_are_undone() -> None:
    """Once, and of every kind."""
    assert page.unescape("&amp;lt; &lt; &#65;&#x42; &nbsp;&amp;") == "&lt; < AB \xa0&"


def test_very_many_passages_become_one() -> None:
    """Nobody writes hundreds of quotes; all words are there."""
    told = read("<h1>a</h1>b" * 1000)

    assert len(told.passages) < 250
    assert sum(len(words(passage.text)) for passage in told.passages) == 2000
