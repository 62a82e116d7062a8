"""What devbridge was told to do: flags over environment over files over defaults, checked once.

The files are ``devbridge.toml`` and the table ``[tool.devbridge]`` of ``pyproject.toml``, in the
folder of app.py; where both set a key, ``devbridge.toml`` counts. The environment's names are the
keys in capitals behind ``DEVBRIDGE_``, e.g. ``DEVBRIDGE_STAGE``.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

from devbridge import checked
from devbridge.durations import OF_ATTEMPTS
from devbridge.environment import inherit_problem
from devbridge.errors import AppNotFound, InvalidValue
from devbridge.folders import STATE_DIR, private_dir, refuse_foreign

APP_FILE: Final = "app.py"
DEBUG_WAIT: Final = 2.0
"""Seconds that a run waits for a debugger unless somebody says how many."""
STAGE: Final = re.compile(r"(?=.{1,32}\Z)[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
STAGE_ALLOWED: Final = "1 to 32 of a-z, 0-9 and single '-', starting with a letter, the last no '-'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that was decided before the work began. Made by `load_config`."""

    root: Path
    """The app's folder: the one with app.py."""
    state: Path | None = None  # in place of .devbridge: a test session's own folder
    stage: str
    python: Path
    """The app's own interpreter, whose packages its handlers import; not run yet."""
    local: bool = False
    endpoint: str | None = None
    port: int | None = None
    """Where the embedded cloud shall listen; None: where it last did, or any free port."""
    profile: str | None = None
    region: str | None = None
    verbose: bool = False
    concurrency: int = 1
    """Runs at the same time, at most."""
    grace: float = 120.0
    """Seconds between SIGTERM and SIGKILL when a run is stopped."""
    on_broken: str = "fail"
    """What an invocation does while the saved code is broken: ``fail`` or ``wait``."""
    rerun_on_save: str = ""
    """Whether a save runs the last run again; of one that goes on: ``wait`` or ``cancel``."""
    offline: str = "queue"
    """What the stub does when no daemon is connected: ``queue``, ``error`` or ``cloud``."""
    schedules: bool = False
    """The clock starts live jobs, and calls functions, too."""
    console: bool = True
    """`devbridge dev` has a console in the browser."""

    max_log_size: int = 64 << 20
    """Bytes of one run's log; the newest are kept."""
    env: tuple[str, ...] = ()
    """What live jobs get besides: ``NAME`` of the shell's variables, or ``NAME=VALUE``."""
    timeout: timedelta | None = None
    """How long an attempt of any live job may take; None: what the job says."""
    debug: float | None = None
    """Live runs can be debugged, and wait so many seconds for a debugger; None: they cannot."""
    launch_json: bool = False
    """Write into `.vscode/launch.json` how VS Code attaches to live runs."""
    memory_limit: int | str | None = None
    """Bytes of memory that a job's process may have; ``job``: the job's memory_size; None: any."""

    @property
    def state_dir(self) -> Path:
        """``.devbridge``, below the app's folder: all that devbridge keeps of the app."""
        return self.state or self.root / STATE_DIR

    @property
    def stage_dir(self) -> Path:
        """What is kept of this stage."""
        return self.state_dir / self.stage

    @property
    def lock(self) -> Path:
        """Names who runs or changes the stage from here: see `devbridge.runs.lock`."""
        return self.stage_dir / "daemon.lock"

    @property
    def schemas(self) -> Path:
        """What payloads of the stage's jobs are checked with where no zip has it: live jobs,
        `devbridge bind` and `devbridge invoke`."""
        return self.stage_dir / "schemas.json"

    @property
    def job_names(self) -> Path:
        """Which jobs the app had when it was last deployed from here, for completion."""
        return self.stage_dir / "jobs.json"

    @property
    def later_jobs(self) -> Path:
        """Which of them took runs for a later time."""
        return self.stage_dir / "later.json"

    @property
    def left_out(self) -> Path:
        """What the last deployment of the stage from here has left out of its zips."""
        return self.stage_dir / "left-out.json"

    @property
    def bundles(self) -> Path:
        """Code that is made of the app's, for live workers."""
        return self.stage_dir / "bundles"

    @property
    def fresh_jobs(self) -> Path:
        """Which live jobs get fresh interpreters, and why, since the last `devbridge dev` began."""
        return self.stage_dir / "fresh_jobs.json"

    @property
    def handlers(self) -> Path:
        """Which live handlers were loaded again, or cannot be, since `devbridge dev` began."""
        return self.stage_dir / "handlers.json"

    @property
    def debug_port(self) -> Path:
        """At which port debuggers of the stage's runs were last served."""
        return self.stage_dir / "debug-port"

    @property
    def secrets_mark(self) -> Path:
        """A file that is touched when a secret of the stage has got another value."""
        return self.stage_dir / "marks" / "secrets"

    @property
    def ledger(self) -> Path:
        """The SQLite file with the stage's live runs."""
        return self.stage_dir / "ledger.sqlite"

    @property
    def logs_dir(self) -> Path:
        """What live runs have printed, one file a run."""
        return self.stage_dir / "logs"

    @property
    def cloud_dir(self) -> Path:
        """The embedded cloud's files: one cloud for all stages of the folder."""
        return self.state_dir / "cloud"

    @property
    def _dirs(self) -> tuple[Path, ...]:
        return (self.state_dir, self.stage_dir, self.logs_dir, self.cloud_dir)

    def check_dirs(self) -> None:
        """
        Raises:
            FolderError: one of the state directories is a link, or another user's, or no folder.
        """
        for directory in self._dirs:
            refuse_foreign(directory)

    def make_dirs(self) -> None:
        """Create the state directories, open to this user only and ignored by git.

        Raises:
            FolderError: one of them is a link, or another user's, or no folder.
            OSError: one cannot be made; the command line explains it (`devbridge.folders`).
        """
        for directory in self._dirs:
            refuse_foreign(directory)
            private_dir(directory)
        ignore = self.state_dir / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")


