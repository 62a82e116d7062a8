from __future__ import annotations

import ast

import pytest

from devbridge.definitions import exported, top_level, top_level_names


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
