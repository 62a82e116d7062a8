from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from devbridge.errors import BundleError
from devbridge.languages.node.bundles import SOURCE, Asked, Bundles
from tests.integration.languages.node.conftest import Write
from tests.integration.languages.node.run import run, unpacked


def built(bundles: Bundles, root: Path, **options: Any) -> Path:
    """The deployed bundle of ``jobs/a.handler``."""
    asked = Asked(root, "jobs/a.handler", options)
    return unpacked(bundles.deployed(asked), root / "out") / asked.name


def refused(bundles: Bundles, root: Path, handler: str = "jobs/a.handler", **options: Any) -> str:
    with pytest.raises(BundleError) as caught:
        bundles.deployed(Asked(root, handler, options))
    return "\n".join([caught.value.what, *caught.value.failure.frames])


@pytest.mark.parametrize("suffix", SOURCE.suffixes)
def test_each_extension_is_bundled(suffix: str, bundles: Bundles, write: Write) -> None:
    text = "export const handler = async () => 'it runs'"
    if suffix in (".cts", ".cjs"):
        text = "exports.handler = async () => 'it runs'"
    root = write({f"jobs/a{suffix}": text})
    assert run(built(bundles, root)) == "it runs"
    assert run(built(bundles, root, format="cjs")) == "it runs"


@pytest.mark.parametrize("options", [{}, {"minify": True}, {"splitting": True}, {"format": "cjs"}])
def test_what_esbuild_can_bundle_runs(
    options: dict[str, Any], bundles: Bundles, write: Write
) -> None:
    root = write(
        {
            "jobs/a.tsx": "import data from './data.json' with { type: 'json' };"
            "import { add } from '@lib/add'; import wasm from './empty.wasm'; import { hash } from"
            " 'crypto'; import fs from 'node:fs';"
            "export const handler = async () => { const lazy = await import('../lib/lazy');"
            "const { instance } = await WebAssembly.instantiate(wasm);"
            "return [data.n, add(1, 2), lazy.name(), typeof instance, typeof fs.rm, typeof hash] }",
            "jobs/data.json": '{"n": 1}',
            "jobs/empty.wasm": "\0asm\x01\0\0\0",
            "lib/add.ts": "export const add = (a: number, b: number): number => a + b",
            "lib/lazy.ts": "function sleepy() {}; export const name = () => sleepy.name",
            "tsconfig.json": '{"compilerOptions": {"paths": {"@lib/*": ["./lib/*"]}}}',
        }
    )
    assert run(built(bundles, root, **options)) == [1, 3, "sleepy", "object", *["function"] * 2]


def test_an_await_at_the_top_runs_in_an_es_module_and_is_refused_in_commonjs(
    bundles: Bundles, write: Write
) -> None:
    root = write(
        {"jobs/a.ts": "const x = await Promise.resolve(1);\nexport const handler = () => x"}
    )
    assert run(built(bundles, root)) == 1
    said = refused(bundles, root, format="cjs")
    assert "top-level await is not possible in CommonJS; leave esbuild's format at 'esm'" in said
    assert "jobs/a.ts:1:11\n    const x = await Promise" in said


@pytest.mark.parametrize("manager", ["npm", "pnpm", "yarn"])
def test_packages_of_a_workspace_are_bundled_as_source(
    manager: str, bundles: Bundles, write: Write
) -> None:
    root = write(
        {
            "package.json": '{"workspaces": ["packages/*"], "private": true}',
            "packages/functions/package.json": '{"name": "functions"}',
            "packages/functions/src/a.ts": "import { core } from '@my/core';"
            "export const handler = () => core()",
            "packages/core/package.json": '{"name": "@my/core", "exports": "./src/index.ts"}',
            "packages/core/src/index.ts": "import dep from 'dep'; export const core = (): unknown"
            " => [dep.v]",
            "store/dep/package.json": '{"name": "dep", "version": "2.0.0"}',
            "store/dep/index.js": "exports.v = 2",
        }
    )
    core = root / "packages" / "core"
    place = {"npm": root, "yarn": root, "pnpm": root / "packages" / "functions"}[manager]
    link = place / "node_modules" / "@my" / "core"
    link.parent.mkdir(parents=True)
    link.symlink_to(core)
    dep = (core if manager == "pnpm" else root) / "node_modules" / "dep"
    dep.parent.mkdir(exist_ok=True)
    store = root / "node_modules" / ".pnpm" / "dep@2.0.0" / "node_modules" / "dep"
    target = store if manager == "pnpm" else dep
    target.parent.mkdir(parents=True, exist_ok=True)
    (root / "store" / "dep").rename(target)
    if manager == "pnpm":
        dep.symlink_to(store)
    asked = Asked(root, "packages/functions/src/a.handler")
    made = bundles.deployed(asked)
    assert run(unpacked(made, root / "out") / asked.name) == [2]


def test_a_source_map_has_the_apps_sources_and_no_packages(bundles: Bundles, write: Write) -> None:
    root = write(
        {
            "jobs/a.ts": "import { b } from '../lib/b'; import dep from 'dep';"
            "export const handler = () => [b, dep]",
            "lib/b.ts": "export const b = 1",
            "node_modules/dep/index.js": "module.exports = 2",
        }
    )
    made = bundles.deployed(Asked(root, "jobs/a.handler"))
    document = json.loads(made.files["jobs/a.mjs.map"])
    told = dict(zip(document["sources"], document["sourcesContent"], strict=True))
    assert told["../lib/b.ts"] == "export const b = 1"
    assert told["a.ts"] == (root / "jobs/a.ts").read_text()
    assert told["../node_modules/dep/index.js"] is None
    without = bundles.deployed(Asked(root, "jobs/a.handler", {"sourcemap": False}))
    assert set(without.files) == {"jobs/a.mjs"}


