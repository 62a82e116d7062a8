from __future__ import annotations

import json
from pathlib import Path

import pytest

from devbridge import __version__
from devbridge.languages.node import own_package
from devbridge.languages.node.own_package import PACKAGE, link, node_path


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "package.json").write_text("{}")
    return tmp_path


def test_the_package_has_the_version_of_devbridge() -> None:
    assert json.loads((PACKAGE / "package.json").read_text())["version"] == __version__


def test_the_package_has_its_name_in_a_folder_of_the_cache(tmp_path: Path) -> None:
    for _ in range(2):
        folder = node_path(tmp_path / "cache")
        assert (Path(folder) / "devbridge").resolve() == PACKAGE


def test_a_project_that_has_not_installed_it_finds_it_by_a_link_that_is_said_once(
    app: Path,
) -> None:
    assert (
        link(app)
        == "linked node_modules/devbridge, devbridge's npm package, which is not installed"
    )
    assert (app / "node_modules" / "devbridge").resolve() == PACKAGE
    assert link(app) == ""


@pytest.mark.parametrize("there", [True, False])
def test_the_link_of_another_devbridge_is_replaced(app: Path, tmp_path: Path, there: bool) -> None:
    other = tmp_path / "venv" / "devbridge" / "languages" / "node" / "package"
    if there:
        other.mkdir(parents=True)
    (app / "node_modules").mkdir()
    (app / "node_modules" / "devbridge").symlink_to(other)
    assert link(app).startswith("linked")
    assert (app / "node_modules" / "devbridge").resolve() == PACKAGE


def test_what_is_installed_by_a_link_stays(app: Path) -> None:
    store = app / "node_modules" / ".pnpm" / "devbridge@1.0.0" / "node_modules" / "devbridge"
    store.mkdir(parents=True)
    (app / "node_modules" / "devbridge").symlink_to(store.relative_to(app / "node_modules"))
    assert link(app) == ""
    assert (app / "node_modules" / "devbridge").resolve() == store


def test_what_is_installed_stays_and_a_folder_without_packages_is_left_alone(
    app: Path, tmp_path: Path
) -> None:
    installed = app / "node_modules" / "devbridge"
    installed.mkdir(parents=True)
    assert link(app) == ""
    assert not installed.is_symlink()
    (app / "package.json").unlink()
    installed.rmdir()
    assert link(app) == ""
    assert not installed.exists()


def test_a_link_that_cannot_be_made_is_said(app: Path) -> None:
    (app / "node_modules").write_text("")
    assert link(app) == "node_modules/devbridge cannot be made: File exists"
    assert own_package.NAME == "devbridge"
