from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from devbridge.errors import CloudError
from runner import causes
from runner.causes import MAX_ALL, MAX_CHAIN, MAX_DEPTH, MAX_MEMBERS, ends, related

Told = list[tuple[int, str, str]]


def told(error: BaseException) -> tuple[str, Told]:
    first, found = related(error)
    return str(first), [(r.depth, r.how, str(r.error) if r.error else "") for r in found]


def raised(act: Callable[[], Any]) -> BaseException:
    try:
        act()
    except BaseException as error:
        return error
    raise AssertionError


def chain(length: int, after: Exception | None = None) -> Exception:
    """``ValueError(0)``, caused by ``ValueError(1)``, and so on; `after` is the last cause."""
    errors: list[Exception] = [ValueError(number) for number in range(length)]
    errors += [] if after is None else [after]
    for error, cause in itertools.pairwise(errors):
        error.__cause__ = cause
    return errors[0]


def test_an_error_alone_has_nothing_that_belongs_to_it() -> None:
    assert told(ValueError("alone")) == ("alone", [])


def test_what_caused_an_error_is_told_after_it() -> None:
    assert told(chain(3)) == ("0", [(0, "caused by", "1"), (0, "caused by", "2")])


def test_what_was_being_handled_is_told_unless_the_code_says_from_none() -> None:
    def handles(*, hide: bool) -> None:
        try:
            raise KeyError("real")
        except KeyError:
            if hide:
                raise RuntimeError("second") from None
            raise RuntimeError("second")  # noqa: B904

    assert told(raised(lambda: handles(hide=False))) == (
        "second",
        [(0, "during handling of", "'real'")],
    )
    assert told(raised(lambda: handles(hide=True))) == ("second", [])


def test_a_ring_of_causes_ends_where_it_begins() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert told(one) == ("one", [(0, "caused by", "two")])


def test_of_a_long_chain_the_beginning_and_the_end_are_told() -> None:
    first, found = told(chain(5000))
    half = MAX_CHAIN // 2
    assert first == "0"
    assert [what for _, _, what in found[:half]] == ["1", "2", "3", "4"]
    assert found[half] == (0, f"and {5000 - 1 - MAX_CHAIN} more", "")
    assert [what for _, _, what in found[half + 1 :]] == ["4996", "4997", "4998", "4999"]


def test_each_member_of_a_group_is_told_with_what_belongs_to_it() -> None:
    group = ExceptionGroup(
        "several", [chain(2), ExceptionGroup("inner", [OSError("a"), OSError("b")])]
    )
    assert told(group) == (
        "several (2 sub-exceptions)",
        [
            (1, "1 of 2:", "0"),
            (1, "caused by", "1"),
            (1, "2 of 2:", "inner (2 sub-exceptions)"),
            (2, "1 of 2:", "a"),
            (2, "2 of 2:", "b"),
        ],
    )


def test_of_a_large_group_the_first_members_are_told_and_how_many_there_are_more() -> None:
    _, found = told(ExceptionGroup("many", [ValueError(n) for n in range(MAX_MEMBERS + 12)]))
    assert found[0] == (1, "1 of 20:", "0")
    assert found[MAX_MEMBERS - 1 :] == [(1, "8 of 20:", "7"), (1, "and 12 more", "")]


def test_the_only_member_of_a_group_is_told_in_its_place() -> None:
    async def fails() -> None:
        raise ValueError("real") from KeyError("reason")

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())

    assert told(raised(lambda: asyncio.run(work()))) == (
        "real",
        [
            (0, "caused by", "'reason'"),
            (0, "in", "unhandled errors in a TaskGroup (1 sub-exception)"),
        ],
    )


def test_a_cause_that_is_a_group_of_one_is_told_as_its_member() -> None:
    error = chain(1, ExceptionGroup("outer", [ExceptionGroup("inner", [KeyError("real")])]))
    assert told(error) == (
        "0",
        [
            (0, "caused by", "'real'"),
            (0, "in", "inner (1 sub-exception)"),
            (0, "in", "outer (1 sub-exception)"),
        ],
    )


def test_groups_in_groups_are_looked_into_so_deep_and_no_deeper() -> None:
    error: Exception = ValueError("innermost")
    for depth in range(2 * MAX_DEPTH):
        error = ExceptionGroup(f"group {depth}", [error, OSError(str(depth))])
    _, found = told(error)
    assert max(depth for depth, _, _ in found) == MAX_DEPTH + 1
    assert (MAX_DEPTH + 1, "and 2 more", "") in found


def wide(levels: int) -> Exception:
    if not levels:
        return ValueError("leaf")
    return ExceptionGroup("wide", [wide(levels - 1) for _ in range(MAX_MEMBERS)])


def of_one(levels: int) -> BaseException:
    error: Exception = ValueError("real")
    for _ in range(levels):
        error = ExceptionGroup("one", [error])
    return error


def woven(levels: int) -> BaseException:
    error: Exception = ValueError("real")
    for _ in range(levels):
        outer = ValueError("outer")
        outer.__cause__ = error
        error = ExceptionGroup("one", [outer])
    return error


@pytest.mark.parametrize("error", [wide(4), of_one(500), woven(500), chain(3, wide(3))])
def test_whatever_belongs_to_an_error_only_some_dozens_are_told(error: BaseException) -> None:
    assert len(related(error)[1]) <= 3 * MAX_ALL


def test_the_real_reason_of_a_large_group_is_told_though_its_members_are_many() -> None:
    group = wide(2)
    group.__cause__ = chain(30)
    _, found = told(group)
    assert [what for depth, _, what in found if depth == 0] == ["0", "", "29"]


def test_what_devbridges_own_errors_were_made_of_is_not_told() -> None:
    error = CloudError("refused: denied")
    error.__cause__ = OSError("denied")
    assert told(error) == ("refused: denied", [])


def test_the_ends_of_a_list_and_how_many_are_between_them() -> None:
    assert ends([1, 2, 3], 3) == ([1, 2, 3], 0, ())
    assert ends([1, 2, 3, 4, 5], 3) == ([1, 2], 2, [5])
    assert ends([1, 2, 3], 1) == ([1], 2, [])
    assert ends([1, 2], 0) == ([], 2, [])
    assert causes.MAX_CHAIN <= MAX_ALL
