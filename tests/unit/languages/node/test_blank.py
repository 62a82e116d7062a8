"""What makes a blank as good as a fresh process; the processes are in tests/integration."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from devbridge.languages.node.blank import OF_ONE_WORKER, Files, Kit, kit

ROOT = Path("/app")
A, B, C = Path("/app/node_modules/a.js"), Path("/app/node_modules/b.js"), Path("/c.js")
ENVIRONMENT = {"MINE": "1", "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1/token"}


def made(*preload: Path) -> Kit:
    return kit(["starter"], Path("/bin/node"), ROOT, ENVIRONMENT, preload)


def test_a_kit_has_nothing_of_one_worker() -> None:
    found = kit(["s"], Path("n"), ROOT, dict.fromkeys(OF_ONE_WORKER, "x"), [])
    assert found.environment == {}
    assert "token" not in repr(made()) + str(made().environment)


def test_a_kit_starts_node_with_the_jobs_heap() -> None:
    environment = {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "100"}
    command = kit(["starter"], Path("/bin/node"), ROOT, environment, []).command
    assert command[:3] == ("starter", "/bin/node", "--max-old-space-size=90")
    assert command[-1].endswith("runner/node/blank.mjs")


@pytest.mark.parametrize(
    ("begun", "wanted", "serves"),
    [
        ((), (), True),
        ((A, B), (A, B), True),
        ((A,), (A, B), True),
        ((A, B), (A,), False),
        ((A, B), (B, A), False),
        ((B,), (A, B), False),
    ],
)
def test_what_was_imported_must_be_what_is_imported_first(
    begun: tuple[Path, ...], wanted: tuple[Path, ...], serves: bool
) -> None:
    assert made(*begun).serves(made(*wanted)) is serves


def test_all_else_must_be_the_same() -> None:
    one = made(A)
    assert not one.serves(replace(one, environment={"MINE": "2"}))
    assert not one.serves(replace(one, command=(*one.command, "--inspect")))
    assert not one.serves(replace(one, root=Path("/other")))


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A bundle's report of its modules, of a package of npm's."""
    package = tmp_path / "node_modules/@scope/thing"
    (package / "lib").mkdir(parents=True)
    for name in ("package.json", "lib/index.js", "lib/part.js"):
        (package / name).write_text("1")
    (tmp_path / "node_modules/.package-lock.json").write_text("{}")
    report = tmp_path / "modules.json"
    report.write_text(json.dumps({"installed": [os.fspath(package / "lib/part.js")]}))
    return report


@pytest.mark.parametrize(
    "changed",
    [
        "node_modules/@scope/thing/lib/index.js",
        "node_modules/@scope/thing/lib/part.js",
        "node_modules/@scope/thing/package.json",
        "node_modules/.package-lock.json",
        "node_modules/.modules.yaml",
    ],
)
def test_what_was_read_and_has_changed_is_noticed(modules: Path, changed: str) -> None:
    folder = modules.parent
    files = Files([folder / "node_modules/@scope/thing/lib/index.js"], modules)
    assert files.are_current()
    (folder / changed).write_text("changed")
    assert not files.are_current()


def test_what_is_gone_has_changed(modules: Path) -> None:
    index = modules.parent / "node_modules/@scope/thing/lib/index.js"
    files = Files([index], modules)
    index.unlink()
    assert not files.are_current()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"installed": 1}'])
def test_a_report_that_cannot_be_read_names_no_files(tmp_path: Path, text: str) -> None:
    report = tmp_path / "modules.json"
    report.write_text(text)
    assert Files([], report).are_current()
    assert Files([], tmp_path / "missing.json").are_current()
