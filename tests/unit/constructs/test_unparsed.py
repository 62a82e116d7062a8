from __future__ import annotations

import ast

import pytest

from devbridge.constructs.unparsed import unparsed


def test_a_syntax_error_is_shown_with_its_place_its_line_and_a_caret() -> None:
    with pytest.raises(SyntaxError) as caught:
        ast.parse("x = 1\nx = = 2\n")
    error = unparsed(caught.value, "jobs/a.py")
    assert error.what == "SyntaxError: invalid syntax\n    x = = 2\n        ^"
    assert (error.where, error.remedy) == ("jobs/a.py:2", "correct that line")


def test_one_without_a_line_is_said_in_one() -> None:
    assert unparsed(SyntaxError("no"), "a.py").what == "SyntaxError: no"
