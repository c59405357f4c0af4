"""Promise 15: a refusal never tells one team's text to another, in any word or figure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests import local
from tests.e2e.process import OPEN, Running, gateway
from tests.e2e.recorder import created, recorder
from tests.servers import Valkey
from tests.text.posts import HONEST

pytestmark = pytest.mark.slow

RULES = """\
policy: teams
owner: tests
rules:
  no-copy: {title: No copies, mode: enforce, for: ["*"], duplicate: {within: 1d, similarity: 60%}}
  no-series: {title: No series, mode: enforce, for: ["*"], boilerplate: {within: 1d, threads: 2, similarity: 60%}}
"""


@pytest.fixture(scope="module", params=["memory", "sqlite", "valkey"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """A gateway whose rules look for copies in the own team; each test has texts of its own."""
    tmp_path = tmp_path_factory.mktemp("teams")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "teams.yaml").write_text(RULES)
    valkey = Valkey() if request.param == "valkey" else None
    states = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path / 'state.db'}"}
    state = valkey.url if valkey else states[request.param]
    words = ("--policies", str(tmp_path / "policies"), "--state", state)
    with recorder(created) as soe, gateway(soe.url, tmp_path, *words, environ=OPEN) as process:
        yield process
    if valkey:
        valkey.close()


def ask(running: Running, team: str | None, body: str, *, dry: bool, token: str) -> dict[str, Any]:
    """Ask a question; everything of the answer that does not differ from one answer to the next."""
    path = f"/api/v3/teams/{team}/questions" if team else "/api/v3/questions"
    fields = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    answer = local.post(
        f"{running.proxy}{path}",
        content=json.dumps({"title": "What does the cluster do?", "body": body, "tags": ["a"]}),
        headers=fields | ({"x-gateway-dry-run": "true"} if dry else {}),
    )
    told = answer.json()
    for changing in ("decision_id", "instance", "id", "body"):
        told.pop(changing, None)
    return {"status": answer.status_code, **told}


@pytest.mark.parametrize(
    ("team", "token", "secret", "unseen"),
    [
        (None, "other", "cluster", "schema"),
        (None, "same", "badge", "pipeline"),
        ("blue", "other", "holiday", "invoice"),
        ("blue", "same", "review", "vpn"),
    ],
)
def test_who_probes_from_outside_hears_what_is_heard_of_an_unseen_text(
    running: Running, team: str | None, token: str, secret: str, unseen: str
) -> None:
    """Dry or not, whole or in part, by another token or by the author's own."""
    assert ask(running, "red", HONEST[secret], dry=False, token="same")["status"] == 201

    for dry in (True, False):
        for part in (slice(None), slice(0, 120)):
            probed = ask(running, team, HONEST[secret][part], dry=dry, token=token)
            control = ask(running, team, HONEST[unseen][part], dry=dry, token=f"{token}-control")
            if not dry and part.stop:  # both stand in the prober's own place by now
                probed, control = probed["code"], control["code"]
            assert probed == control


def test_in_the_team_itself_the_copy_is_told_of(running: Running) -> None:
    """With the passages of the new text that stand there."""
    text = HONEST["cluster"]
    ask(running, "green", text, dry=False, token="same")

    told = ask(running, "green", f"Hello!\n\n{text.upper()}", dry=False, token="other")

    earlier = told["violations"][0]["earlier"]
    assert told["status"] == 400
    assert earlier["similarity"] >= 0.84
    assert earlier["passages"][0].startswith("THIRD NODE LEAVES THE CLUSTER")
