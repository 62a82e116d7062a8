"""The npm package as it is published: packed, installed in an empty project, and run by node."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from devbridge.cli import main
from devbridge.cloud.session import Cloud
from devbridge.config import Config
from devbridge.constructs.load import load_app
from devbridge.deploy import Request, deploy
from devbridge.deploy.secrets import set_secret
from devbridge.languages.node.tools import find_npm
from devbridge.languages.node.tsc import compiler
from tests.node import NODE
from tests.npm import project

PACKAGE = Path(__file__).parents[4] / "devbridge" / "languages" / "node" / "package"
NPM = find_npm(os.environ)
PUBLISHED = {
    "LICENSE",
    "README.md",
    "job.d.ts",
    "job.js",
    "package.json",
    "resources.d.ts",
    "resources.js",
}


def ran(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(params=[pytest.param("5.9.3", marks=pytest.mark.matrix), "7.0.2"])
def installed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An empty project that has installed the package, and a TypeScript."""
    packed = ran(*NPM, "pack", PACKAGE, "--silent", cwd=tmp_path).split()[-1]
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "package.json").write_text('{"private": true}')
    ran(*NPM, "install", "--offline", "--no-audit", "--no-fund", f"../{packed}", cwd=folder)
    packages = {"typescript": request.param, "@types/node": "22.18.8"}
    there = project(f"package-{request.param[0]}", packages) / "node_modules"
    for each in (path for path in there.iterdir() if not path.name.startswith(".")):
        (folder / "node_modules" / each.name).symlink_to(each)
    return folder


def test_what_is_published_is_what_is_needed(tmp_path: Path) -> None:
    (packed,) = json.loads(ran(*NPM, "pack", PACKAGE, "--dry-run", "--json", cwd=tmp_path))
    files = {file["path"] for file in packed["files"]}
    library = {f"lib/{file.name}" for file in (PACKAGE / "lib").iterdir()}
    assert files == PUBLISHED | library


def test_it_is_imported_and_required_and_its_types_are_found(installed: Path) -> None:
    program = """
        import { Job, JobFailed, jobHandler } from "devbridge/job";
        import { Table } from "devbridge/resources";
        declare module "devbridge/job" { export interface JobTypes { a: { num: number } } }
        export const handler = jobHandler("a", async (payload) => payload.num);
        export const start = async () => (await Job.a.run({ payload: { num: 1 } })).jobId;
        export const name = () => Table.notes.tableName;
        export const failed = (error: unknown) => error instanceof JobFailed && error.errorType;
    """
    (installed / "module.mts").write_text(program)
    (installed / "bundled.ts").write_text(program)
    (installed / "bad.mts").write_text(
        'import { Job } from "devbridge/job";\nJob.a.run({ payload: { num: "1" } });\n'
    )
    tsc = compiler(installed, lambda: NODE)
    assert tsc is not None
    options = ["--noEmit", "--strict", "--target", "es2022", "--types", "node"]
    node = ["--module", "nodenext"]
    bundler = ["--module", "esnext", "--moduleResolution", "bundler"]
    ran(*tsc.command, *options, *node, "module.mts", cwd=installed)
    ran(*tsc.command, *options, *bundler, "bundled.ts", cwd=installed)
    command = [*tsc.command, *options, *node, "module.mts", "bad.mts"]
    bad = subprocess.run(command, cwd=installed, capture_output=True, text=True, check=False)
    assert bad.stdout.splitlines()[0] == (
        "bad.mts(2,24): error TS2322: Type 'string' is not assignable to type 'number'."
    )
    script = "console.log(typeof X.jobHandler, new X.JobFailed('x').name)"
    for way, text in (
        ("--input-type=module", f'import * as X from "devbridge/job"; {script}'),
        ("--input-type=commonjs", f'const X = require("devbridge/job"); {script}'),
    ):
        assert ran(NODE, way, "-e", text, cwd=installed).split() == ["function", "JobFailed"]


def test_its_javascript_has_the_types_that_its_comments_say() -> None:
    packages = {"typescript": "7.0.2", "@types/node": "22.18.8"}
    folder = project("package-7", packages)
    tsc = compiler(folder, lambda: None)
    assert tsc is not None
    ran(
        *tsc.command,
        *("--noEmit", "--strict", "--allowJs", "--checkJs", "--noUncheckedIndexedAccess"),
        *("--module", "nodenext", "--target", "es2024", "--types", "node"),
        *("--typeRoots", str(folder / "node_modules" / "@types"), "--ignoreConfig"),
        *(str(PACKAGE / "job.js"), str(PACKAGE / "resources.js")),
        cwd=folder,
    )


APP = """
from devbridge import App, Job, Secret, Table

app = App("demo")
Table(app, "notes", partition_key="id")
Secret(app, "api-key")
Job(app, "work", handler="jobs/work.handler")
"""

SERVER = """
import { writeFileSync } from "node:fs";
import { Job, UnknownRun } from "devbridge/job";
import { fetchSecrets, Secret, Table } from "devbridge/resources";

await fetchSecrets();
const unknown = await Job.work.status("b-none").catch((error) => error);
const found = {
  secret: Secret.api_key.value,
  table: Table.notes.tableName,
  unknown: [unknown instanceof UnknownRun, unknown.where, unknown.what],
};
writeFileSync(process.argv[2], JSON.stringify(found));
"""


def test_a_plain_node_program_under_bind_may_use_what_the_app_has(
    local_cloud: Cloud, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    config = make_config()
    (config.root / "app.py").write_text(APP)
    (config.root / "jobs").mkdir()
    (config.root / "jobs" / "work.py").write_text("def handler(event, context): ...\n")
    (config.root / "node_modules").mkdir()
    (config.root / "node_modules" / "devbridge").symlink_to(PACKAGE)
    (config.root / "server.mjs").write_text(SERVER)
    set_secret(local_cloud, "demo", "test", "api-key", "s3cret")
    deploy(Request(load_app(config.root, "test"), local_cloud, stage="test", mode="deployed"))
    out = tmp_path / "out"
    options = ["--app", str(config.root), "--stage", "test"]
    endpoint = ["--endpoint", str(local_cloud.endpoint_url)]
    command = [NODE, str(config.root / "server.mjs"), str(out)]
    result = CliRunner().invoke(main, ["bind", *options, *endpoint, "--", *command])
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    assert found["secret"] == "s3cret"
    tables = local_cloud.client("dynamodb").list_tables()["TableNames"]
    assert found["table"] in tables
    known, where, what = found["unknown"]
    assert known, what
    assert where.startswith("job 'work', invoker ")
