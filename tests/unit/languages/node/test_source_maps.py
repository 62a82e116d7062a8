from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from devbridge.languages.node.own_package import PACKAGE
from devbridge.languages.node.source_maps import deployed

ROOT = Path("/home/me/app")


def told(sources: list[str], contents: list[str] | None = None) -> Any:
    document: dict[str, Any] = {"version": 3, "sources": sources, "mappings": "AAAA"}
    if contents is not None:
        document["sourcesContent"] = contents
    return json.loads(deployed("jobs/a.mjs.map", json.dumps(document).encode(), ROOT))


def test_the_users_own_sources_stay_and_those_of_packages_lose_their_texts() -> None:
    found = told(["a.ts", "../node_modules/zod/index.js", "../../words/b.ts"], ["a", "z", "b"])
    assert found["sources"] == ["a.ts", "../node_modules/zod/index.js", "../../words/b.ts"]
    assert found["sourcesContent"] == ["a", None, "b"]


def test_devbridges_own_package_is_told_as_installed_wherever_it_is() -> None:
    source = os.path.relpath(PACKAGE / "lib/handler.js", ROOT / "jobs")
    found = told([source], ["text"])
    assert found["sources"] == ["../node_modules/devbridge/lib/handler.js"]
    assert found["sourcesContent"] == [None]
    assert told([source])["sources"] == ["../node_modules/devbridge/lib/handler.js"]


def test_what_is_no_source_map_is_left_alone() -> None:
    assert deployed("jobs/a.mjs", b"code", ROOT) == b"code"
    assert deployed("lib/my.map", b"a map of treasures", ROOT) == b"a map of treasures"
