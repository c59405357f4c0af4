"""The steps of a test: one write each, and what is expected of it.

A step names its operation with the post it means: a number, `new` for none, `new-2` for what the
second step wrote.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from gateway.errors import RequestError
from gateway.model import ANONYMOUS, Api
from gateway.offline.testing.expect import Expected, read_expected
from gateway.offline.testing.requests import (
    NEW,
    Request,
    apis_of,
    endpoint_of,
    request_of,
    route_of,
)
from gateway.offline.testing.saved import Saved, read_saved
from gateway.parse import Mapping as MappingNode
from gateway.parse import Mark, Node, Reader, Scalar, Sequence, nearest
from gateway.policy.language import STEP_KEYS
from gateway.soe.api import OPERATIONS
from gateway.soe.read import is_slug

_TEXTS = ("as", "token", "person", "team", "action", "title", "body", "user_agent", "key")
_TIMES_AT_MOST = 1000
_WRITTEN = 1_000_000
"""From here on posts are numbered where no answer of SOE tells their number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One write of a test, and what is expected of it.

    Attributes:
        place: of the step in its list, from 1; the same for each of its `times`.
        said: the operation and the post as they stand in the file.
        at: the instant of the write.
        written: the post that it writes, as `question/1000001`.
        confirm: a person confirmed what held the same request before.
        state_down: state is out of reach.
    """

    mark: Mark
    place: int
    said: str
    at: float
    request: Request
    written: str
    saved: Saved
    confirm: bool
    state_down: bool
    expect: Expected


class StepReader:
    """Reads the steps of the tests in one file."""

    def __init__(
        self, reader: Reader, rules: Collection[str] | None, integrations: Collection[str]
    ) -> None:
        self._reader = reader
        self._rules = rules
        self._integrations = integrations

    def read(self, listed: Sequence, shared: Mapping[str, Node], at: float) -> tuple[Step, ...]:
        """Read the steps of one test.

        Args:
            shared: what stands for every step.
            at: the instant at which the test begins.
        """
        steps: list[Step] = []
        for place, node in enumerate(listed.items, 1):
            if not isinstance(node, MappingNode):
                self._reader.problem(node, "a step is written as {operation: post, expect: …}")
                continue
            step = self._step(node, shared, steps, place)
            if step is None:
                continue
            items, gap = node.items, 0.0
            if "after" in items:
                gap = self._reader.duration(items["after"]) or 0.0
            times = 1
            if "times" in items:
                most = _TIMES_AT_MOST
                times = self._reader.integer(items["times"], at_least=1, at_most=most) or 1
            for _ in range(times):
                at += gap
                steps.append(replace(step, at=at, written=_written(step, len(steps) + 1)))
        return tuple(steps)

    def _step(
        self, node: MappingNode, shared: Mapping[str, Node], before: list[Step], place: int
    ) -> Step | None:
        reader = self._reader
        operation = self._operation(node)
        if operation is None:
            return None
        items = {**shared, **node.items}
        request = self._request(operation, items, before)
        saved = read_saved(reader, items["soe"]) if "soe" in items else Saved()
        state = reader.choice(items["state"], ("up", "down")) if "state" in items else "up"
        confirm = self._is_true(items, "confirm")
        expect = Expected()
        if "expect" in items:
            expect = read_expected(reader, items["expect"], self._rules)
        if request is None:
            return None
        return Step(
            mark=node.mark,
            place=place,
            said=f"{operation} {_text(items[operation])}",
            at=0.0,
            request=request,
            written="",
            saved=saved,
            confirm=confirm,
            state_down=state == "down",
            expect=expect,
        )

    def _operation(self, node: MappingNode) -> str | None:
        named = [key for key in node.keys if key not in STEP_KEYS]
        meant = [key for key in named if key in OPERATIONS]
        for key in named:
            if key not in OPERATIONS:
                told = f"unknown key {key!r}{nearest(key, STEP_KEYS)}"
                if "." in key or not nearest(key, STEP_KEYS):
                    told = f"no operation is called {key!r}{nearest(key, OPERATIONS)}"
                self._reader.problem(node.keys[key], told)
        if len(meant) != 1:
            if len(named) == len(meant):
                self._reader.problem(node, "a step has exactly one operation")
            return None
        return meant[0] if meant[0] in node.items else None

    def _is_true(self, items: Mapping[str, Node], key: str) -> bool:
        return key in items and bool(self._reader.boolean(items[key]))

    def _request(
        self, operation: str, items: Mapping[str, Node], before: list[Step]
    ) -> Request | None:
        reader, node = self._reader, items[operation]
        facts = self._facts(items)
        tags = (reader.texts(items["tags"]) or ()) if "tags" in items else ()
        preview = self._is_true(items, "preview")
        api = self._api(operation, items, preview=preview)
        post, parent = self._post(node, before)
        if facts is None or api is None or post is None:
            return None
        team = facts.get("team")
        endpoint = endpoint_of(operation, api, post, team)
        if endpoint is None:
            reader.problem(node, _misplaced(operation, api, post, team))
            return None
        if preview and not endpoint.previewable:
            reader.problem(items["preview"], f"{api} has no preview of {operation}")
        try:
            route = route_of(endpoint, post, team, parent)
        except RequestError:
            reader.problem(node, f"no post has the number {post}")
            return None
        return request_of(route, facts, tags, preview=preview)

    def _facts(self, items: Mapping[str, Node]) -> Mapping[str, str] | None:
        facts = {key: self._reader.text(items[key]) or "" for key in _TEXTS if key in items}
        name = facts.get("as", ANONYMOUS)
        if self._integrations and name not in (*self._integrations, ANONYMOUS):
            told = f"no integration is called {name!r}{nearest(name, self._integrations)}"
            self._reader.problem(items["as"], told)
        if "team" in facts and not is_slug(facts["team"]):
            self._reader.problem(items["team"], f"{facts['team']!r} is no team's name in addresses")
            return None
        return facts

    def _api(self, operation: str, items: Mapping[str, Node], *, preview: bool) -> Api | None:
        """The API that is named, else the newest that has the operation; v2.3 alone previews."""
        if "api" in items:
            word = self._reader.choice(items["api"], list(Api))
            return Api(word) if word else None
        apis = apis_of(operation)
        return Api.V2 if preview and Api.V2 in apis else apis[0]

    def _post(self, node: Node, before: list[Step]) -> tuple[str | None, str]:
        """Give the number of the post that a step means, and that of its thread."""
        text = _text(node)
        if text == NEW or (text.isascii() and text.isdigit()):
            return text, text
        for step in reversed(before):
            if text == f"{NEW}-{step.place}":
                number = step.written.rpartition("/")[2]
                return number, step.request.route.params.get("question", number)
        told = "a step means a post by its number, 'new', or 'new-1' for what step 1 wrote"
        self._reader.problem(node, told)
        return None, ""


def _text(node: Node) -> str:
    return node.text if isinstance(node, Scalar) else ""


def _written(step: Step, number: int) -> str:
    """The post that a step writes: a new one, or the one that it means."""
    route = step.request.route
    noun, _, verb = route.endpoint.operation.partition(".")
    meant = list(route.params.values()) if verb != "create" else []
    post = meant[-1] if meant else _WRITTEN + number
    return step.saved.post(route) or f"{noun}/{post}"


def _misplaced(operation: str, api: Api, post: str, team: str | None) -> str:
    """Say why there is no endpoint for a step."""
    if api not in apis_of(operation):
        return f"{api} has no {operation}"
    if post == NEW and endpoint_of(operation, api, "1", team):
        return f"{operation} means a post that is there: give its number instead of 'new'"
    if endpoint_of(operation, api, NEW, team):
        return f"{operation} means no post that is there: write 'new'"
    return f"{api} has no {operation} in a team"