def test_the_same_files_make_the_same_bundle(bundles: Bundles, write: Write) -> None:
    root = write({"jobs/a.ts": "export const handler = () => 1"})
    asked = Asked(root, "jobs/a.handler")
    assert bundles.deployed(asked).files == bundles.deployed(asked).files


def test_an_import_that_is_nowhere_is_said_with_who_imports_it_and_what_to_do(
    bundles: Bundles, write: Write
) -> None:
    root = write({"jobs/a.ts": "import 'zodd';\nexport const handler = 1", "lib/time.ts": ""})
    said = refused(bundles, root)
    assert "cannot resolve 'zodd', which 'jobs/a.ts' imports; npm install zodd" in said
    assert "jobs/a.ts:1:8\n    import 'zodd';\n           ^" in said
    write({"jobs/a.ts": "import '../lib/tine';"})
    assert "did you mean 'time'?" in refused(bundles, root)
    write({"jobs/a.ts": "import 'dep/inner';", "node_modules/dep/index.js": "",
           "node_modules/dep/package.json": '{"exports": "./index.js"}'})  # fmt: skip
    assert "of the package 'dep'" in refused(bundles, root)


def test_a_handler_that_is_not_exported_is_said_with_what_is(
    bundles: Bundles, write: Write
) -> None:
    root = write({"jobs/a.ts": "export default async () => 1"})
    said = refused(bundles, root)
    assert "'jobs/a.ts' exports no 'handler', only a default: write 'export const handler" in said
    write({"jobs/a.ts": "export const main = 1; export const other = 2"})
    assert "'jobs/a.ts' exports no 'handler'; it exports: main, other" in refused(bundles, root)
    write({"jobs/a.ts": "const handler = 1; export {}"})
    assert "'jobs/a.ts' exports no 'handler'; it exports nothing" in refused(bundles, root)
    assert "the handler's file 'jobs/b' does not exist" in refused(bundles, root, "jobs/b.handler")


def test_what_only_a_deployed_job_would_miss_is_a_warning(bundles: Bundles, write: Write) -> None:
    root = write({"jobs/a.ts": "export const handler = (name) => require(name)"})
    [warning] = bundles.deployed(Asked(root, "jobs/a.handler")).warnings
    assert warning.startswith("jobs/a.ts:1:34: ")
    assert "require" in warning


def test_options_that_esbuild_itself_refuses_are_said(bundles: Bundles, write: Write) -> None:
    root = write({"jobs/a.ts": "export const handler = 1"})
    assert "define" in refused(bundles, root, define={"A": "what is this?"})
    assert "nowhere.json" in refused(bundles, root, tsconfig="nowhere.json")
    assert "'p.mjs', does not exist" in refused(bundles, root, plugins="p.mjs")


def test_an_option_of_each_kind_does_what_it_says(bundles: Bundles, write: Write) -> None:
    root = write(
        {
            "jobs/a.ts": "import text from './t.txt'; import { b } from 'aliased'; import field"
            " from 'fields'; class Named {}; export const handler = () =>"
            " [text, MODE, b, field, injected, Named.name]",
            "jobs/t.txt": "hello",
            "lib/b.ts": "export const b = 'b'",
            "lib/inject.ts": "export const injected = 'in'",
            "node_modules/fields/package.json": '{"main": "main.js", "module": "module.js"}',
            "node_modules/fields/main.js": "module.exports = 'main'",
            "node_modules/fields/module.js": "export default 'module'",
        }
    )
    options: dict[str, Any] = {
        "loader": {".txt": "text"},
        "define": {"MODE": '"live"'},
        "alias": {"aliased": "./lib/b.ts"},
        "main_fields": ["module", "main"],
        "inject": ["lib/inject.ts"],
        "minify": True,
        "target": ["node22"],
    }
    expected = ["hello", "live", "b", "module", "in", "Named"]
    assert run(built(bundles, root, **options)) == expected
    short = run(built(bundles, root, **options, keep_names=False))[-1]
    assert len(short) < len("Named")


def test_the_npm_package_of_devbridge_is_found_without_being_installed(
    bundles: Bundles, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from devbridge.languages.node import own_package

    write({"ours/package.json": '{"name": "devbridge", "exports": {"./job": "./lib/job.js"}}',
           "ours/lib/job.js": "export const whose = 'ours'"})  # fmt: skip
    monkeypatch.setattr(own_package, "PACKAGE", tmp_path / "ours")
    root = write({"app/jobs/a.ts": "import { whose } from 'devbridge/job'; export const handler ="
                  " () => whose"})  # fmt: skip
    root = root / "app"
    assert run(built(bundles, root)) == "ours"
    write({"app/node_modules/devbridge/package.json": '{"exports": {"./job": "./j.js"}}',
           "app/node_modules/devbridge/j.js": "exports.whose = 'theirs'"})  # fmt: skip
    assert run(built(bundles, root)) == "theirs"
    write({"app/jobs/a.ts": "import { App } from 'devbridge'; export const handler = App"})
    assert "import from 'devbridge/job' or 'devbridge/resources'" in refused(bundles, root)
