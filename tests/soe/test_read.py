"""From the bytes of a write to what rules look at."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from gateway.errors import RequestError
from gateway.model import NO_POST, Post
from tests.soe.requests import FORM, JSON, read, read_form, read_object

QUESTION = {"title": "How do I rotate keys?", "body": "The old one expires.", "tags": ["keys"]}


@pytest.mark.parametrize("spell", [str.lower, str.title, str.upper])
def test_v3_text_is_read_in_any_case_of_names(spell: Any) -> None:
    """ASP.NET binds property names whatever their case."""
    document = {spell(name): value for name, value in QUESTION.items()}

    assert read_object("POST", "/api/v3/questions", document).post == Post(
        title="How do I rotate keys?", body="The old one expires.", tags=("keys",)
    )


@pytest.mark.parametrize("value", [["a"], {"a": "b"}, 1, True, "a\0b"])
def test_text_is_a_string(value: Any) -> None:
    """What is no plain text cannot be judged as text."""
    with pytest.raises(RequestError, match="unreadable_body"):
        read_object("POST", "/api/v3/questions", {**QUESTION, "title": value})


@pytest.mark.parametrize("tags", ["a", [1], {"a": 1}])
def test_tags_are_a_list_of_strings(tags: Any) -> None:
    """Rules that look at tags see what SOE sees."""
    with pytest.raises(RequestError, match="unreadable_body"):
        read_object("POST", "/api/v3/questions", {**QUESTION, "tags": tags})


@pytest.mark.parametrize("body", [b"", b"[]", b'"a"', b"null", b'[{"title": "a"}]'])
def test_content_is_an_object(body: bytes) -> None:
    """Another root would be bound by other rules, or not at all."""
    with pytest.raises(RequestError, match="unreadable_body"):
        read("POST", "/api/v3/questions", body, JSON)


@pytest.mark.parametrize(
    ("method", "path", "document", "post"),
    [
        ("POST", "questions/1/answers", {"body": "b"}, Post(body="b")),
        ("POST", "questions/1/flags", {"optionId": 1, "comment": "c"}, Post(body="c")),
        ("POST", "questions/1/flags", {"optionId": 1, "comment": None}, NO_POST),
        ("POST", "collections", {"title": "t", "description": "d"}, Post(title="t", body="d")),
        ("PUT", "user-groups/1", {"name": "n", "description": "d"}, Post(title="n", body="d")),
        ("POST", "communities/1/join/bulk", {"memberUserIds": [1]}, NO_POST),
    ],
)
def test_each_endpoint_has_its_own_text(method: str, path: str, document: Any, post: Post) -> None:
    """Whatever a reader will see is in title or body."""
    assert read_object(method, f"/api/v3/{path}", document).post == post


@pytest.mark.parametrize("document", [[1, 2], []])
def test_members_come_as_a_bare_array(document: Any) -> None:
    """The vendor's document has a root that is no object there."""
    assert read_object("POST", "/api/v3/user-groups/1/members", document).post == NO_POST


@pytest.mark.parametrize("document", [{}, {"userIds": [1]}, ["1"], [True], [1.5], 1])
def test_members_are_integers(document: Any) -> None:
    """Nothing else is such an array."""
    with pytest.raises(RequestError, match="unreadable_body"):
        read_object("POST", "/api/v3/user-groups/1/members", document)


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_a_vote_needs_no_body(body: bytes) -> None:
    """Some clients send an empty object with everything."""
    reading = read("POST", "/api/v3/questions/42/upvote", body, JSON)

    assert (reading.post, reading.target) == (NO_POST, "question/42")


def test_a_vote_has_no_other_body() -> None:
    """What SOE does not ask for is not sent past the rules."""
    with pytest.raises(RequestError, match="unexpected_body"):
        read_object("DELETE", "/api/v3/questions/42", QUESTION)


