"""Which endpoint a method and a raw target mean."""

from __future__ import annotations

import pytest

from gateway.errors import RequestError
from gateway.model import Api
from gateway.soe.api import api_of, body_limit, classify


def refusal(method: str, target: bytes) -> tuple[int, str]:
    with pytest.raises(RequestError) as caught:
        classify(method, target)
    return caught.value.status, caught.value.code


@pytest.mark.parametrize(
    "target",
    [
        b"/api/v3/questions?page=1&pageSize=30",
        b"/api/v3",
        b"/api/v3/teams/acme/tags",
        b"/api/v3/users/by-email/jane%40example.com",
        b"/api/2.3/questions/1;2;3/answers?site=stackoverflow",
        b"/api/2.3/tags/c%23/info",
        b"/api/2.3/tags/caf%C3%A9;c%2B%2B/info",
        b"/api/2.3/tags/.net/info",
        b"/api/2.3/tags/delete/info",
        b"/api/2.3/access-tokens/abc",
        b"/api/2.0/sites/",
        b"/api/docs/upvote-question",
        b"/api/scim/v2/Users?count=10",
        b"/api/v3/search?query=a%20b+c%2Bd&x=2&&=;'()*~!$,:@/?[]",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reads_pass(method: str, target: bytes) -> None:
    """A GET or HEAD below a known prefix is a read, whatever vectors and escapes it carries."""
    assert not classify(method, target).endpoint.write


@pytest.mark.parametrize(
    "path", ["questions/render", "questions/42/answers/render", "filters/create"]
)
def test_some_posts_read(path: str) -> None:
    """Rendering a text and naming a filter change nothing."""
    assert not classify("POST", f"/api/2.3/{path}".encode()).endpoint.write


@pytest.mark.parametrize(
    "target",
    [
        b"/api/v3/tags/%2e%2e/questions",
        b"/api/v3/tags/..;a=b/questions",
        b"/api/2.3/questions/..;/access-tokens/abc/invalidate",
        b"/api/v3/./questions",
        b"/api/v3//questions",
        b"/api/v3/questions//",
        b"/api/v3/questions.",
        b"/api/v3/questions%20",
        b"/api/v3/questions%20/42",
        b"/api/v3/questions%20;a",
        b"/api/v3%2fquestions",
        b"/api/v3%5Cquestions",
        b"/api/v3\\questions",
        b"/api/v3/questions%2500",
        b"/api/v3/questions%00",
        b"/api/v3/questions%0a",
        b"/api/v3/questions%7f",
        b"/api/v3/questions;x=1",
        b"/api/v3/;/questions",
        b"/api/2.3/(S(abc))/questions/add",
        b"/api/v3/%u0071uestions",
        b"/api/v3/%zz",
        b"/api/v3%c0%afquestions",
        b"/api/v3/questions/{42}",
        b"/api/v3/questions#x",
        b"/api/v3/questions?a#x",
        b"/api/v3/questions?a=%zz",
        b"/api/v3/ques tions",
        b"/api/v3/quest\xc3\xb6",
        b"http://example.com/api/v3/questions",
        b"//example.com/api/v3/questions",
        b"api/v3/questions",
        b"*",
        b"",
        b"/api/v3/" + b"a" * 8192,
        b"/api/v3/%ef%bd%91uestions",  # full width
        b"/api/v3/quest%C4%B1ons",  # dotless i
        b"/api/v3/question%C5%BF",  # long s
        b"/api/2.3/access-to%E2%84%AAens/abc/invalidate",  # Kelvin sign
        b"/api/v3%E2%88%95questions",  # division slash
        b"/api/2.3/acce%C3%9F-tokens/abc",  # sharp s
        b"/api/2.3/tags/cafe%CC%81/info",  # not composed
        b"/api/2.3/tags/a%C2%85b/info",  # a control of Latin-1
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_two_servers_could_read_differently_is_refused(method: str, target: bytes) -> None:
    """No spelling is repaired: read or write, an ambiguous target goes nowhere."""
    assert refusal(method, target) == (400, "ambiguous_target")


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", b"/api/2.3/access-tokens/abc/invalidate"),
        ("GET", b"/api/2.1/ACCESS%2Dtokens/a;b/invalid%61te/"),
        ("GET", b"/api/2.3/apps/abc/de-authenticate"),
        ("POST", b"/api/v3/questions/4%32/answers"),
        ("POST", b"/oauth/Access_Token/json"),
        ("PATCH", b"/api/scim/v2/Users/1"),
    ],
)
def test_writes_are_known_in_any_spelling(method: str, target: bytes) -> None:
    """Case, encoding, version and a trailing slash change nothing, nor does GET make a read."""
    assert classify(method, target).endpoint.write


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("HEAD", b"/api/2.3/access-tokens/abc/invalidate"),
        ("GET", b"/api/2.3/access-tokens/abc/def/invalidate"),
        ("GET", b"/api/2.3/access-tokens/abc/invalidate.json"),
        ("GET", b"/api/2.3/access-tokens/abc/invalidate::$DATA"),
        ("GET", b"/api/2.3/accesstokens/abc/xinvalidate"),
        ("GET", b"/api/2.3/questions/add"),
        ("HEAD", b"/api/2.3/questions/42/delete"),
        ("GET", b"/api/scim/v2/Groups"),
        ("POST", b"/api/scim/v2/Bulk"),
        ("POST", b"/api/v3/$batch"),
        ("POST", b"/api/v3/brand-new-endpoint"),
        ("POST", b"/api/v3/questions.json"),
        ("POST", b"/api/v3/questions+"),
        ("POST", b"/api/v3/questions%23x"),
        ("POST", b"/api/v3/questions/abc/answers"),
        ("POST", b"/api/v3/questions/042/answers"),
        ("POST", b"/api/v3/questions/%D9%A4%D9%A2/answers"),
        ("POST", b"/api/v3/teams/a;b/questions"),
        ("POST", b"/api/2.3/questions/1;2/upvote"),
        ("POST", b"/api/docs"),
        ("POST", b"/oauth"),
        ("PUT", b"/api/v3/questions"),
        ("PATCH", b"/api/v3/questions/42"),
        ("PROPFIND", b"/api/v3/questions"),
        ("post", b"/api/v3/questions"),
        ("GET", b"/oauth/access_token"),
    ],
)
def test_unknown_means_write_and_is_refused(method: str, target: bytes) -> None:
    """On SOE's surfaces, what no row names may write."""
    assert refusal(method, target) == (403, "unknown_operation")


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"/users/logout",
        b"/admin",
        b"/mcp",
        b"/api",
        b"/api/1.0/questions/add",
        b"/api/2.100/info",
        b"/api/2.03/info",
        b"/api/v3.0/questions",
        b"/(x)/api/v3/questions",
        b"/api;a/v3/questions",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_only_the_api_is_proxied(method: str, target: bytes) -> None:
    """The rest of the site is out of reach, whatever the method."""
    assert refusal(method, target) == (404, "not_proxied")


