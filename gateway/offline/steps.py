"""The steps of a test: one write each, and what is expected of it.

A step names its operation with the post it means: a number, `new` for none, `new-2` for what the
second step wrote.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.errors import RequestError
from gateway.model import ANONYMOUS, Api
from gateway.offline.expect import Expected, read_expected
from gateway.offline.requests import NEW, Request, apis_of, endpoint_of, request_of, route_of
from gateway.offline.saved import Saved, read_saved
from gateway.parse import Mapping as MappingNode
from gateway.parse import Mark, Node, Reader, nearest
from gateway.soe.api import OPERATIONS

_TEXTS = ("as", "token", "person", "team", "action", "title", "body", "user_agent", "key")
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


@dataclass(frozen=True, slots=True)
class Told:
    """What stands under keys: the values that could be read, and where each stands."""

    mark: Mark
    values: dict[str, Any] = field(default_factory=dict)
    nodes: Mapping[str, Node] = field(default_factory=dict)

    @classmethod
    def of(cls, node: Node | None, read: Mapping[str, Any] | None) -> Told:
        """Gather it; empty where nothing stands there, or nothing that could be read."""
        if not isinstance(node, MappingNode) or read is None:
            return cls(Mark(1, 1) if node is None else node.mark)
        values = {key: value for key, value in read.items() if value is not None}
        return cls(node.mark, values, node.items)

    def over(self, shared: Told) -> Told:
        """Lay it over what stands for every step."""
        return Told(self.mark, {**shared.values, **self.values}, {**shared.nodes, **self.nodes})


class StepReader:
    """Reads the steps of the tests in one file."""

    def __init__(
        self, reader: Reader, rules: Collection[str] | None, integrations: Collection[str]
    ) -> None:
        self._reader = reader
        self._rules = rules
        self._integrations = integrations

    def read(self, listed: Iterable[Told], shared: Told, at: float) -> tuple[Step, ...]:
        """Read the steps of one test.

        Args:
            shared: what stands for every step.
            at: the instant at which the test begins.
        """
        steps: list[Step] = []
        for place, told in enumerate(listed, 1):
            step = self._step(told.over(shared), steps, place)
            for _ in range(told.values.get("times", 1) if step else 0):
                assert step is not None
                at += told.values.get("after", 0.0)
                steps.append(replace(step, at=at, written=_written(step, len(steps) + 1)))
        return tuple(steps)

    def _step(self, told: Told, before: list[Step], place: int) -> Step | None:
        operation = next((key for key in told.values if key in OPERATIONS), None)
        expect, saved = Expected(), Saved()
        if "expect" in told.values:
            node = told.nodes["expect"]
            expect = read_expected(self._reader, node, told.values["expect"], self._rules)
        if "soe" in told.values:
            saved = read_saved(self._reader, told.nodes["soe"], told.values["soe"])
        self._look_for_integration(told)
        request = None if operation is None else self._request(operation, told, before)
        if request is None:
            return None
        return Step(
            mark=told.mark,
            place=place,
            said=f"{operation} {told.values[operation or '']}",
            at=0.0,
            request=request,
            written="",
            saved=saved,
            confirm=told.values.get("confirm", False),
            state_down=told.values.get("state") == "down",
            expect=expect,
        )

    def _look_for_integration(self, told: Told) -> None:
        name = told.values.get("as", ANONYMOUS)
        if self._integrations and name not in (*self._integrations, ANONYMOUS):
            wrong = f"no integration is called {name!r}{nearest(name, self._integrations)}"
            self._reader.problem(told.nodes["as"], wrong)

    def _request(self, operation: str, told: Told, before: list[Step]) -> Request | None:
        values, node = told.values, told.nodes[operation]
        preview = values.get("preview", False)
        apis = apis_of(operation)
        api = Api(values["api"]) if "api" in values else apis[0]
        if preview and "api" not in values and Api.V2 in apis:
            api = Api.V2  # it alone previews
        meant, team = self._meant(node, values[operation], before), values.get("team")
        if meant is None:
            return None
        post, parent = meant
        endpoint = endpoint_of(operation, api, post, team)
        if endpoint is None:
            self._reader.problem(node, _misplaced(operation, api, post, team))
            return None
        if preview and not endpoint.previewable:
            self._reader.problem(told.nodes["preview"], f"{api} has no preview of {operation}")
        try:
            route = route_of(endpoint, post, team, parent)
        except RequestError:
            self._reader.problem(node, f"no post has the number {post}")
            return None
        facts = {key: values[key] for key in _TEXTS if key in values}
        return request_of(route, facts, values.get("tags", ()), preview=preview)

    def _meant(self, node: Node, place: str, before: list[Step]) -> tuple[str, str] | None:
        """Give the number of the post that a step means, and that of its thread."""
        if not place.startswith(f"{NEW}-"):
            return place, place
        for step in reversed(before):
            if place == f"{NEW}-{step.place}":
                number = step.written.rpartition("/")[2]
                return number, step.request.route.params.get("question", number)
        self._reader.problem(
            node, f"no step {place.removeprefix(NEW + '-')} stands before this one"
        )
        return None


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
