"""Makes `requirements.lock`, what the embedded cloud is installed from.

Run ``python -m devbridge.emulator.lock`` after a change of `install.REQUIREMENTS`, or for newer
versions of what they need. It needs ``uv`` (in the extra ``test``) and the package index.
One set of versions is resolved for all platforms and Pythons, each with the hashes of all
its files; then it is asked for every platform and Python below
whether wheels alone are enough there.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from devbridge.emulator.install import LOCK, REQUIREMENTS

PLATFORMS: Final = (
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "aarch64-apple-darwin",
    "x86_64-apple-darwin",
)
PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14", "3.15")
_HEADER: Final = """\
# What the embedded cloud is installed from: every file of every version, by its hash.
# Made by: python -m devbridge.emulator.lock
"""


def main() -> int:
    """Write the lock; 1 when a set could not be resolved, or has no wheels somewhere."""
    uv = [sys.executable, "-m", "uv", "--quiet", "pip", "compile", "--no-header", "--no-annotate"]
    with tempfile.TemporaryDirectory() as folder:
        asked, made = Path(folder) / "requirements.in", Path(folder) / "requirements.txt"
        asked.write_text("\n".join(REQUIREMENTS) + "\n")
        options = ["--universal", "--python-version", PYTHONS[0], "--generate-hashes", "--upgrade"]
        if subprocess.run([*uv, *options, asked, "-o", made], check=False).returncode:
            return 1
        lacking = [
            f"{platform}, Python {python}"
            for platform in PLATFORMS
            for python in PYTHONS
            if _lacks_wheels([*uv, "--python-platform", platform, "--python-version", python], made)
        ]
        LOCK.write_text(_HEADER + made.read_text())
    print(f"wrote {LOCK}")
    for each in lacking:
        print(f"no wheels for {each}")
    return 1 if lacking else 0


def _lacks_wheels(uv: list[str], made: Path) -> bool:
    command = [*uv, "--only-binary", ":all:", "--no-deps", str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
    return done.returncode != 0


if __name__ == "__main__":
    sys.exit(main())
