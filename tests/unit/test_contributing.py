"""CONTRIBUTING, the decisions and the release routine name what is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from devbridge import __version__
from devbridge.cli import COMMANDS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def paths() -> list[str]:
    """What stands in backquotes and looks like a file or folder."""
    quoted = re.findall(r"`([\w./-]+)`", GUIDE)
    return sorted({one for one in quoted if re.search(r"/|\.(py|md|toml)$", one)} - {".ci/run"})


@pytest.mark.parametrize("name", paths())
def test_every_file_that_contributing_names_exists(name: str) -> None:
    """Below devbridge/, unless it says another package or is about a file yet to be written."""
    places = [ROOT / name, ROOT / "devbridge" / name]
    assert any(place.exists() for place in places) or "NAME" in name


def test_each_room_is_in_the_picture_and_in_the_users_table() -> None:
    picture = GUIDE.partition("\n## The house\n")[2].split("```")[1]
    page = (ROOT / "docs/how-it-works.md").read_text("utf-8")
    table = page.partition("\n## Where things are\n")[2]
    rooms = {path.parent.name for path in (ROOT / "devbridge").glob("*/__init__.py")}
    for listed in (picture, table):
        assert rooms <= {*re.findall(r"\w+", listed)}


def test_the_steps_of_ci_are_those_that_contributing_names() -> None:
    script = (ROOT / ".ci/run").read_text("utf-8")
    (steps,) = re.findall(r"^steps=\((.+)\)$", script, re.M)
    (named,) = re.findall(r"`\.ci/run` has the steps (.+?)\.", GUIDE, re.S)
    assert {*re.findall(r"`(\w+)`", named)} == {*steps.split()} - {"prepare", "tools"}
    assert all(re.search(rf"^{step}\(\) {{", script, re.M) for step in steps.split())


def test_a_command_is_made_where_contributing_says() -> None:
    assert "`COMMANDS` of `devbridge/cli/__init__.py`" in GUIDE
    assert all((ROOT / f"devbridge/cli/{name}.py").exists() for name in COMMANDS)


def test_the_decisions_are_numbered_and_listed_in_their_order() -> None:
    folder = ROOT / "docs/decisions"
    pages = sorted(path.name for path in folder.glob("0*.md"))
    listed = re.findall(r"^\| \[\d+\]\((.+?)\) \|", (folder / "README.md").read_text("utf-8"), re.M)
    assert listed == pages
    assert [name[:4] for name in pages] == [f"{number:04}" for number in range(1, len(pages) + 1)]
    for page in pages:
        text = (folder / page).read_text("utf-8")
        assert text.startswith(f"# {page[:4]}: ")
        assert re.findall(r"^\*\*(.+?)\.\*\*", text, re.M) == [
            "Context",
            "Decision",
            "What else there was",
            "What it costs",
        ]


def test_every_page_of_the_documentation_is_in_the_sites_menu() -> None:
    site = (ROOT / "zensical.toml").read_text("utf-8")
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert {*re.findall(r'"([\w/-]+\.md)"', site)} == pages


def check(tag: str) -> str:
    command = [sys.executable, str(ROOT / ".ci/version"), tag]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr.strip()


def test_a_tag_that_is_not_the_version_is_not_released() -> None:
    assert check("v0.0.0") == f"the tag is v0.0.0, and devbridge/__init__.py says {__version__}"


def test_a_version_without_its_part_of_the_changelog_is_not_released() -> None:
    dated = f"\n## [{__version__}] - " in (ROOT / "CHANGELOG.md").read_text("utf-8")
    said = f"CHANGELOG.md has no heading '## [{__version__}] - DATE'"
    assert check(f"v{__version__}") == ("" if dated else said)
