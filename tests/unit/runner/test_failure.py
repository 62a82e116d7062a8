from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner import failure
from runner.failure import HandlerNotFound, ResultNotJson, describe, is_users
from runner.loading import load


@pytest.fixture(autouse=True)
def clean_imports() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


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
        handler("\n" * 500_000)
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


def raised(source: str, folder: Path, name: str) -> dict[str, Any]:
    """What is described of the error that this handler raises."""
    (folder / f"{name}.py").write_text(source)
    handler = load(f"{name}.handler", str(folder))
    try:
        handler(None)
    except BaseException as error:
        return describe(error, str(folder))
    raise AssertionError


def test_frames_are_the_users_own_with_their_lines(tmp_path: Path) -> None:
    described = raised(
        "import json\ndef handler(p):\n    json.loads('{', object_hook=int)\n", tmp_path, "decodes"
    )
    assert described["errorType"] == "JSONDecodeError"
    assert described["stackTrace"] == [
        "File \"decodes.py\", line 3, in handler\n    json.loads('{', object_hook=int)"
    ]
    assert any("json/__init__.py" in line for line in described["trace"])


def test_too_many_frames_are_cut_in_the_middle(tmp_path: Path) -> None:
    source = "def handler(p, n=60):\n    if n: handler(p, n - 1)\n    1 / 0\n"
    frames = raised(source, tmp_path, "recurses")["stackTrace"]
    assert len(frames) == failure.MAX_FRAMES + 1
    left_out = next(index for index, frame in enumerate(frames) if "more frames" in frame)
    assert (left_out, frames[left_out]) == (20, "... 21 more frames ...")


@pytest.mark.parametrize("error", [HandlerNotFound("a"), ResultNotJson("a")])
def test_our_own_errors_have_no_frames(tmp_path: Path, error: Exception) -> None:
    try:
        raise error
    except (HandlerNotFound, ResultNotJson) as caught:
        described = describe(caught, str(Path(__file__).parent))
    assert (described["errorMessage"], described["stackTrace"], described["trace"]) == ("a", [], [])


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (SystemExit(), "sys.exit()"),
        (SystemExit(0), "sys.exit(0)"),
        (SystemExit("x"), "sys.exit('x')"),
    ],
)
def test_an_exit_says_with_what(error: SystemExit, message: str) -> None:
    assert describe(error, "/app")["errorMessage"] == message


@pytest.mark.parametrize(
    ("source", "frame"),
    [
        ("x = (\n", 'File "syntax.py", line 1\n    x = (\n        ^'),
        ("def f():\n    return 1 +\n", 'File "syntax.py", line 2\n    return 1 +\n              ^'),
        (
            "f(x for x in y, 1)\n",
            'File "syntax.py", line 1\n    f(x for x in y, 1)\n      ^^^^^^^^^^^^',
        ),
        ("print 'hello'\n", "File \"syntax.py\", line 1\n    print 'hello'\n    ^^^^^^^^^^^^^"),
    ],
)
def test_a_syntax_error_has_its_line_and_a_caret(tmp_path: Path, source: str, frame: str) -> None:
    path = tmp_path / "syntax.py"
    path.write_text(source)
    with pytest.raises(SyntaxError) as caught:
        compile(source, str(path), "exec")
    assert describe(caught.value, str(tmp_path))["stackTrace"] == [frame]


def test_a_syntax_error_outside_of_the_app_has_its_whole_path() -> None:
    with pytest.raises(SyntaxError) as caught:
        compile("(", "/elsewhere/a.py", "exec")
    (frame,) = describe(caught.value, "/app")["stackTrace"]
    assert frame.startswith('File "/elsewhere/a.py", line 1')


def test_a_syntax_error_without_its_text_has_its_place() -> None:
    error = SyntaxError("bad", ("/app/a.py", 3, None, None))
    assert describe(error, "/app")["stackTrace"] == ['File "a.py", line 3']
    assert describe(error, "/app")["errorMessage"] == "bad"


def test_causes_have_their_own_frames_and_notes(tmp_path: Path) -> None:
    described = raised(
        """\
def reads():
    error = KeyError("real")
    error.add_note("in row 7")
    raise error
def handler(p):
    try:
        reads()
    except KeyError as error:
        raise RuntimeError("cannot load") from error
""",
        tmp_path,
        "caused",
    )
    assert (described["errorMessage"], described["notes"]) == ("cannot load", [])
    assert described["causes"] == [
        {
            "how": "caused by",
            "depth": 0,
            "errorType": "KeyError",
            "errorMessage": "'real'",
            "notes": ["in row 7"],
            "stackTrace": [
                'File "caused.py", line 7, in handler\n    reads()',
                'File "caused.py", line 4, in reads\n    raise error',
            ],
        }
    ]


def test_an_error_that_is_alone_in_its_group_is_the_failure_and_the_trace_has_both(
    tmp_path: Path,
) -> None:
    described = raised(
        """\
import asyncio
async def fails():
    raise ValueError("real")
async def work():
    async with asyncio.TaskGroup() as group:
        group.create_task(fails())
def handler(p):
    asyncio.run(work())
""",
        tmp_path,
        "grouped",
    )
    assert (described["errorType"], described["errorMessage"]) == ("ValueError", "real")
    assert described["stackTrace"] == [
        'File "grouped.py", line 3, in fails\n    raise ValueError("real")'
    ]
    (group,) = described["causes"]
    assert (group["how"], group["errorType"]) == ("in", "ExceptionGroup")
    assert [frame.split("\n")[0] for frame in group["stackTrace"]] == [
        'File "grouped.py", line 8, in handler',
        'File "grouped.py", line 5, in work',
    ]
    trace = "\n".join(described["trace"])
    assert "ExceptionGroup: unhandled errors" in trace
    assert "ValueError: real" in trace


def test_errors_that_were_left_out_are_counted(tmp_path: Path) -> None:
    error = ExceptionGroup("many", [ValueError(n) for n in range(20)])
    assert describe(error, str(tmp_path))["causes"][-1] == {"how": "and 12 more", "depth": 1}


def test_what_belongs_to_an_error_is_cut_to_what_any_reader_can_take(tmp_path: Path) -> None:
    error, cause = ValueError("outer"), ValueError("x" * 100_000)
    for _ in range(100):
        cause.add_note("n" * 100_000)
    error.__cause__ = cause
    (told,) = describe(error, str(tmp_path))["causes"]
    assert len(told["errorMessage"]) < failure.MAX_CAUSE_TEXT + 100
    assert len(told["notes"]) == failure.MAX_NOTES + 1
    assert max(map(len, told["notes"])) < failure.MAX_CAUSE_TEXT + 100


@pytest.mark.parametrize(("notes", "told"), [("one", ["one"]), (None, []), ([1], ["1"])])
def test_whatever_stands_for_notes_is_told(tmp_path: Path, notes: object, told: list[str]) -> None:
    error = ValueError("outer")
    vars(error)["__notes__"] = notes
    assert describe(error, str(tmp_path))["notes"] == told
