from __future__ import annotations

import pytest

from devbridge.emulator.inside.host import before, ministack

from .conftest import MakeModule


@pytest.fixture
def made(ministack: MakeModule) -> MakeModule:
    return ministack


def test_a_module_of_ministack_has_its_name_within_it(made: MakeModule) -> None:
    sts = made("services.sts")
    assert ministack("services.sts") is sts


def test_without_ministack_the_import_fails_by_its_name() -> None:
    with pytest.raises(ModuleNotFoundError, match="ministack"):
        ministack("services.none")


def test_something_is_called_before_a_function_of_a_module(made: MakeModule) -> None:
    called: list[str] = []

    def load(what: str) -> str:
        called.append(what)
        return "answer"

    sts = made("services.sts", load=load)
    before(sts, "load", lambda: called.append("before"))
    assert sts.load("it") == "answer"
    assert called == ["before", "it"]
