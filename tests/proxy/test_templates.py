"""How often an author's refused text is remembered."""

from __future__ import annotations

from gateway.proxy.templates import EVERY, Templates


def test_one_a_minute_is_remembered_of_each_author() -> None:
    """Whatever a flood sends."""
    templates = Templates()
    taken = [at for at in range(200) if templates.takes("jane", float(at))]

    assert taken == [0, EVERY, 2 * EVERY, 3 * EVERY]
    assert templates.takes("john", 1.0)


def test_only_so_many_authors_are_known() -> None:
    """Whoever changes authors does not fill the memory."""
    templates = Templates()
    for number in range(10_001):
        templates.takes(str(number), 0.0)

    assert templates.takes("0", 1.0)
    assert not templates.takes("10000", 1.0)
