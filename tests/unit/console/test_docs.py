from __future__ import annotations

import re
from pathlib import Path

from devbridge.console import docs
from devbridge.console.payloads import FOLDER
from devbridge.console.routes import ROUTES

GUIDE = (Path(__file__).parents[3] / "docs" / "console.md").read_text("utf-8")


def test_the_page_is_what_the_code_makes_of_it() -> None:
    made = docs.page()
    assert docs.PAGE.read_text("utf-8") == made, "python -m devbridge.console.docs"


def test_the_page_has_every_route_and_every_form_that_it_names() -> None:
    text = docs.page()
    for route in ROUTES:
        if route.path.startswith("/api/"):
            assert f"### {route.method} {route.path}\n\n{route.does}" in text
    forms = {title.lower() for title in re.findall(r"^### (\w+)$", text, re.M)}
    assert {*re.findall(r"\]\(#(\w+)\)", text)} <= forms
    assert "| `from` | number; else 0 | The first line, from 0; below 0 from the end. |" in text


def test_the_guide_has_the_keys_that_the_console_itself_tells() -> None:
    keys = (docs.PAGE.parents[1] / "devbridge/console/static/logic/keys.mjs").read_text("utf-8")
    told = re.findall(r'^  \["(.+)", "(.+)"\],$', keys, re.M)
    assert told == re.findall(r"^\| `(.+)` \| ([^|]+) \|$", GUIDE.partition("## Keys")[2], re.M)
    assert ("?", "This list") in told


def test_the_guide_says_where_payloads_are_saved() -> None:
    assert f"`{FOLDER}/JOB/NAME.json`" in GUIDE
