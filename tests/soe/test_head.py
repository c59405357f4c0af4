"""What the head of a request alone shows to be wrong."""

from __future__ import annotations

import pytest

from gateway.errors import RequestError
from gateway.model import Headers
from gateway.soe.read import check_head
from tests.soe.requests import FORM, JSON, fields, route

QUESTION = ("POST", "/api/v3/questions")
QUESTION_V2 = ("POST", "/api/2.3/questions/add")
IMAGE = ("POST", "/api/v3/images/upload")
READ = ("GET", "/api/v3/tags")


def refusal(request: tuple[str, str], headers: Headers) -> tuple[int, str]:
    with pytest.raises(RequestError) as caught:
        check_head(route(*request), headers)
    return caught.value.status, caught.value.code


@pytest.mark.parametrize(
    "headers",
    [
        fields(authorization="Bearer t", content_length="0"),
        fields(connection="TE", te="trailers"),
        fields(connection="keep-alive, close"),
        ((b"accept-language", b"en"), (b"accept-language", b"fr")),
        ((b"access_token", b"t"), (b"key", b"k")),
        ((b"x_request_id", b"1"),),
        fields(x_note="caf\xe9"),
    ],
)
def test_ordinary_heads_pass(headers: Headers) -> None:
    """What clients really send is not in the way."""
    check_head(route(*READ), headers)


@pytest.mark.parametrize(
    "name",
    [
        b"authorization",
        b"content-type",
        b"x-api-key",
        b"x-api-access-token",
        b"access_token",
        b"key",
        b"idempotency-key",
        b"x-gateway-key",
        b"user-agent",
    ],
)
def test_one_of_a_kind_stands_once(name: bytes) -> None:
    """Of two values the gateway would judge one and SOE might take the other."""
    assert refusal(READ, ((name, b"a"), (name, b"a"))) == (400, "ambiguous_header")


@pytest.mark.parametrize(
    "name",
    [
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        b"x-forwarded-method",
        b"x-original-url",
        b"x-rewrite-url",
    ],
)
@pytest.mark.parametrize("request_", [READ, QUESTION])
def test_no_field_overrides_method_or_path(name: bytes, request_: tuple[str, str]) -> None:
    """A read must not become a write behind the gateway."""
    assert refusal(request_, ((name, b"GET"),)) == (400, "method_override")


@pytest.mark.parametrize(
    "query", ["_method=delete", "a=b&_METHOD=PUT", "%5Fmethod=put", "x-http-method-override=POST"]
)
def test_no_parameter_overrides_the_method(query: str) -> None:
    """Frameworks take the method from the query too."""
    assert refusal(("GET", f"/api/v3/questions/42?{query}"), ()) == (400, "method_override")


def test_a_word_of_a_search_is_no_override() -> None:
    """Only a parameter's name counts."""
    check_head(route("GET", "/api/v3/search?query=my_method&x=_method"), ())


@pytest.mark.parametrize(
    "name",
    [
        b"x_explicit_action",
        b"x-explicit_action",
        b"x_forwarded_for",
        b"x_gateway_key",
        b"content_type",
        b"content_length",
        b"transfer_encoding",
        b"x_api_key",
        b"x_http_method_override",
        b"idempotency_key",
    ],
)
def test_underscores_shadow_nothing(name: bytes) -> None:
    """CGI-like servers read `_` as `-`: such a name must not mean what the gateway checked."""
    assert refusal(READ, ((name, b"true"),)) == (400, "ambiguous_header")


@pytest.mark.parametrize("value", ["X-Explicit-Action", "close, Content-Length", "upgrade"])
def test_connection_names_no_other_field(value: str) -> None:
    """A proxy between would drop what is named there."""
    assert refusal(READ, fields(connection=value)) == (400, "ambiguous_header")


