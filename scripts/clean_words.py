"""Looks for what must not be in the repository: registries' addresses, paths of one machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

# Written so that it does not find itself.
FORBIDDEN = re.compile(r"pypi[.]org|pythonhosted[.]|registry[.]npmjs|/(?:root|home|work)[/]")


def main() -> int:
    """Print every place; 1 where there is one."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True)
    found = [
        f"{name}:{number}: {line.strip()[:80]}"
        for name in filter(None, listed.stdout.decode().split("\0"))
        if Path(name).is_file()
        for number, line in enumerate(Path(name).read_text(errors="replace").splitlines(), 1)
        if FORBIDDEN.search(line)
    ]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
