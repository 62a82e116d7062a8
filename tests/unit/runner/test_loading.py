from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devbridge.job import job_handler
from runner import failure
from runner.failure import HandlerNotFound, describe, is_users
from runner.loading import load, takes_context


@pytest.fixture(autouse=True)
def clean_imports() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def one(payload: Any) -> None: ...
def two(payload: Any, context: Any) -> None: ...
def starred(*arguments: Any) -> None: ...
def keyword(payload: Any, *, verbose: bool = False) -> None: ...
async def coroutine(payload: Any, context: Any) -> None: ...


class Callable:
    def __call__(self, payload: Any) -> None: ...
    def method(self, payload: Any, context: Any) -> None: ...


@functools.wraps(one)
def wrapper(*arguments: Any) -> None: ...


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (one, False),
        (two, True),
        (starred, True),
        (keyword, False),
        (coroutine, True),
        (Callable(), False),
        (Callable().method, True),
        (wrapper, False),
        (functools.partial(two, 1), False),
        (job_handler("x")(one), True),
        (lambda payload: payload, False),
    ],
)
def test_the_context_is_for_who_takes_a_second_positional_argument(
    handler: Any, expected: bool
) -> None:
    assert takes_context(handler) is expected


def test_a_handler_is_imported_under_its_modules_name(tmp_path: Path) -> None:
    (tmp_path / "some_jobs").mkdir()
    (tmp_path / "some_jobs/a.py").write_text("def handler(payload): ...")
    handler = load("some_jobs/a.handler", str(tmp_path))
    assert handler.__module__ == "some_jobs.a"
    assert sys.path[0] == str(tmp_path)


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        ("handler", "is not of the form"),
        ("a/missing.handler", "there is no file a/missing.py"),
        ("some_job.missing", 'some_job.py has no function "missing"; it has: handler'),
        ("some_job.NUMBER", 'no function "NUMBER"'),
        ("json/tool.main", "json/tool.py is hidden by another module"),
    ],
)
def test_a_wrong_path_says_what_there_is(tmp_path: Path, handler: str, message: str) -> None:
    (tmp_path / "some_job.py").write_text("NUMBER = 1\ndef handler(payload): ...")
    (tmp_path / "json").mkdir()
    (tmp_path / "json/tool.py").write_text("def main(payload): ...")
    with pytest.raises(HandlerNotFound) as raised:
        load(handler, str(tmp_path))
    assert message in str(raised.value)


def test_extra_folders_come_after_all_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra/only_there.py").write_text("WHERE = 'extra'")
    (tmp_path / "extra/json.py").write_text("raise AssertionError")
    (tmp_path / "job_with_extra.py").write_text(
        "import json, only_there\ndef handler(payload): return only_there.WHERE"
    )
    monkeypatch.setenv("DEVBRIDGE_PATH", f"/nowhere{os.pathsep}{tmp_path / 'extra'}")
    assert load("job_with_extra.handler", str(tmp_path))(None) == "extra"
    assert sys.path[-2:] == ["/nowhere", str(tmp_path / "extra")]


def test_the_users_files_are_those_of_the_app_and_not_of_its_environment() -> None:
    assert is_users("/app/jobs/a.py", "/app")
    for other in ("/app/.venv/lib/a.py", "/app/x/site-packages/a.py", "/apple/a.py", "<string>"):
        assert not is_users(other, "/app")
    assert not is_users("/output/src-packages/msgspec/__init__.py", "/output/src")


@pytest.mark.parametrize("package", ["runner", "devbridge"])
def test_what_a_build_has_beside_the_handler_is_not_the_users(package: str) -> None:
    root = Path(failure.__file__).parents[1]  # as in a build: the runner lies in it
    assert not is_users(f"{root}/{package}/a.py", str(root))
    assert is_users(f"{root}/jobs/{package}/a.py", str(root))
    assert is_users(f"/app/{package}/a.py", "/app")


def test_a_failure_in_a_chain_shows_the_whole_chain_in_its_trace(tmp_path: Path) -> None:
    (tmp_path / "chained.py").write_text(
        "def handler(payload):\n"
        "    try:\n        1 / 0\n"
        "    except ZeroDivisionError as error:\n        raise ValueError('\\ud800') from error\n"
    )
    handler = load("chained.handler", str(tmp_path))
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        handler(None)
    described = describe(raised.value, str(tmp_path))
    assert described["stackTrace"] == [
        "File \"chained.py\", line 5, in handler\n    raise ValueError('\\ud800') from error"
    ]
    assert "ZeroDivisionError: division by zero" in described["trace"]
    assert not [line for line in described["trace"] if "runner/worker.py" in line]


def test_a_message_and_a_traceback_of_any_length_are_cut_in_the_middle(tmp_path: Path) -> None:
    (tmp_path / "talkative.py").write_text("def handler(p):\n    raise ValueError('a' + p + 'z')\n")
    handler = load("talkative.handler", str(tmp_path))
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        handler("\n" * 7_000_000)
    described = describe(raised.value, str(tmp_path))
    message, trace = described["errorMessage"], described["trace"]
    assert described["errorType"] == "ValueError"
    assert (message[0], message[-1]) == ("a", "z")
    assert "more characters" in message
    assert (trace[0], trace[-1]) == ("Traceback (most recent call last):", "z")
    assert len(message) < failure.MAX_TEXT + 100
    assert sum(map(len, trace)) < failure.MAX_TEXT + 100


def test_a_module_that_does_not_parse_has_no_frames_of_the_import_system(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def handler(:\n")
    with pytest.raises(SyntaxError) as raised:
        load("broken.handler", str(tmp_path))
    error = raised.value.with_traceback(raised.tb.tb_next)  # without this test's own frame
    trace = describe(error, str(tmp_path))["trace"]
    assert trace[0].startswith("  File ")
    assert trace[-1].startswith("SyntaxError")
    assert not [line for line in trace if "importlib" in line]


def test_an_error_whose_text_cannot_be_had_is_still_reported(tmp_path: Path) -> None:
    class Rude(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert describe(Rude(), str(tmp_path))["errorMessage"] == "<its __str__ raised RuntimeError>"
