"""What Job and Function have in common."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import (
    Api,
    App,
    Bindable,
    Bucket,
    Config,
    Function,
    Job,
    Queue,
    Secret,
    Table,
    Topic,
    Vpc,
)
from devbridge.constructs.code import DEFAULTS, CodeOptions
from devbridge.errors import HandlerNotFound, InvalidValue, UnknownBindTarget

HANDLER = "jobs/a.handler"
BOUNDARY = "arn:aws:iam::123456789012:policy/devs"
VPC = "vpc-0123456789abcdef0"
SUBNET = "subnet-0123456789abcdef0"
GROUP = "sg-0123456789abcdef0"

both = pytest.mark.parametrize("kind", [Job, Function])


@both
def test_the_defaults(app: App, kind: Any) -> None:
    made = kind(app, "a", handler=HANDLER)
    assert (made.runtime, made.architecture, made.log_days) == (None, "x86_64", 14)
    assert (made.bind, made.permissions, made.environment) == ((), (), {})
    assert (made.copy_files, made.install, made.vpc) == ((), (), None)
    assert (made.tags, made.permissions_boundary, made.transform) == ({}, None, None)
    assert str(made.handler) == HANDLER


@both
def test_every_option_is_kept(app: App, kind: Any) -> None:
    made = kind(
        app,
        "a",
        handler=HANDLER,
        runtime="python3.12",
        architecture="arm64",
        environment={"AB": "c"},
        permissions=[{"actions": ["s3:Get*"], "resources": ["arn:aws:s3:::b/*"]}],
        copy_files=["image"],
        install=["polars>=1"],
        log_retention="30 days",
        vpc=Vpc(VPC, subnets=[SUBNET], security_groups=[GROUP]),
        tags={"Team": "data"},
        permissions_boundary=BOUNDARY,
        transform=print,
    )
    assert (made.runtime, made.architecture, made.environment) == (
        "python3.12",
        "arm64",
        {"AB": "c"},
    )
    assert made.permissions == ({"actions": ["s3:Get*"], "resources": ["arn:aws:s3:::b/*"]},)
    assert (made.copy_files, made.install, made.log_days) == (("image",), ("polars>=1",), 30)
    assert made.vpc == Vpc(VPC, subnets=[SUBNET], security_groups=[GROUP])
    assert (made.tags, made.permissions_boundary) == ({"Team": "data"}, BOUNDARY)
    assert made.transform is print


@both
@pytest.mark.parametrize(
    "wrong",
    [
        {"runtime": "python3.10"},
        {"runtime": "3.12"},
        {"runtime": "nodejs20.x"},
        {"esbuild": {"minify": True}},
        {"architecture": "sparc"},
        {"architecture": None},
        {"environment": {"AWS_REGION": "x"}},
        {"environment": {"A": "\0"}},
        {"permissions": ["s3:*"]},
        {"permissions": {"actions": ["s3:*"], "resources": ["*"]}},
        {"permissions": [{"actions": "s3:GetObject", "resources": ["*"]}]},
        {"permissions": [{"actions": ["*"], "resources": ["*"]}]},
        {"permissions": [{"actions": [], "resources": ["*"]}]},
        {"permissions": [{"actions": 3, "resources": ["*"]}]},
        {"permissions": [{"actions": ["s3:GetObject"], "resources": ["bucket"]}]},
        {"copy_files": "image"},
        {"copy_files": ["nothing"]},
        {"copy_files": ["*.csv"]},
        {"copy_files": ["../secret"]},
        {"copy_files": ["/etc/passwd"]},
        {"copy_files": ["jobs\\a.py"]},
        {"copy_files": [""]},
        {"copy_files": [3]},
        {"install": "polars"},
        {"install": ["polars >> 1"]},
        {"install": ["-r requirements.txt"]},
        {"install": ["./wheel.whl"]},
        {"install": [""]},
        {"install": [3]},
        {"log_retention": "2 days"},
        {"log_retention": "never"},
        {"log_retention": "10000 days"},
        {"log_retention": "1.5 days"},
        {"log_retention": 14},
        {"log_retention": None},
        {"vpc": VPC},
        {"tags": {"": "x"}},
        {"tags": {"aws:x": "x"}},
        {"tags": {f"k{n}": "" for n in range(41)}},
        {"permissions_boundary": "devs"},
        {"permissions_boundary": "arn:aws:iam::123456789012:role/devs"},
    ],
    ids=str,
)
def test_values_that_are_not_allowed_are_refused(
    app: App, kind: Any, wrong: dict[str, Any]
) -> None:
    with pytest.raises(InvalidValue) as caught:
        kind(app, "a", **{"handler": HANDLER, **wrong})
    option = next(iter(wrong)).removesuffix("s")
    assert f"{kind.__name__} 'a': {option}" in caught.value.what
    assert caught.value.where is not None
    assert caught.value.where.rpartition("/")[2].startswith("test_code.py:")
    assert str(caught.value.remedy).startswith("allowed: ")
    assert app.constructs == []


@both
def test_vpcs_may_have_16_subnets_and_5_groups(app: App, kind: Any) -> None:
    vpc = Vpc(
        "vpc-0a1b2c3d", [f"subnet-{n:08x}" for n in range(16)], [f"sg-{n:08x}" for n in range(5)]
    )
    assert kind(app, "a", handler=HANDLER, vpc=vpc).vpc == vpc


@both
@pytest.mark.parametrize(
    ("retention", "days"), [("1 day", 1), ("forever", None), ("24 hours", 1), ("3653 days", 3653)]
)
def test_logs_are_kept_as_long_as_cloudwatch_can(
    app: App, kind: Any, retention: str, days: int | None
) -> None:
    assert kind(app, "a", handler=HANDLER, log_retention=retention).log_days == days


def test_tags_and_boundary_of_the_app_are_those_of_its_code(root: Path) -> None:
    app = App("demo", tags={"Team": "data", "Cost": "7"}, permissions_boundary=BOUNDARY)
    app.root = root
    job = Job(app, "a", handler=HANDLER, tags={"Team": "ml"})
    assert job.tags == {"Team": "ml", "Cost": "7"}
    assert job.permissions_boundary == BOUNDARY
    other = "arn:aws:iam::aws:policy/PowerUserAccess"
    assert Job(app, "b", handler=HANDLER, permissions_boundary=other).permissions_boundary == other


def test_the_apps_tags_count(root: Path) -> None:
    app = App("demo", tags={f"app{n}": "" for n in range(20)})
    app.root = root
    own = {f"own{n}": "" for n in range(20)}
    assert len(Job(app, "a", handler=HANDLER, tags=own).tags) == 40
    with pytest.raises(InvalidValue, match=r"tags of 41 keys(.|\n)*the app's included"):
        Job(app, "b", handler=HANDLER, tags={**own, "more": ""})


def test_a_requirement_is_quoted_with_what_is_wrong(app: App) -> None:
    with pytest.raises(
        InvalidValue, match=r"install 'polars=1' is not(.|\n)*a list of req.*\(.+\)"
    ):
        Job(app, "a", handler=HANDLER, install=["boto3", "polars=1"])


@pytest.mark.parametrize(
    "requirement",
    ["polars", "polars[all]>=1,<2", "tzdata; sys_platform == 'win32'", "x @ https://e.com/x.whl"],
)
def test_requirements_are_those_of_pep_508(app: App, requirement: str) -> None:
    assert Job(app, "a", handler=HANDLER, install=[requirement]).install == (requirement,)


# bind


def test_every_construct_can_be_bound(app: App) -> None:
    function = Function(app, "f", handler="api/start.handler")
    everything: list[Bindable] = [
        Table(app, "t", partition_key="id"),
        Bucket(app, "b"),
        Queue(app, "q"),
        Topic(app, "n"),
        Secret(app, "s"),
        Config(app, "c", value="x"),
        function,
        Api(app, "api", routes={"GET /": function}),
        Job(app, "j", handler=HANDLER),
    ]
    assert Job(app, "a", handler=HANDLER, bind=everything).bind == tuple(everything)
    assert Function(app, "g", handler=HANDLER, bind=tuple(everything)).bind == tuple(everything)


@both
@pytest.mark.parametrize("bind", ["notes", None, {"notes"}, 3])
def test_a_bind_that_is_no_list_is_refused(app: App, kind: Any, bind: Any) -> None:
    with pytest.raises(InvalidValue, match=r"bind .* is not allowed(.|\n)*a list of constructs"):
        kind(app, "a", handler=HANDLER, bind=bind)


@both
@pytest.mark.parametrize("target", ["notes", None, Table, App])
def test_a_bind_target_that_is_no_construct_is_unknown(app: App, kind: Any, target: Any) -> None:
    Table(app, "notes", partition_key="id")
    Secret(app, "key")
    with pytest.raises(UnknownBindTarget, match="there are: Table 'notes', Secret 'key'"):
        kind(app, "a", handler=HANDLER, bind=[target])


def test_without_constructs_there_is_nothing_to_bind(app: App) -> None:
    target: Any = "notes"
    with pytest.raises(UnknownBindTarget, match=r"create a Table, Bucket, Job"):
        Job(app, "a", handler=HANDLER, bind=[target])


def test_another_apps_construct_cannot_be_bound(app: App) -> None:
    theirs = Table(App("other"), "notes", partition_key="id")
    with pytest.raises(UnknownBindTarget, match=r"Table 'notes' of another App"):
        Job(app, "a", handler=HANDLER, bind=[theirs])


@both
def test_a_construct_is_bound_once(app: App, kind: Any) -> None:
    notes, key = Table(app, "notes", partition_key="id"), Secret(app, "key")
    with pytest.raises(InvalidValue, match=r"bind Table\('notes'\)(.|\n)*each construct once"):
        kind(app, "a", handler=HANDLER, bind=[notes, key, notes])


@both
def test_a_handler_that_does_not_exist_is_named_with_what_does(app: App, kind: Any) -> None:
    with pytest.raises(HandlerNotFound, match=r"'jobs/b.py' does not exist(.|\n)*in 'jobs': a"):
        kind(app, "a", handler="jobs/b.handler")
    with pytest.raises(HandlerNotFound, match=r"no function 'run'(.|\n)*it has: handler"):
        kind(app, "a", handler="jobs/a.run")


@pytest.mark.parametrize("kind", [Job, Function])
def test_an_option_that_does_not_exist_is_refused_as_python_does(
    kind: type[Job | Function], app: App
) -> None:
    wrong: Any = {"handler": "jobs/a.handler", "memroy_size": "7 GB"}
    with pytest.raises(TypeError) as caught:
        kind(app, "x", **wrong)
    expected = f"{kind.__name__}.__init__() got an unexpected keyword argument 'memroy_size'"
    assert str(caught.value) == expected
    assert app.constructs == []


@pytest.mark.parametrize("kind", [Job, Function])
def test_help_and_editors_see_the_shared_options_with_their_defaults(
    kind: type[Job | Function],
) -> None:
    parameters = inspect.signature(kind).parameters
    assert [*parameters][:3] == ["app", "name", "handler"]
    assert {name: parameters[name].default for name in DEFAULTS} == DEFAULTS
    assert DEFAULTS.keys() == CodeOptions.__annotations__.keys()
    assert all(each.kind is not each.VAR_KEYWORD for each in parameters.values())
