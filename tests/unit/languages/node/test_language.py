from __future__ import annotations

import sys
from pathlib import Path

import pytest

from devbridge.constructs import App, Function, Job
from devbridge.constructs.app import loading
from devbridge.languages.base import Asking, Packing, Workplace
from devbridge.languages.node import tools
from devbridge.languages.node.language import Node
from devbridge.languages.node.launcher import NodeLauncher
from devbridge.languages.node.packing import NodePacker
from devbridge.languages.node.tools import Node as FoundNode


@pytest.fixture
def app(tmp_path: Path) -> App:
    (tmp_path / "a.ts").write_text("export const handler = () => 1\n")
    with loading(tmp_path):
        app = App("demo")
        Job(app, "a", handler="a.handler", runtime="nodejs24.x", install=["sharp"])
        Function(app, "f", handler="a.handler", runtime="nodejs22.x")
    return app


def place(root: Path, said: list[str]) -> Workplace:
    return Workplace(
        root=root,
        python=Path(sys.executable),
        environment={},
        bundles=root / "bundles",
        cache=root / "cache",
        say=said.append,
        details=pytest.fail,
        fresh_jobs=root / "fresh.json",
    )


def test_a_deployment_is_packed_by_a_packer_of_its_own(tmp_path: Path) -> None:
    schemas = {"a": {"type": "integer"}}
    packing = Packing(
        python=Path("python"), version="3.13", cache=tmp_path, local=True, schemas=schemas
    )
    packer = Node().packer(packing)
    assert isinstance(packer, NodePacker)
    assert (packer.local, packer.schemas) == (True, schemas)


def test_what_is_installed_lies_beside_the_bundle_and_not_in_the_environment(
    app: App, tmp_path: Path
) -> None:
    packing = Packing(python=Path("python"), version="3.13", cache=tmp_path)
    assert Node().environment(app.of_type(Job)[0], packing) == {}


async def test_a_node_that_runs_in_place_of_a_runtimes_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = FoundNode(Path("/bin/node"), "22.1.0", "PATH", "node 22.1.0 runs in place of 24")
    monkeypatch.setattr(tools, "find_node", lambda *_: found)
    said: list[str] = []
    launcher = Node().launcher(place(tmp_path, said))
    assert isinstance(launcher, NodeLauncher)
    assert {launcher._node("nodejs24.x") for _ in range(3)} == {Path("/bin/node")}
    assert said == ["node 22.1.0 runs in place of 24"]
    await launcher.close()


def test_without_typescript_types_are_not_known_and_nothing_fails(app: App) -> None:
    found = Node().types(app, app.of_type(Job), Asking(python=Path("python")))
    assert found["a"].payload is None
    assert "npm i -D typescript" in found["a"].warning


def test_the_doctor_tells_of_the_runtimes_that_are_used(app: App) -> None:
    told = {fact.name for fact in Node().facts(app)}
    assert told == {"node for nodejs22.x", "node for nodejs24.x", "esbuild", "npm"}


def test_typescript_knows_the_app_by_one_file(app: App) -> None:
    assert list(Node().declarations(app, {})) == ["devbridge-env.d.ts"]
