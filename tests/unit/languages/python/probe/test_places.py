from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from devbridge.languages.python.probe import places
from devbridge.languages.python.probe.places import Module, Places, inits, is_shared


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/', 1) if not name.startswith('__') else name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    return tmp_path / "app"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed modules."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    places.installed.cache_clear()
    return folder


def found(app: Path, name: str) -> Module:
    module = Places([str(app)], frozenset(sys.stdlib_module_names)).find(name)
    assert module is not None
    return module


def test_the_apps_module_comes_before_what_is_installed(app: Path, site: Path) -> None:
    write(app, shadow="")
    write(site, shadow="", other="")
    assert found(app, "shadow") == Module("shadow", str(app / "shadow.py"), (), app=True)
    assert found(app, "other") == Module("other", str(site / "other.py"), (), app=False)


def test_pythons_own_modules_are_no_files_to_pack_unless_the_app_has_them(app: Path) -> None:
    looked = Places([str(app)], frozenset(sys.stdlib_module_names))
    assert looked.find("json") is None
    assert looked.find("sys") is None
    write(app, statistics="")
    assert Places([str(app)], frozenset(sys.stdlib_module_names)).find("statistics") is not None


def test_what_is_nowhere_is_missing(app: Path) -> None:
    looked = Places([str(app)], frozenset())
    assert looked.find("none_of_this") is None
    assert looked.find("none_of_this.at_all") is None


def test_a_package_has_its_submodules_and_they_have_no_more(app: Path) -> None:
    write(app, pkg____init__="", pkg__part="")
    (app / "pkg" / "__init__.py").write_text("")
    assert found(app, "pkg").folders == (str(app / "pkg"),)
    assert found(app, "pkg.part").is_source
    assert Places([str(app)], frozenset()).find("pkg.part.more") is None


def test_a_package_of_several_folders_is_the_apps_where_its_file_is(app: Path, site: Path) -> None:
    write(app, acme__mine="")
    write(site, acme__theirs="")
    whole = found(app, "acme")
    assert whole.is_namespace
    assert whole.folders == (str(app / "acme"), str(site / "acme"))
    assert found(app, "acme.mine").app
    assert not found(app, "acme.theirs").app


def test_an_old_style_namespace_package_has_the_folders_of_all_its_parts(
    app: Path, site: Path
) -> None:
    text = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
    for folder in (app, site):
        (folder / "old").mkdir()
        (folder / "old" / "__init__.py").write_text(text)
    module = found(app, "old")
    assert module.folders == (str(app / "old"), str(site / "old"))
    assert list(inits(module)) == [str(site / "old" / "__init__.py")]


def test_a_module_in_a_zip_is_in_no_file_that_could_be_packed(
    app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("zipped.py", "")
    monkeypatch.syspath_prepend(str(tmp_path / "a.zip"))
    places.installed.cache_clear()
    assert found(app, "zipped").odd


def test_the_folders_that_were_looked_into_are_known(app: Path) -> None:
    write(app, ns__part="")
    looked = Places([str(app)], frozenset())
    looked.find("ns.part")
    assert looked.seen == {str(app), str(app / "ns")}


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        (None, True),  # PEP 420
        ("__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n", True),
        ("__import__('pkg_resources').declare_namespace(__name__)\n", True),
        ("X = 1\n", False),
    ],
)
def test_a_package_of_several_distributions_is_known_by_what_it_says(
    tmp_path: Path, text: str | None, shared: bool
) -> None:
    folder = tmp_path / "backports"
    folder.mkdir()
    file = folder / "__init__.py"
    if text is not None:
        file.write_text(text)
    module = Module("backports", str(file) if text is not None else "", (str(folder),), app=False)
    assert is_shared(module) == shared
