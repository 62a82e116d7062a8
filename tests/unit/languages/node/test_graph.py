from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.languages.node.graph import ENTRY, Graph, package_of

ROOT = Path("/app")


def imported(path: str, kind: str = "import-statement", **more: object) -> dict[str, object]:
    return {"path": path, "kind": kind, **more}


def graph(modules: dict[str, list[Any]], **sizes: int) -> Graph:
    """A graph of files below /app that import others."""
    inputs = {
        name: {
            "bytes": 1,
            "format": "esm",
            "imports": [imported(e) if isinstance(e, str) else e for e in imports],
        }
        for name, imports in modules.items()
    }
    return Graph({"inputs": inputs}, ROOT)


def test_modules_are_evaluated_after_what_they_import() -> None:
    made = graph({ENTRY: ["a.ts"], "a.ts": ["b.ts", "c.ts"], "b.ts": ["d.ts"], "c.ts": ["d.ts"],
                  "d.ts": ["a.ts"]})  # fmt: skip
    assert made.order() == ["/app/d.ts", "/app/b.ts", "/app/c.ts", "/app/a.ts"]
    assert made.reached("/app/b.ts")[-1] == "/app/b.ts"
    assert set(made.reached("/app/c.ts")) == set(made.order())


def test_what_is_imported_later_is_apart() -> None:
    lazy = imported("b.ts", "dynamic-import")
    made = graph({ENTRY: ["a.ts"], "a.ts": [lazy, "c.ts"], "b.ts": [], "c.ts": []})
    assert made.order(lazy=False) == ["/app/c.ts", "/app/a.ts"]
    assert made.order() == ["/app/b.ts", "/app/c.ts", "/app/a.ts"]
    twice = graph({ENTRY: ["a.ts"], "a.ts": [lazy, "b.ts"], "b.ts": []})
    assert twice.order(lazy=False) == ["/app/b.ts", "/app/a.ts"]


def test_what_is_no_file_of_the_bundle_is_outside() -> None:
    outside = [imported(name, external=True) for name in ("fs", "<runtime>", "pg")]
    made = graph({ENTRY: ["a.ts"], "a.ts": outside})
    assert made.modules["/app/a.ts"].outside == {"fs", "pg"}
    assert made.modules["/app/a.ts"].imports == ()


def test_files_outside_of_the_folder_have_their_own_paths() -> None:
    made = graph({ENTRY: ["../lib/a.ts"], "../lib/a.ts": []})
    assert made.order() == ["/lib/a.ts"]


@pytest.mark.parametrize(
    ("path", "package"),
    [
        ("/app/jobs/a.ts", ""),
        ("/app/node_modules/zod/v4/index.js", "/app/node_modules/zod"),
        ("/app/node_modules/@aws-sdk/core/x.js", "/app/node_modules/@aws-sdk/core"),
        (
            "/a/node_modules/.pnpm/z@1/node_modules/z/i.js",
            "/a/node_modules/.pnpm/z@1/node_modules/z",
        ),
        ("/a/node_modules/b/node_modules/c/i.js", "/a/node_modules/b/node_modules/c"),
    ],
)
def test_a_file_is_of_the_innermost_package(path: str, package: str) -> None:
    assert package_of(path) == package


def test_a_graph_as_deep_as_can_be_is_walked() -> None:
    deep = {f"{n}.ts": [f"{n + 1}.ts"] for n in range(5000)}
    assert len(graph({ENTRY: ["0.ts"], **deep, "5000.ts": []}).order()) == 5001
