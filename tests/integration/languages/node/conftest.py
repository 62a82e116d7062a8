from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from devbridge.folders import cache_dir
from devbridge.languages.node.bundler import DevBundler
from devbridge.languages.node.bundles import Bundles
from tests.npm import project

CACHE = cache_dir()

Write = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files into an app's folder, and returns that."""

    def written(files: Mapping[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return written


@pytest.fixture
def bundles() -> Iterator[Bundles]:
    made = Bundles(os.environ, CACHE)
    yield made
    made.close()


@pytest.fixture
def bundler(tmp_path: Path) -> Iterator[DevBundler]:
    made = DevBundler(tmp_path / ".devbridge" / "bundles", CACHE, os.environ)
    yield made
    made.close()


@pytest.fixture(scope="session")
def installed() -> Path:
    """``node_modules`` with a large package of ES modules, and a large one of CommonJS."""
    packages = {"zod": "4.6.7", "lodash": "4.18.1", "@aws-sdk/client-dynamodb": "3.1169.0"}
    return project("bundles", packages) / "node_modules"
