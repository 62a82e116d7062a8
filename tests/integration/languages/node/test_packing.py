from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Function, Job
from devbridge.constructs.app import loading
from devbridge.errors import BuildError, BundleError
from devbridge.languages.node.bundles import Bundles
from devbridge.languages.node.packing import NodePacker
from devbridge.packing import assets as packing_assets
from devbridge.packing.zips import Asset
from tests.integration.languages.node.conftest import Write
from tests.integration.languages.node.run import run

HANDLER = "export const handler = async () => 'it runs'"


def made(kind: type[Job] | type[Function], root: Path, **more: Any) -> Any:
    """A job or function whose code is ``jobs/a.ts``."""
    install = more.pop("install", ())
    with loading(root, lenient=True):
        more = {"handler": "jobs/a.handler", "runtime": "nodejs24.x", "install": install, **more}
        return kind(App("demo"), "a", **more)


def packer(bundles: Bundles, **more: Any) -> NodePacker:
    return NodePacker(bundles, **more)


def files_of(asset: Asset | None) -> dict[str, bytes]:
    assert asset is not None
    with asset.open() as file, zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def unzipped(asset: Asset, folder: Path) -> Path:
    with asset.open() as file, zipfile.ZipFile(file) as archive:
        archive.extractall(folder)
    return folder


def test_a_functions_zip_has_its_bundle_and_what_it_asks_for(
    bundles: Bundles, write: Write
) -> None:
    root = write({"jobs/a.ts": HANDLER, "data/x.csv": "1", "data/.env": "secret", "other.ts": ""})
    function = made(Function, root, copy_files=["data"])
    used = packer(bundles)
    asset = used.function_asset(function)
    assert set(files_of(asset)) == {"jobs/a.mjs", "jobs/a.mjs.map", "data/x.csv"}
    assert run(unzipped(asset, root / "out") / "jobs" / "a.mjs") == "it runs"
    assert ["data/.env (hidden)" in line for line in used.remarks.left] == [True]
    assert packer(bundles).function_asset(function).key == asset.key
    options = {"format": "cjs", "sourcemap": False}
    cjs = made(Function, root, copy_files=["data"], esbuild=options)
    assert set(files_of(packer(bundles).function_asset(cjs))) == {"jobs/a.cjs", "data/x.csv"}
    (esbuild,) = bundles.processes()
    used.close()
    assert bundles.processes() == []
    with pytest.raises(ProcessLookupError):
        os.kill(esbuild, 0)


def test_a_jobs_zip_has_the_runner_with_its_part_for_node(
    bundles: Bundles, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write({"jobs/a.ts": HANDLER, "r/runner/a.py": "", "r/runner/node/worker.mjs": "",
                  "r/runner/node/notes.txt": ""})  # fmt: skip
    monkeypatch.setattr(packing_assets, "_OWN_ROOT", root / "r")
    assets = packer(bundles).job_assets(made(Job, root))
    assert set(files_of(assets.code)) == {
        "jobs/a.mjs",
        "jobs/a.mjs.map",
        "runner/a.py",
        "runner/node/worker.mjs",
    }
    assert assets.packages is None
    monkeypatch.undo()
    assert "runner/__main__.py" in packing_assets.runner_files()


def test_the_name_of_the_runner_is_taken(bundles: Bundles, write: Write) -> None:
    root = write({"jobs/a.ts": HANDLER, "runner/x.csv": ""})
    with pytest.raises(BuildError, match="the name 'runner' is taken"):
        packer(bundles).job_assets(made(Job, root, copy_files=["runner"]))


def test_sharp_works_live_and_packed(bundles: Bundles, write: Write) -> None:
    root = write(
        {
            "jobs/a.ts": "import sharp from 'sharp'; export const handler = async () => {"
            " const png = await sharp({ create: { width: 8, height: 8, channels: 3,"
            " background: 'red' } }).png().toBuffer();"
            " return (await sharp(png).resize(4).metadata()).width }",
        }
    )
    job = made(Job, root, install=["sharp@0.35.5"])
    assets = packer(bundles, local=True).job_assets(job)
    assert assets.packages is not None
    packages = files_of(assets.packages)
    assert "node_modules/sharp/package.json" in packages
    assert not any(name.startswith("node_modules/.") for name in packages)
    assert len(files_of(assets.code)["jobs/a.mjs"]) < 10_000
    place = unzipped(assets.code, root / "code")
    unzipped(assets.packages, root / "packages")
    (place / "node_modules").symlink_to(root / "packages" / "node_modules")
    assert run(place / "jobs" / "a.mjs") == 8
    function = made(Function, root, install=["sharp@0.35.5"], architecture="arm64")
    there = files_of(packer(bundles).function_asset(function))
    assert any(name.startswith("node_modules/@img/sharp-linux-arm64/") for name in there)


def test_the_schemas_of_payloads_that_it_sends_and_gets_are_packed(
    bundles: Bundles, write: Write
) -> None:
    root = write({"jobs/a.ts": HANDLER})
    schemas = {"a": {"type": "object"}, "other": {}}
    files = files_of(packer(bundles, schemas=schemas).job_assets(made(Job, root)).code)
    assert json.loads(files["devbridge-schemas.json"]) == {"a": {"type": "object"}}


def test_a_function_that_is_too_large_names_what_is(
    bundles: Bundles, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(
        {
            "jobs/a.ts": "import big from 'big'; import text from './t.txt';"
            "export const handler = () => [big, text]",
            "jobs/t.txt": "x" * 1_000_000,
            "node_modules/big/index.js": f"module.exports = '{'y' * 2_000_000}'",
        }
    )
    monkeypatch.setattr(packing_assets, "UNZIPPED_LIMIT", 2_000_000)
    used = packer(bundles)
    with pytest.raises(BuildError, match=r"its files have 9?[\d,]+ bytes; AWS Lambda") as caught:
        used.function_asset(made(Function, root, esbuild={"loader": {".txt": "text"}}))
    assert str(caught.value.where).startswith("big (1.9 MB), t.txt (1.0 MB), a.ts (0.0 MB)")


def test_what_a_function_is_made_of_is_told_also_when_it_is_broken(
    bundles: Bundles, write: Write
) -> None:
    root = write(
        {
            "jobs/a.ts": "import { b } from '../lib/b'; import 'dep'; export const handler = b",
            "lib/b.ts": "export const b = 1",
            "node_modules/dep/index.js": "",
            "data/x.csv": "",
        }
    )
    function = made(Function, root, copy_files=["data"])
    expected = {root / "jobs/a.ts", root / "lib/b.ts", root / "data/x.csv"}
    assert packer(bundles).app_files(function) == expected
    write({"lib/b.ts": "export const = 1"})
    used = packer(bundles)
    assert used.app_files(function) == expected
    with pytest.raises(BundleError, match="Expected identifier"):
        used.function_asset(function)


def test_warnings_are_told_once(bundles: Bundles, write: Write) -> None:
    root = write({"jobs/a.ts": "export const handler = (name) => require(name)"})
    used, job = packer(bundles), made(Job, root)
    used.compare(job)
    used.compare(job)
    [warning] = used.remarks.warnings
    assert warning.startswith("Job 'a': jobs/a.ts:1:34: ")
