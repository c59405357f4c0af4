"""Heads: one spelling of everything, or a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.proxy.head import Head, check_beginning, read_head
from gateway.proxy.refusals import ANSWERS, REFUSALS, WireError
from tests.pace import grows_linearly
from tests.proxy.reference import parse

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = b"Host: gateway.example\r\n"


def read(data: bytes) -> Head:
    """Read with the limits that are the server's defaults."""
    return read_head(data, fields=100, target_bytes=8_192)


def request(line: bytes = b"GET /a HTTP/1.1\r\n", fields: bytes = HOST) -> bytes:
    """A head of this request line and these fields."""
    return line + fields + b"\r\n"


REFUSED_LINES = {
    b"GET /x\r\n": "bad_head",
    b"GET /a http/1.1\r\n": "bad_head",
    b"GET /a\r\n": "bad_head",
    b"GET  /a HTTP/1.1\r\n": "bad_head",
    b"GET /a  HTTP/1.1\r\n": "bad_head",
    b"GET\t/a HTTP/1.1\r\n": "bad_head",
    b" GET /a HTTP/1.1\r\n": "bad_head",
    b"GET /a HTTP/1.1 \r\n": "bad_head",
    b"GET /a b HTTP/1.1\r\n": "bad_head",
    b"GET /a\x01 HTTP/1.1\r\n": "bad_head",
    b"GET /\xc3\xa9 HTTP/1.1\r\n": "bad_head",
    b"GET /a HTTP/11\r\n": "bad_head",
    b"GET /a HTTP/1.1.1\r\n": "bad_head",
    b"\r\n": "bad_head",
    b"GET /a HTTP/1.0\r\n": "unsupported_version",
    b"GET /a HTTP/0.9\r\n": "unsupported_version",
    b"GET /a HTTP/1.2\r\n": "unsupported_version",
    b"PRI * HTTP/2.0\r\n": "unsupported_version",
    b"SETUP /a RTSP/1.0\r\n": "bad_head",
    b"GET /a ICE/1.0\r\n": "bad_head",
    b"CONNECT /a HTTP/1.1\r\n": "unsupported_method",
    b"CONNECT h:443 HTTP/1.1\r\n": "unsupported_method",
    b"TRACE /a HTTP/1.1\r\n": "unsupported_method",
    b"PROPFIND /a HTTP/1.1\r\n": "unsupported_method",
    b"QUERY /a HTTP/1.1\r\n": "unsupported_method",
    b"post /a HTTP/1.1\r\n": "unsupported_method",
    b"Get /a HTTP/1.1\r\n": "unsupported_method",
    b"GETX /a HTTP/1.1\r\n": "unsupported_method",
    b"GET http://h/a HTTP/1.1\r\n": "bad_target",
    b"OPTIONS * HTTP/1.1\r\n": "bad_target",
    b"GET h:443 HTTP/1.1\r\n": "bad_target",
    b"GET a HTTP/1.1\r\n": "bad_target",
    b"GET /a#b HTTP/1.1\r\n": "bad_target",
}


@pytest.mark.parametrize(("line", "code"), REFUSED_LINES.items())
def test_a_request_line_has_one_form(line: bytes, code: str) -> None:
    """Another version, verb, form of target or spacing is refused and told apart."""
    with pytest.raises(WireError) as refused:
        read(request(line))

    assert refused.value.code == code


