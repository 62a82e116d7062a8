"""Builds that choose runtimes of CodeBuild's own image get a real node and a real Python."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from devbridge.cloud.session import Cloud
from tests.integration.codebuild import CodeBuild, allow, buildspec, put_zip

IMAGE = "aws/codebuild/amazonlinux-x86_64-standard:6.0"
OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"
WHERE = {"type": "S3", "location": "sources/a/b.zip"}


@pytest.fixture
def codebuild(local_cloud: Cloud) -> CodeBuild:
    return CodeBuild(local_cloud)


def choosing(*build: str, **versions: str) -> str:
    """A buildspec that chooses these versions."""
    return buildspec(*build, phases={"install": {"runtime-versions": versions}})


def run(codebuild: CodeBuild, spec: str, **settings: Any) -> Any:
    codebuild.make_project(spec, image=IMAGE, **settings)
    return codebuild.run()


def test_a_build_has_the_node_and_the_python_that_it_chooses(codebuild: CodeBuild) -> None:
    script = "import sys; print(*sys.version_info[:2], sep='.')"
    spec = choosing("node --version", f'python3 -c "{script}"', nodejs="24", python=OWN)
    build = run(codebuild, spec)
    node, python = codebuild.lines(build)
    assert node.startswith("v24.")
    assert python == OWN
    assert {
        "Selecting 'nodejs' runtime version '24' based on manual selections...",
        f"Selecting 'python' runtime version '{OWN}' based on manual selections...",
    } < set(codebuild.lines(build, own=True))


def test_where_this_machine_has_another_one_that_runs_and_the_log_says_so(
    codebuild: CodeBuild,
) -> None:
    build = run(codebuild, choosing("node -p 1+1", nodejs="99", python="3.99"))
    python, node, answer = codebuild.lines(build)
    assert python.startswith("[devbridge] the build asks for Python 3.99, and here Python ")
    assert node.startswith("[devbridge] the build's runtime is Node 99, and here Node ")
    assert "nvm install 99" in node
    assert (answer, build["buildStatus"]) == ("2", "SUCCEEDED")


def test_what_this_machine_knows_nothing_of_is_ignored_and_the_log_says_so(
    codebuild: CodeBuild,
) -> None:
    build = run(codebuild, choosing("true", ruby="3.4"))
    said = "Ignored on the embedded cloud: install: runtime-versions: ruby"
    assert said in codebuild.lines(build, own=True)
    assert build["buildStatus"] == "SUCCEEDED"


def test_other_images_have_nothing_to_choose_from(codebuild: CodeBuild) -> None:
    codebuild.make_project(
        choosing("true", nodejs="24"), image=f"public.ecr.aws/lambda/python:{OWN}"
    )
    said = "Ignored on the embedded cloud: install: runtime-versions: nodejs"
    assert said in codebuild.lines(codebuild.run(), own=True)


PROBE = """\
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
const tell = async (how, load) => {
  const found = await load().catch((error) => ({ default: error.code }));
  console.log(how, found.default ?? "found");
};
await tell("import apps", () => import("apps"));
await tell("require apps", async () => require("apps"));
await tell("import packed", () => import("packed"));
console.log(process.env.NODE_PATH, process.env.NODE_OPTIONS);
"""


def test_what_the_app_has_installed_is_not_found_in_a_build(codebuild: CodeBuild) -> None:
    packed = {
        "a.mjs": PROBE,
        "plain.js": "console.log(typeof require);",
        "node_modules/packed/package.json": json.dumps({"type": "module", "main": "index.js"}),
        "node_modules/packed/index.js": "export default 'packed';",
    }
    put_zip(codebuild.cloud, packed)
    codebuild.make_role("builder", allow("s3:*", "*"))
    spec = choosing("pwd", "node plain.js", "node a.mjs", nodejs="24")
    source = {**WHERE, "buildspec": spec}
    codebuild.make_project(spec, image=IMAGE, source=source)
    where, *_ = codebuild.lines(codebuild.run())
    app = Path(where.partition("/.devbridge/")[0])
    installed = app / "node_modules" / "apps"
    installed.mkdir(parents=True)
    (installed / "index.js").write_text("module.exports = 1")
    (app / "package.json").write_text('{"type": "module"}')
    try:
        build = codebuild.run()
    finally:
        (app / "package.json").unlink()
        (installed / "index.js").unlink()
    assert codebuild.lines(build)[1:] == [
        "function",
        "import apps ERR_MODULE_NOT_FOUND",
        "require apps MODULE_NOT_FOUND",
        "import packed packed",
        "undefined undefined",
    ]
