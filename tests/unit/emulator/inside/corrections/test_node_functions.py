from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devbridge.emulator.inside import nodes
from devbridge.emulator.inside.corrections import functions, node_functions
from devbridge.emulator.inside.corrections.node_functions import events
from devbridge.emulator.inside.corrections.workers import MARK
from devbridge.emulator.inside.nodes import Node


def found(monkeypatch: pytest.MonkeyPatch, path: Path, version: str) -> None:
    monkeypatch.setattr(nodes, "find", lambda _: Node(path, version))


@pytest.fixture
def prints(tmp_path: Path) -> Path:
    """Instead of node: tells what it is started with."""
    path = tmp_path / "it's node"
    path.write_text(
        '#!/bin/sh\nprintf "%s\\n" "${HOME-no home}" "$@" >&4\necho printed\ncat <&3 >&4\n'
    )
    path.chmod(0o755)
    return path


def started(tmp_path: Path, script: str, **environment: str) -> tuple[list[str], str]:
    """What a script has answered, and logged."""
    file = tmp_path / "_worker.js"
    file.write_text(script)
    done = subprocess.run(
        ["/bin/sh", str(file)],
        input="asked",
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/home/jane", **environment},
        check=True,
    )
    return done.stdout.splitlines(), done.stderr


def test_a_function_s_answers_are_apart_from_what_it_prints(
    tmp_path: Path, prints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found(monkeypatch, prints, "24.1.0")
    answers, log = started(tmp_path, node_functions.script("nodejs24.x"))
    home, script, mark, _, runtime, note, asked = answers
    assert (home, runtime, note, asked) == ("no home", "nodejs24.x", "", "asked")
    assert Path(script).name == "in_function.mjs"
    assert Path(script).is_file()
    assert mark == MARK
    assert log == "printed\n"
    assert (tmp_path / "package.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("runtime", "version", "options", "flags"),
    [
        ("nodejs22.x", "22.1.0", "", ["require", "detect"]),
        ("nodejs22.x", "24.1.0", "--x", ["require", "detect"]),
        ("nodejs22.x", "22.1.0", "--experimental-require-module", ["detect"]),
        ("nodejs22.x", "22.1.0", "-r x --experimental-detect-module", ["require"]),
        ("nodejs22.x", "20.1.0", "", []),
        ("nodejs24.x", "24.1.0", "", []),
        ("nodejs24.x", "22.1.0", "", []),
    ],
)
def test_node_22_starts_with_the_flags_that_lambda_gives_it(
    runtime: str,
    version: str,
    options: str,
    flags: list[str],
    tmp_path: Path,
    prints: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found(monkeypatch, prints, version)
    answers, _ = started(tmp_path, node_functions.script(runtime), NODE_OPTIONS=options)
    given = [each for each in answers if each.startswith("--no-")]
    assert given == [f"--no-experimental-{each}-module" for each in flags]


def test_another_node_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, Path("/usr/bin/node"), "20.1.0")
    assert "'[devbridge] nodejs24.x is Node 24, and here Node 20.1.0 runs" in node_functions.script(
        "nodejs24.x"
    )


def test_that_there_is_no_node_is_in_the_log_and_told_the_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nodes, "find", lambda _: None)
    with pytest.raises(RuntimeError) as caught:
        node_functions.script("nodejs24.x")
    result = {
        "error": True,
        "body": {"errorMessage": str(caught.value), "errorType": "RuntimeError"},
    }
    told = functions.told({**result, "log": ""}, "r1")
    message = told["body"]["errorMessage"]
    assert message.startswith("nodejs24.x: there is no Node on this machine that is 20 or newer; ")
    assert told["body"]["errorType"] == "Runtime.InvalidRuntime"
    events_ = functions.messages(told["log"], "r1", events)
    assert events_[1:-1] == [f"[devbridge] {message}"]


@pytest.fixture
def runtime(ministack: Callable[..., Any]) -> Any:
    return ministack(
        "core.lambda_runtime", _detect_runtime_binary=lambda name: (f"binary of {name}", "")
    )


def test_only_node_s_functions_are_run_by_us(runtime: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, Path("/n"), "24.1.0")
    node_functions.run_with_node()
    assert runtime._detect_runtime_binary("python3.12") == ("binary of python3.12", "")
    assert runtime._detect_runtime_binary("nodejs24.x")[0] == "/bin/sh"


def test_what_console_says_at_once_is_one_event() -> None:
    break_ = node_functions._line_break
    assert events(f"a{break_}b\n\n\u2028\rc\n") == ["a\nb", "", "\u2028\rc"]
    assert events("") == []
