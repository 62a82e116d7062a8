from __future__ import annotations

from pathlib import Path

from devbridge.constructs import App
from devbridge.languages.node.grammar import Note
from devbridge.languages.node.tsc import Problem
from devbridge.languages.node.types import noted, probe, type_errors
from tests.unit.languages.node.conftest import AddJob

HANDLER = "export const handler = async () => 1;\n"


def test_without_typescript_it_is_said_once_what_to_install(app: App, add_job: AddJob) -> None:
    jobs = [add_job("a", HANDLER), add_job("b", HANDLER)]
    found = probe(app, jobs)
    assert [each.warning for each in found.values()] == [
        "its types are not known, like those of 1 more: the project has no TypeScript;"
        " run `npm i -D typescript`",
        "",
    ]
    assert all(each.payload is None and each.loaded for each in found.values())


def test_in_a_package_of_a_workspace_it_is_said_where(app: App, add_job: AddJob) -> None:
    job = add_job("a", HANDLER, file="packages/f/src/a.ts")
    (app.root / "packages" / "f" / "tsconfig.json").write_text("{}")
    assert probe(app, [job])["a"].warning.endswith("run `npm i -D typescript` in packages/f")


def test_a_typescript_without_a_node_is_said(app: App, add_job: AddJob) -> None:
    job = add_job("a", HANDLER)
    folder = app.root / "node_modules" / "typescript"
    (folder / "bin").mkdir(parents=True)
    (folder / "package.json").write_text('{"version": "5.9.3"}')
    (folder / "bin" / "tsc").touch()
    found = probe(app, [job], node=lambda: None)["a"].warning
    assert found == (
        "its types are not known: the project's TypeScript needs a Node.js, and none is there"
    )


def test_the_same_of_several_members_is_said_once() -> None:
    notes = [Note("payload.a", "is odd"), Note("payload.b", "is new"), Note("payload.c", "is odd")]
    text = "jobs/a.ts: payload.a is odd (and payload.c); payload.b is new"
    assert noted(notes, "jobs/a.ts") == text
    assert noted([], "jobs/a.ts") == ""


def test_a_type_error_is_shown_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text('let a = 1;\n\tconst b: number = "x";\n')
    found = type_errors([Problem(tmp_path / "a.ts", 2, 8, 2322, "no number")], tmp_path)
    assert found == ('a.ts:2:8: no number (TS2322)\n    const b: number = "x";\n          ^')


def test_errors_that_are_not_the_user_s_are_none(tmp_path: Path) -> None:
    def problem(file: str, code: int = 2322) -> Problem:
        return Problem(tmp_path / file, 1, 1, code, "no")

    others = [
        problem("node_modules/x/a.d.ts"),
        problem("a.ts", 4023),
        problem("a.ts", 2742),
        problem("a.ts", 9007),
        Problem(Path("/elsewhere/b.ts"), 1, 1, 1, "no"),
    ]
    assert type_errors(others, tmp_path) == ""
    settings = [
        Problem(Path("/elsewhere/tsconfig.json"), 0, 0, 5023, "no"),
        Problem(None, 0, 0, 6, "bad"),
    ]
    assert type_errors(settings, tmp_path) == "/elsewhere/tsconfig.json:0:0: no (TS5023)\nbad (TS6)"


def test_of_many_errors_the_first_are_shown(tmp_path: Path) -> None:
    many = [Problem(tmp_path / "a.ts", line, 1, 2322, "no") for line in range(1, 9)]
    lines = type_errors(many, tmp_path).splitlines()
    assert len(lines) == 6
    assert lines[-1] == "and 3 more: see `npx tsc --noEmit`"
