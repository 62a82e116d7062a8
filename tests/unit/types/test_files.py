from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.constructs import App
from devbridge.errors import DevbridgeError
from devbridge.types import outdated, write
from tests.unit.types.conftest import AddJob


def test_files_are_written_only_when_they_change(app: App, add_job: AddJob) -> None:
    folder = write(app, {})
    assert folder == app.root / "typings"
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    assert [p.name for p in files] == ["__init__.pyi", "job.pyi", "resources.pyi"]
    assert outdated(app, {}) == []
    before = {path: path.stat().st_mtime_ns for path in files}
    add_job("factorial", "def handler(event): ...")
    assert outdated(app, {}) == [folder / "devbridge" / "job.pyi"]
    write(app, {})
    changed = [path.name for path in files if path.stat().st_mtime_ns != before[path]]
    assert changed == ["job.pyi"]


def test_a_stub_of_somebody_else_is_not_overwritten(app: App) -> None:
    own = app.root / "typings" / "devbridge" / "job.pyi"
    own.parent.mkdir(parents=True)
    own.write_text("mine = 1\n")
    with pytest.raises(DevbridgeError, match="did not write"):
        write(app, {})
    assert own.read_text() == "mine = 1\n"
    assert [p.name for p in own.parent.iterdir()] == ["job.pyi"]


def test_files_of_other_languages_are_kept_with_the_stubs(app: App) -> None:
    head = "// Made by `devbridge types` from app.py"
    write(app, {}, {"web/a.d.ts": f"{head}\nold"})
    others = {"web/a.d.ts": f"{head}\nnew"}
    own = app.root / "web" / "a.d.ts"
    assert outdated(app, {}, others) == [own]
    write(app, {}, others)
    assert own.read_text() == others["web/a.d.ts"]
    assert outdated(app, {}, others) == []


def test_a_file_of_somebody_else_is_not_overwritten_in_any_language(app: App) -> None:
    own = app.root / "a.d.ts"
    own.write_text("# Made by `devbridge types`")
    with pytest.raises(DevbridgeError, match="did not write") as caught:
        write(app, {}, {"a.d.ts": "// Made by `devbridge types` from app.py"})
    assert str(caught.value.remedy) == (
        "move it, or let it begin with '// Made by `devbridge types`' to have it replaced"
    )


def test_a_stub_that_is_no_text_is_not_overwritten(app: App) -> None:
    own = app.root / "typings" / "devbridge" / "job.pyi"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"\xff")
    with pytest.raises(DevbridgeError, match="did not write"):
        write(app, {})
    assert own.read_bytes() == b"\xff"


def test_a_folder_in_the_place_of_a_stub_is_named(app: App) -> None:
    folder = app.root / "typings" / "devbridge" / "job.pyi"
    folder.mkdir(parents=True)
    for use in (outdated, write):
        with pytest.raises(DevbridgeError, match="cannot be read: Is a directory") as caught:
            use(app, {})
        assert caught.value.where == str(folder)


def test_a_folder_that_cannot_be_made_is_named(app: App) -> None:
    (app.root / "typings").write_text("")
    with pytest.raises(DevbridgeError) as caught:
        write(app, {})
    assert Path(str(caught.value.where)).is_relative_to(app.root)
