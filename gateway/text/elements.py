"""HTML's elements: what stands on lines of its own, what holds nothing, and what ends what. Pure.

As the HTML standard builds its tree (section 13.2.6), without what would take more than linear time.
"""

from __future__ import annotations

from collections.abc import Mapping


def listed(names: str) -> frozenset[str]:
    """Give the names in a list of them."""
    return frozenset(names.split())


UNRENDERED = ("template", "title", "audio", "video", "canvas", "datalist", "object")
"""What is not shown, or something else in its place."""
VOID = listed(
    "area base body br col colgroup embed head hr html image img input link meta param source track wbr"
)
"""What holds nothing, and what cannot be opened within a text."""
BLOCKS = listed(
    "address article aside blockquote center details dialog dir div dl fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hgroup hr main menu nav ol p pre search section summary "
    "table ul dd dt li br caption thead tbody tfoot tr td th legend option"
)
"""What stands on lines of its own."""
_NO_PARAGRAPH = BLOCKS - listed("br caption thead tbody tfoot tr td th legend option")
_LISTS = ("ul", "ol", "menu", "dir")
_CELLS = ("td", "th", "caption", "button", "template", "object")
ROWS = ("table", "thead", "tbody", "tfoot", "tr")
"""What holds text only by its cells; other text in it is shown before the table."""
INNER = ("td", "th", "caption", "template")
"""What holds text in a table."""
ABOVE: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("caption", "colgroup", "col", "thead", "tbody", "tfoot"), ROWS[:1]),
    "tr": ROWS[:4],
    **dict.fromkeys(("td", "th"), ROWS),
}
"""What parts of a table stand in; all that is open within it ends where they start."""
HEADINGS = listed("h1 h2 h3 h4 h5 h6")
"""A heading ends the one that it stands right in, and its end tag ends any."""
DRAWN = (("svg", ("foreignobject", "desc", "title")), ("math", ("mi", "mo", "mn", "ms", "mtext")))
"""Pictures and formulas, each with what holds HTML again in it."""
UNDRAWN = listed(
    "b big blockquote body br center code dd div dl dt em embed font h1 h2 h3 h4 h5 h6 head hr i img "
    "li listing menu meta nobr ol p pre ruby s small span strike strong sub sup table tt u ul var"
)
"""What ends both; nothing else in them ends anything."""
_RUBY = ("rb", "rp", "rt", "rtc")
ENDS: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    **dict.fromkeys(_NO_PARAGRAPH | {"listing", "plaintext", "xmp"}, (("p", _CELLS),)),
    "li": tuple((name, (*_LISTS, *_CELLS)) for name in ("p", "li")),
    **dict.fromkeys(("dt", "dd"), tuple((name, ("dl", *_CELLS)) for name in ("p", "dt", "dd"))),
    "table": (("p", _CELLS), ("table", INNER)),
    "a": (("a", _CELLS),),
    "nobr": (("nobr", _CELLS),),
    "button": (("button", ()),),
    "option": (("option", ("select", "datalist")),),
    "optgroup": tuple((name, ("select", "datalist")) for name in ("option", "optgroup")),
    **dict.fromkeys(("select", "input", "textarea"), (("select", ()),)),
    **dict.fromkeys(_RUBY, tuple((name, ("ruby", *_CELLS)) for name in _RUBY)),
}
"""Elements that end where another one starts, unless one of the second kind stands between."""
