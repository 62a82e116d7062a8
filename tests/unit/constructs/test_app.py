from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from troposphere import sns

import devbridge
from devbridge import constructs
from devbridge.constructs import App, Bucket, Config, Job, Queue, Secret, Table, Topic
from devbridge.constructs.app import loading
from devbridge.errors import AppError, DuplicateName, InvalidValue

HANDLER = "jobs/a.handler"
BOUNDARY = "arn:aws:iam::123456789012:policy/limits/devs"


def test_an_app_knows_the_stage_that_it_is_loaded_for(root: Path) -> None:
    with loading(root, "prod"):
        assert App("demo").stage == "prod"
    assert App("demo").stage == ""


def test_an_app_has_no_tags_and_no_boundary_by_default(app: App) -> None:
    assert (app.tags, app.permissions_boundary, app.resources) == ({}, None, [])


def test_an_apps_tags_and_boundary_are_kept() -> None:
    app = App("demo", tags={"Team": "data & ml"[:4]}, permissions_boundary=BOUNDARY)
    assert (app.tags, app.permissions_boundary) == ({"Team": "data"}, BOUNDARY)


@pytest.mark.parametrize("name", ["Demo", "", "a_b", None])
def test_an_apps_name_is_checked(name: Any) -> None:
    with pytest.raises(InvalidValue, match="lower-case"):
        App(name)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tags": {"aws:x": "y"}},
        {"tags": ["x"]},
        {"permissions_boundary": "devs"},
        {"inherit": "DB_URL"},
        {"inherit": ["1X"]},
        {"inherit": ["*"]},
        {"inherit": ["A*B"]},
        {"inherit": ["A=1"]},
        {"inherit": [1]},
        {"inherit": ["AWS_SECRET_ACCESS_KEY"]},
        {"inherit": ["AWS_*"]},
        {"inherit": ["DEVBRIDGE_STAGE"]},
        {"inherit": ["BOTO_CONFIG"]},
        {"inherit": ["PYTHONHOME"]},
    ],
)
def test_an_apps_options_are_checked(wrong: dict[str, Any]) -> None:
    line = sys._getframe().f_lineno + 2
    with pytest.raises(InvalidValue) as caught:
        App("demo", **wrong)
    assert f"test_app.py:{line}, App" in str(caught.value)
    assert f"App('demo'): {next(iter(wrong))}" in str(caught.value)


def test_what_live_jobs_inherit_is_kept() -> None:
    names = ("DB_URL", "MYAPP_*", "PYTHONPATH")
    assert App("demo", inherit=list(names)).inherit == names


def test_an_app_that_is_refused_is_not_the_loaded_one(root: Path) -> None:
    with loading(root) as state, pytest.raises(InvalidValue):
        App("demo", permissions_boundary="x")
    assert state.apps == []


def test_any_troposphere_resource_can_be_added(app: App) -> None:
    alarms = app.add(sns.Topic("Alarms"))
    assert app.resources == [alarms]


@pytest.mark.parametrize("resource", [None, "Alarms", {"Type": "AWS::SNS::Topic"}, sns.Topic])
def test_what_is_no_troposphere_resource_cannot_be_added(app: App, resource: Any) -> None:
    line = sys._getframe().f_lineno + 2
    with pytest.raises(InvalidValue, match="a troposphere resource with a title") as caught:
        app.add(resource)
    assert f"test_app.py:{line}" in str(caught.value)


def test_added_resources_have_different_titles(app: App) -> None:
    app.add(sns.Topic("Alarms"))
    with pytest.raises(DuplicateName, match="'Alarms' was added before"):
        app.add(sns.Topic("Alarms"))


@pytest.mark.parametrize("name", ["", "1a", "a b", "a--b", "ä", "x" * 41, None])
def test_names_that_are_not_allowed_are_refused(app: App, name: Any) -> None:
    with pytest.raises(InvalidValue, match="name"):
        Table(app, name, partition_key="id")


def test_names_are_unique_among_constructs_of_a_type(app: App) -> None:
    Table(app, "notes", partition_key="id")
    Job(app, "notes", handler=HANDLER)
    with pytest.raises(DuplicateName, match="the same name"):
        Table(app, "notes", partition_key="id")


def test_names_that_would_share_an_environment_variable_are_duplicates(app: App) -> None:
    Table(app, "my-notes", partition_key="id")
    with pytest.raises(DuplicateName, match="differ only in"):
        Table(app, "my_notes", partition_key="id")


def test_the_first_argument_must_be_the_app() -> None:
    scope: Any = "demo"
    with pytest.raises(AppError, match="must be the App"):
        Table(scope, "notes", partition_key="id")


def test_a_transform_is_kept(app: App) -> None:
    def transform(resource: Any) -> None: ...

    assert Bucket(app, "b", transform=transform).transform is transform
    assert Bucket(app, "c").transform is None
    assert Secret(app, "s").transform is None


@pytest.mark.parametrize("transform", ["x", {}, 3])
def test_a_transform_is_a_function(app: App, transform: Any) -> None:
    for kind in (Bucket, Queue, Topic):
        with pytest.raises(InvalidValue, match="transform"):
            kind(app, "x", transform=transform)


@pytest.mark.parametrize("kind", [Secret, Config])
def test_what_makes_no_resource_has_no_transform(app: App, kind: Any) -> None:
    with pytest.raises(TypeError, match="transform"):
        kind(app, "x", transform=print)


