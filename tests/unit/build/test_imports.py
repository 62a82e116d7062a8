from __future__ import annotations

import pytest

from devbridge.build.imports import imports_of


def modules(source: str, package: str = "api") -> list[str]:
    return [i.module for i in imports_of(source.encode(), filename="x.py", package=package)]


def test_imports_are_found_wherever_they_stand() -> None:
    source = "import a.b, c\nfrom d import e\ndef f():\n    import g\nclass H:\n    from i import j"
    assert modules(source) == ["a.b", "c", "d", "g", "i"]


@pytest.mark.parametrize(
    ("source", "package", "module"),
    [
        ("from . import x", "api", "api"),
        ("from .x import y", "api", "api.x"),
        ("from ..lib import y", "api.v1", "api.lib"),
        ("from ... import y", "a.b.c", "a"),
    ],
)
def test_relative_imports_become_absolute(source: str, package: str, module: str) -> None:
    assert modules(source, package) == [module]


def test_what_only_type_checkers_import_is_left_out() -> None:
    source = (
        "import typing\nif typing.TYPE_CHECKING:\n    import a\nelse:\n    import b\n"
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import c"
    )
    assert modules(source) == ["typing", "b", "typing"]


@pytest.mark.parametrize("caught", ["ImportError", "(KeyError, ModuleNotFoundError)", "Exception"])
def test_an_import_whose_failure_is_caught_is_optional(caught: str) -> None:
    source = f"try:\n    import fast\nexcept {caught}:\n    import slow\nimport sure"
    found = imports_of(source.encode(), filename="x.py", package="")
    assert [(i.module, i.optional) for i in found] == [
        ("fast", True),
        ("slow", True),
        ("sure", False),
    ]


def test_another_caught_error_does_not_make_it_optional() -> None:
    source = b"try:\n    import fast\nexcept KeyError:\n    pass"
    assert not imports_of(source, filename="x.py", package="")[0].optional
