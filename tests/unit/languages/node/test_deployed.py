from __future__ import annotations

import pytest

from devbridge.languages.base import Build
from devbridge.languages.node.deployed import DeployedNode
from devbridge.sources.runtimes import JOBS, RUNTIMES


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
@pytest.mark.parametrize("runtime", [name for name in JOBS if name.startswith("nodejs")])
def test_a_build_chooses_node_and_python_of_what_its_place_has(
    runtime: str, architecture: str
) -> None:
    build = DeployedNode().build(runtime, architecture, None)
    assert build.image == ""
    assert build.runtimes == {"nodejs": RUNTIMES[runtime].version, "python": "3.13"}
    assert build.variables == {"DEVBRIDGE_RUNTIME": runtime}


def test_an_image_of_the_user_s_own_has_nothing_to_choose_from() -> None:
    assert DeployedNode().build("nodejs24.x", "x86_64", "a/b@sha256:c") == Build(
        "a/b@sha256:c", variables={"DEVBRIDGE_RUNTIME": "nodejs24.x"}
    )


@pytest.mark.parametrize("esbuild", [{}, {"sourcemap": True}, {"minify": True}])
def test_a_function_reads_its_source_maps(esbuild: dict[str, bool]) -> None:
    found = DeployedNode().function_variables(esbuild)
    assert found == {"NODE_OPTIONS": "--enable-source-maps"}


def test_a_function_without_source_maps_is_not_told_to_read_them() -> None:
    assert DeployedNode().function_variables({"sourcemap": False}) == {}