def test_options_is_not_allowed() -> None:
    """No browser gets leave to write, and no OPTIONS reaches a GET that writes."""
    assert refusal("OPTIONS", b"/api/v3/questions") == (405, "method_not_allowed")


@pytest.mark.parametrize("target", [b"/oauth?client_id=1", b"/oauth/dialog"])
def test_pages_for_browsers_redirect(target: bytes) -> None:
    """People sign in at SOE itself."""
    assert classify("GET", target).endpoint.redirects


def test_a_route_tells_team_and_parameters() -> None:
    """What varies in the path is named, in lower case."""
    route = classify("PUT", b"/api/v3/Teams/Acme/questions/11/answers/12?a=b")

    assert route.team == "acme"
    assert dict(route.params) == {"team": "acme", "question": "11", "answer": "12"}
    assert route.query == b"a=b"


def test_a_route_shows_no_token() -> None:
    """Paths and queries may hold tokens: neither is in the representation."""
    route = classify("GET", b"/api/2.3/access-tokens/s3cret/invalidate?key=s3cret")

    assert "s3cret" not in repr(route)


@pytest.mark.parametrize(
    ("target", "api"),
    [
        (b"/api/2.3/questions/add", Api.V2),
        (b"http://h/API/2.3//x", Api.V2),
        (b"/%61pi/2.3/\xff", Api.V2),
        (b"/oauth", Api.OAUTH),
        (b"/api/scim/v2/Bulk", Api.SCIM),
        (b"/api/v3/tags?x=/api/2.3", Api.V3),
        (b"", Api.V3),
    ],
)
def test_the_dialect_is_guessed_for_any_target(target: bytes, api: Api) -> None:
    """An error about a target that cannot be read still speaks the caller's language."""
    assert api_of(target) is api


def test_images_may_be_larger() -> None:
    """A body has a MiB; an image two, and room for its framing."""
    assert body_limit(classify("POST", b"/api/v3/questions")) == 1 << 20
    assert body_limit(classify("POST", b"/api/v3/images/upload")) > 2 << 20
