from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import Api, App, Container, Job
from devbridge.constructs.app import JobFolder, loading
from devbridge.constructs.compute import Batch, CodeBuild, Fargate, Lambda
from devbridge.deploy import assets
from devbridge.deploy.access import Progress
from devbridge.deploy.assets import Packed, build_images, cache, lacking, pack
from devbridge.deploy.request import Request
from devbridge.deploy.synth import Settings
from devbridge.errors import AppFailed, BuildError, HandlerNotFound
from devbridge.languages.base import Packing
from devbridge.names import Mode
from devbridge.packing.assets import Shape
from tests.unit.deploy.conftest import FakeCloud
from tests.unit.deploy.packing import FakeBuilder


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> FakeBuilder:
    """The one that is used, once it is."""
    made = FakeBuilder()

    def make(packing: Packing) -> FakeBuilder:
        made.packing = packing
        return made

    monkeypatch.setattr(assets, "Packers", make)
    return made


@pytest.fixture
def app(root: Path) -> App:
    (root / "render").mkdir()
    (root / "render" / "Dockerfile").write_text("FROM scratch\n")
    with loading(root):
        app = App("demo")
        Job(app, "plain", handler="jobs/a.handler")
        Job(app, "cloud", handler="jobs/a.handler", enable_live_dev=False)
        Job(app, "box", runtime="container", container=Container("render", cmd=["./run"]))
        Api(app, "api", routes={"GET /": "api/start.handler"})
    return app


def packed(
    app: App, mode: Mode = "deployed", told: list[Progress] | None = None, offline: str = "queue"
) -> Packed:
    settings = Settings("dev", "arn", "iot", "3.12", mode=mode, offline=offline)
    tell = ([] if told is None else told).append
    request = Request(
        *(app, FakeCloud()),
        stage="dev",
        mode=mode,
        python=Path("/venv/python"),
        schemas={"plain": {}},
        on_progress=tell,
    )
    return pack(request, settings)


def labels(made: Packed) -> list[str]:
    return [asset.label for asset in made.zips]


def test_a_deployed_stage_has_the_code_of_all_jobs_and_no_stubs(
    app: App, builder: FakeBuilder
) -> None:
    builder.packages = {"plain"}
    made = packed(app)
    assert labels(made) == [
        "the invokers",
        "Function 'api-start'",
        "packages of Job 'plain'",
        "Job 'plain'",
        "Job 'cloud'",
    ]
    assert made.assets.stub == ""
    assert made.assets.invoker
    assert made.assets.packages.keys() == {"plain"}
    assert made.assets.jobs.keys() == {"plain", "cloud"}
    assert made.assets.images.keys() == {"box"}
    assert [job.name for job in made.images] == ["box"]
    assert sorted(builder.analysed) == ["api-start", "cloud", "plain"]


def test_a_stage_of_dev_has_stubs_and_the_code_of_jobs_that_are_not_live(
    app: App, builder: FakeBuilder
) -> None:
    made = packed(app, "dev")
    assert labels(made) == [
        "the stubs",
        "the invokers",
        "the stubs of functions",
        "Function 'api-start'",
        "Job 'cloud'",
    ]
    assert made.assets.stub
    assert made.assets.function_stub
    assert made.assets.jobs.keys() == {"cloud"}
    assert made.images == []
    assert "plain" not in builder.analysed


def test_a_stage_without_live_functions_has_no_stub_of_them(app: App, builder: FakeBuilder) -> None:
    made = packed(app)
    assert "the stubs of functions" not in labels(made)
    assert made.assets.function_stub == ""
    assert made.files


def test_code_of_a_function_that_nobody_runs_in_the_cloud_is_not_packed(
    app: App, builder: FakeBuilder
) -> None:
    made = packed(app, "dev", offline="error")
    assert "Function 'api-start'" not in labels(made)
    assert made.assets.functions == {}
    assert "api-start" not in builder.analysed


def test_a_save_of_a_live_functions_code_deploys_nothing(app: App, builder: FakeBuilder) -> None:
    assert packed(app, "dev").files == frozenset()


def test_the_template_refers_to_the_zips_by_their_keys_below_the_apps_name(
    app: App, builder: FakeBuilder
) -> None:
    made = packed(app)
    assert made.assets.bucket == "devbridge-assets-123456789012-eu-west-1"
    by_label = {asset.label: f"assets/demo/{asset.key}" for asset in made.zips}
    assert made.assets.functions == {"api-start": by_label["Function 'api-start'"]}
    assert made.assets.jobs["plain"] == by_label["Job 'plain'"]
    assert made.assets.invoker == by_label["the invokers"]