def _memory_limit(value: object) -> int | str | None:
    if value in ("job", "off"):
        return None if value == "off" else "job"
    return checked.size(64 << 20, '"job" (its memory_size), a size from "64 MB" on, or "off"')(
        value
    )


def _debug(value: object) -> float | None:
    with contextlib.suppress(checked.NotAllowedError):
        return checked.within(0.1, 3600)(value)
    with contextlib.suppress(checked.NotAllowedError):
        return DEBUG_WAIT if checked.flag(value) else None
    raise checked.NotAllowedError("true or false, or a number of seconds from 0.1 to 3600")


def _stage(value: object) -> str:
    if not isinstance(value, str) or not STAGE.fullmatch(value):
        raise checked.NotAllowedError(STAGE_ALLOWED)
    return value


def _url(value: object) -> str:
    allowed = "a URL like http://127.0.0.1:4566"
    try:
        parts = urlsplit(checked.text(value))
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except (checked.NotAllowedError, ValueError):
        raise checked.NotAllowedError(allowed) from None
    if not usable:
        raise checked.NotAllowedError(allowed)
    return str(value).rstrip("/")


def _variables(value: object) -> tuple[str, ...]:
    if problem := inherit_problem(value, values=True):
        raise checked.NotAllowedError(problem[1])
    return tuple(cast(Sequence[str], value))


_CHECKS: Final[Mapping[str, Callable[[object], Any]]] = {
    "stage": _stage,
    "local": checked.flag,
    "endpoint": _url,
    "port": checked.whole(1, 65535),
    "profile": checked.text,
    "region": checked.text,
    "verbose": checked.flag,
    "python": checked.text,
    "concurrency": checked.whole(1, 1000),
    "grace": checked.within(0, 3600),
    "on_broken": checked.one_of("fail", "wait"),
    "rerun_on_save": checked.one_of("wait", "cancel", true="wait"),
    "offline": checked.one_of("queue", "error", "cloud"),
    "schedules": checked.flag,
    "console": checked.flag,
    "max_log_size": checked.size(1 << 20, 'a size from "1 MB" on, such as "64 MB"'),
    "timeout": checked.time(OF_ATTEMPTS),
    "memory_limit": _memory_limit,
    "debug": _debug,
    "launch_json": checked.flag,
    "env": _variables,
}
SETTINGS: Final = frozenset(_CHECKS)
"""The keys that flags, environment and files may set."""


