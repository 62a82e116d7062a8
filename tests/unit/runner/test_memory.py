"""The limits themselves are set in processes of their own, in tests/integration."""

from __future__ import annotations

import resource
import sys

import pytest

from runner import memory

MIB = 1 << 20
ANY = resource.RLIM_INFINITY


class Limits:
    """The process's limits, made up."""

    def __init__(self, hard: int) -> None:
        self.soft, self.hard = ANY, hard

    def get(self, which: int) -> tuple[int, int]:
        assert which == resource.RLIMIT_DATA
        return self.soft, self.hard

    def set(self, which: int, new: tuple[int, int]) -> None:
        assert which == resource.RLIMIT_DATA
        self.soft, self.hard = new


def made(monkeypatch: pytest.MonkeyPatch, value: str | None, hard: int = ANY) -> Limits:
    fake = Limits(hard)
    monkeypatch.setattr(memory, "_limit", 0)
    monkeypatch.setattr(resource, "getrlimit", fake.get)
    monkeypatch.setattr(resource, "setrlimit", fake.set)
    monkeypatch.delenv(memory.VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(memory.VARIABLE, value)
    memory.set_memory()
    return fake


@pytest.mark.parametrize(
    ("value", "hard", "soft"),
    [
        (str(64 * MIB), ANY, 64 * MIB),
        (str(64 * MIB), 32 * MIB, 32 * MIB),
        (str(64 * MIB), 128 * MIB, 64 * MIB),
        (None, 32 * MIB, ANY),
        ("", 32 * MIB, ANY),
    ],
)
def test_the_soft_limit_is_set_as_far_as_the_hard_one_allows_and_lifted_to_it(
    monkeypatch: pytest.MonkeyPatch, value: str | None, hard: int, soft: int
) -> None:
    fake = made(monkeypatch, value, hard)
    assert (fake.soft, fake.hard) == (soft, hard)
    memory.lift_memory()
    assert (fake.soft, fake.hard) == (hard if value else soft, hard)


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_where_it_has_no_effect_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], platform: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    made(monkeypatch, str(64 * MIB))
    said = capsys.readouterr().err
    assert said == (
        "" if platform == "linux" else "runner: memory_limit has no effect on this system\n"
    )


def explained(error: BaseException, message: str) -> str:
    described = {"errorMessage": message}
    assert memory.explain(error, described) is described
    return described["errorMessage"]


def test_a_memory_error_says_which_limit_was_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    made(monkeypatch, str(64 * MIB))
    limit = "the process reached its memory_limit of 64 MiB"
    assert explained(MemoryError(), "") == limit
    assert explained(MemoryError(), "array") == f"array ({limit})"
    assert explained(ValueError(), "x") == "x"


def test_without_a_limit_it_says_nothing_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made(monkeypatch, None)
    assert explained(MemoryError(), "array") == "array"
