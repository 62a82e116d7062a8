from __future__ import annotations

import json
from pathlib import Path

import pytest

from devbridge.constructs import App, Bucket, Job, Table
from devbridge.languages.node.declarations import MARK, declarations, declared
from devbridge.types import JobTypes
from tests.unit.languages.node.conftest import AddJob

HANDLER = "export const handler = async () => 1;\n"


def depends(folder: Path, kind: str = "dependencies") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(json.dumps({kind: {"devbridge": "^0.1.0"}}))


def test_an_app_without_anything_of_node_gets_nothing(app: App) -> None:
    (app.root / "package.json").write_text('{"dependencies": {"left-pad": "1"}}')
    assert declarations(app, {}) == {}


@pytest.mark.parametrize("text", ["{", "[]", '{"dependencies": []}', '{"dependencies": null}'])
def test_a_package_json_that_is_none_is_no_error(app: App, text: str) -> None:
    (app.root / "package.json").write_text(text)
    assert declarations(app, {}) == {}


def test_each_package_that_depends_on_devbridge_gets_a_file_that_adds_to_it(app: App) -> None:
    depends(app.root / "packages" / "web")
    depends(app.root / "packages" / "functions", "devDependencies")
    depends(app.root / "node_modules" / "other")
    depends(app.root / "packages" / "web" / "dist")
    found = declarations(app, {})
    assert [*found] == [
        "packages/functions/devbridge-env.d.ts",
        "packages/web/devbridge-env.d.ts",
    ]
    for text in found.values():
        assert text.startswith(MARK)
        assert 'import "devbridge/job";' in text
        assert "class JobFailed" not in text


def test_code_without_the_package_gets_all_that_it_declares(app: App, add_job: AddJob) -> None:
    add_job("resize", HANDLER)
    (text,) = declarations(app, {}).values()
    assert "export class JobFailed extends DevbridgeError" in text
    assert "import " not in text.replace("import {", "").partition("declare module")[0]
    assert "declare class" not in text
    lines = text.splitlines()
    reference = '/// <reference lib="es2018.asyncgenerator" />'
    assert [number for number, line in enumerate(lines) if "<reference" in line] == [1]
    assert lines[1] == reference
    assert 'from "devbridge/job"' in text


def test_folders_with_settings_of_their_own_refer_to_the_app_s_file(
    app: App, add_job: AddJob
) -> None:
    add_job("resize", HANDLER, file="packages/functions/src/resize.ts")
    (app.root / "packages" / "functions" / "tsconfig.json").write_text("{}")
    found = declarations(app, {})
    assert [*found] == ["devbridge-env.d.ts", "packages/functions/devbridge-env.d.ts"]
    reference = found["packages/functions/devbridge-env.d.ts"]
    assert reference.startswith(MARK)
    assert reference.endswith('/// <reference path="../../devbridge-env.d.ts" />\n')


def test_a_tsconfig_is_enough_for_callers_in_typescript(app: App) -> None:
    (app.root / "tsconfig.json").write_text("{}")
    assert [*declarations(app, {})] == ["devbridge-env.d.ts"]


def test_all_jobs_have_names_and_what_is_known_of_them(app: App, add_job: AddJob) -> None:
    notes = Table(app, "notes", partition_key="id")
    Bucket(app, "forgotten")
    add_job("resize-images", HANDLER, bind=[notes])
    (app.root / "jobs" / "words.py").write_text("def handler(event, context): ...")
    Job(app, "words", handler="jobs/words.handler")
    found = declared(
        app,
        {
            "words": JobTypes(
                payload={
                    "type": "object",
                    "properties": {"text": {"type": "string"}},
                    "required": ["text"],
                },
                result={"type": "integer"},
            )
        },
        has_package=True,
    )
    assert (
        found.partition("\n\n")[2]
        == """\
declare module "devbridge/job" {
  export interface JobNames {
    /** Runs jobs/resize_images.handler. */
    "resize-images": string;
    /** Runs jobs/words.handler. */
    words: string;
  }
  export interface JobPayloads {
    words: {
      text: string;
    };
  }
  export interface JobResults {
    words: number;
  }
}

declare module "devbridge/resources" {
  export interface Bound {
    Table: "notes";
    Bucket: never;
    Queue: never;
    Topic: never;
    Stream: never;
    EventBus: never;
    Secret: never;
    Config: never;
    FileSystem: never;
    Function: never;
    Api: never;
    UserPool: never;
  }
}
"""
    )
