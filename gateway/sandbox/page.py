"""A page to look at what stands on the site."""

from __future__ import annotations

from html import escape

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
</style>
<h1>Sandbox of Stack Overflow Enterprise</h1>
<p>What was posted since it was started. It forgets everything when it stops.</p>
"""


def render(site: Site) -> str:
    """Give the page of everything there is."""
    return _HEAD + "".join(_space(space) for space in site.spaces)


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
