from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from devbridge import checked

HOUR = (timedelta(seconds=1), timedelta(hours=1))


@pytest.mark.parametrize(
    ("check", "given", "meant"),
    [
        (checked.text, "a", "a"),
        (checked.flag, "No", False),
        (checked.flag, True, True),
        (checked.within(0, 3600), "0.5", 0.5),
        (checked.whole(1, 3), "3", 3),
        (checked.one_of("a", "b"), "b", "b"),
        (checked.one_of("a", "b", true="a"), "true", "a"),
        (checked.one_of("a", "b", true="a"), False, ""),
        (checked.size(1 << 20, "a size"), "1.5 MB", 3 << 19),
        (checked.time(HOUR), "10s", timedelta(seconds=10)),
    ],
)
def test_a_value_is_what_it_means(
    check: Callable[[object], Any], given: object, meant: object
) -> None:
    assert check(given) == meant


@pytest.mark.parametrize(
    ("check", "given", "allowed"),
    [
        (checked.text, " ", "a text"),
        (checked.flag, 1, "true or false"),
        (checked.within(0, 3600), True, "a number of seconds from 0 to 3600"),
        (checked.whole(1, 3), 1.5, "a whole number from 1 to 3"),
        (checked.one_of("a", "b"), "c", '"a" or "b"'),
        (checked.size(1 << 20, "a size"), "1 KB", "a size"),
        (checked.time(HOUR), "2 hours", 'a time from 1 second to 1 hour, such as "10s"'),
    ],
)
def test_a_value_that_is_not_allowed_is_told_what_is(
    check: Callable[[object], Any], given: object, allowed: str
) -> None:
    with pytest.raises(checked.NotAllowedError, match=allowed):
        check(given)