def test_everything_can_be_imported_from_devbridge_itself() -> None:
    for name in devbridge.__all__:
        assert getattr(devbridge, name) is getattr(constructs, name)
    public = {
        name
        for name, value in vars(constructs).items()
        if isinstance(value, type) and name in constructs.__all__
    }
    inner = {"Bindable", "Code", "Construct", "DeadLetters", "FunctionAuthorizer"}
    inner |= {"Route", "Trigger", "Where"}
    assert set(devbridge.__all__) == public - inner
    with pytest.raises(AttributeError):
        getattr(devbridge, "Lambdas")  # noqa: B009


def test_an_app_beside_the_package_with_a_name_like_it_is_the_users() -> None:
    package = Path(constructs.__file__).parents[1]
    file = package.with_name("devbridge-demo") / "app.py"
    made: dict[str, Any] = {"App": App}
    exec(compile("app = App('demo')", str(file), "exec"), made)  # noqa: S102
    assert made["app"].root == file.parent


KEY = "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
OTHER = "arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-0123"
MAKE: dict[str, Callable[..., Any]] = {
    "Table": lambda app, **options: constructs.Table(app, "x", partition_key="id", **options),
    "Bucket": lambda app, **options: constructs.Bucket(app, "x", **options),
    "Queue": lambda app, **options: constructs.Queue(app, "x", **options),
    "Topic": lambda app, **options: constructs.Topic(app, "x", **options),
    "Secret": lambda app, **options: constructs.Secret(app, "x", **options),
    "Function": lambda app, **options: constructs.Function(
        app, "x", handler="api/start.handler", **options
    ),
    "Job": lambda app, **options: constructs.Job(app, "x", handler="jobs/a.handler", **options),
    "Api": lambda app, **options: constructs.Api(
        app, "x", routes={"GET /": "api/start.handler"}, **options
    ),
}
WRONG_KEYS = [
    "alias/mine",
    "arn:aws:kms:eu-west-1:123456789012:alias/mine",
    "01234567-89ab-cdef-0123-456789abcdef",
    "arn:aws:s3:::bucket",
    "",
    f"{KEY} ",
    1,
]


@pytest.mark.parametrize("kind", MAKE)
def test_a_key_is_the_apps_unless_a_construct_has_its_own(root: Path, kind: str) -> None:
    with loading(root):
        plain, app = App("plain"), App("demo", encryption_key=KEY)
    assert MAKE[kind](plain).encryption_key is None
    assert MAKE[kind](app).encryption_key == KEY
    with loading(root):
        app = App("demo", encryption_key=KEY)
    assert MAKE[kind](app, encryption_key=OTHER).encryption_key == OTHER


@pytest.mark.parametrize("key", WRONG_KEYS)
@pytest.mark.parametrize("kind", MAKE)
def test_a_key_of_no_sense_is_refused(root: Path, kind: str, key: Any) -> None:
    with loading(root):
        app = App("demo")
    with pytest.raises(InvalidValue) as caught:
        MAKE[kind](app, encryption_key=key)
    assert caught.value.what == f"{kind} 'x': encryption_key {key!r} is not allowed"
    assert "arn:aws:kms:" in str(caught.value.remedy)


@pytest.mark.parametrize("wrong", [{"encryption_key": "alias/mine"}, {"payload": "S3"}])
def test_what_an_app_does_not_take_is_refused(root: Path, wrong: dict[str, Any]) -> None:
    name, value = next(iter(wrong.items()))
    with loading(root), pytest.raises(InvalidValue) as caught:
        App("demo", **wrong)
    assert caught.value.what == f"App('demo'): {name} {value!r} is not allowed"


def test_what_an_app_vouches_for_is_kept() -> None:
    assert App("demo").preload == ()
    assert App("demo", preload=["pandas", "google.cloud.storage"]).preload == (
        "pandas",
        "google.cloud.storage",
    )


@pytest.mark.parametrize(
    "wrong", ["pandas", None, 3, {"pandas"}, ["a-b"], ["a..b"], [""], [".a"], ["a b"], [1], ["if"]]
)
def test_what_an_app_vouches_for_are_names_of_modules(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match=r"App\('demo'\): preload .* is not allowed"):
        App("demo", preload=wrong)


def test_an_output_is_a_text_or_a_reference(app: App) -> None:
    notes = Table(app, "notes", partition_key="id")
    app.output("Notes", notes.arn)
    app.output("Version", "7")
    assert app.outputs == {"Notes": notes.arn, "Version": "7"}
    with pytest.raises(DuplicateName, match="an output 'Notes' was made before"):
        app.output("Notes", "again")


@pytest.mark.parametrize(
    ("name", "value"),
    [("a-b", "x"), ("", "x"), ("DevbridgeMode", "x"), ("A", 1), ("A", "{{resolve:ssm:x}}")],
)
def test_an_output_that_is_not_allowed_is_refused(app: App, name: str, value: Any) -> None:
    with pytest.raises(InvalidValue, match=f"App\\('demo'\\): output '{name}'"):
        app.output(name, value)
    assert app.outputs == {}


def test_an_output_may_be_exported_under_a_name_of_its_own(app: App) -> None:
    app.output("Jobs", "1", export="demo-dev:jobs")
    app.output("Other", "2")
    assert app.exports == {"Jobs": "demo-dev:jobs"}
    with pytest.raises(DuplicateName, match="'Third': another one is exported as 'demo-dev:jobs'"):
        app.output("Third", "3", export="demo-dev:jobs")
    assert "Third" not in app.outputs


@pytest.mark.parametrize("export", ["", "a b", "a_b", "ü", "x" * 256, 1, ["a"]])
def test_an_exports_name_has_letters_digits_colons_and_hyphens(app: App, export: Any) -> None:
    with pytest.raises(InvalidValue, match="output 'Jobs', export "):
        app.output("Jobs", "1", export=export)
    assert (app.outputs, app.exports) == ({}, {})
