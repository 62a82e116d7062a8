from __future__ import annotations

from pathlib import Path

from devbridge.languages.node.bundles import Asked
from devbridge.languages.node.graph import ENTRY, Graph
from devbridge.languages.node.loaded import Left
from devbridge.languages.node.read_files import read_files, settings_of


def test_files_are_told_by_whose_they_are(tmp_path: Path) -> None:
    root = tmp_path / "app"
    names = ("jobs/a.ts", "../linked/b.ts", "node_modules/x/i.js")
    inputs = {n: {"bytes": 1, "format": "esm", "imports": []} for n in (ENTRY, *names)}
    left = Left(files=frozenset({f"{root}/node_modules/y/i.js"}))
    told = read_files(Asked(root, "jobs/a.handler"), Graph({"inputs": inputs}, root), left)
    assert told["userFiles"] == [f"{root}/jobs/a.ts"]
    assert told["own"] == [f"{tmp_path}/linked/b.ts"]
    assert told["installed"] == [f"{root}/node_modules/{n}/i.js" for n in ("x", "y")]
    assert told["recorded"] is True


def test_what_says_how_files_are_bundled_is_watched_too(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "node_modules" / "@tsconfig").mkdir(parents=True)
    for name, text in {
        "jobs/tsconfig.json": '// mine\n{"extends": ["../base", "@tsconfig/x.json"]}',
        "base.json": '{"extends": "./base.json"}',
        "node_modules/@tsconfig/x.json": "{}",
        "package.json": "{}",
        "p.mjs": "",
        "custom.json": "{}",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "jobs/node_modules").symlink_to(tmp_path / "node_modules")
    asked = Asked(tmp_path, "jobs/a.handler", {"plugins": "p.mjs", "tsconfig": "custom.json"})
    found = settings_of(asked, [f"{tmp_path}/jobs/a.ts"])
    assert {Path(path).relative_to(tmp_path).as_posix() for path in found} == {
        "jobs/tsconfig.json",
        "base.json",
        "jobs/node_modules/@tsconfig/x.json",
        "package.json",
        "p.mjs",
        "custom.json",
    }
