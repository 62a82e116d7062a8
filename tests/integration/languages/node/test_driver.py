from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from devbridge.errors import BundleError, ToolMissing
from devbridge.languages.node.bundler import DevBundler
from devbridge.languages.node.bundles import Asked, Bundles
from devbridge.languages.node.driver import Driver
from devbridge.languages.node.esbuild import Request, ServiceEnded
from devbridge.languages.node.tools import find_node
from tests.integration.languages.node.conftest import Write
from tests.integration.languages.node.run import run, unpacked
from tests.npm import project

OTHER = "0.25.12"
PLUGIN = """
export default [{
  name: "mine",
  setup(build) {
    console.log("plugins may print");
    build.onResolve({ filter: /^virtual$/ }, () => ({ path: "virtual", namespace: "mine" }));
    const contents = "export default 'made up'";
    build.onLoad({ filter: /.*/, namespace: "mine" }, () => ({ contents }));
    build.onLoad({ filter: /broken/ }, () => { throw new Error("it broke") });
  },
}];
"""


@pytest.fixture(scope="module")
def modules() -> Path:
    return project("esbuild", {"esbuild": OTHER}) / "node_modules"


@pytest.fixture
def app(write: Write, modules: Path) -> Path:
    root = write(
        {
            "package.json": '{"devDependencies": {"esbuild": "*"}}',
            "plugins.mjs": PLUGIN,
            "jobs/a.ts": "import text from 'virtual'; export const handler = () => text",
        }
    )
    (root / "node_modules").symlink_to(modules)
    return root


def test_plugins_run_in_the_projects_own_esbuild(
    app: Path, bundles: Bundles, bundler: DevBundler
) -> None:
    options = {"plugins": "plugins.mjs"}
    asked = Asked(app, "jobs/a.handler", options)
    deployed = bundles.deployed(asked)
    assert run(unpacked(deployed, app / "out") / asked.name) == "made up"
    live = bundler.bundle(app, "jobs/a.handler", options)
    assert run(live.file) == "made up"
    assert str(app / "plugins.mjs") in live.modules.read_text()


def test_plugins_get_no_credentials(
    app: Path, bundles: Bundles, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("MINE", "seen")
    told = "`${process.env.AWS_SECRET_ACCESS_KEY} ${process.env.MINE}`"
    write(
        {
            "plugins.mjs": PLUGIN.replace(
                "\"export default 'made up'\"", f"`export default '${{{told}}}'`"
            )
        }
    )
    asked = Asked(app, "jobs/a.handler", {"plugins": "plugins.mjs"})
    assert run(unpacked(bundles.deployed(asked), app / "out") / asked.name) == "undefined seen"


def test_another_version_than_those_that_are_known_makes_the_same(
    app: Path, bundles: Bundles, bundler: DevBundler, write: Write
) -> None:
    write({"jobs/a.ts": "export const handler = () => 1"})
    assert bundles.esbuild(app).version == OTHER
    asked = Asked(app, "jobs/a.handler")
    assert run(unpacked(bundles.deployed(asked), app / "out") / asked.name) == 1
    assert run(bundler.bundle(app, "jobs/a.handler", {}).file) == 1
    write({"jobs/a.ts": "export const handler = () => 2"})
    assert run(bundler.bundle(app, "jobs/a.handler", {}).file) == 2
    write({"jobs/a.ts": "const x = ;"})
    with pytest.raises(BundleError) as caught:
        bundler.bundle(app, "jobs/a.handler", {})
    assert caught.value.failure.frames == ("jobs/a.ts:1:11\n    const x = ;\n              ^",)


def test_what_a_plugin_throws_is_an_error_of_that_plugin(
    app: Path, bundles: Bundles, write: Write
) -> None:
    write({"jobs/a.ts": "import './broken.ts'", "jobs/broken.ts": ""})
    with pytest.raises(BundleError) as caught:
        bundles.deployed(Asked(app, "jobs/a.handler", {"plugins": "plugins.mjs"}))
    assert "plugin 'mine': it broke" in caught.value.what
    write({"plugins.mjs": "export default 3"})
    with pytest.raises(BundleError, match="has no array of plugins as default export"):
        bundles.deployed(Asked(app, "jobs/a.handler", {"plugins": "plugins.mjs"}))


def test_plugins_without_an_esbuild_of_the_project_say_what_to_install(
    bundles: Bundles, write: Write
) -> None:
    root = write({"plugins.mjs": PLUGIN, "jobs/a.ts": ""})
    with pytest.raises(ToolMissing, match="need the project's own esbuild") as caught:
        bundles.deployed(Asked(root, "jobs/a.handler", {"plugins": "plugins.mjs"}))
    assert caught.value.remedy == "npm install --save-dev esbuild"


def test_one_that_ends_is_told(modules: Path, tmp_path: Path) -> None:
    driver = Driver(find_node(os.environ).path, modules / "esbuild", os.environ)
    os.kill(driver.pid, 9)
    with pytest.raises(ServiceEnded):
        driver.context(Request(tmp_path, {}, ""))
    driver.close()
    assert not driver.alive
    with pytest.raises(ServiceEnded, match="does not start"):
        Driver(tmp_path / "nothing", modules, os.environ)


def test_one_whose_program_was_killed_is_started_again(
    app: Path, bundles: Bundles, write: Write
) -> None:
    write({"jobs/a.ts": "export const handler = () => 1"})
    asked = Asked(app, "jobs/a.handler")
    bundles.deployed(asked)
    (driver,) = bundles.processes()
    (program,) = psutil.Process(driver).children()
    program.kill()
    assert run(unpacked(bundles.deployed(asked), app / "out") / asked.name) == 1
    assert bundles.processes() != [driver]
