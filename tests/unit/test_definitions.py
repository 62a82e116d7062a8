from __future__ import annotations

import ast
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from devbridge import definitions
from devbridge.definitions import exported, top_level, top_level_names, yields


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def a(): ...\nasync def b(): ...\nclass c: ...", {"a", "b", "c"}),
        ("import a.b, c as d", {"a", "d"}),
        ("from x import a, b as c", {"a", "c"}),
        ("a = b = 1\n(c, [d, *e]) = x", {"a", "b", "c", "d", "e"}),
        ("a: int = 1\nb: int", {"a"}),
        ("if x:\n a = 1\nelse:\n b = 1", {"a", "b"}),
        ("try:\n a = 1\nexcept E:\n b = 1\nelse:\n c = 1\nfinally:\n d = 1", set("abcd")),
        ("with x:\n a = 1\nfor i in x:\n b = 1\nwhile x:\n c = 1", set("abc")),
        ("match x:\n case 1:\n  a = 1\n case _:\n  b = 1", {"a", "b"}),
        ("def a():\n b = 1\n def c(): ...", {"a"}),
        ("", set()),
    ],
)
def test_a_module_defines_what_its_statements_bind(source: str, names: set[str]) -> None:
    assert top_level_names(ast.parse(source)) == frozenset(names)


def test_a_star_import_may_bind_anything() -> None:
    assert top_level_names(ast.parse("a = 1\nif x:\n from b import *")) is None


def test_functions_and_classes_keep_their_statements_to_themselves() -> None:
    tree = ast.parse("def f():\n a = 1\nclass C:\n b = 1\nif x:\n c = 1")
    assert [type(each).__name__ for each in top_level(tree.body)] == [
        *("FunctionDef", "ClassDef", "If", "Assign")
    ]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("__all__ = ['a', 'b']", ("a", "b")),
        ("__all__ = ('a',) + ('b',)", ("a", "b")),
        ("__all__ = ['a']\n__all__ += ['b']", ("a", "b")),
        ("__all__ = ['a']\n__all__.append('b')", ("a", "b")),
        ("__all__: list[str] = ['a']\n__all__.extend(['b'])", ("a", "b")),
        ("__all__ = ['a']\n__all__ = ['b']", ("b",)),
        ("if x:\n __all__ = ['a']", ("a",)),
        ("__all__ = [f.stem for f in files]", None),
        ("__all__ = ['a', name]", None),
        ("__all__ = ['a'] + names()", None),
        ("__all__ = 5", None),
        ("__all__.sort()\nx = 1", ()),
    ],
)
def test_what_a_module_exports_is_read_as_far_as_it_is_written_down(
    source: str, names: tuple[str, ...] | None
) -> None:
    assert exported(ast.parse(source).body) == names


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def run(p):\n yield 1", True),
        ("async def run(p):\n yield 1", True),
        ("def run(p):\n x = yield from steps(p)\n return x", True),
        ("def run(p):\n for i in p:\n  if i:\n   yield i", True),
        ("def run(p): return 1", False),
        ("async def run(p): await p", False),
        ("def run(p):\n def inner(): yield 1\n return [*inner()]", False),
        ("def run(p):\n class C:\n  def m(self): yield 1", False),
        ("def run(p): return lambda: (yield)", False),
        ("@job_handler\ndef run(p): yield 1", True),
        ("@job_handler('x')\ndef run(p): yield 1", True),
        ("@devbridge.job.job_handler('x')\nasync def run(p): return 1", False),
        ("@contextmanager\ndef run(p): yield 1", None),
        ("@job_handler('x')\n@other\ndef run(p): yield 1", None),
        ("def run(p): yield 1\nrun = wrapped(run)", None),
        ("if X:\n def run(p): yield 1\nelse:\n def run(p): return 1", None),
        ("if X:\n def run(p): yield 1\nelse:\n def run(p): yield 2", True),
        ("from lib import run", None),
        ("from lib import *\ndef run(p): yield 1", None),
        ("run = make()", None),
        ("class run: ...", None),
        ("def other(p): yield 1", None),
    ],
)
def test_whether_a_function_is_a_generator_is_told_where_its_text_tells(
    source: str, told: bool | None
) -> None:
    assert yields(ast.parse(source), "run") is told


def test_threads_that_parse_at_once_each_get_their_tree() -> None:
    source = Path(definitions.__file__).read_text()
    with ThreadPoolExecutor(8) as threads:
        trees = list(threads.map(definitions.parsed, [source] * 32))
    assert len({ast.dump(tree) for tree in trees}) == 1
