from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from devbridge.config import (
    Config,
    default_stage,
    find_python,
    find_root,
    load_config,
)
from devbridge.errors import EXIT_APP, AppNotFound, InvalidValue


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "app.py").touch()
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_defaults(app: Path) -> None:
    config = load_config(app=app, environ={})
    assert config == Config(
        root=app,
        stage=default_stage(),
        python=Path(sys.executable),
        concurrency=os.cpu_count() or 1,
    )
    assert not config.local
    assert config.port is None
    assert (config.grace, config.on_broken, config.offline) == (120.0, "fail", "queue")


def test_a_flag_beats_the_environment_beats_devbridge_toml_beats_pyproject(app: Path) -> None:
    (app / "pyproject.toml").write_text(
        '[tool.devbridge]\nstage = "a"\nregion = "a"\nprofile = "a"\ngrace = 1\n'
    )
    (app / "devbridge.toml").write_text('stage = "b"\nregion = "b"\nprofile = "b"\n')
    environ = {"DEVBRIDGE_STAGE": "c", "DEVBRIDGE_REGION": "c"}
    config = load_config({"stage": "d", "region": None}, app=app, environ=environ)
    assert (config.stage, config.region, config.profile, config.grace) == ("d", "c", "b", 1.0)


def test_an_empty_variable_counts_as_not_set(app: Path) -> None:
    assert load_config(app=app, environ={"DEVBRIDGE_STAGE": ""}).stage == default_stage()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("LOCAL", "1", True),
        ("LOCAL", "TRUE", True),
        ("LOCAL", "no", False),
        ("PORT", "4566", 4566),
        ("GRACE", "2.5", 2.5),
        ("CONCURRENCY", "3", 3),
        ("ENDPOINT", "http://127.0.0.1:4566/", "http://127.0.0.1:4566"),
        ("ON_BROKEN", "wait", "wait"),
        ("MAX_LOG_SIZE", "1.5 GB", 3 << 29),
        ("MAX_LOG_SIZE", "64MiB", 64 << 20),
        ("MEMORY_LIMIT", "job", "job"),
        ("MEMORY_LIMIT", "2 GB", 2 << 30),
        ("MEMORY_LIMIT", "off", None),
        ("DEBUG", "true", 2.0),
        ("DEBUG", "0", None),
        ("DEBUG", "no", None),
        ("DEBUG", "0.5", 0.5),
        ("DEBUG", "30", 30.0),
    ],
)
def test_the_environment_s_texts_are_converted(
    app: Path, name: str, text: str, value: object
) -> None:
    config = load_config(app=app, environ={f"DEVBRIDGE_{name}": text})
    assert getattr(config, name.lower()) == value


@pytest.mark.parametrize(
    ("given", "means"),
    [("true", "wait"), ("false", ""), ('"wait"', "wait"), ('"cancel"', "cancel"), ('"1"', "wait")],
)
def test_a_rerun_waits_unless_it_is_to_cancel(app: Path, given: str, means: str) -> None:
    (app / "devbridge.toml").write_text(f"rerun_on_save = {given}\n")
    assert load_config(app=app, environ={}).rerun_on_save == means


def test_what_jobs_are_given_of_the_shell_comes_from_flags_or_files(app: Path) -> None:
    (app / "devbridge.toml").write_text("env = ['DB_URL', 'MODE=a=b', 'MY_*']")
    assert load_config(app=app, environ={"DEVBRIDGE_ENV": "x"}).env == (
        "DB_URL",
        "MODE=a=b",
        "MY_*",
    )
    assert load_config({"env": ("A",)}, app=app, environ={}).env == ("A",)


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("stage = 'Prod'", "a-z, 0-9"),
        ("stage = '-a'", "a-z, 0-9"),
        ("stage = '1x'", "starting with a letter"),
        ("stage = 'a--b'", "single '-'"),
        (f"stage = '{'a' * 33}'", "1 to 32"),
        ("stage = 1", "a-z, 0-9"),
        ("port = 0", "1 to 65535"),
        ("port = 70000", "1 to 65535"),
        ("port = true", "1 to 65535"),
        ("port = 1.5", "1 to 65535"),
        ("port = nan", "1 to 65535"),
        ("port = inf", "1 to 65535"),
        ("concurrency = 0", "1 to 1000"),
        ("grace = -1", "from 0 to 3600"),
        ("grace = nan", "from 0 to 3600"),
        ("grace = 'soon'", "from 0 to 3600"),
        ("local = 'perhaps'", "true or false"),
        ("local = 1", "true or false"),
        ("endpoint = 'localhost:4566'", "http://127.0.0.1:4566"),
        ("endpoint = 'http://h:99999'", "http://127.0.0.1:4566"),
        ("profile = ''", "a text"),
        ("on_broken = 'ignore'", '"fail" or "wait"'),
        ("rerun_on_save = 'kill'", '"wait" or "cancel"'),
        ("max_log_size = '10 KB'", 'from "1 MB" on'),
        ("max_log_size = 5", 'from "1 MB" on'),
        ("memory_limit = 'some'", '"job" (its memory_size)'),
        ("memory_limit = '1 MB'", '"job" (its memory_size)'),
        ("timeout = 'soon'", 'a time from 1 second to 14 days, such as "10s"'),
        ("timeout = '0 seconds'", "a time from 1 second to 14 days"),
        ("timeout = 10", "a time from 1 second to 14 days"),
        ("env = 'DB_URL'", "a list of names"),
        ("env = ['1X']", "NAME, NAME=VALUE"),
        ("env = ['AWS_PROFILE=x']", "do not start with AWS_"),
        ("env = ['DEVBRIDGE_*']", "do not start with AWS_"),
        ("offline = 'drop'", '"queue" or "error" or "cloud"'),
    ],
)
def test_a_bad_value_names_file_key_value_and_what_is_allowed(
    app: Path, line: str, allowed: str
) -> None:
    (app / "devbridge.toml").write_text(line)
    with pytest.raises(InvalidValue) as caught:
        load_config(app=app, environ={})
    key, _, value = line.partition(" = ")
    assert f"{key} is {value}".lower() in caught.value.what.lower()
    assert allowed in caught.value.what
    assert caught.value.where == str(app / "devbridge.toml")
    assert caught.value.exit_code == EXIT_APP


