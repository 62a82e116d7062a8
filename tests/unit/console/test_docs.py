from __future__ import annotations

import re

from devbridge.console import docs
from devbridge.console.routes import ROUTES


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
