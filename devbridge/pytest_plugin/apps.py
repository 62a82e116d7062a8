"""The app under test: where its app.py is, and what it makes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from devbridge.config import APP_FILE, find_root
from devbridge.constructs import App
from devbridge.constructs.load import load_app
from devbridge.errors import AppNotFound
from devbridge.names import OF_TESTS

SETTING: Final = "devbridge_app"


def find(config: pytest.Config) -> Path:
    """The folder of the app: the one that the setting names, or the root folder of the tests, or
    the nearest one with an app.py above the folder where pytest was started.

    Raises:
        AppNotFound: there is no app.py.
    """
    beside = config.inipath.parent if config.inipath else config.rootpath
    if named := str(config.getini(SETTING)):
        folder = beside / Path(named).expanduser()
        folder = folder.parent if folder.name == APP_FILE else folder
        if (folder / APP_FILE).is_file():
            return folder.resolve()
        raise AppNotFound(
            f"there is no {APP_FILE} in {folder}",
            where=f"{SETTING} = {named}, in {config.inipath or 'the command line'}",
            remedy=f"name the folder of {APP_FILE}, relative to that file",
        )
    if (config.rootpath / APP_FILE).is_file():
        return config.rootpath.resolve()
    started_in = config.invocation_params.dir
    with contextlib.suppress(AppNotFound):
        return find_root(started_in)
    raise AppNotFound(
        f"there is no {APP_FILE} for the tests",
        where=" nor ".join(dict.fromkeys(f"{each}" for each in (config.rootpath, started_in)))
        + " or above",
        remedy=f'name its folder in pytest\'s configuration: {SETTING} = "path/of/the/app"'
        " (in an .ini file without the quotes)",
    )


def load(root: Path) -> App:
    """The app. What tests have imported of its modules stays theirs.

    Raises:
        AppError: as `devbridge.constructs.load.load_app`.
    """
    with _modules_kept():
        return load_app(root, OF_TESTS, lenient=True)


@contextlib.contextmanager
def _modules_kept() -> Iterator[None]:
    # To load the app anew, all that is imported below its folder is forgotten: tests, too.
    before = dict(sys.modules)
    try:
        yield
    finally:
        sys.modules.update(before)
