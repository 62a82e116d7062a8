from __future__ import annotations

import json
from pathlib import Path

import pytest

from devbridge.languages.node.manifests import INSTALLED, manifest, names, text


@pytest.mark.parametrize("body", [None, "", "{", "[]", "3", "\ufeff{"])
def test_what_cannot_be_read_says_nothing(body: str | None, tmp_path: Path) -> None:
    if body is not None:
        (tmp_path / "package.json").write_text(body)
    assert manifest(tmp_path) == {}
    assert text(tmp_path, "version") == ""
    assert not names(tmp_path, "zod")


@pytest.mark.parametrize("kind", INSTALLED)
def test_what_is_installed_for_a_project_is_named_there(kind: str, tmp_path: Path) -> None:
    said = {"version": "1.2.3", kind: {"zod": "^4"}, "peerDependencies": {"react": "*"}}
    (tmp_path / "package.json").write_text(json.dumps(said))
    assert text(tmp_path, "version") == "1.2.3"
    assert names(tmp_path, "zod")
    assert not names(tmp_path, "react")
    assert names(tmp_path, "react", (*INSTALLED, "peerDependencies"))


def test_a_list_of_dependencies_names_none(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"dependencies": ["zod"]}')
    assert not names(tmp_path, "zod")
