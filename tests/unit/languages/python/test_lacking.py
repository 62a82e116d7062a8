from __future__ import annotations

from typing import Any

from devbridge.languages.python.lacking import lacking, tops
from devbridge.packing.imported import Live

KNOWN: dict[str, Any] = {
    "backports": {"dists": ["backports-tarfile"], "shared": True},
    "pyarrow": {"dists": ["pyarrow", "numpy"]},
    "PIL": {"dists": ["pillow"]},
    "gone": {"dists": []},
    "plugged": {"dists": ["plugged-dist"], "trees": [["plugged", "/src/plugged", "/src", ""]]},
}


def said(modules: set[str], packed: list[str], files: set[str] = frozenset()) -> list[str]:  # type: ignore[assignment]
    return list(lacking(Live(frozenset(files), frozenset(modules)), packed, KNOWN))


def test_a_module_that_is_not_packed_is_named_with_the_line_that_adds_it() -> None:
    (line,) = said({"pandas", "pyarrow.lib", "PIL.Image"}, ["pandas/__init__.py"])
    assert "live runs have imported PIL, pyarrow" in line
    assert 'install=["pillow", "pyarrow"]' in line


def test_what_is_installed_editable_is_to_be_imported() -> None:
    (line,) = said({"plugged.steps"}, ["jobs/j.py"])
    assert line.endswith("to have it there: import plugged in the handler")
    assert said({"plugged.steps"}, ["plugged/steps.py"]) == []


def test_what_is_packed_or_there_anyway_is_not_named() -> None:
    modules = {"pyarrow.lib", "PIL", "boto3", "botocore.data:/x", "devbridge.job", "gone"}
    assert said(modules, ["pyarrow/lib.so", "PIL.cpython-311.so"]) == []
    assert tops([Live(frozenset(), frozenset({"_distutils_hack", "__editable___x"}))]) == set()


def test_a_shared_package_that_was_imported_alone_was_only_looked_into() -> None:
    assert said({"backports"}, ["jobs/j.py"]) == []
    (line,) = said({"backports", "backports.tarfile"}, ["jobs/j.py"])
    assert 'install=["backports-tarfile"]' in line


def test_what_packages_have_a_replacement_for_is_not_named() -> None:
    live = Live(frozenset(), frozenset({"certifi.core", "typing_extensions", "pyarrow"}))
    assert tops([live]) == {"pyarrow"}


def test_what_checks_payloads_is_packed_with_their_schemas_and_not_named() -> None:
    assert tops([Live(frozenset(), frozenset({"fastjsonschema.draft07", "pandas"}))]) == {"pandas"}


def test_a_file_of_the_app_that_no_import_names_is_to_be_copied() -> None:
    (line,) = said(set(), ["jobs/j.py"], {"jobs/j.py", "jobs/three.py"})
    assert line.endswith('copy_files=["jobs/three.py"]')
    assert "jobs/j.py" not in line
