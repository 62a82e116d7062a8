from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
from click.testing import CliRunner, Result

from devbridge import errors, names
from devbridge.cli.synth import synth as command
from devbridge.config import Config
from devbridge.constructs.load import load_app
from devbridge.packing.zips import make_zip
from tests.unit.deploy.conftest import FakeCloud

APP = """\
from devbridge import Api, App, Container, Job, Table

app = App("demo")
notes = Table(app, "notes", partition_key="id")
work = Job(app, "work", handler="jobs/work.handler", bind=[notes], copy_files=["tool.sh"])
Job(app, "box", runtime="container", container=Container("box", cmd=["true"]))
Api(app, "api", routes={"POST /": "api/start.handler"}, bind=[work])
"""


@pytest.fixture
def root(config: Config) -> Path:
    """An app with a job, a container job, an API and a table; nobody has credentials."""
    root = config.root
    (root / "app.py").write_text(APP)
    for folder, name in (("jobs", "work"), ("api", "start")):
        (root / folder).mkdir()
        (root / folder / f"{name}.py").write_text("def handler(payload, context=None): ...\n")
    (root / "box").mkdir()
    (root / "box" / "Dockerfile").write_text("FROM scratch\n")
    (root / "tool.sh").write_text("#!/bin/sh\n")
    (root / "tool.sh").chmod(0o755)
    return root


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("synth uses the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def run(*arguments: str, stage: str = "prod") -> Result:
    return CliRunner().invoke(command, ["--stage", stage, *arguments])


def printed(*arguments: str) -> dict[str, Any]:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.usefixtures("root", "no_network")
def test_it_prints_the_template_of_a_deployed_stage() -> None:
    template = printed()
    assert template["Description"] == "devbridge app demo, stage prod"
    assert template["Outputs"]["DevbridgeMode"]["Value"] == "deployed"
    code = template["Resources"]["WorkJobInvoker"]["Properties"]["Code"]
    assert code == {
        "S3Bucket": "devbridge-assets-123456789012-us-east-1",
        "S3Key": "the-invokers.zip",
    }


@pytest.mark.usefixtures("root", "no_network")
def test_with_dev_it_is_that_of_a_stage_of_devbridge_dev() -> None:
    template = printed("--dev")
    assert template["Outputs"]["DevbridgeMode"]["Value"] == "dev"
    variables = template["Resources"]["WorkJobInvoker"]["Properties"]["Environment"]["Variables"]
    assert variables["DEVBRIDGE_OFFLINE"] == "queue"


@pytest.mark.usefixtures("root", "no_network")
def test_account_and_region_are_those_that_are_named() -> None:
    template = json.dumps(printed("--account", "210987654321", "--region", "eu-north-1"))
    assert "devbridge-assets-210987654321-eu-north-1" in template
    assert "123456789012" not in template


def test_the_same_app_makes_the_same_bytes_and_the_real_zips(
    root: Path, tmp_path: Path, no_network: None
) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    for out in (first, second, first):
        result = run("--out", str(out), "--zips")
        assert result.exit_code == 0, result.output
    assert f"wrote {first / 'template.json'}" in result.stdout
    assert files(first) == files(second)
    made = files(first)
    assert made["zips/Job-work/jobs/work.py"] == (root / "jobs" / "work.py").read_bytes()
    assert "zips/Job-work/runner/host/run.py" in made
    assert "zips/the-invokers/stub_lambda/deployed.py" in made
    assert (first / "zips/Job-work/tool.sh").stat().st_mode & 0o111
    # The template names the very zips that were unpacked.
    listed = json.loads(made["manifest.json"])["zips"]
    key = json.loads(made["template.json"])["Resources"]["ApiStartFunction"]["Properties"]["Code"][
        "S3Key"
    ]
    assert listed["Function-api-start"]["key"] == key
    for name, asset in listed.items():
        held = files(first / "zips" / name)
        modes = {n: (first / "zips" / name / n) for n in held}
        assert len(make_zip(modes)) == asset["bytes"]


def test_what_was_left_out_of_the_zips_is_said(root: Path, tmp_path: Path) -> None:
    (root / "app.py").write_text(APP.replace('"tool.sh"', '"**/*"'))
    (root / ".env").write_text("TOKEN=1")
    (root / "env.txt").symlink_to(".env")
    (root / "a\nReady.key").touch()
    result = run("--out", str(tmp_path / "out"), "--zips")
    assert result.exit_code == 0, result.output
    assert 'left out .env (hidden); to pack it: copy_files=[".env"]' in result.stderr
    assert "left out env.txt (a link to what is hidden)" in result.stderr
    assert "\n  Ready.key" in result.stderr
    assert "\nReady" not in result.stderr  # a line of its own would look like devbridge's
    assert not {".env", "env.txt"} & {Path(name).name for name in files(tmp_path / "out")}


def test_it_is_what_deploy_would_upload(root: Path, tmp_path: Path) -> None:
    from devbridge.deploy import Request, synthesize

    out = tmp_path / "out"
    assert run("--out", str(out), "--zips", "--region", "eu-west-1").exit_code == 0
    template, assets = synthesize(
        Request(load_app(root, "prod"), FakeCloud(), stage="prod", mode="deployed")
    )
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["hash"] == template.hash
    keys = {names.asset("demo", asset.key) for asset in assets}
    assert keys == {each["key"] for each in manifest["zips"].values()}
    assert json.loads((out / "template.json").read_text()) == json.loads(template.body)


def test_what_an_earlier_call_wrote_goes_and_other_files_stay(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("--out", str(out), "--zips").exit_code == 0
    (out / "note.txt").write_text("mine")
    (out / "zips" / "Job-gone").mkdir()
    assert run("--out", str(out)).exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "manifest.json",
        "note.txt",
        "template.json",
    ]


def test_a_folder_of_something_else_is_refused_and_stays_as_it_is(root: Path) -> None:
    before = files(root)
    result = run("--out", str(root))
    assert isinstance(result.exception, errors.InvalidValue)
    assert str(result.exception).startswith(
        f"{root} is not empty and was not made by devbridge synth"
    )
    assert files(root) == before


def test_a_folder_that_cannot_be_written_is_a_clear_error(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("--out", str(tmp_path / "file" / "below"))
    assert isinstance(result.exception, errors.InvalidValue)
    assert "cannot be written" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--zips"], "--zips needs --out DIR"),
        (["--account", "12"], "--account '12' is not a number of 12 digits"),
    ],
)
def test_wrong_options_are_refused(root: Path, arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == errors.EXIT_USAGE
    assert said in result.output


@pytest.mark.parametrize(
    "example", ["background-jobs", "etl", "factorial", "factorial-ts", "mixed", "zip-files"]
)
def test_each_example_is_written_by_the_command_without_credentials(
    example: str, tmp_path: Path
) -> None:
    source = Path(__file__).parents[3] / "examples" / example
    app = tmp_path / "app"
    shutil.copytree(source, app, ignore=shutil.ignore_patterns(".devbridge", "__pycache__"))
    before = files(app)
    done = subprocess.run(
        [sys.executable, "-m", "devbridge", "synth", "--stage", "prod"],
        cwd=app,
        capture_output=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"},
        check=True,
    )
    assert json.loads(done.stdout)["Outputs"]["DevbridgeMode"]["Value"] == "deployed"
    assert done.stderr == b""
    assert files(app) == before
