from __future__ import annotations

import pytest

from devbridge.languages.node.tokens import NotUnderstood, Token, tokens


def test_comments_and_spaces_are_none() -> None:
    assert [t.text for t in tokens("a /* b */ => // c\n | ...")] == ["a", "=>", "|", "..."]


def test_what_typescript_has_left_out_for_its_recursion_is_one() -> None:
    assert next(iter(tokens("/*elided*/ any[]"))) == Token("elided", "/*elided*/ any")


def test_a_string_has_its_value() -> None:
    texts = [t.text for t in tokens(r""" "a\"b" 'c\'d' "\x41\u{1F600}\t" """)]
    assert texts == ['a"b', "c'd", "A\U0001f600\t"]


def test_a_template_may_have_others_inside() -> None:
    found = list(tokens("`a${`b${string}`}c` | `\\``"))
    assert [t.kind for t in found] == ["template", "mark", "template"]


@pytest.mark.parametrize("text", ["`a", "@", '"a'])
def test_what_no_type_has_is_not_understood(text: str) -> None:
    with pytest.raises(NotUnderstood):
        list(tokens(text))
