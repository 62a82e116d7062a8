from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from devbridge.languages.python.probe.imports import GUARDED, PERHAPS, SURE
from devbridge.languages.python.probe.reach import Reach, stdlib

HERE = sys.version_info[:2]


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def reach(app: Path, file: str = "main.py", handler: str = "", **options: Any) -> Reach:
    given = {
        **{"paths": (), "platform": "linux", "version": HERE, "machine": "x86_64"},
        **{"brought": frozenset({"boto3"}), **options},
    }
    found = Reach(str(app), **given)
    found.follow(file, handler)
    return found


def test_a_handler_reaches_its_imports_the_packages_above_them_and_their_imports(
    tmp_path: Path,
) -> None:
    write(
        tmp_path,
        {
            "api/main.py": "import lib.a\nfrom . import near\n",
            "api/__init__.py": "import of_package\n",
            "api/near.py": "",
            "lib/__init__.py": "",
            "lib/a.py": "from .b import x\n",
            "lib/b.py": "x = 1\n",
            "lib/unused.py": "",
            "of_package.py": "",
        },
    )
    found = reach(tmp_path, "api/main.py")
    assert set(found.files) == {
        *("api/__init__.py", "api/main.py", "api/near.py", "of_package.py"),
        *("lib/__init__.py", "lib/a.py", "lib/b.py"),
    }
    assert found.needs == {}


def test_what_is_not_the_apps_is_needed_as_surely_as_it_is_imported(tmp_path: Path) -> None:
    text = (
        "import json, boto3\nimport sure_thing\n"
        "try:\n import perhaps_not\nexcept ImportError:\n pass\n"
        "def f():\n import only_then\n"
    )
    write(tmp_path, {"main.py": text})
    needs = reach(tmp_path).needs
    assert {name: need["level"] for name, need in needs.items()} == {
        **{"sure_thing": SURE, "perhaps_not": GUARDED, "only_then": PERHAPS}
    }
    assert needs["sure_thing"]["place"] == "main.py:2"
    surely = reach(tmp_path, handler="f").needs
    assert surely["only_then"]["level"] == SURE


def test_an_import_is_no_surer_than_the_one_that_leads_to_it(tmp_path: Path) -> None:
    guarded = "try:\n import a\nexcept ImportError:\n pass\n"
    write(tmp_path, {"main.py": guarded, "a.py": "import other"})
    assert reach(tmp_path).needs["other"]["level"] == GUARDED
    write(tmp_path, {"second.py": f"{guarded}import a\n"})
    assert reach(tmp_path, "second.py").needs["other"]["level"] == SURE


def test_a_module_that_the_apps_package_has_not_is_missing(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": "import lib.none\n", "lib/__init__.py": ""})
    assert reach(tmp_path).missing == [{"module": "lib.none", "level": SURE, "place": "main.py:1"}]


def test_a_file_that_does_not_parse_is_broken_at_its_line(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": "import a\n", "a.py": "x = 1\ndef f(:\n"})
    found = reach(tmp_path)
    assert list(found.broken) == ["a.py:2"]
    assert found.broken["a.py:2"]["level"] == SURE
    assert "a.py" in found.files


def test_what_is_imported_of_devbridge_is_told_apart(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": "from devbridge.job import job_handler\n"})
    found = reach(tmp_path)
    assert found.own == [["devbridge.job", ["job_handler"], "main.py:1"]]
    assert found.needs == {}


def test_a_star_takes_what_the_package_exports_or_all_that_it_may(tmp_path: Path) -> None:
    files = {"main.py": "from lib import *\n", "lib/a.py": "", "lib/b.py": ""}
    write(tmp_path, {**files, "lib/__init__.py": "__all__ = ['a']\n"})
    assert "lib/a.py" in reach(tmp_path).files
    assert "lib/b.py" not in reach(tmp_path).files
    write(tmp_path, {"lib2/__init__.py": "__all__ = names()\n", "lib2/c.py": ""})
    write(tmp_path, {"second.py": "from lib2 import *\n"})
    assert "lib2/c.py" in reach(tmp_path, "second.py").files


def test_folders_of_pythonpath_have_the_apps_modules_too(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": "import a\n", "src/a.py": ""})
    assert set(reach(tmp_path, paths=("src",)).files) == {"main.py", "src/a.py"}
    assert list(reach(tmp_path).needs) == ["a"]


def test_a_handler_that_no_statement_defines_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": "def run(): ...\n", "star.py": "from x import *\n"})
    found = reach(tmp_path)
    assert found.handler_problem("main.py", "run") == ""
    problem = found.handler_problem("main.py", "handler")
    assert problem == "'main.py' has no function 'handler'; it has: run"
    assert found.handler_problem("star.py", "handler") == ""


def test_only_named_packages_count_and_files_may_be_left_unread(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": "import own.a\nimport other\n", "other.py": ""})
    write(tmp_path, {"own/__init__.py": "import never\n", "own/a.py": "import needed\n"})
    found = reach(tmp_path, only=frozenset({"own"}), unread=frozenset({"own/__init__.py"}))
    assert set(found.files) == {"main.py", "own/__init__.py", "own/a.py"}
    assert set(found.needs) == {"other", "needed"}


@pytest.mark.parametrize(
    ("version", "there", "gone"),
    [
        ((3, 11), {"distutils", "cgi", "json"}, {"annotationlib"}),
        ((3, 12), {"cgi", "json"}, {"distutils", "annotationlib"}),
        ((3, 13), {"json"}, {"distutils", "cgi", "annotationlib"}),
        ((3, 14), {"json", "annotationlib"}, {"distutils", "cgi"}),
    ],
)
def test_each_version_of_python_has_its_own_modules(
    version: tuple[int, int], there: set[str], gone: set[str]
) -> None:
    assert there <= stdlib(version)
    assert not gone & stdlib(version)
