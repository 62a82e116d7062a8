from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from devbridge.errors import BundleError
from devbridge.languages.node.bundler import Bundle, DevBundler
from devbridge.languages.node.bundles import Asked, Bundles
from tests.integration.languages.node.conftest import CACHE, Write
from tests.integration.languages.node.run import run, unpacked

RETURNS = "export const handler = async (payload: any) => {};\n"


def both(
    bundler: DevBundler,
    bundles: Bundles,
    root: Path,
    options: Mapping[str, Any] = {},
    payload: Any = None,
    install: tuple[str, ...] = (),
) -> tuple[Any, Bundle]:
    """What the handler returns live, which must be what it returns deployed."""
    made = bundler.bundle(root, "jobs/a.handler", options, install=install)
    live = run(made.file, payload, preload=made.preload, cwd=root)
    asked = Asked(root, "jobs/a.handler", options)
    deployed = bundles.deployed(asked)
    there = unpacked(deployed, root / "deployed")
    assert run(there / asked.name, payload, cwd=there) == live
    return live, made


def modules(bundle: Bundle) -> Any:
    return json.loads(bundle.modules.read_text())


IMPORTS = {
    "a named export of an ES module": "import { z } from 'zod'; export const handler = () =>"
    " z.object({ n: z.number() }).parse({ n: 1 })",
    "a default and all of an ES module": "import zod, * as all from 'zod'; export const handler ="
    " () => [typeof zod.object, typeof all.z, Object.keys(all).length, all.z === zod.z]",
    "a named export of a CommonJS module": "import { chunk } from 'lodash'; export const handler ="
    " () => chunk([1, 2, 3], 2)",
    "a default of a CommonJS module": "import _ from 'lodash'; export const handler = () =>"
    " [_.chunk([1, 2, 3], 2), typeof _]",
    "all of a CommonJS module": "import * as _ from 'lodash'; export const handler = () =>"
    " [typeof _.default, typeof _.chunk, Object.keys(_).length > 100]",
    "a require": "const _ = require('lodash'); export const handler = () => _.chunk([1, 2], 1)",
    "a dynamic import": "export const handler = async () => { const m = await import('lodash');"
    " return [typeof m.default, m.default.chunk([1, 2], 1)] }",
    "the AWS SDK": "import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';"
    " export const handler = () => [new DynamoDBClient({}) instanceof DynamoDBClient,"
    " PutItemCommand.name, DynamoDBClient.name]",
    "what there is not": "import * as _ from 'lodash'; export const handler = () =>"
    " [typeof (_ as any).nothing]",
}


@pytest.mark.parametrize("kind", IMPORTS)
@pytest.mark.parametrize("suffix", [".ts", ".mts"])
def test_what_is_imported_of_a_large_package_is_the_same_live_and_deployed(
    kind: str, suffix: str, bundler: DevBundler, bundles: Bundles, write: Write, installed: Path
) -> None:
    root = write({f"jobs/a{suffix}": IMPORTS[kind]})
    (root / "node_modules").symlink_to(installed)
    _, made = both(bundler, bundles, root)
    if "require" not in kind and "dynamic" not in kind:
        assert len(made.preload) == 1
        assert made.file.stat().st_size < 20_000


@pytest.mark.parametrize("kind", ["a named export of a CommonJS module", "the AWS SDK"])
def test_a_bundle_of_commonjs_is_the_same_live_and_deployed(
    kind: str, bundler: DevBundler, bundles: Bundles, write: Write, installed: Path
) -> None:
    root = write({"jobs/a.ts": IMPORTS[kind]})
    (root / "node_modules").symlink_to(installed)
    _, made = both(bundler, bundles, root, {"format": "cjs"})
    assert made.file.suffix == ".cjs"
    assert made.preload


