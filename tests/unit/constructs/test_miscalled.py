"""What is said of a construct that is called with what it does not take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, is_typeddict

import pytest

import devbridge
from devbridge.constructs import App, OnQueue, OnRequest, Vpc, Workers
from devbridge.constructs.miscalled import what_it_takes


def said(call: Callable[..., Any], *values: Any, **options: Any) -> str | None:
    with pytest.raises(TypeError) as caught:
        call(*values, **options)
    return what_it_takes(caught.value)


def test_an_option_that_a_trigger_has_not_is_told_with_those_that_it_has() -> None:
    assert said(OnQueue, None, batchsize=2) == (
        "OnQueue takes queue, max_concurrency, filter, name, loop, done, batch_size, batch, window;"
        " did you mean 'batch_size'?"
    )
    taken = said(OnRequest, None, "POST /x", done="succeeded")
    assert taken is not None
    assert taken.startswith("OnRequest takes api, route, ")


def test_what_is_missing_is_told_with_all_that_it_takes() -> None:
    assert said(Vpc, "vpc-1") == "Vpc takes id, subnets, security_groups"


@pytest.mark.parametrize("name", devbridge.__all__)
def test_every_class_of_devbridges_tells_what_it_takes(name: str) -> None:
    made = getattr(devbridge, name)
    if not isinstance(made, type) or hasattr(made, "elsewhere") or is_typeddict(made):
        pytest.skip("nothing to call, or it is refused elsewhere")
    assert f"{name} takes " in (said(made, nothing_of_that_name=1) or "")


def test_another_error_is_not_its() -> None:
    assert said(len, 1) is None
    assert what_it_takes(ValueError("OnQueue.__init__() got")) is None


def test_nor_is_a_class_of_the_apps_own() -> None:
    class Workers:
        """Of the same name."""

    class Unheard:
        """Of another."""

    with pytest.raises(TypeError) as caught:
        Workers(lots=1)  # type: ignore[call-arg]
    assert what_it_takes(caught.value) is None
    with pytest.raises(TypeError) as caught:
        Unheard(lots=1)  # type: ignore[call-arg]
    assert what_it_takes(caught.value) is None


def test_a_class_that_is_there_as_it_is_meant_is_told() -> None:
    assert said(Workers, lots=1) == "Workers takes min, max, per_worker"
    assert said(App, stages=1) is not None
