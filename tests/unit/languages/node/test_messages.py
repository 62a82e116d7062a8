from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.languages.node.esbuild import Location, Message
from devbridge.languages.node.messages import bundle_error, frame, kind, said, warning


def at(line: str, column: int, file: str = "jobs/a.ts", number: int = 3) -> Location:
    return Location(file, number, column, 1, line)


def test_the_caret_is_below_the_place() -> None:
    assert frame(at("const x = ;", 10)) == ("jobs/a.ts:3:11\n    const x = ;\n              ^")
    assert frame(at("\t  if (\tx y)", 9)) == "jobs/a.ts:3:10\n    if (\tx y)\n        \t ^"


def test_a_column_counts_characters_and_not_bytes() -> None:
    line = "const ä = '𝄞' +;"
    assert frame(at(line, len("const ä = '𝄞' +".encode()))).splitlines()[-1].endswith("^")
    shown = frame(at(line, len("const ä = '𝄞' +".encode()))).splitlines()
    assert shown[0] == "jobs/a.ts:3:16"
    assert len(shown[2]) - 1 == 4 + shown[1][4:].index(";")


def test_a_long_line_is_cut_around_the_place() -> None:
    shown = frame(at(f"{'a' * 500};{'b' * 500}", 500)).splitlines()
    assert len(shown[1]) < 140
    assert shown[1][len(shown[2]) - 1] == ";"
    assert shown[1].strip().startswith("...")
    assert shown[1].endswith("...")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Unexpected ";"', "SyntaxError"),
        ('Expected ")" but found "}"', "SyntaxError"),
        ('The symbol "a" has already been declared', "SyntaxError"),
        ('Could not resolve "x"', "BundleError"),
        ('No matching export in "a.ts" for import "b"', "BundleError"),
        ('No loader is configured for ".x" files: a.x', "BundleError"),
        ('Top-level await is currently not supported with the "cjs" output format', "BundleError"),
    ],
)
def test_an_error_is_one_of_syntax_or_of_bundling(text: str, expected: str) -> None:
    assert kind(Message(text, at("x", 0))) == expected
    assert kind(Message(text)) == "BundleError"
    assert kind(Message(text, at("x", 0), plugin="mine")) == "BundleError"


def test_the_first_error_comes_first_and_the_others_are_noted(tmp_path: Path) -> None:
    errors = [Message(f'Unexpected "{n}"', at("x", 0, number=n)) for n in range(1, 9)]
    error = bundle_error(errors, tmp_path, "jobs/a.handler")
    failure = error.failure
    assert (failure.type, failure.message) == ("SyntaxError", 'Unexpected "1"')
    assert failure.frames == ("jobs/a.ts:1:1\n    x\n    ^",)
    assert failure.notes[0] == 'jobs/a.ts:2:1: Unexpected "2"'
    assert failure.notes[-1] == "and 2 more errors"
    assert "jobs/a.ts:8:1" in "\n".join(failure.trace)
    assert (error.where, error.exit_code) == ("jobs/a.ts:1:1", 9)
    assert bundle_error([Message("it broke")], tmp_path, "jobs/a.handler").where == "jobs/a.handler"


def test_what_cannot_be_resolved_is_said_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "helper.ts").touch()
    place = at("import x", 7)

    def told(name: str, *notes: str) -> tuple[str, str]:
        found = tuple(Message(text) for text in notes)
        return said(Message(f'Could not resolve "{name}"', place, found), tmp_path)

    what, remedy = told("@scope/pkg/sub", 'You can mark the path "x" as external')
    assert what == "cannot resolve '@scope/pkg/sub', which 'jobs/a.ts' imports"
    assert remedy == "npm install @scope/pkg, or correct the name"
    assert told("./helpr")[1] == "did you mean 'helper'?"
    assert told("./other")[1] == "create it, or correct the path"
    assert told("./no/folder")[1] == "there is no folder 'no'"
    assert told("#inner")[1] == ""
    assert told("devbridge/jobs")[1] == "import from 'devbridge/job' or 'devbridge/resources'"
    (tmp_path / "node_modules" / "pkg").mkdir(parents=True)
    what, remedy = told("pkg/x", 'The path "./x" is not exported', "You can mark the path ...")
    assert what.endswith("of the package 'pkg'")
    assert remedy == 'The path "./x" is not exported'


def test_other_errors_say_what_to_do(tmp_path: Path) -> None:
    text, remedy = said(Message('No loader is configured for ".x" files: a.x'), tmp_path)
    assert (text, remedy.partition(",")[0]) == (
        "esbuild does not know what to do with '.x' files",
        "say it: esbuild={'loader': {'.x': 'text'}}",
    )
    assert said(Message("no", plugin="mine"), tmp_path) == ("plugin 'mine': no", "")
    assert said(Message('No matching export in "a.ts" for import "b"'), tmp_path)[0] == (
        "'a.ts' has no export 'b'"
    )


def test_a_warning_is_one_line(tmp_path: Path) -> None:
    note = Message("because of this")
    assert warning(Message("odd", at("x", 4), (note, note)), tmp_path) == (
        "jobs/a.ts:3:2: odd; because of this"
    )
    assert warning(Message("odd"), tmp_path) == "odd"
