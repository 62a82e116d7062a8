from __future__ import annotations

import sys
from pathlib import Path

from devbridge.constructs.where import Where, caller, here, made_at


def test_the_users_line_is_relative_to_the_apps_folder_where_it_is_below_it() -> None:
    line = sys._getframe().f_lineno + 1
    assert caller() == (Path(__file__).resolve(), line)
    folder = Path(__file__).resolve().parent
    assert str(here(folder)).startswith("test_where.py:")
    assert here(Path("/elsewhere")).file == Path(__file__).resolve().as_posix()
    assert here().file == "test_where.py"


def test_a_line_is_written_as_editors_read_it() -> None:
    assert str(Where("app.py", 3)) == "app.py:3"


def test_what_was_read_from_a_file_is_made_where_it_stands_there(tmp_path: Path) -> None:
    with made_at(Where("jobs/a.py", 3)):
        assert here(tmp_path) == here() == Where("jobs/a.py", 3)
    assert here(tmp_path).file.endswith("test_where.py")
