from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest

from devbridge.languages.node.tsc import (
    Compiler,
    Ended,
    Problem,
    compiler,
    installed,
    problems,
    run,
)


def package(folder: Path, name: str, version: str, **files: str) -> Path:
    path = folder / "node_modules" / name
    path.mkdir(parents=True)
    (path / "package.json").write_text(f'{{"version": "{version}"}}')
    for file, text in files.items():
        target = path / file.replace("__", "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o755)
    return path


def test_a_package_is_found_where_node_finds_it(tmp_path: Path) -> None:
    found = package(tmp_path, "typescript", "5.9.3")
    assert installed(tmp_path / "a" / "b", "typescript") == found
    assert installed(tmp_path, "other") is None


def test_before_version_7_the_compiler_is_a_program_for_node(tmp_path: Path) -> None:
    found = package(tmp_path, "typescript", "5.9.3", bin__tsc="")
    assert compiler(tmp_path, lambda: "/bin/node") == Compiler(
        "5.9.3", ("/bin/node", str(found / "bin" / "tsc"))
    )
    assert compiler(tmp_path, lambda: None) is None


def test_from_version_7_on_it_is_a_program_of_the_platform(tmp_path: Path) -> None:
    package(tmp_path, "typescript", "7.0.2", bin__tsc="")
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    own = package(
        tmp_path, f"@typescript/typescript-{sys.platform}-{machine}", "7.0.2", lib__tsc=""
    )
    assert compiler(tmp_path, lambda: None) == Compiler("7.0.2", (str(own / "lib" / "tsc"),))


def test_without_typescript_there_is_none(tmp_path: Path) -> None:
    assert compiler(tmp_path, lambda: "/bin/node") is None


def test_a_package_that_is_broken_is_no_compiler(tmp_path: Path) -> None:
    (package(tmp_path, "typescript", "5") / "package.json").write_text("{")
    assert compiler(tmp_path, lambda: "/bin/node") is None


def test_what_tsc_prints_is_read() -> None:
    text = """\
jobs/a (1).ts(3,7): error TS2322: Type 'string' is not assignable to type 'number'.
  Because of this.
    And that.
../shared/b.ts(1,1): error TS1005: ';' expected.
error TS5083: Cannot read file '/x/tsconfig.json'.
Found 3 errors.
"""
    assert [*problems(text, Path("/app"))] == [
        Problem(
            Path("/app/jobs/a (1).ts"),
            3,
            7,
            2322,
            "Type 'string' is not assignable to type 'number'.\n  Because of this.\n    And that.",
        ),
        Problem(Path("/shared/b.ts"), 1, 1, 1005, "';' expected."),
        Problem(None, 0, 0, 5083, "Cannot read file '/x/tsconfig.json'."),
    ]


def ended(tmp_path: Path, code: str, **options: object) -> Ended:
    settings = {"timeout": 60.0, "stopped": lambda: False, "waiting": lambda _: None, **options}
    python = Compiler("9", (sys.executable, "-c", code))
    return run(python, [], tmp_path, **settings)  # type: ignore[arg-type]


def test_a_compiler_that_finds_errors_has_not_failed(tmp_path: Path) -> None:
    code = "print('a.ts(1,2): error TS1: no'); raise SystemExit(2)"
    assert ended(tmp_path, code) == Ended((Problem(tmp_path / "a.ts", 1, 2, 1, "no"),))


def test_a_compiler_that_breaks_is_told_with_its_last_line(tmp_path: Path) -> None:
    code = "print('out of memory'); raise SystemExit(134)"
    assert ended(tmp_path, code).failure == "TypeScript 9 ended with 134: out of memory"


def test_a_compiler_that_does_not_start_is_told(tmp_path: Path) -> None:
    no = Compiler("9", (str(tmp_path / "none"),))
    found = run(no, [], tmp_path, timeout=1, stopped=lambda: False, waiting=lambda _: None)
    assert found.failure == f"{tmp_path / 'none'} does not start: No such file or directory"


@pytest.mark.parametrize(
    ("options", "failure"),
    [
        ({"timeout": 0.0}, "TypeScript takes longer than 0 s"),
        ({"stopped": lambda: True}, "it was stopped"),
    ],
)
def test_a_compiler_that_takes_too_long_is_killed(
    tmp_path: Path, options: dict[str, object], failure: str
) -> None:
    assert ended(tmp_path, "import time; time.sleep(1000)", **options).failure == failure


def test_it_is_told_how_long_it_takes(tmp_path: Path) -> None:
    told: list[float] = []
    ended(
        tmp_path,
        "import time; time.sleep(1000)",
        waiting=told.append,
        stopped=lambda: len(told) > 2,
    )
    assert told == sorted(told)


@pytest.mark.parametrize("name", ["NODE_OPTIONS", "AWS_SECRET_ACCESS_KEY"])
def test_the_shell_s_options_for_node_and_credentials_are_not_for_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "--inspect")
    code = f"import os; print('a(1,1): error TS1:', os.environ.get('{name}'))"
    assert ended(tmp_path, code).problems[0].message == "None"
    assert os.environ[name] == "--inspect"
