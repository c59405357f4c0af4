"""The image: what its file says, and the gateway that really runs in it, as restricted as can be."""

from __future__ import annotations

import subprocess
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import local
from tests.deploy import containers
from tests.deploy.containers import Container
from tests.e2e.stack import sandbox
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]
MISSING = containers.missing()
AT_MOST = 120 * 10**6
QUESTION = {"title": "How do I renew the key?", "body": "It ends on Friday.", "tags": ["tls"]}

built_here = pytest.mark.skipif(bool(MISSING), reason=MISSING)
pytestmark = pytest.mark.timeout(900)


def test_the_linter_finds_nothing() -> None:
    """The Dockerfile keeps the rules of hadolint."""
    linter = Path(sysconfig.get_path("scripts"), "hadolint")
    ended = subprocess.run(
        [linter, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The base's name and the image's."""
    return containers.build(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def soe() -> Iterator[str]:
    """A sandbox behind the gateway."""
    with sandbox() as url:
        yield url


@pytest.fixture
def running(images: object, soe: str, tmp_path: Path) -> Iterator[Container]:
    """The gateway in a container, its key from a file, its settings from the environment."""
    local.post(f"{soe}/_sandbox/reset")
    key = tmp_path / "audit.key"
    key.write_text("c0ffee" * 10 + "c0de")
    key.chmod(0o444)
    environ = {
        "SERVER_LISTEN": "127.0.0.1:0",
        "UPSTREAM_URL": soe,
        "SITE_CONTACT_NAME": "Knowledge Team",
        "SITE_CONTACT_EMAIL": "knowledge@example.com",
        "IDENTIFY_ANONYMOUS": "allow",
        "AUDIT_KEY_FILE": "/run/secrets/audit.key",
    }
    options = [f"--env=SOE_GATEWAY_{name}={value}" for name, value in environ.items()]
    mount = f"--volume={key}:/run/secrets/audit.key:ro"
    with containers.run(f"gateway-{tmp_path.name[:20]}", mount, *options, directory=tmp_path) as it:
        yield it


def write(running: Container, **headers: str) -> httpx.Response:
    """Ask a question through the gateway."""
    with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
        fields = {"authorization": "Bearer demo", **headers}
        return client.post(f"{running.proxy}/api/v3/questions", json=QUESTION, headers=fields)


@built_here
def test_the_image_is_small(images: tuple[str, str]) -> None:
    """What the image adds to its base stays under 120 MB."""
    base, image = images

    assert containers.size(image) - containers.size(base) < AT_MOST


@built_here
def test_its_loops_are_compiled(running: Container) -> None:
    """Prints and their rows are made by C: the first stage has a compiler."""
    running.run("python", "-c", "import gateway.text.prints_c, gateway.state.print_rows_c")


@built_here
def test_it_runs_as_nobody_who_can_do_nothing(running: Container) -> None:
    """The process has a numeric user, no capability, no way to get one, and nowhere to write."""
    status = running.status()
    with pytest.raises(AssertionError, match="Read-only file system"):
        running.run("python", "-c", "open('/opt/x', 'w')")

    assert status["Uid"].split() == ["10001"] * 4
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert running.inspect("{{.HostConfig.Memory}}") == str(256 * 2**20)


@built_here
def test_it_judges_and_tells_its_health(running: Container, soe: str) -> None:
    """A write without a person's act is refused, one with it stands on the site, all is well."""
    refused = write(running)
    accepted = write(running, **{"x-explicit-action": "true"})
    health = running.run("soe-gateway", "healthcheck")

    assert (refused.status_code, refused.json()["code"]) == (403, "explicit_action")
    assert accepted.status_code == 201
    log = local.get(f"{soe}/_sandbox/log").json()
    assert [entry["method"] for entry in log].count("POST") == 1
    assert health.endswith("/healthz: 200\n")


@built_here
def test_a_stop_finishes_what_is_in_flight(running: Container, soe: str) -> None:
    """A write that SOE still works on when the container is stopped gets its answer; exit 0."""
    local.post(f"{soe}/_sandbox/next", json={"delay": 2})
    answers: list[httpx.Response] = []
    client = threading.Thread(
        target=lambda: answers.append(write(running, **{"x-explicit-action": "true"}))
    )
    client.start()
    _arrived(soe)
    containers.call("podman", "stop", "--time", "60", running.name)
    client.join(PATIENCE)

    assert [answer.status_code for answer in answers] == [201]
    assert running.process.wait(PATIENCE) == 0


def _arrived(soe: str) -> None:
    """Wait until a write is with SOE."""
    for _ in range(400):
        if any(entry["method"] == "POST" for entry in local.get(f"{soe}/_sandbox/log").json()):
            return
    raise AssertionError("no write arrived")