def test_a_save_makes_another_bundle_and_leaves_the_one_that_may_be_running(
    bundler: DevBundler, write: Write
) -> None:
    root = write({"jobs/a.ts": "export const handler = async () => 1"})
    first = bundler.bundle(root, "jobs/a.handler", {})
    write({"jobs/a.ts": "export const handler = async () => 2"})
    second = bundler.bundle(root, "jobs/a.handler", {})
    assert (run(first.file), run(second.file)) == (1, 2)
    write({"jobs/a.ts": "export const handler = async () => 1"})
    assert bundler.bundle(root, "jobs/a.handler", {}) == first


def test_code_knows_its_place_in_the_app_live_and_deployed(
    bundler: DevBundler, write: Write
) -> None:
    root = write(
        {
            "jobs/a.ts": "import { basename } from 'node:path'; import where from './lib/b';"
            "export const handler = () => [__filename, __dirname, import.meta.url,"
            " import.meta.dirname, where]",
            "jobs/lib/b.ts": "export default import.meta.filename",
        }
    )
    made = bundler.bundle(root, "jobs/a.handler", {})
    place = root / "jobs" / "a.mjs"
    expected = [str(place), str(place.parent), place.as_uri(), str(place.parent), str(place)]
    assert run(made.file) == expected
    cjs = bundler.bundle(root, "jobs/a.handler", {"format": "cjs"})
    assert run(cjs.file)[:3] == [
        str(place.with_suffix(".cjs")),
        str(place.parent),
        place.with_suffix(".cjs").as_uri(),
    ]


def test_the_usual_names_may_be_the_users_own(
    bundler: DevBundler, bundles: Bundles, write: Write
) -> None:
    root = write(
        {
            "jobs/a.ts": "import { createRequire } from 'node:module';"
            "const require = createRequire(import.meta.url); const __dirname = 'mine';"
            "const __filename = require('node:path').basename('/x/y');"
            "export const handler = () => [__dirname, __filename, typeof require]",
        }
    )
    assert both(bundler, bundles, root)[0] == ["mine", "y", "function"]


def test_a_banner_is_added_and_may_declare_what_ours_does(
    bundler: DevBundler, bundles: Bundles, write: Write
) -> None:
    banner = "import { createRequire as own } from 'module'; const require = own(import.meta.url);"
    root = write({"jobs/a.js": "export const handler = () => [added, typeof require('fs').rm]"})
    options = {"banner": f"{banner} const added = 1;"}
    assert both(bundler, bundles, root, options)[0] == [1, "function"]


def test_a_package_that_asks_where_it_is_stays_in_the_bundle(
    bundler: DevBundler, bundles: Bundles, write: Write
) -> None:
    filler = f"// {'x' * 120_000}\n"
    root = write(
        {
            "jobs/a.ts": "import { where } from 'big'; export const handler = () =>"
            " require('node:path').basename(where)",
            "node_modules/big/package.json": '{"name": "big", "version": "1.0.0"}',
            "node_modules/big/index.js": f"{filler}exports.where = __dirname;",
        }
    )
    live, made = both(bundler, bundles, root)
    assert (live, made.preload) == ("jobs", ())


def test_a_package_that_is_also_bundled_for_another_stays_in_the_bundle(
    bundler: DevBundler, bundles: Bundles, write: Write
) -> None:
    """There would be two of its classes."""
    filler = f"// {'x' * 120_000}\n"
    root = write(
        {
            "jobs/a.ts": "import { Thing } from 'big'; import { made } from 'small';"
            "export const handler = () => made() instanceof Thing",
            "node_modules/big/package.json": '{"name": "big", "version": "1.0.0"}',
            "node_modules/big/index.js": f"{filler}exports.Thing = class {{}};",
            "node_modules/small/package.json": '{"name": "small", "version": "1.0.0"}',
            "node_modules/small/index.js": "const { Thing } = require('big');"
            "exports.made = () => new Thing(); exports.where = __dirname;",
        }
    )
    live, made = both(bundler, bundles, root)
    assert (live, made.preload) == (True, ())
    write({"node_modules/small/index.js": "const { Thing } = require('big');"
           "exports.made = () => new Thing();"})  # fmt: skip
    write({"jobs/a.ts": (root / "jobs/a.ts").read_text() + "\nimport 'other';",
           "node_modules/other/index.js": ""})  # fmt: skip
    live, made = both(bundler, bundles, root)
    assert live is True
    assert len(made.preload) == 2


