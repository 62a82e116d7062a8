from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from devbridge import errors
from devbridge.cli import COMMANDS, main
from devbridge.config import load_config
from devbridge.errors import EXIT_NOT_WRITTEN, FolderError
from devbridge.folders import (
    cache_dir,
    explained,
    from_here,
    has_file,
    home,
    private_dir,
    private_file,
    refuse_foreign,
    rotated_log,
    write_private,
)

ARGUMENTS = {
    "init": ("new",),
    "invoke": ("j", "--payload", "1"),
    "logs": ("0",),
    "status": ("0",),
    "result": ("0",),
    "rerun": ("0",),
    "completion": ("bash",),
    "wait": ("0",),
    "cancel": ("0",),
    "secrets": ("list",),
    "dlq": ("list",),
    "trigger": ("j",),
    "bind": ("--", "true"),
    "cloud": ("start",),
    "console": ("--no-browser",),
    "deploy": ("--yes",),
    "remove": ("--yes",),
}
LOCAL = frozenset(COMMANDS) - {"init", "completion"}
"""The commands of an app."""
NAMED = frozenset(
    value for name, value in vars(errors).items() if name.startswith("EXIT_") and value
)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "app"
    (root / "jobs").mkdir(parents=True)
    (root / "app.py").write_text(
        "from devbridge import App, Job\n\napp = App('demo')\n"
        "Job(app, 'j', handler='jobs/j.handler')\n"
    )
    (root / "jobs" / "j.py").write_text("def handler(payload): ...\n")
    monkeypatch.chdir(root)
    monkeypatch.setenv("DEVBRIDGE_STAGE", "ann")
    return root


def arguments(command: str) -> list[str]:
    given = list(ARGUMENTS.get(command, ()))
    if command not in LOCAL:
        return [command, *given]
    where = 1 if command in ("cloud", "dlq", "secrets") else 0
    return [command, *given[:where], "--local", *given[where:]]


def a_file(app: Path) -> None:
    (app / ".devbridge").write_text("not a folder")


def a_link(app: Path) -> None:
    (app.parent / "elsewhere").mkdir()
    (app / ".devbridge").symlink_to(app.parent / "elsewhere")


def a_link_to_nothing(app: Path) -> None:
    (app / ".devbridge").symlink_to(app.parent / "nowhere")


def a_stage_that_is_a_link(app: Path) -> None:
    (app / ".devbridge").mkdir()
    (app / ".devbridge" / "ann").symlink_to(app.parent)


def another_users(app: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to another user")
    (app / ".devbridge").mkdir()
    os.chown(app / ".devbridge", 12345, 12345)


FOREIGN: tuple[Callable[[Path], None], ...] = (
    a_file,
    a_link,
    a_link_to_nothing,
    a_stage_that_is_a_link,
    another_users,
)


@pytest.mark.parametrize(
    ("path", "there"), [("app.py", True), ("jobs", False), ("x" * 5000, False), ("a\0b", False)]
)
def test_whether_a_file_is_there_can_be_asked_of_any_text(
    app: Path, path: str, there: bool
) -> None:
    assert has_file(app, path) is there


@pytest.mark.parametrize("situation", FOREIGN)
@pytest.mark.parametrize("command", sorted(LOCAL))
def test_no_command_uses_a_state_folder_that_is_not_the_users_own(
    app: Path, situation: Callable[[Path], None], command: str
) -> None:
    situation(app)
    result = CliRunner().invoke(main, arguments(command))
    assert not list(app.parent.glob("elsewhere/*"))
    if command == "doctor":
        assert result.exit_code == 1
        assert re.search("FAIL  state .*devbridge's own folder ", result.stdout)
        return
    assert result.exit_code == EXIT_NOT_WRITTEN, result.output
    assert result.stderr.startswith("error: devbridge's own folder ")
    assert f"  where: {app / '.devbridge'}" in result.stderr
    assert "  to do: " in result.stderr


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_no_command_shows_a_traceback_where_nothing_can_be_written(
    app: Path, command: str, locked: Callable[[Path], list[str]]
) -> None:
    """The app's folder, the home folder and with it the cache, and TMPDIR."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(app.parent),
        "TMPDIR": str(app / "missing"),
        "DEVBRIDGE_STAGE": "ann",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    given = [*locked(app), sys.executable, "-m", "devbridge", *arguments(command)]
    done = subprocess.run(
        given, cwd=app, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert "Traceback" not in done.stderr + done.stdout
    if done.returncode:
        assert done.returncode in NAMED
        assert "error: " in done.stderr or done.stdout
    if command in ("dev", "deploy", "cloud", "types"):
        assert done.returncode != 0
    if command in ("dev", "deploy", "cloud"):
        assert done.returncode == EXIT_NOT_WRITTEN, done.stderr
        assert f"  where: {app / '.devbridge'}" in done.stderr
        assert "  to do: " in done.stderr


@pytest.fixture
def locked() -> Iterator[Callable[[Path], list[str]]]:
    """Makes a folder and the one above unwritable, for root too: the command's prefix."""
    closed: list[Path] = []

    def lock(folder: Path) -> list[str]:
        closed.extend((folder, folder.parent))
        for path in closed:
            path.chmod(0o500)
        if os.geteuid() != 0:
            return []
        prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]
        try:
            works = subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode
        except FileNotFoundError:
            works = 1
        if works != 0:
            pytest.skip("root may write anywhere, and there is no setpriv to forbid it")
        return prefix

    yield lock
    for path in closed:
        path.chmod(0o700)