@pytest.mark.parametrize("query", ["title=x", "BODY=x", "t%61gs=x"])
def test_v3_text_stands_in_the_body_alone(query: str) -> None:
    """A second title in the query could win."""
    with pytest.raises(RequestError, match="ambiguous_field"):
        read_object("POST", f"/api/v3/questions?{query}", QUESTION)


@pytest.mark.parametrize("target", ["/api/v3/questions", "/api/2.3/questions/add"])
def test_writes_take_no_callback(target: str) -> None:
    """JSONP turns every answer into a 200."""
    with pytest.raises(RequestError, match="callback_refused"):
        read("POST", f"{target}?callback=f", b"{}" if "v3" in target else b"", JSON)


# ── v2.3 ─────────────────────────────────────────────────────────────────────────────────────


def test_v2_fields_come_from_the_form() -> None:
    """The usual way of v2.3."""
    reading = read_form("/api/2.3/questions/add", title="t", body="b", tags="a;b,c d", key="k")

    assert reading.post == Post(title="t", body="b", tags=("a", "b", "c", "d"))
    assert reading.fields["key"] == "k"


def test_v2_fields_come_from_the_query() -> None:
    """Importers send everything there, with an empty body."""
    reading = read("POST", "/api/2.3/questions/add?title=t&body=b&tags=a%3Bb")

    assert reading.post == Post(title="t", body="b", tags=("a", "b"))


@pytest.mark.parametrize(("query", "form"), [("title=a", "title=b"), ("Title=a", "tITLE=a")])
def test_a_field_stands_in_one_place(query: str, form: str) -> None:
    """ASP.NET would take one, the gateway another."""
    with pytest.raises(RequestError, match="ambiguous_field"):
        read("POST", f"/api/2.3/questions/add?{query}", form.encode(), FORM)


def test_the_summary_of_an_edit_is_text() -> None:
    """Readers of the history see it, so no rule may miss it."""
    reading = read_form("/api/2.3/answers/12/edit", body="b", comment="why")

    assert reading.post.body == "b\n\nwhy"


def test_a_field_cannot_replace_the_id_of_the_path() -> None:
    """ASP.NET prefers the form to the route."""
    read_form("/api/2.3/questions/42/edit", id="42", body="b")
    with pytest.raises(RequestError, match="ambiguous_field"):
        read_form("/api/2.3/questions/42/edit", id="43", body="b")


@pytest.mark.parametrize("value", ["true", "True", "TRUE"])
def test_preview_is_believed(value: str) -> None:
    """Where the documents have it, SOE validates only."""
    assert read_form("/api/2.3/questions/add", title="t", body="b", preview=value).preview


@pytest.mark.parametrize(
    "query_and_form",
    [
        ("", "title=t&preview=false"),
        ("", "title=t&preview=1"),
        ("", "title=t&preview=+true"),
        ("preview=true", "title=t"),
        ("title=t", "preview=true"),
    ],
)
def test_preview_is_not_guessed(query_and_form: tuple[str, str]) -> None:
    """A write that may be real is charged as one."""
    query, form = query_and_form

    assert not read("POST", f"/api/2.3/questions/add?{query}", form.encode(), FORM).preview


def test_a_vote_has_no_preview() -> None:
    """There is nothing to validate."""
    assert not read_form("/api/2.3/questions/42/upvote", preview="true").preview


@pytest.mark.parametrize(
    ("value", "team"),
    [
        ("Acme", "acme"),
        ("stackoverflow.com/c/acme", "acme"),
        ("https://soe.example.com/c/Acme/", "acme"),
        ("", None),
    ],
)
def test_v2_names_the_team_in_a_field(value: str, team: str | None) -> None:
    """Bare or as an address."""
    assert read_form("/api/2.3/questions/42/upvote", team=value).team == team


@pytest.mark.parametrize("value", ["a b", "https://x/y/z", "acme/c/", "ａcme"])
def test_a_strange_team_is_refused(value: str) -> None:
    """Scopes of rules hang on it."""
    with pytest.raises(RequestError, match="ambiguous_field"):
        read_form("/api/2.3/questions/42/upvote", team=value)


