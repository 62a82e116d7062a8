from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from devbridge.languages.node.graph import ENTRY, Graph
from devbridge.languages.node.loaded import LARGE, candidates, first_touched, holds, left
from tests.unit.languages.node.test_graph import ROOT, imported

BIG = "node_modules/big/index.js"


def graph(modules: dict[str, list[Any]], formats: Mapping[str, str] = {}) -> Graph:
    inputs = {
        name: {
            "bytes": LARGE if name.startswith("node_modules/big") else 10,
            "format": formats.get(name, "cjs" if "node_modules" in name else "esm"),
            "imports": [imported(e) if isinstance(e, str) else e for e in imports],
        }
        for name, imports in {ENTRY: ["a.ts"], **modules}.items()
    }
    return Graph({"inputs": inputs}, ROOT)


def chosen(
    made: Graph, texts: Mapping[str, str] = {}, defined: tuple[str, ...] = (), *external: str
) -> list[str]:
    def text(path: str) -> str:
        return texts.get(path.removeprefix("/app/"), "")

    found = candidates(made, text, defined, external)
    return [each.path.removeprefix("/app/") for each in found]


def test_a_large_package_that_the_app_imports_is_left_to_node() -> None:
    assert chosen(graph({"a.ts": [BIG, "node_modules/small/i.js"], BIG: [],
                         "node_modules/small/i.js": []})) == [BIG]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "x(__dirname)",
        "import.meta.url",
        "require.resolve('x')",
        "module.parent",
        "createRequire(x)",
    ],
)
def test_code_that_asks_where_it_is_stays(text: str) -> None:
    inner = "node_modules/big/inner.js"
    assert chosen(graph({"a.ts": [BIG], BIG: [inner], inner: []}), {inner: text}) == []


def test_what_cannot_be_loaded_by_node_alone_stays() -> None:
    made = graph({"a.ts": [BIG], BIG: [imported("fs", external=True)]})
    assert chosen(made) == [BIG]
    made = graph({"a.ts": [BIG], BIG: [imported("@a/native", external=True)]})
    assert chosen(made) == [BIG]  # it is nowhere
    assert chosen(made, {}, (), "@a/native") == chosen(made, {}, (), "@a/*") == []
    addon = "node_modules/big/addon.node"
    assert chosen(graph({"a.ts": [BIG], BIG: [addon], addon: []})) == []
    assert chosen(graph({"a.ts": [BIG], BIG: ["b.ts"], "b.ts": []})) == []
    assert chosen(graph({"a.ts": [BIG], BIG: []}), {BIG: "if (MODE)"}, ("MODE",)) == []


def test_packages_that_share_one_go_together_or_stay_together() -> None:
    small, shared = "node_modules/small/i.js", "node_modules/shared/i.js"
    modules: dict[str, list[Any]] = {
        "a.ts": [BIG, small],
        BIG: [shared],
        small: [shared],
        shared: [],
    }
    assert chosen(graph(modules)) == [BIG, small]
    assert chosen(graph(modules), {small: "__dirname"}) == []
    third = {"node_modules/third/i.js": [small]}
    modules["a.ts"] = [BIG, *third]
    assert chosen(graph({**modules, **third})) == [BIG, *third]


@pytest.mark.parametrize(
    ("text", "touches"),
    [
        ("process.env.A = 'x'", True),
        ("process.env['A'] ??= 'x'", True),
        ("if (process.env.A === 'x') {}", False),
        ("const { A } = process.env", False),
        ("const a = process.env.A == 'x'", False),
        ("globalThis.x = 1", True),
        ("// the global settings", False),
        ("Array.prototype.at = f", True),
        ("Object.assign(process.env, {})", True),
        ("delete process.env.A", True),
        ("process.on('exit', f)", False),
    ],
)
def test_what_follows_code_that_changes_the_process_stays(text: str, touches: bool) -> None:
    made = graph({"a.ts": ["first.ts", BIG], "first.ts": [], BIG: []})
    assert (chosen(made, {"first.ts": text}) == []) is touches
    assert chosen(made, {"a.ts": text}) == [BIG]


def test_packages_that_are_imported_for_what_they_change_come_before_all_others() -> None:
    dotenv, other = "node_modules/dotenv/config.js", "node_modules/other/i.js"
    made = graph({"a.ts": [dotenv, other, BIG], dotenv: [], other: [], BIG: []})
    assert chosen(made) == []
    made = graph({"a.ts": [other, BIG], other: [], BIG: []})
    assert chosen(made, {other: "function f() {\n  process.env.A = 1;\n}"}) == [BIG]
    assert chosen(made, {other: "'use strict';\nprocess.env.A = 1;"}) == []


def test_what_a_comment_says_is_no_code() -> None:
    made = graph({"a.ts": [BIG], BIG: []})
    assert chosen(made, {BIG: "/**\n * new URL(import.meta.url)\n */\n  // __dirname\n"}) == [BIG]
    assert chosen(made, {BIG: "/** x */\nf(__dirname) // y"}) == []


def test_what_stands_for_a_package_exports_the_same() -> None:
    esm = "node_modules/big2/index.js"
    made = graph({"a.ts": [BIG, esm], BIG: [], esm: []}, {esm: "esm"})
    inputs = candidates(made, lambda path: "", ())
    tried = {f"/app/{BIG}": [], f"/app/{esm}": ["a", "default"]}
    found = left(made, inputs, tried, lambda path: f"file://{path}")
    assert found.preload == (f"/app/{BIG}", f"/app/{esm}")
    assert found.replaced[f"/app/{BIG}"] == (
        f'module.exports = __devbridge_require_b7e1c2("/app/{BIG}");\n'
    )
    assert found.replaced[f"/app/{esm}"] == (
        f'export {{ a, default }} from "devbridge-loaded:file:///app/{esm}";\n'
    )
    odd = left(made, inputs, {**tried, f"/app/{esm}": ["not a name"]}, str)
    assert odd.preload == (f"/app/{BIG}",)
    assert left(made, inputs, {}, str).replaced == {}


def test_what_is_imported_later_is_not_loaded_before() -> None:
    made = graph({"a.ts": [imported(BIG, "dynamic-import")], BIG: []})
    found = left(made, candidates(made, lambda _: "", ()), {f"/app/{BIG}": []}, str)
    assert (found.preload, set(found.replaced)) == ((), {f"/app/{BIG}"})


def test_it_holds_until_something_else_is_imported_or_changed_before() -> None:
    small = "node_modules/small/i.js"
    whole = graph({"a.ts": [BIG, small], BIG: ["node_modules/big/x.js"], small: [],
                   "node_modules/big/x.js": []})  # fmt: skip
    found = left(whole, candidates(whole, lambda _: "", ()), {f"/app/{BIG}": []}, str)
    assert holds(graph({"a.ts": [BIG, small], BIG: [], small: []}), found, lambda _: "")
    assert holds(graph({"a.ts": [BIG], BIG: []}), found, lambda _: "")
    inner = graph({"a.ts": [BIG, "node_modules/big/x.js"], BIG: [], "node_modules/big/x.js": []})
    assert not holds(inner, found, lambda _: "")
    new = graph({"a.ts": [BIG, "node_modules/new/i.js"], BIG: [], "node_modules/new/i.js": []})
    assert not holds(new, found, lambda _: "")
    first = graph({"a.ts": ["first.ts", BIG], "first.ts": [], BIG: []})
    assert not holds(first, found, lambda path: "globalThis.x" if "first" in path else "")
    assert first_touched(first, lambda path: "globalThis.x") == {f"/app/{BIG}", "/app/a.ts"}
