from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from devbridge.packing import imported
from devbridge.packing.imported import FILE, Imports, Live, live


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / ".devbridge").mkdir()
    save(tmp_path / "j.py", 100)
    return tmp_path


def save(path: Path, at: int) -> None:
    path.write_text("")
    os.utime(path, (at, at))


def record(app: Path, *modules: str, launched: float = 200) -> bool:
    return Imports(app / ".devbridge", app).record("j", [app / "j.py"], modules, launched)


def known(app: Path) -> dict[str, Live]:
    return live(app / ".devbridge", app)


def test_what_several_workers_import_comes_together(app: Path) -> None:
    assert record(app, "pandas")
    assert record(app, "pyarrow", "pyarrow.lib")
    assert not record(app, "pandas")
    modules = frozenset({"pandas", "pyarrow", "pyarrow.lib"})
    assert known(app) == {"j": Live(frozenset({"j.py"}), modules)}


def test_only_its_owner_may_read_it(app: Path) -> None:
    record(app, "pandas")
    assert stat.S_IMODE((app / ".devbridge" / FILE).stat().st_mode) == 0o600


def test_what_was_imported_before_a_save_is_forgotten(app: Path) -> None:
    record(app, "pandas")
    save(app / "j.py", 300)
    assert known(app) == {}
    assert not record(app, "late", launched=250), "a worker that has the code before the save"
    assert record(app, "polars", launched=400)
    assert known(app)["j"].modules == {"polars"}


def test_what_is_old_is_forgotten(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(app, "pandas")
    monkeypatch.setattr(imported, "OLDEST", -1.0)
    assert known(app) == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"j": {"files": []}}', '{"j": 1}'])
def test_a_broken_file_is_as_good_as_none(app: Path, text: str) -> None:
    (app / ".devbridge" / FILE).write_text(text)
    assert known(app) == {}
    assert record(app, "pandas")
    assert "j" in known(app)