REFUSED_FIELDS = {
    b"": "bad_host",
    HOST + HOST: "bad_host",
    b"Host: \r\n": "bad_host",
    b"Host: a, b\r\n": "bad_host",
    b"Host: a b\r\n": "bad_host",
    b"Host: user@a\r\n": "bad_host",
    b"Host: a/b\r\n": "bad_host",
    b"Host: a?b\r\n": "bad_host",
    b"Host: a#b\r\n": "bad_host",
    b"Host: a:b\r\n": "bad_host",
    b"Host: a:123456\r\n": "bad_host",
    b"Host: [::1\r\n": "bad_host",
    b"Host: \xe9\r\n": "bad_host",
    b"Host : a\r\n": "bad_head",
    b" Host: a\r\n": "bad_head",
    HOST + b"X\r\n": "bad_head",
    HOST + b": x\r\n": "bad_head",
    HOST + b"X Y: z\r\n": "bad_head",
    HOST + b"X\x01: z\r\n": "bad_head",
    HOST + b"X\x85: z\r\n": "bad_head",
    HOST + b"X: a\x00b\r\n": "bad_head",
    HOST + b"X: a\x01b\r\n": "bad_head",
    HOST + b"X: a\x7fb\r\n": "bad_head",
    HOST + b"X: a\rb\r\n": "bad_head",
    HOST + b"X: a\nY: b\r\n": "bad_head",
    HOST + b"X: a\r\n b\r\n": "bad_head",
    HOST + b"X: a\r\n\tb\r\n": "bad_head",
    HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n": "bad_framing",
    HOST + b"Content-Length: 1\r\nContent-Length: 1\r\n": "bad_framing",
    HOST + b"Content-Length: 1, 1\r\n": "bad_framing",
    HOST + b"Content-Length: +1\r\n": "bad_framing",
    HOST + b"Content-Length: -1\r\n": "bad_framing",
    HOST + b"Content-Length: 1_0\r\n": "bad_framing",
    HOST + b"Content-Length: 0x1\r\n": "bad_framing",
    HOST + b"Content-Length: 01\r\n": "bad_framing",
    HOST + b"Content-Length: 1 0\r\n": "bad_framing",
    HOST + b"Content-Length: 1e1\r\n": "bad_framing",
    HOST + b"Content-Length: \xb2\r\n": "bad_framing",
    HOST + b"Content-Length:\r\n": "bad_framing",
    HOST + b"Content-Length: 99999999999999999999\r\n": "bad_framing",
    HOST + b"Transfer-Encoding: Chunked\r\n": "bad_framing",
    HOST + b"Transfer-Encoding: identity\r\n": "bad_framing",
    HOST + b"Transfer-Encoding: gzip, chunked\r\n": "bad_framing",
    HOST + b"Transfer-Encoding: chunked, chunked\r\n": "bad_framing",
    HOST + b"Transfer-Encoding: ,chunked\r\n": "bad_framing",
    HOST + b'Transfer-Encoding: "chunked"\r\n': "bad_framing",
    HOST + b"Transfer-Encoding: chunked;q=1\r\n": "bad_framing",
    HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n": "bad_framing",
    HOST + b"Transfer-Encoding:\r\n": "bad_framing",
    HOST + b"Expect: 200-ok\r\n": "bad_expectation",
    HOST + b"Expect: 100-continue, 100-continue\r\n": "bad_expectation",
    HOST + b"Expect: 100-continue\r\nExpect: 100-continue\r\n": "bad_expectation",
    HOST + b"Upgrade: h2c\r\n": "no_upgrade",
    HOST + b"Connection: Upgrade\r\n": "no_upgrade",
    HOST + b"Connection: close\r\nConnection: x, UPGRADE\r\n": "no_upgrade",
    HOST + b"Trailer: X-Explicit-Action\r\n": "no_trailers",
}


@pytest.mark.parametrize(("fields", "code"), REFUSED_FIELDS.items())
def test_fields_have_one_form_and_the_body_one_length(fields: bytes, code: str) -> None:
    """What two parsers could read differently is refused, never repaired."""
    with pytest.raises(WireError) as refused:
        read(request(fields=fields))

    assert refused.value.code == code


def test_a_head_is_given_byte_for_byte() -> None:
    """Target and values stay as they came; names are lower case, outer white space goes."""
    head = read(
        b"PATCH /a%2f;b?c=%C3%A9&&d? HTTP/1.1\r\nhOsT:gateway.example:8080\r\n"
        b"X-A: \t b\tc \r\nX-A: caf\xe9\r\nX-Empty:\r\nContent-Length: 12\r\n\r\n"
    )

    assert head == Head(
        method="PATCH",
        target=b"/a%2f;b?c=%C3%A9&&d?",
        headers=(
            (b"host", b"gateway.example:8080"),
            (b"x-a", b"b\tc"),
            (b"x-a", b"caf\xe9"),
            (b"x-empty", b""),
            (b"content-length", b"12"),
        ),
        length=12,
        expects_continue=False,
        keep_alive=True,
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"", (0, False, True)),
        (b"Transfer-Encoding: chunked\r\n", (None, False, True)),
        (b"Content-Length: 5\r\nExpect: 100-Continue\r\n", (5, True, True)),
        (b"Connection: keep-alive\r\n", (0, False, True)),
        (b"Connection: Close\r\n", (0, False, False)),
        (b"Connection: TE, close\r\nConnection: keep-alive\r\n", (0, False, False)),
    ],
)
def test_a_head_says_how_its_body_and_connection_go_on(
    fields: bytes, expected: tuple[int | None, bool, bool]
) -> None:
    """Length, expectation and persistence follow from the fields alone."""
    head = read(request(fields=HOST + fields))

    assert (head.length, head.expects_continue, head.keep_alive) == expected


