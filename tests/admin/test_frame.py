"""What holds for every page of the console: which scripts it runs, and what is said where it fails."""

from __future__ import annotations

import pytest

from tests.admin.desk import Desk


async def test_a_live_page_runs_the_one_script_that_is_a_file_of_ours(desk: Desk) -> None:
    """It may ask this very origin, and nothing that stands in the page itself is run."""
    script = await desk.ask("GET", "/console/live.js")
    await desk.sign_in()
    policy = (await desk.ask("GET", "/console/live")).headers["content-security-policy"]

    assert script.headers["content-type"] == "text/javascript"
    assert policy.endswith("; script-src 'self'; connect-src 'self'")
    assert policy.startswith("default-src 'none'; style-src 'self'; base-uri 'none'; ")


async def test_no_other_page_runs_a_script_or_is_framed(desk: Desk) -> None:
    """Whatever the answer: the browser is told so, and keeps none of it."""
    answers = [await desk.ask("GET", f"/console/{path}") for path in ("sign-in", "style.css", "x")]
    await desk.sign_in()
    answers += [await desk.ask("GET", f"/console/{path}") for path in ("", "integrations", "x")]

    for each in answers:
        policy = each.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; base-uri 'none'; frame-anc")
        assert "unsafe" not in policy
        assert "script-src" not in policy
        assert each.headers["cache-control"] == "no-store"
        assert "<script" not in each.text
        assert " style=" not in each.text
    assert [each.status_code for each in answers] == [200, 200, 303, 303, 200, 404]


@pytest.mark.parametrize(("page", "status"), [("state", 503), ("bug", 500)])
async def test_a_page_that_fails_says_so(desk: Desk, page: str, status: int) -> None:
    """And the console goes on; a bug is logged."""
    await desk.sign_in()
    seen = await desk.ask("GET", f"/console/fails/{page}")

    assert seen.status_code == status
    assert (await desk.ask("GET", "/console/integrations")).status_code == 200
    assert any(event in ("state.failed", "gateway.crashed") for event, _ in desk.log.events)
