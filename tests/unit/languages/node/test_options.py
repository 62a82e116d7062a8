from __future__ import annotations

from typing import Any

from devbridge.languages.node import options
from devbridge.languages.node.options import (
    build_options,
    extension,
    flags,
)
from devbridge.sources.esbuild import Esbuild


def told(given: Esbuild | None = None, **more: Any) -> dict[str, Any]:
    return build_options(given or {}, "jobs/a", outdir="/out", target="node24", **more)


def test_a_bundle_is_an_es_module_for_the_runtimes_node_unless_something_else_is_said() -> None:
    made = told()
    assert (made["format"], made["target"], made["platform"]) == ("esm", ["node24"], "node")
    assert (made["keepNames"], made["sourcemap"], made["minify"]) == (True, True, False)
    assert (made["entryNames"], made["outExtension"]) == ("jobs/a", {".js": ".mjs"})
    made = told({"format": "cjs", "target": "node22"})
    assert (made["outExtension"], made["target"]) == ({".js": ".cjs"}, ["node22"])
    assert (extension({}), extension({"format": "cjs"})) == (".mjs", ".cjs")


def test_the_users_banner_comes_after_ours_and_may_declare_require_itself() -> None:
    [ours, mine] = told({"banner": "const x = 1;"})["banner"]["js"].splitlines()
    assert mine == "const x = 1;"
    assert ours.endswith(f"const require={options.REQUIRE};")
    for banner in ("const require = f(1)", "import { createRequire as require } from 'module'"):
        assert "const require=" not in told({"banner": banner})["banner"]["js"].splitlines()[0]


def test_what_replaces_a_name_is_added_to_ours_and_wins() -> None:
    made = told({"define": {"A": "1", "__dirname": '"x"'}, "external": ["b", "c"]}, external=["a"])
    assert made["define"]["A"] == "1"
    assert made["define"]["__dirname"] == '"x"'
    assert made["define"]["__filename"] == options.FILENAME
    assert made["external"] == ["pg-native", "a", "b", "c"]
    assert told({"loader": {".wasm": "file"}})["loader"] == {".node": "copy", ".wasm": "file"}


def test_a_bundle_may_take_itself_for_another_file() -> None:
    assert "import.meta.url" not in told()["define"]
    made = told(runs_at='/app/jobs/"a".mjs')
    assert made["define"]["import.meta.url"] == options.URL
    assert r'="/app/jobs/\"a\".mjs"' in made["banner"]["js"]


def test_the_command_line_gets_what_the_javascript_api_gets() -> None:
    made = flags(
        {
            "bundle": True,
            "minify": False,
            "outdir": "/o",
            "target": ["a", "b"],
            "external": ["x", "y"],
            "inject": [],
            "mainFields": ["m"],
            "define": {"A": "1=2"},
            "logOverride": {"x": "warning"},
        }
    )
    expected = "--bundle --outdir=/o --target=a,b --external:x --external:y --main-fields=m"
    assert " ".join(made) == f"{expected} --define:A=1=2 --log-override:x=warning"
