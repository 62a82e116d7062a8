"""The types of the console's pages, as their comments say them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from devbridge.languages.node.tsc import compiler
from tests.npm import project

STATIC = Path(__file__).parents[3] / "devbridge" / "console" / "static"


def test_the_pages_have_the_types_that_their_comments_say() -> None:
    """TypeScript is for the tests alone: nobody who uses or installs devbridge needs it."""
    folder = project("console-types", {"typescript": "7.0.2"})
    tsc = compiler(folder, lambda: None)
    assert tsc is not None
    command = [
        *tsc.command,
        *("--noEmit", "--strict", "--allowJs", "--checkJs", "--noUncheckedIndexedAccess"),
        *("--module", "nodenext", "--target", "es2024", "--lib", "es2025,dom,dom.iterable"),
        *("--ignoreConfig", "--pretty", "false"),
        *map(str, (STATIC / "main.mjs", STATIC / "theme.js")),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
