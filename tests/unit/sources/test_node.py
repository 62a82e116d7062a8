from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.sources.handlers import Handler
from devbridge.sources.node import NodeSource

NODE = NodeSource()
RUN = Handler("a", "run")


@pytest.mark.parametrize(
    "text",
    [
        "export const run = async () => {}",
        "export async function run() {}",
        "export function* run() {}",
        "export let run: Handler",
        "export class run {}",
        "const run = 1; export { run }",
        "export { other as run } from './b'",
        "export * from './b'",
        "export const { run } = make()",
        "exports.run = () => 1",
        "module.exports = { run }",
        "export = { run };",
        "export import run = other.run",
        "export const run = (",
        'const h = { Accept: "*/*" }\nexport const run = 1\n/** It is. */',
        "const h = '/*'\nexport const run = 1\nconst i = '*/'",
        "const h = `${'a'}/*`; export const run = 1 /* it's */",
        "const say = 'it\\'s /*'\nexport const run = 1 // */",
        "const u = 'https://x'; export const run = 1",
        "// A comment.\nimport x from 'y';\n\nexport const run = x",
    ],
)
def test_what_may_export_the_function_is_let_through(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text(text)
    assert NODE.missing(tmp_path, RUN) is None


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "const run = 1",
            "// export const run = 1",
            "/* export const run = 1 */",
            "export {}",
        ),
        "const h = '*'; // it's\n/* don't\nexport const run = 1 */",
    ],
)
def test_a_function_that_nothing_exports_is_missing(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text(text)
    missing = NODE.missing(tmp_path, RUN)
    assert missing is not None
    assert missing.what == "'a.ts' does not export 'run'"
    assert missing.allowed == "it exports nothing"


def test_what_it_exports_instead_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text("export const handler = 1; export { x as go }")
    missing = NODE.missing(tmp_path, RUN)
    assert missing is not None
    assert missing.allowed == "it exports: go, handler"


def test_of_several_exports_the_default_one_is_not_the_one_to_rename(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text("export const go = 1; export default () => 2")
    missing = NODE.missing(tmp_path, RUN)
    assert missing is not None
    assert missing.allowed == "it exports: go"


def test_a_default_export_where_a_named_one_is_meant_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text("export default async () => 1")
    missing = NODE.missing(tmp_path, RUN)
    assert missing is not None
    assert missing.allowed == "its export is a default one: write `export const run = ...`"


def test_a_default_export_may_be_the_handler_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text("export default async () => 1")
    assert NODE.missing(tmp_path, Handler("a", "default")) is None


@pytest.mark.parametrize("suffix", NODE.suffixes)
def test_a_handlers_file_may_have_any_suffix_of_the_language(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"a{suffix}"
    file.write_text("export const run = 1")
    assert NODE.file(tmp_path, "a") == file
    assert NODE.missing(tmp_path, RUN) is None


def test_a_missing_file_is_named_as_one_in_typescript_and_those_beside_it(tmp_path: Path) -> None:
    (tmp_path / "b.mjs").touch()
    missing = NODE.missing(tmp_path, RUN)
    assert missing is not None
    assert missing.what == "the handler's file 'a.ts' does not exist"
    assert missing.allowed == "create it, or use one of the files in '.': b"


@pytest.mark.parametrize("name", ["sharp@0.35", "@img/x", "a@^1.2.3", "b@latest", "c@>=1"])
def test_packages_of_npm_can_be_installed(name: str) -> None:
    assert NODE.install_problem((name,)) is None


@pytest.mark.parametrize(
    "name", ["", "../evil", "a b", "git+ssh://x", "Sharp Pack", "sharp>=1", "--global"]
)
def test_what_is_no_package_of_npm_is_refused(name: str) -> None:
    problem = NODE.install_problem(("sharp", name))
    assert problem is not None
    assert problem[0] == repr(name)


def test_node_path_is_refused_since_no_bundle_would_heed_it(tmp_path: Path) -> None:
    assert NODE.environment_problem(tmp_path, {"NODE_ENV": "x"}, ()) is None
    assert NODE.environment_problem(tmp_path, {"NODE_PATH": "lib"}, ()) is not None


@pytest.mark.parametrize(
    ("text", "yields"),
    [
        ("export async function* run(p) {}", True),
        ("export function *run(p) {}", True),
        ("export function run(p) {}", False),
        ("export async function run(p) { function* inner() {} }", False),
        ("async function* run() {}\nexport { run, other }", True),
        ("function run() {}\nexport { run }", False),
        ("export const run = async (p) => 1", False),
        ("export const run = p => 1", False),
        ("export const run: (p: P) => R = async (p) => 1", False),
        ("export const run: Handler<P> = async function* (p) {}", True),
        ("export const run = function (p) {}", False),
        ('export const run = jobHandler("x", async function* (p) { yield 1 })', True),
        ('export const run = jobHandler("x", { payload: P }, async (p) => 1)', False),
        ('export const run = jobHandler<P>("x", async (p) => { const g = function* () {} })', None),
        ('export const run = jobHandler("x", other)', None),
        ("export const run = wrapped(async function* () {})", None),
        ("export const run = other\nexport const next = () => 1", None),
        ("export { other as run } from './b'", None),
        ("export * from './b'", None),
        ("function run() {}\nmodule.exports = { run: wrapped(run) }", None),
        ("// export async function* run() {}\nexport const run = () => 1", False),
    ],
)
def test_whether_a_function_yields_is_told_where_its_text_tells(
    text: str, yields: bool | None, tmp_path: Path
) -> None:
    (tmp_path / "a.ts").write_text(text)
    assert NODE.is_generator(tmp_path, RUN) is yields


@pytest.mark.parametrize(
    ("text", "yields"),
    [
        ("export default async function* (p) {}", True),
        ("export default async function work(p) {}", False),
        ("export default async (p) => 1", False),
        ('export default jobHandler("x", async function* (p) {})', True),
        ("export default run", None),
    ],
)
def test_so_is_a_default_export(text: str, yields: bool | None, tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_text(text)
    assert NODE.is_generator(tmp_path, Handler("a", "default")) is yields
    assert NODE.is_generator(tmp_path, Handler("missing", "default")) is None