@pytest.mark.parametrize("missing", ["/proc/none", "/dev/null/x"])
def test_a_home_folder_that_is_not_there_is_one_error_that_names_the_setting(
    app: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.delenv("DEVBRIDGE_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", missing)
    result = CliRunner().invoke(main, ["dev", "--local"])
    assert result.exit_code == EXIT_NOT_WRITTEN, result.output
    assert f"error: {missing}" in result.stderr
    assert "cannot be used: " in result.stderr
    assert "DEVBRIDGE_CACHE_DIR" in result.stderr


def test_a_user_without_a_home_is_told_which_variable_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("DEVBRIDGE_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 54321)
    assert home() is None
    with pytest.raises(FolderError, match="no home folder") as caught:
        cache_dir()
    assert "DEVBRIDGE_CACHE_DIR" in str(caught.value.remedy)


def test_a_cache_that_is_a_file_is_named_with_the_setting(
    app: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("")
    monkeypatch.setenv("DEVBRIDGE_CACHE_DIR", str(tmp_path / "cache"))
    result = CliRunner().invoke(main, ["cloud", "start"])
    assert result.exit_code == EXIT_NOT_WRITTEN, result.output
    assert str(tmp_path / "cache") in result.stderr
    assert "DEVBRIDGE_CACHE_DIR" in result.stderr


def test_a_folder_of_ones_own_and_one_that_is_not_there_are_taken(app: Path) -> None:
    refuse_foreign(app)
    refuse_foreign(app / "missing")
    assert load_config(app=app).root == app


@pytest.mark.parametrize(
    ("error", "what", "remedy"),
    [
        (OSError(errno.EROFS, "Read-only file system", "/a/.devbridge"), "Read-only", "state"),
        (OSError(errno.ENOENT, "No such file", "/a/.devbridge/x"), "No such", "deleted meanwhile"),
        (OSError(errno.ENOSPC, "No space left on device", "/a/x"), "No space", "make room"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/a/x"), "quota", "make room"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many", "ulimit -n"),
        (OSError(errno.EACCES, "Permission denied", b"/a/x"), "/a/x", "let this user"),
        (FileNotFoundError(2, "No usable temporary directory found in ['/t']"), "temporary", "TMP"),
    ],
)
def test_an_error_of_the_system_says_what_and_what_to_do(
    error: OSError, what: str, remedy: str
) -> None:
    told = explained(error)
    assert told is not None
    assert what in told.what
    assert remedy in str(told.remedy)


def test_an_error_that_is_of_no_file_is_not_explained() -> None:
    assert explained(ConnectionRefusedError(errno.ECONNREFUSED, "refused")) is None


def test_the_cache_is_where_the_platform_keeps_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEVBRIDGE_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/jane")
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_dir() == Path("/home/jane/.cache/devbridge")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_dir() == Path("/home/jane/Library/Caches/devbridge")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_dir() == Path("/caches/devbridge")
    monkeypatch.setenv("DEVBRIDGE_CACHE_DIR", "~/own")
    assert cache_dir() == Path("/home/jane/own")


def test_a_directory_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    directory = tmp_path / "d"
    directory.mkdir(mode=0o755)
    assert _mode(private_dir(directory)) == 0o700


def test_a_file_that_was_open_to_others_is_closed_and_emptied(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("old")
    file.chmod(0o644)
    with os.fdopen(private_file(file), "w") as writing:
        writing.write("n")
    assert (_mode(file), file.read_text()) == (0o600, "n")


def test_a_reader_of_a_private_file_sees_the_old_text_or_the_new_and_no_others_do(
    tmp_path: Path,
) -> None:
    file = tmp_path / "f"
    write_private(file, "old")
    with file.open() as reading:
        write_private(file, "new")
        assert reading.read() == "old"
    assert (_mode(file), file.read_text()) == (0o600, "new")
    assert list(tmp_path.iterdir()) == [file]


def test_the_older_part_of_a_log_is_beside_it() -> None:
    assert rotated_log(Path("/logs/a.log")) == Path("/logs/a.log.1")


def test_a_path_is_named_as_the_shell_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert from_here(tmp_path / "app" / "a.log") == "app/a.log"
    assert from_here(tmp_path.parent / "a.log") == f"{tmp_path.parent}/a.log"
    monkeypatch.chdir("/")
    assert from_here(Path("/aws/codebuild/a")) == "/aws/codebuild/a"


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