def load_config(
    flags: Mapping[str, object] | None = None,
    *,
    app: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Decide every setting: `flags` (None means: not given) > environment > files > defaults.

    `app` is the app's folder, or its app.py, or a folder below it (default: the current one).

    Raises:
        AppNotFound: there is no app.py there, nor in a folder above.
        InvalidValue: an unknown key or a value that is not allowed; the error lists all of them.
        FolderError: the app's `.devbridge` is a link, or another user's, or no folder.
    """
    config = config_of(find_root(app), flags or {}, os.environ if environ is None else environ)
    config.check_dirs()
    return config


def config_of(root: Path, flags: Mapping[str, object], environ: Mapping[str, str]) -> Config:
    """As `load_config`, for a folder that need not have an app.py.

    Raises:
        InvalidValue: as `load_config`.
    """
    given: dict[str, object] = {}
    problems: list[tuple[str, str]] = []
    for where, values in (
        *_files(root),
        ("environment", _from_environment(environ)),
        ("flag", {key: value for key, value in flags.items() if value is not None}),
    ):
        for key, value in values.items():
            check = _CHECKS.get(key)
            if check is None:
                problems.append((where, f"unknown key {key}; allowed are {', '.join(_CHECKS)}"))
                continue
            try:
                given[key] = check(value)
            except checked.NotAllowedError as bad:
                name = {
                    "environment": f"DEVBRIDGE_{key.upper()}",
                    "flag": f"--{key.replace('_', '-')}",
                }.get(where, key)
                problems.append((where, f"{name} is {value!r}; allowed is {bad}"))
    if problems:
        raise InvalidValue(
            "; ".join(problem for _, problem in problems),
            where=", ".join(dict.fromkeys(where for where, _ in problems)),
            remedy="correct the value, or leave it out for the default",
        )
    python = given.pop("python", None)
    return Config(
        root=root,
        python=find_python(root, python if isinstance(python, str) else None, environ),
        **{"stage": default_stage(), "concurrency": os.cpu_count() or 1, **given},  # type: ignore[arg-type]
    )


def find_root(start: str | Path | None = None) -> Path:
    """The folder of app.py: the one given (default: the current one) or the nearest above it.

    Raises:
        AppNotFound: there is none.
    """
    folder = Path(start) if start is not None else Path.cwd()
    if folder.name == APP_FILE and folder.is_file():
        folder = folder.parent
    folder = folder.resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / APP_FILE).is_file():
            return candidate
    raise AppNotFound(
        "there is no app.py here, nor in a folder above",
        where=str(folder),
        remedy="go to the app's folder, name it with --app, or create an app: devbridge init",
    )


def find_python(root: Path, flag: str | None, environ: Mapping[str, str]) -> Path:
    """The app's interpreter: --python > VIRTUAL_ENV > <root>/.venv > devbridge's own.

    It is not run, and need not exist: `devbridge.interpreter.verify_interpreter` checks that.
    A symbolic link is kept as it is: it is how Python knows that it is in an environment.
    """
    if flag is not None:
        import shutil  # in its place, as tomllib below: every command reads the settings

        found = shutil.which(flag) if os.sep not in flag else None
        return Path(found) if found else Path(os.path.abspath(Path(flag).expanduser()))  # noqa: PTH100
    if active := environ.get("VIRTUAL_ENV"):
        return Path(active) / "bin" / "python"
    if (root / ".venv").is_dir():
        return root / ".venv" / "bin" / "python"
    return Path(sys.executable)


def default_stage() -> str:
    """The user's name with what a stage may not have replaced: ``Jane.Doe`` -> ``jane-doe``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such user: a bare container
        user = ""
    safe = re.sub(r"[^a-z0-9]+", "-", user.lower()).lstrip("-0123456789")[:32].strip("-")
    return safe or "dev"


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    names = {key: f"DEVBRIDGE_{key.upper()}" for key in _CHECKS if key != "env"}
    return {key: environ[name] for key, name in names.items() if environ.get(name)}


def _files(root: Path) -> list[tuple[str, dict[str, object]]]:
    """What the files say, the weaker first."""
    pyproject, own = root / "pyproject.toml", root / "devbridge.toml"
    tool = _read(pyproject).get("tool", {})
    table = tool.get("devbridge", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise InvalidValue(
            f"tool.devbridge is {table!r}; allowed is a table",
            where=str(pyproject),
            remedy="write [tool.devbridge] and the keys below it",
        )
    return [(f"{pyproject} [tool.devbridge]", table), (str(own), _read(own))]


def _read(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InvalidValue(
            f"cannot be read: {error.strerror}", where=str(path), remedy="make it readable"
        ) from error
    import tomllib

    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidValue(f"not TOML: {error}", where=str(path), remedy="correct it") from error
