from __future__ import annotations

import re
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
    assert "Table takes app, name, partition_key, " in (caught.value.remedy or "")


def test_a_value_that_is_not_allowed_passes_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=r"app.py:3"):
        load_app(write(tmp_path, GOOD + 'Table(app, "1", partition_key="id")\n'))


def test_a_module_whose_file_is_a_path_is_forgotten_like_any_other(tmp_path: Path) -> None:
    odd = """
import pathlib, sys, types
sys.modules["odd"] = types.ModuleType("odd")
sys.modules["odd"].__file__ = pathlib.Path(__file__)
"""
    app = load_app(write(tmp_path, GOOD + odd))
    assert "odd" not in sys.modules
    assert app.files == {tmp_path / "app.py"}


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


def test_an_error_of_the_app_is_told_with_what_caused_it(tmp_path: Path) -> None:
    lines = [
        "def read():",
        "    try:",
        "        {}['real']",
        "    except KeyError as reason:",
        "        raise RuntimeError('cannot load') from reason",
        "read()",
    ]
    with pytest.raises(AppFailed) as caught:
        load_app(write(tmp_path, GOOD + "\n".join(lines)))
    assert caught.value.what.splitlines() == [
        "app.py raised RuntimeError: cannot load",
        "    caused by KeyError: 'real'",
        '    ↳ File "app.py", line 5, in read',
        "          {}['real']",
    ]
    assert (caught.value.where or "").startswith("app.py:7: raise RuntimeError")


@pytest.mark.parametrize("name", ["app", "email", "runner", "types"])
def test_an_app_may_have_any_name(tmp_path: Path, name: str) -> None:
    source = (
        f'from devbridge import App, Table\nTable(App("{name}"), "{name}", partition_key="i")\n'
    )
    assert load_app(write(tmp_path, source)).name == name


def test_a_package_app_beside_app_py_is_imported_from_as_python_does(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").touch()
    (tmp_path / "app" / "config.py").write_text('NAME = "packed"\n')
    source = "import app\nfrom app.config import NAME\nfrom devbridge import App\nApp(NAME)\n"
    app = load_app(write(tmp_path, source))
    assert app.name == "packed"
    assert tmp_path / "app" / "config.py" in app.files
    assert not {"app", "__app__"} & set(sys.modules)


def test_a_dataclass_of_app_py_finds_its_module_whatever_that_is_called(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").touch()
    source = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    source += GOOD + "@dataclass\nclass A:\n    name: str\n"
    assert load_app(write(tmp_path, source)).name == "demo"


def test_a_folder_that_app_py_hides_is_named_with_what_helps(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "config.py").write_text('NAME = "demo"\n')
    with pytest.raises(AppFailed) as caught:
        load_app(write(tmp_path, GOOD + "from app.config import NAME\n"))
    assert "put an __init__.py into it" in (caught.value.remedy or "")


def test_a_module_whose_name_is_taken_is_refused_wherever_it_is_imported_from(
    tmp_path: Path,
) -> None:
    (tmp_path / "jobs.py").write_text("def handler(p): ...\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "queue.py").touch()
    job = 'Job(app, "j", handler="jobs.handler", environment={"PYTHONPATH": "src"})\n'
    with pytest.raises(AppFailed, match=r"src/queue.py has the name"):
        load_app(write(tmp_path, f"from devbridge import App, Job\napp = App('demo')\n{job}"))
    (tmp_path / "runner.py").touch()
    with pytest.raises(AppFailed, match=r"runner.py has the name"):
        load_app(tmp_path)


def test_where_a_slow_app_py_is_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notices = tuple(number / 100 for number in range(3000))
    monkeypatch.setattr("devbridge.constructs.load.NOTICES", notices)
    said = tmp_path / "said"
    (tmp_path / "slow.py").write_text(
        "import pathlib, time\n"
        f"while 'slow.py' not in pathlib.Path({str(said)!r}).read_text():\n"
        "    time.sleep(0.001)\n"
    )
    (tmp_path / "app.py").write_text("import slow\nfrom devbridge import App\napp = App('demo')\n")
    said.touch()
    lines: list[str] = []

    def slow(text: str) -> None:
        lines.append(text)
        said.write_text(text)

    load_app(tmp_path, slow=slow)
    line = next(line for line in lines if "slow.py" in line)
    assert re.fullmatch(r"  load     app\.py: \d+ s so far, at slow\.py:[23]", line)
