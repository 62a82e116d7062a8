from __future__ import annotations

import pytest

from devbridge.sources.handlers import parse_handler


@pytest.mark.parametrize(
    "path", ["jobs/a.handler", "a.b", "deep/er/my-file.run_it", "jobs/__init__.handler"]
)
def test_a_handler_path_is_a_file_and_a_function(path: str) -> None:
    handler = parse_handler(path)
    assert handler is not None
    assert str(handler) == path


@pytest.mark.parametrize(
    "path",
    ["handler", "/jobs/a.h", "../a.h", "jobs/a.py.h", "jobs\\a.h", "a.1b", "a.", ".b", "", None, 3],
)
def test_other_paths_are_refused(path: object) -> None:
    assert parse_handler(path) is None
