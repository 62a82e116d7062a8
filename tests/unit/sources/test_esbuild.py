from __future__ import annotations

from typing import Any

import pytest

from devbridge.sources.esbuild import options_problem

GOOD: list[dict[str, Any]] = [
    {},
    {"format": "cjs", "minify": True, "sourcemap": False, "keep_names": False},
    {"splitting": True, "external": ["pg", "@a/b/*"], "loader": {".txt": "text"}},
    {"define": {"process.env.X": '"1"', "MODE": "true"}, "alias": {"a": "b"}, "banner": "x"},
    {"target": "node22", "main_fields": ["module", "main"], "conditions": ["production"]},
    {"target": ["es2022", "node22.1"], "inject": ("a.ts",), "tsconfig": "t.json", "plugins": "p"},
]
BAD: list[tuple[object, str, str]] = [
    ([], "[]", "a mapping"),
    ({"minfy": True}, "'minfy'", "did you mean 'minify'?"),
    ({3: True}, "3", "format, external"),
    ({"format": "iife"}, "format='iife'", "'esm' or 'cjs'"),
    ({"minify": 1}, "minify=1", "True or False"),
    ({"external": "pg"}, "external='pg'", "a list of packages"),
    ({"external": [""]}, "external=['']", "a list of packages"),
    ({"loader": {"txt": "text"}}, "loader={'txt': 'text'}", "'txt' is no extension"),
    ({"loader": {".txt": "texte"}}, "loader={'.txt': 'texte'}", "did you mean 'text'?"),
    ({"loader": [".txt"]}, "loader=['.txt']", "a mapping of file extensions"),
    ({"define": {"a-b": "1"}}, "define={'a-b': '1'}", "'a-b' is no name"),
    ({"define": {"A": 1}}, "define={'A': 1}", "a mapping of names"),
    ({"alias": {"a=b": "c"}}, "alias={'a=b': 'c'}", "no package"),
    ({"banner": {"js": "x"}}, "banner={'js': 'x'}", "JavaScript as a text"),
    ({"tsconfig": " "}, "tsconfig=' '", "a path below"),
    ({"target": "node"}, "target='node'", "'node22', 'es2022'"),
    ({"target": 22}, "target=22", "'node22', 'es2022'"),
    ({"conditions": ["a,b"]}, "conditions=['a,b']", "a list of conditions"),
    ({"splitting": True, "format": "cjs"}, "splitting=True", "only with format 'esm'"),
]


@pytest.mark.parametrize("value", GOOD, ids=str)
def test_what_esbuild_takes_is_no_problem(value: dict[str, Any]) -> None:
    assert options_problem(value, "nodejs") is None


@pytest.mark.parametrize(("value", "what", "allowed"), BAD, ids=lambda value: str(value)[:30])
def test_what_it_does_not_take_is_said_with_what_it_does(
    value: object, what: str, allowed: str
) -> None:
    found = options_problem(value, "nodejs")
    assert found is not None
    assert found[0] == what
    assert allowed in found[1]


def test_no_options_are_no_problem() -> None:
    assert options_problem(None, "python") is None


def test_only_code_that_is_bundled_has_them() -> None:
    problem = options_problem({}, "python")
    assert problem is not None
    assert "only with a runtime of Node.js" in problem[1]
