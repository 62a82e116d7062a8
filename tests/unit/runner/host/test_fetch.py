from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from runner import signed, sigv4
from runner.host import fetch, unpacking

LIMIT = 9 * 1024
"""Bytes: a job definition of AWS Batch has 24 KiB, and the job's variables are in it, too."""
MODULES = (sigv4, signed, unpacking)


def test_the_text_is_small() -> None:
    assert len(fetch.script().encode()) <= LIMIT


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.__name__))
def test_the_text_is_the_same_program(module: object) -> None:
    source = Path(str(module.__file__)).read_text("utf-8")  # type: ignore[attr-defined]
    assert "'''" not in source, "it is quoted so"
    assert ast.dump(ast.parse(fetch.bare(source))) == ast.dump(undocumented(ast.parse(source)))


def undocumented(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [
                each
                for each in body
                if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
            ]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]
    return tree


def test_the_text_needs_nothing_but_python() -> None:
    """Without DEVBRIDGE_CODE it has nothing to do; it comes as far as that."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", fetch.script()],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "KeyError: 'DEVBRIDGE_CODE'" in done.stderr


def test_the_text_has_nothing_that_aws_would_replace() -> None:
    for mark in ("${", "Ref::", "$("):
        assert mark not in fetch.script()