@pytest.mark.parametrize("host", [b"a", b"a.b-c_d:80", b"127.0.0.1:8080", b"[::1]", b"[::1]:443"])
def test_a_host_is_a_name_or_an_address(host: bytes) -> None:
    """A port may follow."""
    head = read(request(fields=b"Host: " + host + b"\r\n"))

    assert head.headers == ((b"host", host),)


def test_the_limits_are_kept_to_the_byte() -> None:
    """The last target and the last field that fit are taken, one more is not."""
    line = b"GET /" + b"a" * 8_191 + b" HTTP/1.1\r\n"
    fields = HOST + b"X: y\r\n" * 99

    assert len(read(request(line, fields)).headers) == 100
    with pytest.raises(WireError, match="target_too_long"):
        read(request(line.replace(b"/", b"/a", 1), fields))
    with pytest.raises(WireError, match="too_many_fields"):
        read(request(line, fields + b"X: y\r\n"))


@pytest.mark.parametrize(
    "beginning",
    [
        b"\r\n",
        b"\x16\x03\x01",
        b" GET",
        b"GET /a HTTP/1.1\nHost",
        b"GET /a HTTP/1.1\r\nX: a\rb",
        b"GET /a HTTP/1.1\r\nX\x00",
        b"GET /a HTTP/1.0\r\n",
        b"TRACE /a HTTP/1.1\r\n",
        b"GET /" + b"a" * 8_300,
    ],
)
def test_what_cannot_become_a_head_is_refused_at_once(beginning: bytes) -> None:
    """Nobody waits for the end of a head that is wrong already."""
    with pytest.raises(WireError):
        check_beginning(beginning, since=0, target_bytes=8_192)


WHOLE = (
    b"POST /api/v3/questions?x=1 HTTP/1.1\r\nHost: gateway.example:8080\r\n"
    b"Content-Type: application/json\r\nContent-Length: 12\r\nExpect: 100-continue\r\n"
    b"X-A: b \tc\r\nConnection: keep-alive\r\n\r\n"
)


def test_every_beginning_of_a_good_head_is_waited_for() -> None:
    """However a head is cut into packets, it is not refused before its end."""
    for size in range(1, len(WHOLE)):
        check_beginning(WHOLE[:size], since=size - 1, target_bytes=8_192)
        check_beginning(WHOLE[:size], since=0, target_bytes=8_192)


BYTES = b"\r \n \r\n \t : \0 # , \x85 \xff 0 A /".split(b" ")
TEXTS = (
    b" ",
    b"\r\n a",
    b"upgrade,",
    b"HTTP/1.1",
    b"Host: a\r\n",
    b"Upgrade: a\r\n",
    b"Trailer: a\r\n",
    b"Expect: 100-continue\r\n",
    b"Content-Length: 1\r\n",
    b"Transfer-Encoding: chunked\r\n",
)
PIECES = st.sampled_from((*BYTES, *TEXTS)) | st.binary(max_size=3)


@st.composite
def mutants(draw: st.DrawFn, whole: bytes = WHOLE) -> bytes:
    """A good request with a few bytes put in, replaced or taken out."""
    data = whole
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(PIECES) + data[at + draw(st.integers(0, 3)) :]
    return data


@given(data=mutants())
@example(WHOLE)
def test_what_is_accepted_is_what_a_strict_reader_reads(data: bytes) -> None:
    """The fast reader and a plain one accept the same heads, and read the same from them."""
    data = data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    try:
        head = read(data)
        got = (head.method, head.target, list(head.headers))
    except WireError:
        got = None

    assert got == parse(data)


@pytest.mark.parametrize(
    "head",
    [
        lambda length: request(fields=HOST + b"a" * length + b"\r\n"),
        lambda length: request(fields=HOST + b"X:" + b" " * length + b"\x01\r\n"),
        lambda length: request(fields=HOST + b"X:y\r\n" * (length // 5) + b"X\r\n"),
        lambda length: request(b"GET /" + b"a" * length + b"\r\n"),
    ],
)
def test_the_time_is_linear_in_the_head(head: Callable[[int], bytes]) -> None:
    """Whatever the head repeats."""

    def refused(length: int) -> None:
        with pytest.raises(WireError):
            read(head(length))

    assert grows_linearly(refused, 32_000)


def test_every_refusal_is_a_problem_that_says_how_to_mend_it() -> None:
    """Each code has its whole answer, which closes the connection."""
    for code, (status, detail) in REFUSALS.items():
        head, _, body = ANSWERS[code].partition(b"\r\n\r\n")

        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert b"connection: close" in head
        assert b"content-length: %d\r\n" % len(body) in head
        assert detail.encode() in body
