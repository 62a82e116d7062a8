from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Function
from devbridge.constructs.app import loading
from devbridge.errors import BuildError
from devbridge.languages.python.broken import broken_asset


@pytest.fixture
def handler(tmp_path: Path) -> Any:
    """What is deployed in place of a function that cannot be packed."""
    (tmp_path / "api").mkdir()
    (tmp_path / "api/start.py").write_text("def run(event, context): ...\n")
    with loading(tmp_path):
        function = Function(App("demo"), "start", handler="api/start.run")
    error = BuildError('it\'s "broken" {at} line 3', where="api/start.py", remedy="mend it")
    asset = broken_asset(function, error)
    with asset.open() as file, zipfile.ZipFile(io.BytesIO(file.read())) as archive:
        assert archive.namelist() == ["api/start.py"]
        found: dict[str, Any] = {}
        exec(archive.read("api/start.py"), found)  # noqa: S102 - our own
    return found["run"]


def test_an_http_call_is_answered_with_the_error(handler: Any) -> None:
    answer = handler({"requestContext": {}}, None)
    assert answer["statusCode"] == 500
    assert answer["headers"]["content-type"].startswith("text/plain")
    assert 'it\'s "broken" {at} line 3' in answer["body"]
    assert "mend it" in answer["body"]


@pytest.mark.parametrize("event", [{}, None, "text", {"Records": []}])
def test_any_other_call_fails_with_the_error(handler: Any, event: object) -> None:
    with pytest.raises(RuntimeError, match="is broken: it's"):
        handler(event, None)
