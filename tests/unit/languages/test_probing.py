from __future__ import annotations

from pathlib import Path

from devbridge.constructs import App
from devbridge.languages.base import Asking
from devbridge.languages.probing import declarations, probe
from devbridge.types import JobTypes
from tests.unit.languages.fakes import FakeLanguage


def test_each_job_is_told_by_its_language_in_the_apps_order(
    app: App, languages: dict[str, FakeLanguage]
) -> None:
    found = probe(app, Asking(python=Path("python")))
    assert [(name, each.warning) for name, each in found.items()] == [
        ("snake", "python"),
        ("hexagon", "nodejs"),
        ("box", ""),
    ]
    assert found["box"].result == {"type": "null"}, "a container returns nothing"


def test_each_language_may_have_files_for_its_checkers(
    app: App, languages: dict[str, FakeLanguage]
) -> None:
    found = declarations(app, {"snake": JobTypes()})
    assert found == {f"{name}.d.ts": f"{app.name} snake" for name in languages}
