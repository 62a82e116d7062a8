from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devbridge.constructs import App
from devbridge.constructs.app import loading


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for file, text in {
        "jobs/a.py": "def handler(payload): ...\n",
        "work/a.ts": "export const handler = async () => 1;\n",
        "work/steps.py": "def handler(payload):\n    yield 1\n\nwrapped = print(handler)\n",
        "api/start.py": "def handler(event, context): ...\nget = handler\n",
        "api/auth.py": "def handler(event, context): ...\n",
        "image/Dockerfile": "FROM scratch\n",
    }.items():
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.fixture
def app(root: Path) -> Iterator[App]:
    with loading(root):
        yield App("demo")