def test_what_is_set_before_a_package_is_imported_is_seen_by_it(
    bundler: DevBundler, bundles: Bundles, write: Write
) -> None:
    filler = f"// {'x' * 120_000}\n"
    root = write(
        {
            "jobs/a.ts": "import './first'; import { seen } from 'big';"
            "export const handler = () => seen ?? null",
            "jobs/first.ts": "export {}",
            "node_modules/big/package.json": '{"name": "big", "version": "1.0.0"}',
            "node_modules/big/index.js": f"{filler}exports.seen = process.env.SEEN;",
        }
    )
    live, made = both(bundler, bundles, root)
    assert live is None
    assert made.preload
    write({"jobs/first.ts": "process.env.SEEN = 'yes'"})
    live, made = both(bundler, bundles, root)
    assert (live, made.preload) == ("yes", ())


def test_a_package_that_node_cannot_load_stays_in_the_bundle(
    bundler: DevBundler, bundles: Bundles, write: Write
) -> None:
    filler = f"// {'x' * 120_000}\n"
    root = write(
        {
            "jobs/a.ts": "import { one } from 'big'; export const handler = () => one",
            "node_modules/big/package.json": '{"name": "big", "module": "m.js", "main": "m.js"}',
            "node_modules/big/m.js": f"{filler}export {{ one }} from './other';",
            "node_modules/big/other.js": "export const one = 1;",
        }
    )
    live, made = both(bundler, bundles, root)
    assert (live, made.preload) == (1, ())


