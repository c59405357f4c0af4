"""Laws of classification and reading, over inputs that nobody wrote down."""

from __future__ import annotations

import json
import random
from urllib.parse import parse_qsl, quote, urlencode

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import RequestError
from gateway.soe.api import ENDPOINTS, Endpoint, api_of, classify
from gateway.soe.read import credentials
from gateway.soe.target import canonical
from gateway.soe.wire import read_fields, read_image_part, read_json, read_media_type
from tests.soe.requests import route

METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "post", ""])
PIECES = [
    *("api", "v3", "2.3", "teams", "acme", "questions", "42", "access-tokens", "invalidate"),
    *("%2e", "%2F", "%25", "%c4%b1", "%E2%84%AA", "..", ".", ";", "a;b", "c%23", "%00", "(S(x))"),
    *("é", "%C3%A9", " ", "{}", "%zz", "//", "oauth", "scim", "v2", "users", "add", "apps", "?"),
]
TARGETS = st.one_of(
    st.binary(max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=7)
    .map(lambda parts: "/" + "/".join(parts))
    .map(str.encode),
    st.text(max_size=30).map(lambda text: f"/api/2.3/tags/{quote(text)}/info".encode()),
)
WRITES = st.sampled_from([endpoint for endpoint in ENDPOINTS if endpoint.write])


@given(method=METHODS, target=TARGETS)
def test_any_target_is_a_route_or_a_refusal(method: str, target: bytes) -> None:
    """Classification is total, and so is the guess of the dialect."""
    api_of(target)
    try:
        found = classify(method, target)
    except RequestError as error:
        assert error.status in (400, 403, 404, 405)
    else:
        assert found.endpoint.write or method in ("GET", "HEAD") or method == "POST"


@given(path=TARGETS)
def test_a_canonical_path_is_its_own(path: bytes) -> None:
    """Canonicalising twice is canonicalising once."""
    try:
        once = canonical(path)
    except RequestError:
        return

    assert canonical(quote(once, safe="/;:@&=+$,!~*'()").encode() or b"/") == once


@given(
    endpoint=WRITES,
    seed=st.integers(0, 2**32),
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE"]),
)
def test_no_spelling_of_a_write_is_a_read(endpoint: Endpoint, seed: int, method: str) -> None:
    """However its path is cased and escaped, a write stays what it is."""
    path = spelled(endpoint, random.Random(seed))

    assert classify(endpoint.method, path).endpoint == endpoint
    if endpoint.api == "v2.3":  # where the path tells the act, no verb makes it a read
        try:
            assert classify(method, path).endpoint.write
        except RequestError as error:
            assert error.code == "unknown_operation"


def spelled(endpoint: Endpoint, choice: random.Random) -> bytes:
    """A path of the endpoint in some case, with some characters escaped."""
    values = {"version": f"2.{choice.randrange(100)}", "team": "ac-me", "tokens": "a;b"}
    segments = [
        values.get(part.strip("{}"), str(choice.randrange(1, 10**9))) if part[0] == "{" else part
        for part in endpoint.template.split("/")[1:]
    ]
    cased = (choice.choice((str.upper, str.lower))(c) for c in "/".join(segments))
    escaped = (c if c == "/" or choice.random() < 0.7 else f"%{ord(c):02X}" for c in cased)
    return f"/{''.join(escaped)}{choice.choice(('', '/'))}".encode()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)


@given(
    body=st.one_of(
        st.binary(max_size=40),
        JSON_VALUES.map(json.dumps).map(str.encode),
        JSON_VALUES.map(lambda value: json.dumps(value, ensure_ascii=False)).map(
            lambda text: text.encode(errors="surrogatepass")
        ),
        st.text(alphabet='{}[]",:\\u0 \n1eaA.-', max_size=30).map(str.encode),
    )
)
def test_strict_json_is_json(body: bytes) -> None:
    """What the strict reader takes, the lenient one reads the same."""
    try:
        value = read_json(body)
    except RequestError:
        return

    assert json.loads(body) == value


@given(value=st.dictionaries(st.sampled_from(["title", "body", "tags"]), st.text()))
def test_honest_json_is_taken(value: dict[str, str]) -> None:
    """Whatever the text, an object as clients make it is read."""
    assert read_json(json.dumps(value).encode()) == value


@given(
    encoded=st.one_of(
        st.binary(max_size=40),
        st.text(alphabet="abK=&;+%4142zé\0[]. ", max_size=30).map(str.encode),
        st.dictionaries(st.text(max_size=5), st.text(max_size=9)).map(urlencode).map(str.encode),
    )
)
@example(encoded="\N{KELVIN SIGN}ey=1".encode())
def test_strict_fields_are_fields(encoded: bytes) -> None:
    """What the strict reader takes, the standard library reads the same."""
    try:
        fields = read_fields(encoded)
    except RequestError:
        return
    pairs = parse_qsl(encoded.decode(), keep_blank_values=True, strict_parsing=False)

    assert {name.lower(): value for name, value in pairs} == fields
    assert len(pairs) == len(fields)


@given(
    fields=st.dictionaries(
        st.sampled_from(["title", "body", "tags", "key"]), st.text().filter(lambda t: "\0" not in t)
    )
)
def test_honest_fields_are_taken(fields: dict[str, str]) -> None:
    """Whatever the text, a form as clients make it is read."""
    assert read_fields(urlencode(fields).encode()) == fields


@given(data=st.binary(max_size=60))
def test_readers_of_bytes_are_total(data: bytes) -> None:
    """They read or refuse: nothing else comes out of them."""
    for reader in (
        lambda: read_media_type(data),
        lambda: read_image_part(data, data.decode("latin-1")),
        lambda: read_image_part(b"--b\r\n" + data + b"\r\n--b--", "b"),
        lambda: credentials(route(), ((b"authorization", data), (b"key", data))),
    ):
        try:
            reader()
        except RequestError:
            pass
