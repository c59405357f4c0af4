"""The strict readers of JSON, fields and multipart."""

from __future__ import annotations

import json

import pytest

from gateway.errors import RequestError
from gateway.soe.wire import read_fields, read_image_part, read_json


@pytest.mark.parametrize(
    "body",
    [
        b'{ "title" : "caf\\u00e9 \\/ tab\\t" ,\r\n"body":"1.0 1e3 \\"x\\"", "tags":[ "a" ] }',
        '{"title": "naïve 日本語 🔑"}'.encode(),
        b'"\\ud83d\\udd11"',
        b"[1, 2]",
        b"[" * 32 + b"]" * 32,
    ],
)
def test_plain_json_is_read(body: bytes) -> None:
    """Odd white space, escapes and languages are JSON."""
    assert read_json(body) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xef\xbb\xbf{}",
        '{"a": "b"}'.encode("utf-16"),
        '{"a": "b"}'.encode("utf-32"),
        b'{"a": "\xc0\x80"}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": "b"//x\n}',
        b'{"a": "b"/**/}',
        b'{"a": "b",}',
        b"{a: 1}",
        b"{'a': 1}",
        b'{"a": 0x10}',
        b'{"a": 010}',
        b'{"a": "line\nbreak"}',
        b"{}{}",
        b"{} x",
        b"9" * 5000,
        b"[" * 100_000,
    ],
)
def test_what_is_no_strict_json_is_refused(body: bytes) -> None:
    """SOE's reader takes more than the standard has; the gateway takes no more."""
    with pytest.raises(RequestError, match="unreadable_body"):
        read_json(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"title": "a", "title": "b"}',
        b'{"title": "a", "Title": "b"}',
        b'{"title": "a", "\\u0074itle": "b"}',
        b'{"a": [{"b": 1, "B": 2}]}',
        '{"ｔitle": "full width"}'.encode(),
        '{"boſdy": "long s"}'.encode(),
        b'{"title\\u0000": "a"}',
        b'{"title": "\\ud800"}',
        b'{"title": "\\udd11\\ud83d"}',
        b"[" * 33 + b"]" * 33,
        b'{"a":' * 33 + b"1" + b"}" * 33,
        json.dumps({f"k{n}": n for n in range(201)}).encode(),
    ],
)
def test_json_with_two_meanings_is_refused(body: bytes) -> None:
    """First name or last, whole surrogate or half: parsers differ, so the gateway refuses."""
    with pytest.raises(RequestError, match="ambiguous_body"):
        read_json(body)


def test_brackets_in_text_are_no_nesting() -> None:
    """A text full of brackets is as flat as any other."""
    assert read_json(json.dumps({"body": "[{" * 100}).encode()) == {"body": "[{" * 100}


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        (b"", {}),
        (b"title=How+do+I%3F&Body=a%0Ab", {"title": "How do I?", "body": "a\nb"}),
        (b"&&title=x&", {"title": "x"}),
        (b"body=a=b", {"body": "a=b"}),
        (b"tags=a;b", {"tags": "a;b"}),
        (b"body=naive caf\xc3\xa9", {"body": "naive café"}),
        (b"requestsJson=%5B%5D&dryRun=true", {"requestsjson": "[]", "dryrun": "true"}),
    ],
)
def test_fields_are_read(encoded: bytes, expected: dict[str, str]) -> None:
    """Names fold to lower case, values decode once."""
    assert read_fields(encoded) == expected


@pytest.mark.parametrize(
    "encoded",
    [
        b"title=a&title=b",
        b"title=a&TITLE=b",
        b"title=a&t%69tle=b",
        b"title[]=a",
        b"title%5B0%5D=a",
        b".title=a",
        b"+title=a",
        b"=a",
        b"title",
        b"title=a;title=b",
        b";title=b",
        b"_charset_=utf-7",
        b"_method=DELETE",
        b"title=%u0042",
        b"%u0074itle=a",
        b"title=%zz",
        b"title=%4",
        b"title=%c1%82",
        b"title=\xff",
        b"title=%00",
        b"tit%00le=a",
        b"title=a\x01",
        b"%E2%84%AAey=k",
        b"&".join(b"p%d=1" % n for n in range(201)),
    ],
)
def test_fields_with_two_meanings_are_refused(encoded: bytes) -> None:
    """Duplicates, arrays, foreign escapes and foreign charsets are read differently everywhere."""
    with pytest.raises(RequestError, match="ambiguous_field"):
        read_fields(encoded)


def part(head: str = 'Content-Disposition: form-data; name="file"; filename="a.png"') -> bytes:
    return f"--b\r\n{head}\r\n\r\n".encode() + b"\x89PNG\r\n\x00" + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        part(),
        part().removesuffix(b"\r\n"),
        part("Content-Type: image/png\r\nContent-Disposition: form-data; name=file"),
        part("content-disposition: form-data; name=file; filename=a; filename*=utf-8''a%20b"),
    ],
)
def test_one_file_in_multipart_is_read(body: bytes) -> None:
    """The part `file` and nothing else, as the clients frame it."""
    assert read_image_part(body, "b") == b"\x89PNG\r\n\x00"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b--\r\n",
        b"x\r\n" + part(),
        part() + b"x",
        part().replace(b"\r\n", b"\n"),
        part().removesuffix(b"--\r\n"),
        part().removesuffix(b"--b--\r\n") + part(),
        part('Content-Disposition: form-data; name="title"'),
        part('Content-Disposition: form-data; name="file"; name="title"'),
        part("Content-Disposition: form-data; name=\"file\"; name*=utf-8''title"),
        part('Content-Disposition: form-data; name="file"\r\nContent-Transfer-Encoding: base64'),
        part('Content-Disposition: form-data; name="file"\r\nX: y'),
        part('Content-Disposition: form-data; name="file"\r\n folded'),
    ],
)
def test_other_multipart_is_refused(body: bytes) -> None:
    """Preambles, second parts and loose framing hide fields from one of two readers."""
    with pytest.raises(RequestError, match="ambiguous_body"):
        read_image_part(body, "b")


@pytest.mark.parametrize("boundary", ["", "a b", "x" * 71, "é"])
def test_a_boundary_is_of_its_grammar(boundary: str) -> None:
    """RFC 2046 section 5.1.1 limits it."""
    with pytest.raises(RequestError, match="ambiguous_body"):
        read_image_part(part(), boundary)
