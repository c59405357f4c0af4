"""Pages to look at: what stands on the site, and who signs in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from gateway.sandbox.people import User
from gateway.sandbox.site import Post, Site, Space

_HEAD = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox</title>
<meta name="viewport" content="width=device-width">
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 48rem; margin: 2rem auto; padding: 0 1rem }
article { border-top: 1px solid #8886; padding: .5rem 0 }
section { margin-left: 1.5rem; border-left: 3px solid #8886; padding-left: 1rem }
p { white-space: pre-wrap; overflow-wrap: anywhere } small { opacity: .75 }
code { background: #8882; padding: 0 .3em; border-radius: .2em }
button { display: block; width: 100%; font: inherit; padding: .5rem 1rem; margin: .5rem 0; text-align: left }
</style>
"""
_POSTS = """<h1>Sandbox of Stack Overflow Enterprise</h1>
<p>What was posted since it was started. It forgets everything when it stops.</p>
"""


def render(site: Site) -> str:
    """Give the page of everything there is."""
    return _HEAD + _POSTS + "".join(_space(space) for space in site.spaces)


def choose(people: Sequence[User], hinted: User | None, fields: Mapping[str, str]) -> str:
    """Give the page on which somebody says who they are; who was hinted at stands first.

    Args:
        fields: the request to sign in, which goes on with the choice.
    """
    kept = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(text)}">'
        for name, text in fields.items()
    )
    ordered = sorted(people, key=lambda user: user is not hinted)
    buttons = "".join(_button(user, hinted=user is hinted) for user in ordered)
    return (
        f"{_HEAD}<h1>Who are you?</h1>\n<p>You are signing in to "
        f"<code>{escape(fields.get('redirect_uri', ''))}</code> with the sandbox's accounts. "
        f'Nobody asks for a password here.</p>\n<form method="post">{kept}{buttons}'
        '<button name="person" value="">Nobody: do not sign in</button></form>'
    )


def _button(user: User, *, hinted: bool) -> str:
    first = " autofocus" if hinted else ""
    return (
        f'<button name="person" value="{escape(user.external_id)}"{first}>'
        f"{escape(user.name)} <small>{escape(user.email)}</small></button>"
    )


def refuse(told: str) -> str:
    """Give the page for a sign-in that can go nowhere."""
    return f"{_HEAD}<h1>This sign-in does not work</h1>\n<p>{escape(told)}</p>"


def _space(space: Space) -> str:
    name = f"Team {escape(space.name)}" if space.name else "Main site"
    heads = [*space.of("question"), *space.of("article")]
    return f"<h2>{name}</h2>" + "".join(_thread(space, post) for post in heads)


def _thread(space: Space, post: Post) -> str:
    below = "".join(
        f"<section><p>{escape(each.body)}</p>{_by(each)}</section>"
        for kind in ("answer", "comment")
        for each in reversed(space.of(kind, post.id))
    )
    tags = " ".join(f"<code>{escape(tag)}</code>" for tag in post.tags)
    return (
        f'<article id="{post.kind}-{post.id}"><h3>{escape(post.title)}</h3>'
        f"<p>{escape(post.body)}</p>{tags} {_by(post)}{below}</article>"
    )


def _by(post: Post) -> str:
    client = f", through {escape(post.client)}" if post.client else ""
    return f"<small>{post.kind} {post.id} by {escape(post.owner.name)}{client}</small>"
