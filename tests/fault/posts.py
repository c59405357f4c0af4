"""The questions that the fault suite posts: each text carries a serial that is found everywhere.

The client knows it, SOE's recorder finds it in the bytes, and the audit log holds the fingerprint
of the same text. Each try has a number of its own besides, in a header field that passes through.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from urllib.parse import urlencode

from gateway.model import Post
from gateway.text.fingerprint import fingerprint

SERIAL = re.compile(rb"\bserial-(\w+)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question to post.

    Attributes:
        serial: a word; equal for copies.
        token: of the caller.
        old: over v2.3 instead of v3.
    """

    serial: str
    token: str = "t"
    old: bool = False

    @property
    def title(self) -> str:
        """What SOE would show."""
        return f"How do I rotate the signing key serial-{self.serial} of the payment service?"

    @property
    def body(self) -> str:
        """More than a few words, so that a copy counts as one everywhere."""
        return f"The key serial-{self.serial} runs out next week and I found no run-book for it."

    @property
    def fingerprint(self) -> str:
        """By what the audit log knows this text."""
        return fingerprint(Post(title=self.title, body=self.body)).text

    def request(self, number: int) -> bytes:
        """The bytes of a try."""
        if self.old:
            target, content_type = "/api/2.3/questions/add", "application/x-www-form-urlencoded"
            fields = {"title": self.title, "body": self.body, "tags": "security"}
            body = urlencode({**fields, "access_token": self.token, "key": "k"})
            authorization = ""
        else:
            target, content_type = "/api/v3/questions", "application/json"
            body = json.dumps({"title": self.title, "body": self.body, "tags": ["security"]})
            authorization = f"authorization: Bearer {self.token}\r\n"
        return (
            f"POST {target} HTTP/1.1\r\nhost: gateway\r\nx-try: {number}\r\n"
            f"x-explicit-action: true\r\n{authorization}content-type: {content_type}\r\n"
            f"content-length: {len(body)}\r\n\r\n{body}"
        ).encode()


def read(number: int) -> bytes:
    """The bytes of a read."""
    return (
        f"GET /api/v3/questions/{number} HTTP/1.1\r\nhost: gateway\r\nx-try: {number}\r\n\r\n"
    ).encode()