@pytest.mark.parametrize("value", ["", "k" * 256, "a\x01b", " a", "caf\xe9"])
def test_an_idempotency_key_is_short_and_visible(value: str) -> None:
    """It becomes a key of a store and of a log line."""
    assert refusal(QUESTION, fields(idempotency_key=value)) == (400, "bad_idempotency_key")


@pytest.mark.parametrize(
    "headers", [fields(content_length="5"), fields(transfer_encoding="chunked")]
)
@pytest.mark.parametrize(
    "request_",
    [READ, ("HEAD", "/api/v3/tags"), ("GET", "/api/2.3/access-tokens/abc/invalidate")],
)
def test_a_get_has_no_body(request_: tuple[str, str], headers: Headers) -> None:
    """Some servers bind it, others take it for the next request."""
    assert refusal(request_, headers) == (400, "unexpected_body")


@pytest.mark.parametrize("value", ["1048577", "99999999999999999999"])
def test_a_body_too_large_is_refused_unread(value: str) -> None:
    """The limit stands before the first byte is asked for."""
    assert refusal(QUESTION, fields(content_length=value))[0] == 413


@pytest.mark.parametrize("coding", ["gzip", "identity", "br, gzip", ""])
def test_no_body_is_encoded(coding: str) -> None:
    """What the rules cannot read must not arrive."""
    headers = fields(content_length="9", content_type=JSON, content_encoding=coding)

    assert refusal(QUESTION, headers) == (415, "unsupported_encoding")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; Charset=UTF-8",
        'application/json;charset="utf-8"',
        "application/json-patch+json",
        "text/json",
        "application/*+json",
        "application/vnd.x+json",
    ],
)
def test_json_comes_in_each_of_its_types(content_type: str) -> None:
    """SOE reads JSON under all of them, and generated clients send all of them."""
    check_head(route(*QUESTION), fields(content_length="9", content_type=content_type))


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/xml",
        "application/msgpack",
        "application/json ;",
        "application/json; charset=utf-16",
        "application/json; charset=ibm037",
        "application/json; charset=utf-8; charset=utf-16",
        "text/plain, application/json",
        "multipart/form-data; boundary=b",
        FORM,
        f'{FORM};boundary="application/json"',
    ],
)
def test_other_types_are_not_json(content_type: str) -> None:
    """A body that SOE might read by other rules than ours is refused."""
    headers = fields(content_length="9", content_type=content_type)

    assert refusal(QUESTION, headers) == (415, "unsupported_media_type")


def test_a_chunked_body_needs_a_type_too() -> None:
    """A body of unknown length is a body."""
    assert refusal(QUESTION, fields(transfer_encoding="chunked"))[0] == 415


@pytest.mark.parametrize(
    "content_type",
    ["", JSON, "multipart/form-data; boundary=b", f"{FORM}; charset=utf-16", "text/plain"],
)
def test_v2_takes_forms_only(content_type: str) -> None:
    """ASP.NET would bind some of these, and nobody knows which."""
    headers = fields(content_length="9", content_type=content_type)

    assert refusal(QUESTION_V2, headers) == (415, "unsupported_media_type")


@pytest.mark.parametrize("request_", [QUESTION, QUESTION_V2])
def test_no_body_needs_no_type(request_: tuple[str, str]) -> None:
    """Votes have no body, and v2.3 takes its fields from the query too."""
    check_head(route(*request_), fields(content_length="0"))


@pytest.mark.parametrize(
    "content_type", ["image/jpeg", "img/png", "multipart/form-data; boundary=x"]
)
def test_images_come_raw_or_in_multipart(content_type: str) -> None:
    """The vendor's document has `img/png` indeed."""
    check_head(route(*IMAGE), fields(content_length="9", content_type=content_type))


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/mixed; boundary=x", JSON]
)
def test_an_image_is_nothing_else(content_type: str) -> None:
    """Multipart without its boundary cannot be read, JSON is no image."""
    headers = fields(content_length="9", content_type=content_type)

    assert refusal(IMAGE, headers) == (415, "unsupported_media_type")