def test_v2_has_its_own_idempotency_key() -> None:
    """`request_id` is kept for those who compare repeats."""
    assert read_form("/api/2.3/questions/add", request_id="r1").request_id == "r1"


def test_fields_are_not_shown() -> None:
    """They hold tokens and text."""
    assert "s3cret" not in repr(read_form("/api/2.3/questions/add", key="s3cret", body="s3cret"))


# ── place ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "path", "thread", "target"),
    [
        ("POST", "/api/v3/questions", None, None),
        ("PUT", "/api/v3/questions/11", "question/11", "question/11"),
        ("POST", "/api/v3/questions/11/answers", "question/11", None),
        ("PUT", "/api/v3/questions/11/answers/12", "question/11", "answer/12"),
        ("PUT", "/api/v3/articles/5", "article/5", "article/5"),
        ("PUT", "/api/v3/collections/5", None, "collection/5"),
        ("PUT", "/api/v3/user-groups/5", None, "user_group/5"),
        ("POST", "/api/2.3/questions/11/answers/add", "question/11", None),
        ("POST", "/api/2.3/question/11/upvote/undo", "question/11", "question/11"),
        ("POST", "/api/2.3/answers/12/edit", "post/12", "answer/12"),
        ("POST", "/api/2.3/posts/11/comments/add", "post/11", None),
        ("POST", "/api/2.3/comments/13/edit", "post/13", "comment/13"),
        ("POST", "/api/2.3/answers/12/suggested-edit/add", "post/12", "answer/12"),
        ("GET", "/api/2.3/access-tokens/abc/invalidate", None, None),
    ],
)
def test_a_write_has_its_place(
    method: str, path: str, thread: str | None, target: str | None
) -> None:
    """Thread and target are told by the path alone."""
    body = b'{"body": "b"}' if "v3" in path else b""
    reading = read(method, path, body, JSON if body else None)

    assert (reading.thread, reading.target) == (thread, target)


def test_v3_names_the_team_in_the_path() -> None:
    """In lower case, as slugs are compared."""
    assert read_object("POST", "/api/v3/teams/ACME/questions", QUESTION).team == "acme"


# ── sizes ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "field", "length"),
    [("questions", "title", 150), ("questions", "body", 30_000), ("articles", "body", 100_000)],
)
def test_text_has_soes_own_limits(path: str, field: str, length: int) -> None:
    """Longer text is refused before anything is done with it."""
    assert read_object("POST", f"/api/v3/{path}", {field: "é" * length})
    with pytest.raises(RequestError, match="text_too_long"):
        read_object("POST", f"/api/v3/{path}", {field: "é" * (length + 1)})


def test_an_image_is_a_write_without_text() -> None:
    """Raw or framed, there is nothing to read in it."""
    framed = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n'

    for body, content_type in (
        (b"x", "img/png"),
        (framed, "multipart/form-data; boundary=b"),
        (framed, 'multipart/form-data; boundary="b"'),
    ):
        assert read("POST", "/api/v3/images/upload", body, content_type).post == NO_POST


@pytest.mark.parametrize(("size", "code"), [(0, "unreadable_body"), ((2 << 20) + 1, "body_too")])
def test_an_image_has_a_size(size: int, code: str) -> None:
    """From one byte to two MiB."""
    with pytest.raises(RequestError, match=code):
        read("POST", "/api/v3/images/upload", b"x" * size, "image/png")


def test_the_code_exchange_has_fields_and_no_text() -> None:
    """Clients put all of it into the query of the POST."""
    reading = read("POST", f"/oauth/access_token/json?code=c&redirect_uri={quote('https://a/')}")

    assert reading.post == NO_POST
    assert reading.fields == {"code": "c", "redirect_uri": "https://a/"}
