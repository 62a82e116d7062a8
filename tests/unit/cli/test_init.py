from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest
from click.testing import CliRunner

from devbridge.cli import main
from devbridge.cli.init import (
    TEMPLATE_NAME,
    TEMPLATES,
    create,
    default_name,
    name_of,
    template_files,
)
from devbridge.errors import EXIT_APP, EXIT_ERROR, DevbridgeError

EXAMPLES = Path(__file__).parents[3] / "examples"
NOT_THE_APP = {
    "__pycache__",
    ".devbridge",
    ".venv",
    ".mypy_cache",
    ".ruff_cache",
    "typings",
    ".pytest_cache",
    "node_modules",
    "package-lock.json",
    "devbridge-env.d.ts",
}


def files_below(folder: Path) -> dict[PurePosixPath, str]:
    return {
        PurePosixPath(path.relative_to(folder).as_posix()): path.read_text("utf-8")
        for path in folder.rglob("*")
        if path.is_file() and not NOT_THE_APP & set(path.relative_to(folder).parts)
    }


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hello"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(("template", "example"), TEMPLATES.items())
def test_a_template_and_its_example_are_the_same_app(template: str, example: str) -> None:
    assert template_files(template) == files_below(EXAMPLES / example)


def test_init_writes_the_template_with_the_folders_name(here: Path) -> None:
    result = CliRunner().invoke(main, ["init"])
    assert result.exit_code == 0, result.output
    written = files_below(here)
    assert written.keys() == template_files().keys()
    assert 'App("hello")' in written[PurePosixPath("app.py")]
    assert not any(TEMPLATE_NAME in text for text in written.values())


def test_init_in_typescript_writes_that_template_and_says_to_install_its_packages(
    here: Path,
) -> None:
    result = CliRunner().invoke(main, ["init", "--template", "typescript"])
    assert result.exit_code == 0, result.output
    written = files_below(here)
    assert written.keys() == template_files("typescript").keys()
    assert 'App("hello")' in written[PurePosixPath("app.py")]
    assert not any(name_of("typescript") in text for text in written.values())
    assert "  npm install\n  devbridge dev --local\n" in result.output


def test_init_names_the_next_commands(here: Path) -> None:
    lines = CliRunner().invoke(main, ["init"]).output.splitlines()
    commands = [line.strip() for line in lines if line.startswith("  ")]
    assert commands == [
        "devbridge dev --local",
        "devbridge invoke factorial --payload '{\"num\": 5}'",
        "pytest",
    ]


def test_init_in_a_new_folder_says_to_go_there(here: Path) -> None:
    result = CliRunner().invoke(main, ["init", "a new/one", "--name", "greet"])
    assert result.exit_code == 0
    assert "  cd 'a new/one' && devbridge dev --local" in result.output
    assert 'App("greet")' in (here / "a new" / "one" / "app.py").read_text()


def test_init_leaves_other_files_alone(here: Path) -> None:
    (here / ".git").mkdir()
    (here / "notes.txt").write_text("mine")
    assert CliRunner().invoke(main, ["init"]).exit_code == 0
    assert (here / "notes.txt").read_text() == "mine"


def test_init_refuses_to_overwrite_and_lists_what_is_in_the_way(here: Path) -> None:
    (here / "app.py").write_text("mine")
    (here / "jobs").write_text("a file where a folder must be")
    (here / "README.md").symlink_to("nowhere")
    result = CliRunner().invoke(main, ["init"])
    assert result.exit_code == EXIT_ERROR
    assert "README.md, app.py, jobs would be overwritten" in result.stderr
    assert (here / "app.py").read_text() == "mine"
    assert sorted(entry.name for entry in here.iterdir()) == ["README.md", "app.py", "jobs"]


def test_init_refuses_a_folder_that_is_a_file(here: Path) -> None:
    (here / "taken").write_text("")
    result = CliRunner().invoke(main, ["init", "taken"])
    assert result.exit_code == EXIT_ERROR
    assert "taken would be overwritten" in result.stderr


@pytest.mark.parametrize("name", ["", "Hello", "9lives", "a_b", "-a", "x" * 33, "a b"])
def test_init_refuses_a_name_that_the_app_would_refuse(here: Path, name: str) -> None:
    result = CliRunner().invoke(main, ["init", "--name", name])
    assert result.exit_code == EXIT_APP
    assert "allowed:" in result.stderr
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("hello", "hello"),
        ("My App_2", "my-app-2"),
        ("2024 report", "report"),
        ("...", TEMPLATE_NAME),
        ("日本", TEMPLATE_NAME),
        ("a" * 31 + "-b", "a" * 31),
    ],
)
def test_the_apps_name_is_made_of_the_folders(folder: str, name: str) -> None:
    assert default_name(Path("/srv") / folder) == name


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX's")
def test_nothing_is_left_when_the_files_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = 0
    real = Path.open

    def full_disk(self: Path, mode: str = "r", **options: str) -> object:
        nonlocal opened
        opened += mode == "x"
        if opened == 3:
            raise OSError(28, "No space left on device", str(self))
        return real(self, mode, **options)  # type: ignore[call-overload]

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", full_disk)
        with pytest.raises(DevbridgeError, match="No space left on device"):
            create(tmp_path / "new", "new")
    assert files_below(tmp_path) == {}
