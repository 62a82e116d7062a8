"""What a load reads is asked of a process of its own: an audit hook stays for ever."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner import reads
from runner.reads import Reads, is_standard

ROOT = Path(__file__).parents[3]
LOAD = """
import json, os, sys
sys.path[:0] = sys.argv[2:]
sys.path.append(sys.argv[1])
from runner.reads import Reads
reads = Reads(record=True)
with reads:
    exec(sys.stdin.read(), {})
open("afterwards.txt", "w").close()
open("afterwards.txt").close()
sys.stdout.write(json.dumps(reads.report()))
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    return folder


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    folder = tmp_path / "venv" / "site-packages"
    folder.mkdir(parents=True)
    return folder


def loaded(code: str, app: Path, *path: Path) -> dict[str, Any]:
    """What the code has read, run in the app's folder with these folders on sys.path."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LOAD, str(ROOT), *map(str, path or (app,))],
        input=code,
        capture_output=True,
        text=True,
        check=True,
        cwd=app,
    )
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_files_are_the_apps_own_or_installed(app: Path, installed: Path) -> None:
    (app / "mine.py").write_text("import theirs\nDATA = open('data.csv').read()")
    (app / "data.csv").write_text("1")
    (installed / "theirs.py").write_text("import json, os\nopen(__file__ + '.txt').close()")
    (installed / "theirs.py.txt").write_text("")
    found = loaded("import mine", app, app, installed)
    assert found["recorded"] is True
    assert {*found["own"]} == {str(app / "mine.py"), str(app / "data.csv")}
    assert {*found["installed"]} == {
        str(installed / "theirs.py"),
        str(installed / "theirs.py.txt"),
    }


def test_what_the_import_has_written_is_its_output(app: Path) -> None:
    (app / "old.txt").write_text("")
    code = (
        "import os\n"
        "open('new.txt', 'w').close(); open('new.txt').close()\n"
        "open('temporary', 'a').close(); os.rename('temporary', 'moved.txt')\n"
        "open('moved.txt').close(); open('old.txt').close()\n"
        "open('both.txt', 'x+').close(); open('both.txt').close()"
    )
    assert loaded(code, app)["own"] == [str(app / "old.txt")]


def test_the_systems_files_and_descriptors_are_nobodys(app: Path) -> None:
    code = "open('/dev/null').close(); open(0, closefd=False).close(); open(b'bytes', 'w').close()"
    assert loaded(code, app)["own"] == []


def test_folders_whose_entries_are_asked_for_are_told(app: Path) -> None:
    (app / "jobs").mkdir()
    standard = "os.listdir(os.path.dirname(os.__file__))"
    code = f"import os\nos.listdir('jobs'); list(os.scandir()); {standard}"
    assert {*loaded(code, app)["listed"]} == {str(app / "jobs"), str(app)}
    (app / "mine.py").write_text("")
    assert loaded("import mine", app)["listed"] == [], "the import system lists for itself"


def test_names_that_were_looked_for_in_vain_are_told_with_their_folders(
    app: Path, installed: Path
) -> None:
    code = "try: import missing_one\nexcept ImportError: pass"
    found = loaded(code, app, app, installed, app / "nowhere")["lookups"]
    assert "missing_one" in found[str(app)]
    assert "missing_one" in found[str(installed)]
    assert str(app / "nowhere") not in found


def test_a_name_is_looked_for_until_it_is_found(app: Path, installed: Path) -> None:
    (app / "between").mkdir()
    (app / "between" / "one.py").write_text("import theirs")
    (installed / "theirs").mkdir()
    (installed / "theirs" / "__init__.py").write_text("from . import inner\nimport csv")
    (installed / "theirs" / "inner.py").write_text("")
    found = loaded("import one", app, app, app / "between", installed)["lookups"]
    assert {"one", "theirs", "csv"} <= {*found[str(app)]}
    assert "one" in found[str(app / "between")]
    assert "one" not in found[str(installed)]
    assert "theirs" in found[str(installed)]
    assert not [folder for folder in found if folder.startswith(str(installed / "theirs"))]


def test_a_package_of_the_apps_own_is_searched_in_its_folder(app: Path) -> None:
    (app / "jobs").mkdir()
    (app / "jobs" / "__init__.py").write_text("")
    (app / "jobs" / "a.py").write_text("try: from jobs import gone\nexcept ImportError: pass")
    found = loaded("import jobs.a", app)["lookups"]
    assert {*found[str(app / "jobs")]} == {"a", "gone"}
    assert {"jobs"} <= {*found[str(app)]}
    assert "a" not in found[str(app)]


def test_without_a_record_nothing_is_watched_and_nothing_reported() -> None:
    before = list(sys.meta_path)
    with Reads(record=False) as one:
        assert sys.meta_path == before
    assert one.report() == {}


def test_the_standard_library_is_not_what_is_installed_in_it() -> None:
    library = Path(os.__file__).parent
    assert is_standard(str(library / "json" / "__init__.py"))
    assert not is_standard(str(library / "site-packages" / "a.py"))
    assert not is_standard("/app/json.py")


def test_a_folder_that_is_gone_and_other_oddities_disturb_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = Reads(record=True)
    one._recording = True

    def gone(_path: str) -> str:
        raise FileNotFoundError

    one._hook("open", (5, "r", 0))
    one._hook("open", (None, "r", 0))
    one._hook("os.rename", (None, None))
    one._hook("socket.connect", ())
    monkeypatch.setattr(reads.os.path, "abspath", gone)  # type: ignore[attr-defined]
    one._hook("open", ("a", "r", 0))
    monkeypatch.undo()
    assert (one._read, one._written, one._listed) == ({}, set(), {})
    one._recording = False
    one._hook("open", ("a", "r", 0))
    one.find_spec("x", None)
    assert (one._read, one._missing) == ({}, {})
