from __future__ import annotations

import textwrap

import pytest

from devbridge.languages.python.probe.conditions import facts
from devbridge.languages.python.probe.imports import GUARDED, PERHAPS, SURE, Source, read

LINUX = facts("linux", (3, 12), "x86_64")


def found(source: str, package: str = "api", handler: str = "") -> Source:
    text = textwrap.dedent(source).encode()
    return read(text, filename="x.py", package=package, known=LINUX, handler=handler)


def modules(source: str, package: str = "api") -> list[str]:
    return [each.module for each in found(source, package).imports]


def levels(source: str, handler: str = "") -> dict[str, int]:
    """The surest level of each module."""
    result: dict[str, int] = {}
    for each in found(source, handler=handler).imports:
        result[each.module] = max(each.level, result.get(each.module, GUARDED))
    return result


def test_imports_are_found_wherever_they_stand() -> None:
    source = "import a.b, c\nfrom d import e\ndef f():\n    import g\nclass H:\n    from i import j"
    assert modules(source) == ["a.b", "c", "d", "g", "i"]


@pytest.mark.parametrize(
    ("source", "package", "module"),
    [
        ("from . import x", "api", ["api"]),
        ("from .x import y", "api", ["api.x"]),
        ("from ..lib import y", "api.v1", ["api.lib"]),
        ("from ... import y", "a.b.c", ["a"]),
        ("from .. import y", "a", []),
        ("from . import y", "", []),
    ],
)
def test_relative_imports_become_absolute(source: str, package: str, module: list[str]) -> None:
    assert modules(source, package) == module


@pytest.mark.parametrize(
    "source",
    [
        "import typing\nif typing.TYPE_CHECKING:\n    import no\nelse:\n    import yes",
        "import typing as t\nif t.TYPE_CHECKING:\n    import no\nelse:\n    import yes",
        "from typing import TYPE_CHECKING as TC\nif TC:\n    import no\nelse:\n    import yes",
        "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    import no\nelse:\n    import yes",
        "import sys\nif sys.platform == 'win32':\n    import no\nelse:\n    import yes",
        "import sys\nif sys.platform.startswith('win'):\n    import no\nelse:\n    import yes",
        "import sys\nif sys.platform in ('win32', 'cygwin'):\n    import no\nelse:\n    import yes",
        "import sys as s\nif s.platform != 'linux':\n    import no\nelse:\n    import yes",
        "from sys import platform\nif platform == 'darwin':\n    import no\nelse:\n    import yes",
        "import os\nif os.name == 'nt':\n    import no\nelse:\n    import yes",
        "import platform as p\nif p.system() == 'Windows':\n    import no\nelse:\n    import yes",
        "import sys\nif sys.version_info < (3, 11):\n    import no\nelse:\n    import yes",
        "import sys\nif sys.version_info[:2] >= (3, 13):\n    import no\nelse:\n    import yes",
        "import sys\nif sys.version_info[0] == 2:\n    import no\nelse:\n    import yes",
        "import sys\nif sys.version_info.minor > 12:\n    import no\nelse:\n    import yes",
        "import sys\nWIN = sys.platform == 'win32'\nif WIN:\n    import no\nelse:\n    import yes",
        "import os\nif not os.name == 'posix' or False:\n    import no\nelse:\n    import yes",
        "import sys\nif sys.implementation.name == 'pypy':\n    import no\nelse:\n    import yes",
        "if __name__ == '__main__':\n    import no\nelse:\n    import yes",
        "import sys\nmatch sys.platform:\n    case 'win32':\n        import no\n    case _:\n"
        "        import yes",
        "import sys\ndef f():\n    import yes\n    if sys.platform != 'win32':\n        return\n"
        "    import no",
        "import sys\ndef f():\n    import yes\n    if sys.platform == 'linux':\n        return\n"
        "    else:\n        import no\n    import no",
    ],
)
def test_what_never_runs_there_is_left_out(source: str) -> None:
    found = set(modules(source))
    assert "yes" in found
    assert "no" not in found