def test_all_that_is_wrong_is_told_at_once(app: Path) -> None:
    (app / "pyproject.toml").write_text("[tool.devbridge]\nstages = 'x'\n")
    (app / "devbridge.toml").write_text("port = 0\n")
    with pytest.raises(InvalidValue) as caught:
        load_config({"grace": -1}, app=app, environ={"DEVBRIDGE_OFFLINE": "x"})
    for part in ("unknown key stages", "port is 0", "--grace is -1", "DEVBRIDGE_OFFLINE is 'x'"):
        assert part in caught.value.what
    for place in ("pyproject.toml [tool.devbridge]", "devbridge.toml", "environment", "flag"):
        assert place in str(caught.value.where)


@pytest.mark.parametrize("name", ["devbridge.toml", "pyproject.toml"])
def test_a_file_that_is_not_toml_is_named_with_the_line(app: Path, name: str) -> None:
    (app / name).write_text("stage = \n")
    with pytest.raises(InvalidValue, match="line 1") as caught:
        load_config(app=app, environ={})
    assert caught.value.where == str(app / name)


def test_a_file_that_is_not_utf_8_is_named(app: Path) -> None:
    (app / "devbridge.toml").write_bytes(b'stage = "\xff"\n')
    with pytest.raises(InvalidValue, match="not TOML"):
        load_config(app=app, environ={})


def test_a_file_that_cannot_be_read_is_named(app: Path) -> None:
    (app / "devbridge.toml").mkdir()
    with pytest.raises(InvalidValue, match="cannot be read"):
        load_config(app=app, environ={})


def test_tool_devbridge_must_be_a_table(app: Path) -> None:
    (app / "pyproject.toml").write_text("[tool]\ndevbridge = 3\n")
    with pytest.raises(InvalidValue, match="allowed is a table"):
        load_config(app=app, environ={})


def test_other_tools_tables_are_no_concern_of_ours(app: Path) -> None:
    (app / "pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n")
    assert load_config(app=app, environ={}).root == app


def test_the_app_is_found_from_a_folder_below_and_by_its_file(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = app / "jobs" / "deep"
    below.mkdir(parents=True)
    assert find_root(below) == app
    assert find_root(app / "app.py") == app
    monkeypatch.chdir(below)
    assert find_root() == app
    assert find_root("..") == app


def test_without_an_app_the_remedy_is_init(tmp_path: Path) -> None:
    with pytest.raises(AppNotFound) as caught:
        find_root(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "devbridge init" in str(caught.value)


@pytest.mark.parametrize(
    ("user", "stage"),
    [
        ("jane", "jane"),
        ("Jane.Doe", "jane-doe"),
        ("ACME\\jane_d", "acme-jane-d"),
        ("__", "dev"),
        ("é", "dev"),
        ("7jane", "jane"),
        ("42", "dev"),
        ("a" * 40, "a" * 32),
        ("a" * 31 + ".b", "a" * 31),
    ],
)
def test_the_default_stage_is_the_user_s_name_made_safe(
    user: str, stage: str, monkeypatch: pytest.MonkeyPatch, app: Path
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: user)
    assert default_stage() == stage
    assert load_config({"stage": default_stage()}, app=app, environ={}).stage == stage


def test_a_machine_without_user_names_has_the_stage_dev(monkeypatch: pytest.MonkeyPatch) -> None:
    def getuser() -> str:
        raise OSError("no username set in the environment")

    monkeypatch.setattr("getpass.getuser", getuser)
    assert default_stage() == "dev"


def test_the_interpreter_is_the_flag_s_then_the_active_one_then_venv_then_ours(
    tmp_path: Path,
) -> None:
    active = {"VIRTUAL_ENV": "/some/venv"}
    assert find_python(tmp_path, None, {}) == Path(sys.executable)
    (tmp_path / ".venv").mkdir()
    assert find_python(tmp_path, None, {}) == tmp_path / ".venv/bin/python"
    assert find_python(tmp_path, None, active) == Path("/some/venv/bin/python")
    assert find_python(tmp_path, "/opt/py/bin/python3", active) == Path("/opt/py/bin/python3")


def test_an_interpreter_by_name_is_looked_up_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python9.9"
    python.symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_python(tmp_path, "python9.9", {}) == python


def test_a_link_to_an_interpreter_stays_the_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "python").symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    assert find_python(tmp_path, "./python", {}) == tmp_path / "python"


def test_the_state_directories_are_private_and_ignored_by_git(app: Path) -> None:
    config = load_config({"stage": "s"}, app=app, environ={})
    config.make_dirs()
    config.make_dirs()
    for directory in (config.state_dir, config.stage_dir, config.logs_dir, config.cloud_dir):
        assert mode(directory) == 0o700
    assert (config.state_dir / ".gitignore").read_text() == "*\n"
    assert config.ledger == app / ".devbridge/s/ledger.sqlite"
