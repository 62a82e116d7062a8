from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Function
from devbridge.constructs.app import loading
from devbridge.errors import BuildError
from devbridge.languages.node.broken import broken_asset
from tests.node import NODE


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """What is deployed in place of a function that cannot be packed."""
    (tmp_path / "api").mkdir()
    (tmp_path / "api/start.ts").write_text("export const run = async () => {}\n")
    with loading(tmp_path):
        function = Function(App("demo"), "s", handler="api/start.run", runtime="nodejs24.x")
    error = BuildError('it\'s "broken" {at} `line` ${3}', where="api/start.ts", remedy="mend it")
    with broken_asset(function, error).open() as file, zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["api/start.mjs"]
        archive.extractall(tmp_path / "out")
    return tmp_path / "out" / "api" / "start.mjs"


def called(code: Path, event: object) -> Any:
    script = f"""
        const {{ run }} = await import({json.dumps(str(code))});
        const answer = await run({json.dumps(event)}).catch((error) => error.message);
        console.log(JSON.stringify(answer));
    """
    command = [NODE, "--input-type=module", "--eval", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_http_call_is_answered_with_the_error(code: Path) -> None:
    answer = called(code, {"requestContext": {}})
    assert answer["statusCode"] == 500
    assert answer["headers"]["content-type"].startswith("text/plain")
    assert 'it\'s "broken" {at} `line` ${3}' in answer["body"]
    assert "mend it" in answer["body"]


@pytest.mark.parametrize("event", [{}, None, "text", {"Records": []}])
def test_any_other_call_fails_with_the_error(code: Path, event: object) -> None:
    assert called(code, event).startswith("Function 's' is broken: it's")
