"""Every write that SOE has: refused without the user's act, and sent on unchanged with it."""

from __future__ import annotations

import csv
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.process import Running, gateway
from tests.e2e.recorder import Recorder, recorder
from tests.patience import PATIENCE
from tests.shared import shared

pytestmark = pytest.mark.slow

PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
    b"Content-Type: image/png\r\n\r\n" + PNG + b"\r\n--b--\r\n"
)
TEXT = b'{"title":"How do I rotate keys?","body":"A text of some words.","tags":["a"]}'
ARTICLE = TEXT[:-1] + (
    b',"type":"policy","permissions":{"editableBy":"ownerOnly","editorUserIds":[],'
    b'"editorUserGroupIds":[]}}'
)
FORM = b"key=k&access_token=t&title=How+do+I&body=A+text+of+words&tags=a&comment=c&option_id=1"


def request_of(method: str, path: str, operation: str) -> tuple[bytes, bytes, bytes]:
    """A lawful target, content type and body for a row of the API's tables."""
    named = path.replace("{team}", "acme").replace("{accessTokens}", "abc")
    target = re.sub(r"\{\w+\}", "7", named).encode()
    if method == "GET" or (method == "DELETE"):
        return target, b"", b""
    if operation == "image.upload":
        return target, b"multipart/form-data; boundary=b", MULTIPART
    if target.startswith((b"/api/2", b"/oauth")):
        body = FORM
        if operation == "token.exchange":
            body = b"access_tokens=t&exchange_type=impersonate&account_id=5"
        if operation == "oauth.exchange":
            body = b"client_id=1&client_secret=s&code=c"
        return target, b"application/x-www-form-urlencoded", body
    if b"/scim/" in target:
        return target, b"application/scim+json", b'{"active":false}'
    if target.endswith((b"/members", b"-experts/users", b"-experts/user-groups")):
        return target, b"application/json", b"[1,2]"
    bodies = {
        "flag.create": b'{"optionId":1,"comment":"A word"}',
        "tag.experts_edit": b'{"userIds":[1],"userGroupIds":[2]}',
        "community.members_edit": b'{"memberUserIds":[1]}',
        "article.create": ARTICLE,
        "article.edit": ARTICLE,
        "answer.create": b'{"body":"A text of some words."}',
        "answer.edit": b'{"body":"A text of some words."}',
        "collection.create": b'{"title":"T","description":"D","contentIds":[1]}',
        "collection.edit": b'{"title":"T","description":"D","contentIds":[1],"ownerId":1}',
        "user_group.create": b'{"name":"N","description":"D","userIds":[1]}',
        "user_group.edit": b'{"name":"N","description":"D","userIds":[1]}',
        "question.create": TEXT,
        "question.edit": TEXT,
    }
    body = bodies.get(operation, b"")
    return target, b"application/json" if body else b"", body


def send(port: int, head: bytes, body: bytes) -> int:
    """Send raw bytes, and return the status."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(head + body)
        return int(connection.recv(65_536).split(b" ", 2)[1])


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Recorder, Running]]:
    """A gateway under the catalogue's policy, before a byte recorder."""
    policies = shared("security", "policies")
    data: Path = tmp_path_factory.mktemp("gateway")
    with recorder() as soe, gateway(soe.url, data, "--policies", str(policies)) as running:
        yield soe, running


def test_every_write_is_gated_and_forwarded_unchanged(stack: tuple[Recorder, Running]) -> None:
    """Without the act: refused, and not one byte upstream. With it: one request, the same bytes."""
    soe, running = stack
    with shared("soe-api", "operations.csv").open() as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    wrong = []
    for method, path, operation in rows:
        target, content_type, body = request_of(method, path, operation)
        head = b"%s %s HTTP/1.1\r\nHost: gateway\r\n" % (method.encode(), target)
        if not (b"access_token" in body or path.startswith("/oauth")):
            head += b"Authorization: Bearer t\r\n"
        if content_type:
            head += b"Content-Type: %s\r\n" % content_type
        if method != "GET":
            head += b"Content-Length: %d\r\n" % len(body)
        soe.requests.clear()
        before = soe.bytes
        refused = send(running.port, head + b"Connection: close\r\n\r\n", body)
        leaked = soe.bytes - before
        act = b"X-Explicit-Action: true\r\nConnection: close\r\n\r\n"
        passed = send(running.port, head + act, body)
        sent = [(r.method, r.target, r.body, r.header(b"content-type")) for r in soe.requests]
        expected = [(method, target, body, content_type or None)]
        if not (400 <= refused < 500 and leaked == 0 and passed == 201 and sent == expected):
            wrong.append((method, path, refused, leaked, passed, sent))

    assert wrong == []
