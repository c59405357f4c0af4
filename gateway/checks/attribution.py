"""Who posts says so: in the User-Agent for those who run the site, in the text for its readers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from gateway.model import Answer, Violation, Write
from gateway.text import markdown
from gateway.text.visible import finish

Search = Callable[[str], object]
"""Whether a pattern is found in a text."""

DESCRIPTIVE = "descriptive"
LIBRARIES = frozenset(
    [
        "aiohttp",
        "apache-cxf",
        "apache-httpasyncclient",
        "apache-httpclient",
        "axios",
        "bun",
        "commons-httpclient",
        "curl",
        "dart",
        "deno",
        "faraday",
        "fasthttp",
        "go-http-client",
        "got",
        "guzzlehttp",
        "hackney",
        "httpie",
        "httpx",
        "insomnia",
        "jakarta",
        "java",
        "java-http-client",
        "jersey",
        "ktor-client",
        "lib",
        "libcurl",
        "libwww-perl",
        "lwp-trivial",
        "node",
        "node-fetch",
        "node.js",
        "nodejs",
        "okhttp",
        "openapi-generator",
        "perl",
        "php",
        "postmanruntime",
        "powershell",
        "python",
        "python-httpx",
        "python-requests",
        "python-urllib",
        "python-urllib3",
        "requests",
        "reqwest",
        "rest-client",
        "restsharp",
        "ruby",
        "stackapi",
        "superagent",
        "swagger-codegen",
        "typhoeus",
        "undici",
        "unirest-java",
        "urllib3",
        "wget",
        "windowspowershell",
    ]
)
"""Products by which libraries name themselves where nobody told them a name, in lower case."""
_COMMENT = re.compile(r"\([^()]*\)")
_VERSION = re.compile(r"v?[0-9.]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """The `User-Agent` names the integration, and the text has the line that says where it is from.

    Attributes:
        user_agent: `descriptive`, so no library's default; or patterns, of which it matches one.
            Empty asks nothing of it.
        line: what readers must find in the text, in one line: words with `{integration}`, or a
            pattern. Empty asks nothing of it.
    """

    name: ClassVar[str] = "attribution"
    status: ClassVar[int] = 400
    needs_state: ClassVar[bool] = False
    needs_person: ClassVar[bool] = False
    placeholders: ClassVar[tuple[str, ...]] = ()

    user_agent: str | tuple[Search, ...] = ""
    line: str | Search = ""

    @property
    def needs_text(self) -> bool:
        """As `Check.needs_text`."""
        return not self.user_agent

    def need(self, write: Write, rule: str) -> None:
        """Ask nothing: the request says it all."""

    def judge(self, write: Write, answer: Answer | None) -> Violation | None:
        """Pass the write that says whose it is; a text that is not there needs no line."""
        if self.user_agent and (wrong := self._wrong_agent(write.user_agent.strip())):
            fix = "Send `User-Agent: NAME/VERSION (URL or mail)` with the integration's own name."
            return self._violation(wrong, fix)
        if self.line and write.post.body and not self._has_line(write):
            if not isinstance(self.line, str):
                return self._violation("The text does not say where it is from.", "")
            line = _filled(self.line, write)
            return self._violation(
                "The text does not say where it is from.", f"Put a line into it: {line}"
            )
        return None

    def _wrong_agent(self, agent: str) -> str:
        if not agent:
            return "The request has no User-Agent."
        if isinstance(self.user_agent, str):
            is_own = bool(own_products(agent))
            return "" if is_own else "The User-Agent names a library and no integration."
        found = any(search(agent) for search in self.user_agent)
        return "" if found else "The User-Agent is not the one that is agreed."

    def _has_line(self, write: Write) -> bool:
        seen = _seen(write.post.body)
        if not isinstance(self.line, str):
            return bool(self.line(seen))
        wanted = " ".join(_filled(self.line, write).casefold().split())
        return any(wanted in " ".join(line.casefold().split()) for line in seen.splitlines())

    def _violation(self, message: str, fix: str) -> Violation:
        return Violation(code=self.name, status=self.status, message=message, fix=fix)


def own_products(agent: str) -> list[str]:
    """Give the products of a User-Agent that are no library's, in lower case; comments name nobody."""
    products = (word.partition("/")[0].casefold() for word in _COMMENT.sub(" ", agent).split())
    return [each for each in products if each not in LIBRARIES and not _VERSION.fullmatch(each)]


def _filled(line: str, write: Write) -> str:
    return line.replace("{integration}", write.integration)


def _seen(body: str) -> str:
    """Give what readers see of a text: a line in a comment tells them nothing."""
    return "\n".join(passage.text for passage in finish(markdown.read(body)).passages)