def test_the_builder_is_told_whose_code_it_packs_and_for_which_cloud(
    app: App, builder: FakeBuilder
) -> None:
    packed(app)
    assert (builder.packing.python, builder.packing.version) == (Path("/venv/python"), "3.12")
    assert (builder.packing.local, builder.packing.schemas, builder.packing.live) == (
        False,
        {"plain": {}},
        {},
    )
    assert builder.packing.cache == cache()


def test_the_files_of_functions_and_all_warnings_are_told(app: App, builder: FakeBuilder) -> None:
    told: list[Progress] = []
    builder.remarks.warnings.append("old")
    builder.remarks.left.append("left out .env")
    made = packed(app, told=told)
    assert made.files == {app.root / "api" / "start.py"}
    assert [(p.step, p.text) for p in told] == [
        ("warning", "old"),
        ("warning", "Function 'api-start' is odd"),
        ("left", "left out .env"),
    ]


def test_the_builder_is_told_what_the_place_of_each_job_has(
    root: Path, builder: FakeBuilder
) -> None:
    with loading(root):
        app = App("demo")
        for compute in (CodeBuild(), Batch(), Fargate(), Lambda()):
            Job(app, compute.name, handler="jobs/a.handler", compute=compute)
    packed(app)
    assert builder.packing.shapes == {
        "codebuild": Shape(),
        "batch": Shape(brings_sdk=False),
        "fargate": Shape(brings_sdk=False),
        "lambda": Shape(whole=True),
    }


def test_that_a_function_is_large_which_is_started_again_and_again_is_told(
    root: Path, builder: FakeBuilder
) -> None:
    with loading(root):
        app = App("demo")
        for name in ("a", "small"):
            Job(app, name, handler="jobs/a.handler", compute=Lambda())
    builder.sizes |= {"a": 100 * 1024**2, "small": 200 * 1024}
    told: list[Progress] = []
    packed(app, told=told)
    (only,) = told
    assert "Job 'a': its function has 100.0 MB of at most 250 MB" in only.text


def test_a_handler_that_is_missing_is_an_error_where_its_code_is_needed(
    app: App, builder: FakeBuilder
) -> None:
    app.missing["jobs/a.handler"] = HandlerNotFound("jobs/a.py is not there")
    with pytest.raises(HandlerNotFound, match="is not there"):
        packed(app)


def test_the_versions_of_what_was_uploaded_come_to_those_of_what_stays(
    app: App, builder: FakeBuilder
) -> None:
    made = packed(app)
    made.assets.versions.update({"a": "1", "b": "1"})  # type: ignore[attr-defined]
    assert made.pinned({"b": "2", "c": "2"}).versions == {"a": "1", "b": "2", "c": "2"}


def test_what_only_live_runs_have_is_told_of_the_jobs_that_are_asked_about(
    app: App, builder: FakeBuilder
) -> None:
    python = Path(sys.executable)
    said = lacking(app, FakeCloud(), python, ["cloud", "box"])
    assert said == ["Job 'cloud': live runs have imported x"]


def test_what_packing_has_started_is_ended_also_when_it_fails(
    app: App, builder: FakeBuilder
) -> None:
    packed(app)
    assert builder.closed
    builder.closed, builder.broken = False, {"api-start"}
    with pytest.raises(BuildError):
        packed(app)
    assert builder.closed
    builder.closed = False
    lacking(app, FakeCloud(), Path(sys.executable), ["cloud"])
    assert builder.closed


def test_images_are_built_for_aws_alone(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[tuple[str, str]] = []

    def build_image(job: Job, _: object, say: Any, *, stage: str) -> None:
        say(f"{job} is built")
        built.append((job.name, stage))

    monkeypatch.setattr(assets, "build_image", build_image)
    jobs = [job for job in app.of_type(Job) if job.container]
    told: list[Progress] = []
    build_images(FakeCloud(), jobs, "prod", told.append)
    assert built == [("box", "prod")]
    build_images(FakeCloud(endpoint_url="http://127.0.0.1:1"), jobs, "prod", told.append)
    assert built == [("box", "prod")]
    assert [str(p) for p in told] == [
        "build    Job 'box' is built",
        "build    Job 'box': no image, the embedded cloud runs no containers",
    ]


def test_what_was_passed_over_in_a_folder_of_jobs_is_told(app: App, builder: FakeBuilder) -> None:
    app.job_folders[app.root / "jobs"] = JobFolder((), "jobs/: 1 job; passed over: b.py")
    app.job_folders[app.root / "more"] = JobFolder((), "")
    told: list[Progress] = []
    packed(app, told=told)
    assert Progress("left", "jobs/: 1 job; passed over: b.py") in told
    assert sum(step.step == "left" for step in told) == 1


def test_nothing_is_packed_while_a_folder_of_jobs_has_a_file_nobody_can_read(app: App) -> None:
    app.unread.append(AppFailed("SyntaxError: invalid syntax", where="jobs/b.py:1"))
    with pytest.raises(AppFailed, match="invalid syntax"):
        packed(app)
