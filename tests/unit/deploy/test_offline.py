from __future__ import annotations

import json
from pathlib import Path

import pytest

from devbridge.constructs import App, Container, Job
from devbridge.constructs.app import loading
from devbridge.deploy.offline import (
    ACCOUNT,
    REGION,
    Nowhere,
    folder_name,
    pretty,
    template_only,
    write,
)
from devbridge.deploy.request import Request
from devbridge.deploy.synth import Template
from devbridge.errors import DevbridgeError, InvalidValue
from devbridge.packing.zips import Asset, make_zip

TEMPLATE = Template('{"b":1,"a":{"c":2}}', "h4sh", {})


def test_an_account_that_nobody_asks_has_what_a_template_needs() -> None:
    nowhere = Nowhere()
    assert (nowhere.region, nowhere.account, nowhere.endpoint_url) == (REGION, ACCOUNT, None)
    assert nowhere.principal_arn == f"arn:aws:iam::{ACCOUNT}:user/developer"
    assert nowhere.iot_endpoint().host == f"example-ats.iot.{REGION}.amazonaws.com"
    assert Nowhere(local=True).endpoint_url == "http://127.0.0.1"
    with nowhere.explained(), pytest.raises(DevbridgeError, match="s3: there is no cloud to ask"):
        nowhere.client("s3").put_object(Bucket="b")


@pytest.fixture
def boxed(app: App) -> App:
    (app.root / "box").mkdir()
    (app.root / "box" / "Dockerfile").write_text("FROM scratch\n")
    with loading(app.root):
        Job(app, "box", runtime="container", container=Container("box", cmd=["true"]))
    return app


def test_a_template_without_zips_names_each_by_what_it_is_of(boxed: App) -> None:
    made = template_only(Request(boxed, Nowhere(), stage="prod", mode="deployed"))
    named = ("Function-api-start.zip", "Job-my-job.zip", "packages-of-Job-my-job.zip")
    assert all(name in made.body for name in named)
    assert "the-invokers.zip" in made.body
    assert "Job-box.zip" not in made.body
    assert f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com" in made.body


def test_a_template_of_dev_has_the_offline_policy_and_the_stubs(app: App) -> None:
    made = template_only(Request(app, Nowhere(), stage="ann", mode="dev", offline="error"))
    assert "the-stubs.zip" in made.body
    variables = json.loads(made.body)["Resources"]["MyJobJobInvoker"]["Properties"]["Environment"]
    assert variables["Variables"]["DEVBRIDGE_OFFLINE"] == "error"
    assert "user/developer" in made.body


def test_a_stage_of_no_proper_name_has_no_template(app: App) -> None:
    with pytest.raises(InvalidValue, match="the stage's name"):
        template_only(Request(app, Nowhere(), stage="No!", mode="deployed"))


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Function 'api-start'", "Function-api-start"),
        ("the stubs", "the-stubs"),
        ("packages of Job 'a.b_c'", "packages-of-Job-a.b_c"),
    ],
)
def test_a_zips_folder_is_named_by_what_it_is_of(label: str, name: str) -> None:
    assert folder_name(label) == name


def test_a_template_for_people_has_a_line_a_value_in_order() -> None:
    assert pretty(TEMPLATE) == '{\n  "a": {\n    "c": 2\n  },\n  "b": 1\n}\n'


def zipped(folder: Path) -> Asset:
    (folder / "tool.sh").write_text("#!/bin/sh\n")
    (folder / "tool.sh").chmod(0o755)
    files: dict[str, Path | bytes] = {"jobs/a.py": b"x = 1\n", "tool.sh": folder / "tool.sh"}
    return Asset.of("Job 'a'", make_zip(files))


def test_the_template_a_list_and_what_is_in_the_zips_are_written(tmp_path: Path) -> None:
    out, asset = tmp_path / "new" / "out", zipped(tmp_path)
    write(out, "demo", TEMPLATE, [asset])
    assert (out / "template.json").read_text() == pretty(TEMPLATE)
    listed = {"label": "Job 'a'", "key": f"assets/demo/{asset.key}", "bytes": asset.size}
    assert json.loads((out / "manifest.json").read_text()) == {
        "template": "template.json",
        "hash": "h4sh",
        "zips": {"Job-a": listed},
    }
    assert (out / "zips" / "Job-a" / "jobs" / "a.py").read_text() == "x = 1\n"
    assert (out / "zips" / "Job-a" / "tool.sh").stat().st_mode & 0o777 == 0o755
    assert (out / "zips" / "Job-a" / "jobs" / "a.py").stat().st_mode & 0o777 == 0o644


def test_what_an_earlier_call_has_written_goes_and_other_files_stay(tmp_path: Path) -> None:
    write(tmp_path / "out", "demo", TEMPLATE, [zipped(tmp_path)])
    (tmp_path / "out" / "note.txt").write_text("mine")
    write(tmp_path / "out", "demo", TEMPLATE, None)
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["manifest.json", "note.txt", "template.json"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    write(tmp_path, "demo", TEMPLATE, None)
    assert (tmp_path / "template.json").is_file()


@pytest.mark.parametrize("what", ["a file", "a folder with a file", "a link that leads nowhere"])
def test_what_is_something_else_is_left_as_it_is(tmp_path: Path, what: str) -> None:
    out = tmp_path / "out"
    if what == "a file":
        out.write_text("mine")
    elif what == "a folder with a file":
        out.mkdir()
        (out / "mine").touch()
    else:
        out.symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InvalidValue, match="not made by devbridge synth") as caught:
        write(out, "demo", TEMPLATE, None)
    assert caught.value.where == "--out"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_cannot_be_written_says_which_file_and_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidValue, match=r"file/out cannot be written: Not a directory"):
        write(tmp_path / "file" / "out", "demo", TEMPLATE, None)
