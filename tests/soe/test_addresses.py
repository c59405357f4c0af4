"""Which post an address means."""

from __future__ import annotations

import pytest

from gateway.soe.addresses import Address, read_address

HOST = "https://soe.example.com"
ANY = ("question/12", "answer/12", "article/12")


@pytest.mark.parametrize(
    ("path", "posts"),
    [
        ("/questions/12", ("question/12",)),
        ("/questions/12/how-do-i-2-things", ("question/12",)),
        ("/questions/12/how/", ("question/12",)),
        ("/Questions/12/How?noredirect=1", ("question/12",)),
        ("/questions/12/how/34", ("answer/34",)),
        ("/questions/12/34", ("answer/34",)),
        ("/questions/12/how/34#34", ("answer/34",)),
        ("/questions/12/how#34", ("answer/34",)),
        ("/questions/12/how#answer-34", ("answer/34",)),
        ("/questions/12/how#comment56_12", ("comment/56",)),
        ("/questions/12/how/34#comment56_34", ("comment/56",)),
        ("/posts/comments/56", ("comment/56",)),
        ("/c/56", ("comment/56",)),
        ("/articles/12/on-call", ("article/12",)),
        ("/articles/12/on-call#comment7_12", ("comment/7",)),
        ("/collections/3/all", ("collection/3",)),
        ("/q/12", ANY),
        ("/a/12", ANY),
        ("/a/12/901", ANY),
        ("/posts/12/revisions", ANY),
        ("/api/v3/questions/12", ("question/12",)),
        ("/api/v3/questions/12/answers/34", ("answer/34",)),
        ("/api/v3/questions/12/answers/34/comments/56", ("comment/56",)),
        ("/api/v3/questions/12/comments/56", ("comment/56",)),
        ("/api/v3/articles/12", ("article/12",)),
        ("/api/2.3/questions/12", ("question/12",)),
        ("/api/2.3/answers/34?site=stackoverflow", ("answer/34",)),
        ("/api/2.3/comments/56", ("comment/56",)),
        ("/api/2.3/posts/12/comments", ANY),
        ("/2.3/articles/12", ("article/12",)),
    ],
)
def test_an_address_of_the_main_site(path: str, posts: tuple[str, ...]) -> None:
    """Pages, short links, fragments, and both versions of the API."""
    assert read_address(HOST + path) == Address(posts=posts)
    assert read_address(path) == Address(posts=posts)


@pytest.mark.parametrize(
    "path",
    [
        "/c/Payments/questions/12/how",
        "/api/v3/teams/payments/questions/12",
        "/api/2.3/questions/12?team=payments",
    ],
)
def test_an_address_in_a_team(path: str) -> None:
    """Each team counts its own posts, so its name is part of which one is meant."""
    assert read_address(HOST + path) == Address(posts=("question/12",), team="payments")


def test_a_name_says_nothing_about_the_team() -> None:
    """`answer/12` is how the audit log names a post."""
    assert read_address("answer/12") == Address(posts=("answer/12",), anywhere=True)


@pytest.mark.parametrize("text", ["", "12", f"{HOST}/users/12", f"{HOST}/questions", "http://[", "answer/0", HOST])  # fmt: skip
def test_what_means_no_post(text: str) -> None:
    """Nothing is guessed."""
    assert read_address(text) is None
