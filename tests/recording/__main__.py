"""`python -m tests.recording [--check]`: lives a newcomer's first hour in real terminals.

It writes `docs/first-hour.md` and `docs/first-hour.svg`. With `--check` it writes nothing, and
fails when something does not come, or when the page that is there was made of another session.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final

from devbridge.folders import cache_dir
from tests.e2e.dev_process import clean_environment
from tests.recording.page import Page, missing, picture
from tests.recording.story import first_hour
from tests.recording.terminal import NeverSeen, Terminal

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGE: Final = DOCS / "first-hour.md"
PICTURE: Final = DOCS / "first-hour.svg"


def main() -> int:
    """0, or 1 when the session did not go as written."""
    parser = argparse.ArgumentParser(prog="python -m tests.recording", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    # A script that has started this in the background has Ctrl-C ignored, for all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="jane-") as name:
        page = Page(Path(name))
        try:
            text, seen = _record(page, Path(name))
        except NeverSeen as error:
            print(f"{page}\nthe first hour does not go as it should: {error}", file=sys.stderr)
            return 1
    if not options.check:
        PAGE.write_text(str(page), encoding="utf-8")
        PICTURE.write_text(text, encoding="utf-8")
        return 0
    if gone := missing(PAGE.read_text("utf-8"), seen):
        print(f"{PAGE.name} is of another session: python -m tests.recording", file=sys.stderr)
        print("\n".join(gone), file=sys.stderr)
    return 1 if gone else 0


def _record(page: Page, home: Path) -> tuple[str, list[str]]:
    """The picture, and what was seen."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    variables = clean_environment() | {"PATH": path, "USER": "jane", "LOGNAME": "jane"}
    variables |= {"HOME": str(home), "DEVBRIDGE_CACHE_DIR": str(cache_dir())}
    variables |= {"PYTEST_ADDOPTS": "-p no:asyncio"}  # which a newcomer does not have
    (home / ".inputrc").write_text("set enable-bracketed-paste off\n", encoding="utf-8")
    dev, shell = (Terminal(each, home, variables) for each in ("dev", "shell"))
    try:
        shown = first_hour(page, home / "hello", dev, shell)
    finally:
        shell.close()
        dev.close()
    return picture(shown, "devbridge dev --local"), dev.seen + shell.seen


if __name__ == "__main__":
    sys.exit(main())
