"""`only_own.mjs`, in each node that this machine has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from devbridge.emulator.inside import nodes
from devbridge.emulator.inside.nodes import Node
from devbridge.emulator.nodes import variable

HOOK = Path(nodes.__file__).parent / "node" / "only_own.mjs"
PROBE = """\
import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
const require = createRequire(import.meta.url);
const found = {};
for (const name of ["outer", "@s/outer/deep.js", "inner", "node:fs", "../above.mjs"]) {
  found[name] = [
    await import(name).then(() => "found", (error) => error.code),
    (() => { try { require(name); return "found"; } catch (error) { return error.code; } })(),
  ];
}
found.message = await import("@s/outer/deep.js").catch((error) => error.message);
console.log(JSON.stringify(found));
"""


def found() -> list[Node]:
    """One of each major."""
    nodes.take({**variable(Path("/none/bin/python")), **os.environ})
    every = {node.major: node for major in (20, 22, 24) if (node := nodes.find(major))}
    nodes.take({})
    return [every[major] for major in sorted(every)]


@pytest.fixture(params=found(), ids=lambda node: f"node-{node.major}")
def node(request: pytest.FixtureRequest) -> Node:
    chosen: Node = request.param
    return chosen


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a package, below one that has others."""
    root = (tmp_path / "a b+c%20").resolve()
    for folder, name in (
        *((tmp_path, "outer/index.js"), (tmp_path, "@s/outer/deep.js")),
        (root, "inner/index.js"),
    ):
        file = folder / "node_modules" / name
        file.parent.mkdir(parents=True)
        file.write_text("module.exports = 1")
    (tmp_path / "above.mjs").write_text("export default 1")
    (root / "a.mjs").write_text(PROBE)
    return root


def run(node: Node, file: Path, root: Path) -> dict[str, object]:
    hook = f"{HOOK.as_uri()}?root={quote(str(root))}"
    done = subprocess.run(
        [node.path, "--import", hook, file], capture_output=True, text=True, check=True
    )
    said: dict[str, object] = json.loads(done.stdout)
    return said


def test_code_in_a_folder_finds_no_packages_outside_of_it(node: Node, root: Path) -> None:
    said = run(node, root / "a.mjs", root)
    missing = ["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"]
    assert (said["outer"], said["@s/outer/deep.js"]) == (missing, missing)
    assert said["inner"] == said["node:fs"] == ["found", "found"]
    assert said["message"] == f"Cannot find package '@s/outer' imported from {root / 'a.mjs'}"
    above = said["../above.mjs"]
    assert isinstance(above, list)
    assert above[0] == "found"


def test_code_elsewhere_finds_what_it_always_finds(node: Node, root: Path) -> None:
    elsewhere = root.parent / "b.mjs"
    shutil.copy(root / "a.mjs", elsewhere)
    said = run(node, elsewhere, root)
    assert said["outer"] == said["@s/outer/deep.js"] == ["found", "found"]
