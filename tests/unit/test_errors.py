from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from devbridge import errors
from devbridge.errors import DevbridgeError, JobFailed, JobTimedOut, did_you_mean


def classes(of: type[DevbridgeError]) -> Iterator[type[DevbridgeError]]:
    for each in of.__subclasses__():
        if each.__module__ == errors.__name__:
            yield each
            yield from classes(each)


def test_an_error_shows_what_where_and_what_to_do() -> None:
    error = DevbridgeError("it broke", where="app.py", remedy="mend it")
    assert str(error) == "it broke\n  where: app.py\n  to do: mend it"
    assert (error.what, error.where, error.remedy) == ("it broke", "app.py", "mend it")
    assert str(DevbridgeError("it broke")) == "it broke"


def test_the_picture_at_the_top_has_every_class_with_its_exit_code() -> None:
    drawn: dict[str, int] = {}
    above: list[int] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^ {4}([│ ]*)(?:[├└]── )(\w+) *(\d+)?", line):
            depth = len(found[1]) // 4
            above = [*above[:depth], int(found[3]) if found[3] else above[depth - 1]]
            drawn[found[2]] = above[-1]
    assert drawn == {each.__name__: each.exit_code for each in classes(DevbridgeError)}


def test_each_exit_code_is_one_kind_of_error() -> None:
    codes = {name: code for name, code in vars(errors).items() if name.startswith("EXIT_")}
    assert len(set(codes.values())) == len(codes)
    assert {each.exit_code for each in classes(DevbridgeError)} <= set(codes.values())


@pytest.mark.parametrize("kind", [JobFailed, JobTimedOut])
def test_the_error_of_a_run_has_the_handlers(kind: type[JobFailed]) -> None:
    error = kind("it failed", where="run 1", error_type="ValueError", error_message="no")
    assert (error.error_type, error.error_message, error.where) == ("ValueError", "no", "run 1")
    assert isinstance(error, JobFailed)


def test_a_name_that_is_nearly_one_that_there_is_is_told() -> None:
    assert did_you_mean("factorail", ["import-all", "factorial"]) == "; did you mean 'factorial'?"
    assert did_you_mean("x", ["import-all", "factorial"]) == ""
    assert did_you_mean("fac", ["import-all", "factorial"]) == "; did you mean 'factorial'?"
    assert did_you_mean("", ["factorial"]) == did_you_mean("x", []) == ""
