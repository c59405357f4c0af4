"""Images and containers without a daemon, by buildah and podman, for tests that build and run them.

The real base comes from a registry of images; where none can be reached, a Debian with Python
stands in for it (mmdebstrap). PYTHON_IMAGE names another base.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

ROOT = Path(__file__).parents[2]
TOOLS = ("buildah", "podman", "runc", "mmdebstrap")
IMAGE = "localhost/soe-write-gateway:test"
_WITHIN = "python3,python3-venv,python3-pip,python3-dev,ca-certificates"
_BASE = f"localhost/soe-write-gateway-base:{crc32(_WITHIN.encode()):x}"
_ENGINE = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "host"
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
"""


def missing() -> str:
    """Name what is not there of what building and running needs; empty where all is."""
    if os.environ.get("CONTAINERS") != "build":
        return "make image-test builds and runs the image; it takes minutes"
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"{', '.join(absent)} cannot be found" if absent else ""


def call(*command: str, within: float = 600) -> str:
    """Run a command and give what it printed; its errors where it fails."""
    ended = subprocess.run(command, capture_output=True, text=True, timeout=within, check=False)
    assert ended.returncode == 0, f"{command}: {ended.stdout[-2000:]}{ended.stderr[-4000:]}"
    return ended.stdout


def build(directory: Path) -> tuple[str, str]:
    """Build the project's image as its Dockerfile says; give the base's name and the image's."""
    base = os.environ.get("PYTHON_IMAGE") or _stand_in(directory)
    mounts = [f"--volume={path}:{path}:ro" for path in _pip() if Path(path).exists()]
    call(
        *("buildah", "build", "--isolation", "chroot", "--network", "host", "--format", "docker"),
        *(*mounts, "--build-arg", f"PYTHON_IMAGE={base}", "--tag", IMAGE, str(ROOT)),
    )
    return base, IMAGE


def _pip() -> set[str]:
    """Give the files by which pip finds packages out here, so that it finds them in there too."""
    told = call(sys.executable, "-m", "pip", "config", "list")
    return {
        "/etc/pip.conf",
        "/etc/xdg/pip",
        "/etc/ssl/certs",
        *re.findall(r"/(?:[\w.-]+/?)+", told),
    }


def _stand_in(directory: Path) -> str:
    """Make a base of Debian's packages, unless it is there."""
    if subprocess.run(["buildah", "inspect", _BASE], capture_output=True, check=False).returncode:
        tree = directory / "base.tar"
        call("mmdebstrap", "--variant=minbase", f"--include={_WITHIN}", "bookworm", str(tree))
        (directory / "Containerfile").write_text("FROM scratch\nADD base.tar /\n")
        call("buildah", "build", "--tag", _BASE, str(directory))
        tree.unlink()
    return _BASE


def size(image: str) -> int:
    """Give the bytes of an image, all layers."""
    return int(call("podman", "image", "inspect", image, "--format", "{{.Size}}"))


@dataclass(frozen=True, slots=True)
class Container:
    """A gateway that runs in a container and listens."""

    name: str
    proxy: str
    admin: str
    process: subprocess.Popen[str]

    def inspect(self, what: str) -> str:
        """Give a part of what podman knows of it, as a Go template."""
        return call("podman", "inspect", self.name, "--format", what).strip()

    def run(self, *command: str) -> str:
        """Run a command in it."""
        return call("podman", "exec", self.name, *command)

    def status(self) -> Mapping[str, str]:
        """Give `/proc/…/status` of its first process."""
        lines = Path(f"/proc/{self.inspect('{{.State.Pid}}')}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


@contextlib.contextmanager
def run(name: str, *options: str, directory: Path) -> Iterator[Container]:
    """Run the image's gateway, as restricted as a cluster would, until it listens."""
    _configure(directory)
    hardened = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges"]
    command = ["podman", "run", "--rm", "--name", name, *hardened, "--memory=256m", *options, IMAGE]
    errors = directory / "stderr"
    with (
        errors.open("w") as told,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told, text=True) as process,
    ):
        try:
            yield Container(name, *_listening(process, errors), process)
        finally:
            subprocess.run(["podman", "rm", "--force", name], capture_output=True, check=False)


@contextlib.contextmanager
def play(pod: Mapping[str, Any], directory: Path) -> Iterator[Container]:
    """Run a pod of one gateway until it listens; the process is that which follows its log."""
    _configure(directory)
    name = pod["metadata"]["name"]
    (directory / "pod.json").write_text(json.dumps(pod))
    call("podman", "kube", "play", str(directory / "pod.json"))
    errors = directory / "stderr"
    follow = ["podman", "logs", "--follow", f"{name}-gateway"]
    with errors.open("w") as told:
        process = subprocess.Popen(follow, stdout=subprocess.PIPE, stderr=told, text=True)
    try:
        with process:
            yield Container(f"{name}-gateway", *_listening(process, errors), process)
            call("podman", "pod", "stop", "--time", "60", name)
    finally:
        subprocess.run(["podman", "pod", "rm", "--force", name], capture_output=True, check=False)


def _configure(directory: Path) -> None:
    engine = directory / "containers.conf"
    engine.write_text(_ENGINE)
    os.environ["CONTAINERS_CONF"] = str(engine)


def _listening(process: subprocess.Popen[str], errors: Path) -> tuple[str, str]:
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "server.listening":
            return str(event["proxy"]), str(event["admin"])
    raise AssertionError(errors.read_text())
