from __future__ import annotations

import sys
from pathlib import Path

import pytest

from devbridge.constructs.load import load_app
from devbridge.errors import AppFailed, AppNotFound, InvalidValue

GOOD = 'from devbridge import App, Table\napp = App("demo")\n'


def write(root: Path, source: str) -> Path:
    (root / "app.py").write_text(source)
    return root


def test_the_app_of_the_folder_is_loaded(tmp_path: Path) -> None:
    app = load_app(write(tmp_path, GOOD + 'Table(app, "notes", partition_key="id")\n'))
    assert (app.name, app.root) == ("demo", tmp_path)
    assert str(app.constructs[0].where) == "app.py:3"


def test_no_app_py_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(AppNotFound, match="devbridge init"):
        load_app(tmp_path)


def test_a_syntax_error_shows_line_and_caret(tmp_path: Path) -> None:
    with pytest.raises(AppFailed) as caught:
        load_app(write(tmp_path, GOOD + "x = = 1\n"))
    assert "app.py:3" in str(caught.value)
    assert "    x = = 1\n        ^" in str(caught.value)


@pytest.mark.parametrize("line", ["1 / 0", "raise SystemExit(3)", "import nothing_of_that_name"])
def test_an_app_that_raises_shows_its_own_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(AppFailed) as caught:
        load_app(write(tmp_path, GOOD + line + "\n"))
    assert caught.value.where == f"app.py:3: {line}"


def test_an_unknown_keyword_shows_the_line_of_the_construct(tmp_path: Path) -> None:
    source = GOOD + 'Table(app, "notes", partition="id")\n'
    with pytest.raises(AppFailed, match="'partition'") as caught:
        load_app(write(tmp_path, source))
    assert (caught.value.where or "").startswith("app.py:3")


def test_a_value_that_is_not_allowed_passes_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=r"app.py:3"):
        load_app(write(tmp_path, GOOD + 'Table(app, "1", partition_key="id")\n'))


@pytest.mark.parametrize("source", ["x = 1\n", GOOD + 'other = App("other")\n'])
def test_there_is_exactly_one_app(tmp_path: Path, source: str) -> None:
    with pytest.raises(AppFailed, match="exactly one"):
        load_app(write(tmp_path, source))


def test_what_the_app_imports_is_imported_afresh_each_time(tmp_path: Path) -> None:
    (tmp_path / "infra").mkdir()
    module = tmp_path / "infra" / "naming.py"
    write(tmp_path, "from devbridge import App\nfrom infra.naming import NAME\nApp(NAME)\n")
    for name in ("one", "two"):
        module.write_text(f'NAME = "{name}"\n')
        assert load_app(tmp_path).name == name


def test_loading_leaves_no_trace_in_this_process(tmp_path: Path) -> None:
    before = (set(sys.modules), list(sys.path), sys.dont_write_bytecode)
    (tmp_path / "naming.py").write_text('NAME = "demo"\n')
    load_app(write(tmp_path, "from devbridge import App\nfrom naming import NAME\nApp(NAME)\n"))
    assert (set(sys.modules), list(sys.path), sys.dont_write_bytecode) == before
