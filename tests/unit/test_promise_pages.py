"""The pages of docs/ that promise something name a test for each promise; each of them exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = {"reliability.md": 50, "security.md": 50}
"""The pages, and how many tests each names at least."""


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_promise_names_exists(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    tests = (ROOT / "tests").rglob("*.py")
    defined = {
        name
        for path in tests
        for name in re.findall(
            r"^(?:async )?def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    named = set(re.findall(r"`(test_\w+)`", text))

    assert len(named) >= PAGES[page]
    assert named - defined == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_row_of_a_promise_names_a_test(page: str) -> None:
    """Of the tables with a column "proved by"; a row may point to another one."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    rows = 0
    for table in re.findall(r"^\|.*proved by \|\n\| -.*\n((?:\|.*\n)+)", text, re.MULTILINE):
        for row in table.splitlines():
            cell = row.rstrip(" |").rpartition(" | ")[2]
            rows += 1
            assert re.search(r"`test_\w+`|the same$|see above$", cell), row
    assert rows > 20
