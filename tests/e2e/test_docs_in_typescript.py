"""The pages about TypeScript, done for real: what they migrate runs, what they show compiles."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbridge.emulator.ports import free_port
from devbridge.languages.node.own_package import PACKAGE
from tests import npm
from tests.e2e.dev_process import DevProcess, client, processes_of, run
from tests.e2e.readme import Terminal
from tests.node import NODE
from tests.unit.test_docs_pages import APPS, PAGES, blocks, write_scripts

pytestmark = pytest.mark.timeout(240)

SST, TYPESCRIPT = PAGES["coming-from-sst.md"], PAGES["typescript.md"]


def app_of(page: str) -> str:
    return next(code for name, code in APPS if PAGES[name] is page)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal in the app that the page has moved from SST, in a folder that was empty."""
    app = tmp_path / "my-app"
    app.mkdir()
    write_scripts(app, SST)
    (app / "app.py").write_text(app_of(SST))
    for name, text in zip(("package.json", "tsconfig.json"), blocks(SST, "json"), strict=True):
        (app / name).write_text(text)
    try:
        yield Terminal(app, replaced={})
    finally:
        run(app, "cloud", "stop")
    assert processes_of(app) == []


def test_what_was_moved_from_sst_runs_as_the_page_says(terminal: Terminal) -> None:
    install, dev, curl, bind, tsc = "".join(blocks(SST, "console")).splitlines()
    assert (install, dev) == ("npm install", "devbridge dev --local")
    npm.install(terminal.folder)
    with DevProcess(terminal.folder, *dev.split()[2:]) as process:
        process.wait_for(r"^Ready", deadline=120)
        job_id = terminal.run(curl).output.partition(",")[0]
        assert terminal.run(f"devbridge wait {job_id} --local").code == 0
        assert terminal.run(f"devbridge result {job_id} --local").output == "3628800\n"
        told = process.wait_for(r"\+\S+ +10! is 3628800, written to (\S+)$")
        (row,) = client(terminal.folder, "dynamodb").scan(TableName=told[1])["Items"]
        assert row == {"id": {"S": "10!"}, "value": {"N": "3628800"}}

        site = f"http://127.0.0.1:{(port := free_port())}"
        with terminal.started(f"PORT={port} {bind}", says="listening"):
            run_id = terminal.run(f"curl -s {site}/").output
            assert terminal.run(f"curl -s {site}/cancel/{run_id}").output.startswith("it was ")
            ended = terminal.run(f"devbridge wait {run_id} --local")
            assert ended.output.startswith("Cancelled")

        checked = terminal.run(tsc)
        assert (checked.code, checked.output) == (0, "")
        file = terminal.folder / "packages/functions/src/lambda.ts"
        file.write_text(file.read_text().replace("num: 10", 'num: "10"'))
        assert "lambda.ts(8,7): error TS2322" in terminal.run(tsc).output
        assert process.interrupt() == 0


def test_the_files_of_the_page_compile_in_the_app_of_the_page(tmp_path: Path) -> None:
    write_scripts(tmp_path, TYPESCRIPT)
    (tmp_path / "app.py").write_text(app_of(TYPESCRIPT))
    with (tmp_path / "app.py").open("a") as file:  # the page shows more jobs than its app has
        for name in ("order", "train"):
            file.write(f'Job(app, "{name}", handler="jobs/{name}.handler", runtime="nodejs24.x")\n')
    packages = {"sharp": "^0.35.0", "typescript": "^7.0.0", "zod": "^4.0.0", "@types/node": "^24"}
    manifest = {"name": "page", "private": True, "devDependencies": packages}
    (tmp_path / "package.json").write_text(json.dumps(manifest))
    config = json.loads(blocks(SST, "json")[1])
    (tmp_path / "tsconfig.json").write_text(json.dumps({**config, "include": ["**/*.ts"]}))
    npm.install(tmp_path)
    terminal = Terminal(tmp_path, replaced={})
    types = terminal.run("devbridge types")
    assert (types.code, "warning" in types.output) == (0, False), types.output
    checked = terminal.run("npx tsc")
    assert (checked.code, checked.output) == (0, "")
    schemas = json.loads(terminal.run("devbridge types --schema").output)
    assert schemas["order"]["payload"]["required"] == ["sku"]
    assert schemas["resize"]["result"] == {"type": "number"}
    assert schemas["train"]["payload"]["required"] == ["epochs"]
    assert schemas["train"]["result"] == {"type": "number"}
    (loop,) = re.findall(r"`(for await [^`]+)`", TYPESCRIPT)
    (tmp_path / "node_modules" / "devbridge").symlink_to(PACKAGE)
    (tmp_path / "test.mts").write_text(f"""
        import {{ handler }} from "./jobs/train.ts";
        import type {{ JobContext }} from "devbridge/job";
        interface State {{ epoch: number; weight: number }}
        const checkpoint = {{ epoch: 1, weight: 1.5 }};
        {loop} console.log(state);
    """)
    checked = terminal.run("npx tsc --allowImportingTsExtensions")
    assert (checked.code, checked.output) == (0, "")
    ran = terminal.run(f"{NODE} --no-warnings test.mts")
    assert ran.output.splitlines()[:2] == [
        "epoch 2: 1.4166666666666665",
        "{ epoch: 2, weight: 1.4166666666666665 }",
    ]