def test_what_tries_packages_has_no_credentials_as_a_run_has_none_of_the_developers(
    bundler: DevBundler, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    filler = f"// {'x' * 120_000}\n"
    check = "if (process.env.AWS_SECRET_ACCESS_KEY) throw new Error('it has them');\n"
    root = write(
        {
            "jobs/a.ts": "import { one } from 'big'; export const handler = () => one",
            "node_modules/big/package.json": '{"name": "big", "type": "module", "main": "m.js"}',
            "node_modules/big/m.js": f"{filler}{check}export const one = 1;",
        }
    )
    made = bundler.bundle(root, "jobs/a.handler", {})
    assert [path.name for path in made.preload] == ["m.js"]


def test_another_version_of_a_package_is_another_bundle(
    bundler: DevBundler, bundles: Bundles, write: Write
) -> None:
    filler = f"// {'x' * 120_000}\n"
    package = {
        "node_modules/big/package.json": '{"name": "big", "version": "1.0.0", "type": "module"}',
        "node_modules/big/index.js": f"{filler}export const one = 1;",
    }
    job = "import * as big from 'big'; export const handler = () => Object.keys(big)"
    root = write({"jobs/a.ts": job, **package})
    assert both(bundler, bundles, root)[0] == ["one"]
    package["node_modules/big/index.js"] += "export const two = 2;"
    write({name: text.replace("1.0.0", "1.1.0") for name, text in package.items()})
    live, made = both(bundler, bundles, root)
    assert live == ["one", "two"]
    assert made.preload


def test_what_to_watch_is_what_the_bundle_was_made_of(bundler: DevBundler, write: Write) -> None:
    root = write(
        {
            "app/jobs/a.ts": "import { b } from '#b'; import data from '../data.json';"
            "import { c } from 'linked'; import { d } from 'there';"
            "export const handler = () => [b, data, c, d]",
            "app/lib/b.ts": "export const b = 1",
            "app/data.json": "[1]",
            "app/tsconfig.json": '{"extends": "../base.json", "compilerOptions":'
            ' {"paths": {"#b": ["./lib/b.ts"]}}}',
            "base.json": "{}",
            "linked/package.json": '{"name": "linked", "main": "c.ts"}',
            "linked/c.ts": "export const c = 2",
            "app/node_modules/there/index.js": "exports.d = 3",
        }
    )
    app = root / "app"
    (app / "node_modules" / "linked").symlink_to(root / "linked")
    made = bundler.bundle(app, "jobs/a.handler", {})
    assert run(made.file) == [1, [1], 2, 3]
    told = modules(made)
    assert told["userFiles"] == [str(app / n) for n in ("data.json", "jobs/a.ts", "lib/b.ts")]
    assert set(told["own"]) >= {str(root / n) for n in ("linked/c.ts", "base.json")}
    assert str(app / "tsconfig.json") in told["own"]
    assert told["installed"] == [str(app / "node_modules/there/index.js")]


def test_what_npm_installs_beside_it_is_not_in_it_and_is_found(
    bundler: DevBundler, write: Write
) -> None:
    root = write(
        {
            "packages/jobs/a.ts": "import one from 'native'; export const handler = () =>"
            " [one, require('native')]",
            "packages/node_modules/native/package.json": '{"name": "native", "version": "1.0.0"}',
            "packages/node_modules/native/index.js": "module.exports = __dirname",
        }
    )
    made = bundler.bundle(root, "packages/jobs/a.handler", {}, install=("native@1",))
    place = str(root / "packages" / "node_modules" / "native")
    assert run(made.file) == [place, place]


def test_what_the_project_has_not_is_installed_for_this_machine(
    bundler: DevBundler, write: Write
) -> None:
    root = write(
        {
            "jobs/a.ts": "import sharp from 'sharp'; export const handler = () =>"
            " [typeof sharp, typeof require('sharp')]"
        }
    )
    made = bundler.bundle(root, "jobs/a.handler", {}, install=("sharp@0.35.5",))
    assert run(made.file) == ["function", "function"]
    assert not (root / "node_modules").exists()


def test_an_esbuild_that_dies_is_started_again_and_said(tmp_path: Path, write: Write) -> None:
    said: list[str] = []
    root = write({"jobs/a.ts": "export const handler = async () => 1"})
    bundler = DevBundler(tmp_path / ".devbridge" / "bundles", CACHE, os.environ, said.append)
    try:
        first = bundler.bundle(root, "jobs/a.handler", {})
        [service] = bundler.processes()
        os.kill(service, 9)
        write({"jobs/a.ts": "export const handler = async () => 2"})
        assert run(bundler.bundle(root, "jobs/a.handler", {}).file) == 2
        assert run(first.file) == 1
        assert said == ["esbuild has ended, and is started again"]
        assert bundler.processes() != [service]
    finally:
        bundler.close()
    assert bundler.processes() == []


def test_an_error_names_the_place_and_the_next_bundle_is_made(
    bundler: DevBundler, write: Write
) -> None:
    root = write({"jobs/a.ts": "export const handler = 1;\nconst x = ;\n"})
    with pytest.raises(BundleError) as caught:
        bundler.bundle(root, "jobs/a.handler", {})
    failure = caught.value.failure
    assert (failure.type, failure.message) == ("SyntaxError", 'Unexpected ";"')
    assert failure.frames == ("jobs/a.ts:2:11\n    const x = ;\n              ^",)
    write({"jobs/a.ts": RETURNS})
    assert bundler.bundle(root, "jobs/a.handler", {}).file.is_file()


def test_an_error_tells_which_files_may_mend_it(bundler: DevBundler, write: Write) -> None:
    root = write({"jobs/a.ts": "import '../lib/b'; export const handler = 1", "lib/b.ts": "x = ;"})

    def files() -> set[str]:
        with pytest.raises(BundleError) as caught:
            bundler.bundle(root, "jobs/a.handler", {})
        return {Path(path).relative_to(root).as_posix() for path in caught.value.files}

    assert files() == {"jobs/a.ts", "lib/b.ts"}
    write({"lib/b.ts": "import '../other/c'"})
    assert files() == {"jobs/a.ts", "lib/b.ts", "other"}
    write({"other/c.ts": "export {}"})
    bundler.bundle(root, "jobs/a.handler", {})
    write({"jobs/a.ts": "const x = ;"})
    assert files() == {"jobs/a.ts", "lib/b.ts", "other/c.ts"}
    with pytest.raises(BundleError) as caught:
        bundler.bundle(root, "jobs/none.handler", {})
    assert caught.value.files == {str(root / "jobs")}


@pytest.mark.parametrize("options", [{}, {"format": "cjs"}, {"minify": True}, {"splitting": True}])
def test_a_frame_is_where_it_is_in_the_source_live_and_deployed(
    options: dict[str, Any], bundler: DevBundler, bundles: Bundles, write: Write
) -> None:
    root = write(
        {
            "packages/jobs/a.ts": "import { fail } from '../lib/b';\ninterface Not { here: 1 }\n"
            "export const handler = async () => {\n  try { fail() } catch (e: any)"
            " { return e.stack }\n}",
            "packages/lib/b.ts": "type T = 1\n\n\nexport function fail() {\n"
            "  throw new Error('x')\n}",
        }
    )
    live = bundler.bundle(root, "packages/jobs/a.handler", options)
    asked = Asked(root, "packages/jobs/a.handler", options)
    deployed = unpacked(bundles.deployed(asked), root / "out")
    for file, base in ((live.file, root), (deployed / asked.name, root / "out")):
        frames = run(file, flags=("--enable-source-maps",))
        assert f"{base}/packages/lib/b.ts:5:9" in frames
        assert f"{base}/packages/jobs/a.ts:4:9" in frames


def test_the_check_tells_what_only_a_deployed_bundle_breaks(
    bundler: DevBundler, write: Write
) -> None:
    root = write({"jobs/a.ts": "export const handler = (p) => require(p)"})
    [warning] = bundler.check(root, "jobs/a.handler", {})
    assert warning.startswith("jobs/a.ts:1:")


def test_the_check_does_not_tell_again_what_the_launch_tells(
    bundler: DevBundler, write: Write
) -> None:
    root = write({"jobs/a.ts": "import './gone'\nexport const handler = () => 1"})
    with pytest.raises(BundleError, match=r"cannot resolve '\./gone'"):
        bundler.bundle(root, "jobs/a.handler", {})
    assert bundler.check(root, "jobs/a.handler", {}) == ()


def test_the_check_tells_what_only_the_launch_can_bundle(
    bundler: DevBundler, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write({"jobs/a.ts": "import './gone'\nexport const handler = () => 1"})
    monkeypatch.setattr(bundler, "bundle", lambda *_: None)  # it leaves packages to Node
    with pytest.raises(BundleError, match=r"cannot resolve '\./gone'"):
        bundler.check(root, "jobs/a.handler", {})


def test_bundles_that_nobody_has_made_for_a_week_are_deleted(
    bundler: DevBundler, tmp_path: Path, write: Write
) -> None:
    root = write({"jobs/a.ts": "export const handler = () => 1"})
    old = bundler.bundle(root, "jobs/a.handler", {}).file
    write({"jobs/a.ts": "export const handler = () => 2"})
    made_again = bundler.bundle(root, "jobs/a.handler", {}).file
    for each in (old, made_again):
        os.utime(each.parents[1], (1, 1))
    assert bundler.bundle(root, "jobs/a.handler", {}).file == made_again
    DevBundler(tmp_path / ".devbridge" / "bundles", CACHE, os.environ).close()
    assert not old.exists()
    assert made_again.exists()
