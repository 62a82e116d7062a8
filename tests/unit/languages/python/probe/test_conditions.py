from __future__ import annotations

import ast

import pytest

from devbridge.languages.python.probe.conditions import UNKNOWN, Conditions, facts

LINUX = facts("linux", (3, 12), "x86_64")
ALIASES = {"t": "typing", "TYPE_CHECKING": "typing.TYPE_CHECKING", "arch": "platform.machine"}


def expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def truth(text: str, **names: object) -> bool | None:
    conditions = Conditions(LINUX, ALIASES)
    conditions.names.update(names)
    return conditions.truth(expression(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sys.platform == 'linux'", True),
        ("sys.platform.startswith(('win', 'cygwin'))", False),
        ("sys.platform in ('win32', 'linux')", True),
        ("sys.platform not in {'darwin'}", True),
        ("sys.version_info >= (3, 12)", True),
        ("sys.version_info < (3, 12)", False),
        ("sys.version_info[:2] == (3, 12)", True),
        ("sys.version_info[0] == 3", True),
        ("(3, 8) <= sys.version_info < (3, 13)", True),
        ("sys.hexversion >= 0x30d0000", False),
        ("os.name == 'nt'", False),
        ("platform.system() == 'Linux'", True),
        ("platform.system().lower() == 'linux'", True),
        ("arch() == 'x86_64'", True),
        ("TYPE_CHECKING", False),
        ("t.TYPE_CHECKING", False),
        ("some.module.TYPE_CHECKING", False),
        ("not TYPE_CHECKING", True),
        ("__name__ == '__main__'", False),
        ("bool(1)", True),
        ("None is None", True),
        ("unknown", None),
        ("unknown()", None),
        ("sys.platform == unknown", None),
        ("not unknown", None),
        ("unknown and False", False),
        ("unknown and True", None),
        ("unknown or True", True),
        ("unknown or False", None),
        ("1 < 'a'", None),
        ("(1,)[5]", None),
    ],
)
def test_a_condition_is_true_false_or_not_known(text: str, expected: bool | None) -> None:
    assert truth(text) is expected


def test_a_modules_own_names_are_what_they_were_set_to() -> None:
    assert truth("WINDOWS", WINDOWS=False) is False
    assert truth("not WINDOWS and sys.platform == 'linux'", WINDOWS=False) is True
    assert truth("WINDOWS", WINDOWS=UNKNOWN) is None


@pytest.mark.parametrize(
    ("platform", "machine", "text"),
    [
        ("darwin", "arm64", "platform.system() == 'Darwin' and os.name == 'posix'"),
        ("win32", "AMD64", "platform.system() == 'Windows' and os.name == 'nt'"),
        ("linux", "aarch64", "platform.machine() == 'aarch64' and sys.byteorder == 'little'"),
    ],
)
def test_each_platform_has_its_own_facts(platform: str, machine: str, text: str) -> None:
    known = facts(platform, (3, 11), machine)
    assert Conditions(known, {}).truth(expression(text)) is True


def test_the_name_behind_an_expression_is_the_imported_one() -> None:
    conditions = Conditions(LINUX, ALIASES)
    assert conditions.dotted(expression("t.cast")) == "typing.cast"
    assert conditions.dotted(expression("a.b.c")) == "a.b.c"
    assert conditions.dotted(expression("f().c")) == ""
