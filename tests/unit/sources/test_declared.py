"""What ``@job_handler(...)`` says, read from a module's text."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from devbridge.sources.declared import Called, Declared, NotLiteralError, declared


def read(text: str) -> tuple[Declared, ...]:
    return declared(ast.parse(dedent(text)))


def options(text: str) -> object:
    (found,) = read(f"@job_handler('a', x={text})\ndef handler(payload): ...")
    return found.options["x"]


def test_a_module_without_a_decorated_handler_is_no_job() -> None:
    assert (
        read("def handler(payload): ...\nclass A:\n    @job_handler('b')\n    def f(self): ...")
        == ()
    )


def test_name_function_options_and_line_are_read() -> None:
    (found,) = read("""
        import os

        @job_handler("greeting", timeout="1 minute", retries=2)
        async def greet(payload): ...
    """)
    assert found == Declared("greet", "greeting", {"timeout": "1 minute", "retries": 2}, 0)
    assert found.line == 4


@pytest.mark.parametrize("decorator", ["@job_handler", "@job_handler()", "@job.job_handler()"])
def test_a_handler_without_a_name_has_none(decorator: str) -> None:
    assert read(f"{decorator}\ndef handler(payload): ...") == (Declared("handler", None, {}, 0),)


def test_the_name_may_be_given_by_name() -> None:
    assert read("@job_handler(name='a')\ndef f(p): ...") == (Declared("f", "a", {}, 0),)


def test_names_that_are_imported_under_others_mean_the_same() -> None:
    (found,) = read("""
        from devbridge.job import job_handler as job
        from devbridge.options import OnQueue as Q
        from elsewhere import x as job_handler2

        @job("a", triggers=[Q("b")])
        def handler(payload): ...
    """)
    assert found.options == {"triggers": [Called("OnQueue", ("b",), {}, 0)]}


def test_each_handler_of_a_module_is_a_job_also_below_a_condition() -> None:
    found = read("""
        @job_handler("a")
        def one(payload): ...
        if True:
            @other
            @job_handler("b")
            def two(payload): ...
    """)
    assert [(each.function, each.name) for each in found] == [("one", "a"), ("two", "b")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'a' 'b'", "ab"),
        ("-1.5", -1.5),
        ("None", None),
        ("True", True),
        ("('a', ['b'])", ["a", ["b"]]),
        ("{'a': {1: 'b'}}", {"a": {1: "b"}}),
        ("Lambda()", Called("Lambda", (), {}, 0)),
        ("options.Batch(cpu=2)", Called("Batch", (), {"cpu": 2}, 0)),
        (
            "[OnQueue('q', filter={'a': [-1]})]",
            [Called("OnQueue", ("q",), {"filter": {"a": [-1]}}, 0)],
        ),
    ],
)
def test_literals_and_calls_with_literals_are_values(text: str, value: object) -> None:
    assert options(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("LIMIT", "1 + 1", "f'{x}'", "[a]", "{**a}", "{a: 1}", "{('a',): 1}", "not True"),
        *("OnQueue(QUEUE)", "OnQueue(*a)", "OnQueue(**a)", "b'x'", "...", "1j", "lambda: 1"),
        *("a[0]()", "[x for x in y]", "-'a'", "{1, 2}"),
    ],
)
def test_whatever_only_running_the_file_would_tell_is_refused(text: str) -> None:
    with pytest.raises(NotLiteralError, match=r"is no literal$") as caught:
        options(text)
    assert caught.value.line == 1


def test_an_error_names_the_option_and_its_line() -> None:
    with pytest.raises(
        NotLiteralError, match=r"^timeout=os.environ\['T'\] is no literal$"
    ) as caught:
        read("@job_handler(\n'a',\nretries=1,\ntimeout=os.environ['T'])\ndef handler(p): ...")
    assert caught.value.line == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("NAME", "NAME is no literal"),
        ("1", "the job's name 1 is no text"),
        ("'a', '1 minute'", "'1 minute' has no name"),
        ("**OPTIONS", r"\*\*OPTIONS is no literal"),
    ],
)
def test_a_name_is_a_text_and_options_have_names(arguments: str, said: str) -> None:
    with pytest.raises(NotLiteralError, match=said):
        read(f"@job_handler({arguments})\ndef handler(payload): ...")


def test_where_a_declaration_stands_makes_no_difference() -> None:
    one = read("@job_handler('a', compute=Lambda())\ndef handler(p): ...")
    two = read("x = 1\n\n@job_handler('a', compute=Lambda())\ndef handler(p): ...")
    assert one == two
    assert repr(one) == repr(two)
