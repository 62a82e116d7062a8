from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devbridge.constructs import Job
from devbridge.errors import AppFailed, AppNotFound
from devbridge.pytest_plugin import apps
from tests.unit.pytest_plugin.projects import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "services" / "orders")


def config(root: Path, *, started: Path, ini: Path | None = None, setting: str = "") -> Any:
    return SimpleNamespace(
        rootpath=root,
        inipath=ini,
        invocation_params=SimpleNamespace(dir=started),
        getini=lambda name: setting if name == "devbridge_app" else None,
    )


def test_the_app_is_in_the_root_folder_of_the_tests(project: Project, tmp_path: Path) -> None:
    assert apps.find(config(project.root, started=tmp_path)) == project.root


def test_else_it_is_the_nearest_above_the_folder_where_pytest_was_started(
    project: Project, tmp_path: Path
) -> None:
    tests = project.root / "tests"
    tests.mkdir()
    assert apps.find(config(tmp_path, started=tests)) == project.root


@pytest.mark.parametrize("named", ["services/orders", "./services/orders/app.py"])
def test_the_setting_names_it_relative_to_its_file(
    project: Project, tmp_path: Path, named: str
) -> None:
    elsewhere = config(Path("/"), started=Path("/"), ini=tmp_path / "pytest.ini", setting=named)
    assert apps.find(elsewhere) == project.root


def test_a_setting_that_names_no_app_is_told_with_its_file(tmp_path: Path) -> None:
    ini = tmp_path / "pytest.ini"
    with pytest.raises(AppNotFound, match=f"no app.py in {tmp_path}/gone") as raised:
        apps.find(config(tmp_path, started=tmp_path, ini=ini, setting="gone"))
    assert raised.value.where == f"devbridge_app = gone, in {ini}"


def test_without_any_app_it_is_said_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(AppNotFound) as raised:
        apps.find(config(tmp_path, started=tmp_path / "tests"))
    assert raised.value.where == f"{tmp_path} nor {tmp_path}/tests or above"
    assert "devbridge_app = " in str(raised.value.remedy)


def test_loading_the_app_leaves_the_modules_that_tests_have_imported(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("rates.py", "RATE = 1\n")
    project.write("app.py", "from devbridge import App\nimport rates\nApp(f'a{rates.RATE}')\n")
    monkeypatch.syspath_prepend(project.root)
    monkeypatch.delitem(sys.modules, "rates", raising=False)
    rates: Any = __import__("rates")
    rates.RATE = 2
    assert apps.load(project.root).name == "a1", "freshly run"
    assert sys.modules["rates"] is rates


def test_a_handler_that_is_not_there_is_no_error_of_the_app(project: Project) -> None:
    app = apps.load(project.root)
    assert [job.name for job in app.of_type(Job)] == ["other", "add-up"]
    assert app.stage == "pytest"


def test_a_broken_app_is_told_with_its_line(project: Project) -> None:
    project.write("app.py", "from devbridge import App\nApp(nmae='demo')\n")
    with pytest.raises(AppFailed) as raised:
        apps.load(project.root)
    assert raised.value.where == "app.py:2: App(nmae='demo')"