@pytest.mark.parametrize(
    "source",
    [
        f"try:\n    import fast\nexcept {caught}:\n    pass"
        for caught in (
            "ImportError",
            "(KeyError, ModuleNotFoundError)",
            "Exception",
            "builtins.ImportError",
        )
    ]
    + [
        "try:\n    import fast\nexcept:\n    pass",
        "try:\n    import other\nexcept ImportError:\n    import fast",
        "try:\n    import fast\nexcept* ImportError:\n    pass",
        "ERRORS = (ImportError, OSError)\ntry:\n    import fast\nexcept ERRORS:\n    pass",
        "from contextlib import suppress\nwith suppress(ImportError):\n    import fast",
        "import contextlib\nwith contextlib.suppress(OSError, ImportError):\n    import fast",
        "import contextlib as c\nwith open('x'), c.suppress(Exception):\n    import fast",
        "from importlib.util import find_spec\nif find_spec('fast'):\n    import fast",
        "import importlib.util\nif importlib.util.find_spec('fast') is not None:\n    import fast",
        "import importlib.util as u\nX = u.find_spec('fast') is not None\nif X:\n    import fast",
        "import sys\nif 'fast' in sys.modules:\n    import fast",
    ],
)
def test_an_import_whose_failure_is_caught_is_optional(source: str) -> None:
    assert levels(f"{source}\nimport sure") | {"fast": GUARDED, "sure": SURE} == levels(
        f"{source}\nimport sure"
    )


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import fast\nexcept KeyError:\n    pass",
        "try:\n    import fast\nexcept ImportError:\n    raise RuntimeError('pip install fast')",
        "import sys\ntry:\n    import fast\nexcept ImportError:\n    sys.exit('no fast')",
        "with open('x'):\n    import fast",
        "import sys\nif sys.platform == 'linux':\n    import fast",
        "import sys\nif sys.version_info < (3, 9):\n    raise RuntimeError\nimport fast",
    ],
)
def test_an_import_that_must_work_is_sure(source: str) -> None:
    assert levels(source)["fast"] == SURE


def test_what_may_never_run_is_neither_sure_nor_optional() -> None:
    source = (
        "import os\nif os.environ.get('X'):\n    import one\nfor x in y:\n    import two\n"
        "def f():\n    import three\nmatch x:\n    case 1:\n        import four"
    )
    found = levels(source)
    assert [found[name] for name in ("one", "two", "three", "four")] == [PERHAPS] * 4


def test_the_handlers_own_imports_are_sure() -> None:
    source = (
        "def other():\n    import one\n"
        "def handler(p):\n    import two\n    if p:\n        import three"
    )
    found = levels(source, handler="handler")
    assert found == {"one": PERHAPS, "two": SURE, "three": PERHAPS}


def test_what_only_another_platform_imports_is_not_sure_where_this_one_cannot_know() -> None:
    source = b"import sys\nif sys.platform == 'linux':\n    import inotify"
    here = facts("darwin", (3, 12), "arm64")
    (_, item) = read(source, filename="x.py", package="", known=LINUX, here=here).imports
    assert (item.module, item.level) == ("inotify", PERHAPS)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("importlib.import_module('a.b')", [("a.b", ())]),
        ("importlib.import_module('.b', package=__package__)", [("api.b", ())]),
        ("importlib.import_module(f'a.steps.{name}')", [("a.steps", ("**",))]),
        ("importlib.import_module('a.steps.' + name)", [("a.steps", ("**",))]),
        ("importlib.import_module('a.steps.%s' % name)", [("a.steps", ("**",))]),
        ("importlib.import_module('a.steps.{}'.format(name))", [("a.steps", ("**",))]),
        ("importlib.import_module(name)", []),
        ("importlib.import_module(f'{name}.x')", []),
        ("__import__('a')", [("a", ())]),
        ("runpy.run_module('a')", [("a", ("__main__",))]),
        ("subprocess.run([sys.executable, '-m', 'a', 'x'])", [("a", ("__main__",))]),
    ],
)
def test_modules_that_calls_name_are_found(
    source: str, expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    imports = found(f"import importlib, runpy, sys, subprocess\nx = {source}").imports[4:]
    assert [(each.module, each.names) for each in imports] == expected


def test_what_a_module_exports_and_defines_is_told_with_its_imports() -> None:
    source = found("import a\nb = 1\n__all__ = ['b']")
    assert source.exported == ("b",)
    assert source.defined == frozenset({"a", "b", "__all__"})


def test_a_warning_of_the_parser_is_nobodys(recwarn: pytest.WarningsRecorder) -> None:
    assert modules("import a\nx = '\\d'") == ["a"]
    assert not recwarn.list
