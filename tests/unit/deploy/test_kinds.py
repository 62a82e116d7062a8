"""A row for each type of construct, and a construct that nobody knew of, made of a row alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from troposphere import ecr

from devbridge import constructs, names, resources
from devbridge.constructs import (
    App,
    Bindable,
    Bucket,
    Construct,
    Function,
    Job,
    Queue,
    Secret,
    Stream,
    Table,
    Topic,
)
from devbridge.constructs.app import loading
from devbridge.deploy import kinds
from devbridge.deploy.access import Access, OnProgress
from devbridge.deploy.bindings import Binding, Grant, Output, Property
from devbridge.deploy.changes import LABELS, all_added, changes_of
from devbridge.deploy.contents import lost
from devbridge.deploy.kinds import Kind, key_use, resource_type
from devbridge.deploy.leftovers import Leftover
from devbridge.deploy.policies import KEY_USE
from devbridge.deploy.references import arn_of
from devbridge.deploy.remove import Resource
from devbridge.deploy.resource_types import ResourceType
from devbridge.deploy.specs import environment
from devbridge.deploy.synth.stack import Stack, keep
from devbridge.resources import _Bindings, _Bound, _Property
from devbridge.types.resources import kinds as read_at_run_time
from devbridge.types.resources import placeholders, properties
from devbridge.types.stubs import stubs
from tests.unit.deploy.bindable import GRANTS, VARIABLES, one_of_each
from tests.unit.deploy.conftest import FakeCloud
from tests.unit.deploy.templates import allowed, lint, made, of_type, variables

EXPORTED = [
    value
    for name in constructs.__all__
    if isinstance(value := getattr(constructs, name), type) and issubclass(value, Construct)
]


# --- the rows ---


def test_each_construct_that_can_be_made_has_one_row() -> None:
    bases = {each for one in EXPORTED for each in one.__mro__[1:]}
    assert {kind.construct for kind in kinds.KINDS} == set(EXPORTED) - bases
    assert len(kinds.KINDS) == len(set(EXPORTED) - bases)


def test_each_construct_that_can_be_bound_says_what_that_gives() -> None:
    assert all(bool(kind.binding) == issubclass(kind.construct, Bindable) for kind in kinds.KINDS)


def test_what_binding_gives_is_what_code_reads_at_run_time() -> None:
    given = {
        kind.construct.__name__: {each.name for each in kind.binding.properties}
        for kind in kinds.KINDS
        if kind.binding and kind.construct is not Job  # whose class is that of devbridge.job
    }
    read = {
        name: {each.name for each in properties(of).values()}
        for name, of in read_at_run_time().items()
    }
    assert given == read


def test_a_resource_type_is_the_same_in_each_row() -> None:
    known = [each.name for each in kinds.resource_types()]
    assert len(known) == len(set(known))


def test_of_a_type_that_nobody_knows_nothing_is_known() -> None:
    unknown = resource_type("AWS::X::Y")
    assert (unknown.replacing, unknown.holds_data, unknown.leftover) == (None, False, None)
    assert [*unknown.pins({"Code": {"S3Key": "a", "S3ObjectVersion": "1"}})] == []


def test_what_an_app_adds_itself_can_hold_data_too() -> None:
    assert resource_type("AWS::RDS::DBInstance").holds_data
    assert not resource_type("AWS::IAM::Policy").holds_data


KEY = "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *((Table, {"partition_key": "id"}), (Bucket, {}), (Queue, {}), (Topic, {}), (Secret, {})),
        (Stream, {}),
    ],
)
def test_who_binds_what_is_encrypted_may_use_its_key(
    kind: type[Bindable], options: dict[str, Any], root: Path
) -> None:
    with loading(root):
        app: Any = App("demo")
        mine: Any = kind
        encrypted, plain = mine(app, "a", encryption_key=KEY, **options), mine(app, "b", **options)
    *_, last = kinds.bindings().grants([encrypted], "dev")
    assert (last["Action"], last["Resource"]) == (list(KEY_USE), [KEY])
    assert not [
        action
        for statement in kinds.bindings().grants([plain], "dev")
        for action in statement["Action"]
        if action.startswith("kms:")
    ]


@pytest.mark.parametrize("title", GRANTS)
def test_each_row_gives_exactly_this(title: str, root: Path) -> None:
    _, made_of = one_of_each(root)
    target: Any = made_of[title]
    statements = plain(kinds.bindings().grants([target], "dev"))
    assert {
        action: statement["Resource"] for statement in statements for action in statement["Action"]
    } == GRANTS[title]
    assert plain(kinds.bindings().variables([target], "dev")) == VARIABLES[title]


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=lambda reference: reference.to_dict()))


# --- a construct that nobody knew of ---


class Repository(Bindable):
    """A ECR repository."""

    def __init__(self, app: App, name: str, *, encryption_key: str | None = None) -> None:
        super().__init__(app, name)
        self.encryption_key = self.key_of(encryption_key)
        self.register()


class BoundRepository(_Bound):
    """A bound ECR repository."""

    repository_name = _Property("repositoryName")
    """The deployed repository's name."""
    stage = _Property("stage")
    """Whose repository it is."""


def _add(stack: Stack, repository: Repository) -> None:
    resource = ecr.Repository(names.logical(repository))
    keep(resource, None, stack.settings.mode)
    stack.add_main(repository, resource)


def _grants(repository: Repository, _stage: str) -> Iterator[Grant]:
    yield ("ecr:PutImage", "ecr:BatchGetImage"), [arn_of(names.logical(repository))]
    yield from key_use(repository.encryption_key)


def _records(_cloud: Access, name: str) -> tuple[int, str]:
    return len(name), "record"


def _delete(_cloud: Access, name: str, label: str, on_progress: OnProgress) -> None:
    DELETED.append(name)


DELETED: list[str] = []
NAME = Output("Repository")
TYPE = "AWS::ECR::Repository"
ROW = Kind(
    Repository,
    add=_add,
    makes=(
        ResourceType(
            TYPE,
            replacing=frozenset({"RepositoryName"}),
            holds_data=True,
            leftover=Leftover(
                "ecr:repository", exists=lambda *_: True, delete=_delete, count=_records
            ),
        ),
    ),
    outputs=(NAME, Output("RepositoryArn", arn_of)),
    binding=Binding(
        (Property("repositoryName", NAME), Property("stage", lambda _repository, stage: stage)),
        _grants,
    ),
)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, root: Path) -> App:
    """An app with a repository, in a devbridge that has one row and one run-time class more."""
    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS, ROW))
    monkeypatch.setattr(resources, "Repository", _Bindings(BoundRepository), raising=False)
    with loading(root):
        app = App("demo")
        clicks = Repository(app, "all-clicks")
        Job(app, "a", handler="jobs/a.handler", bind=[clicks])
        Function(app, "b", handler="api/start.handler", bind=[clicks])
    return app


def test_it_is_in_the_template_with_its_outputs_and_what_binding_gives(app: App) -> None:
    template = made(app)
    assert lint(template) == []
    (repository,) = of_type(template, TYPE).values()
    assert "Tags" not in repository.get("Properties", {})
    outputs = json.loads(template.body)["Outputs"]
    assert outputs["AllClicksRepository"]["Value"] == {"Ref": "AllClicksRepository"}
    assert outputs["AllClicksRepositoryArn"]["Value"] == {
        "Fn::GetAtt": ["AllClicksRepository", "Arn"]
    }
    assert template.labels["AllClicksRepository"] == "Repository 'all-clicks'"
    found = variables(template, "AJobProject")
    assert found["DEVBRIDGE_Repository_repositoryName_all_clicks"] == {"Ref": "AllClicksRepository"}
    assert found["DEVBRIDGE_Repository_stage_all_clicks"] == "dev"
    for role in ("AJobRole", "BFunctionRole", "BindRole"):
        where = allowed(template, role)["ecr:PutImage"]
        assert where == [{"Fn::GetAtt": ["AllClicksRepository", "Arn"]}]


def test_who_binds_it_may_use_its_key(app: App) -> None:
    Function(
        app, "c", handler="api/start.handler", bind=[Repository(app, "secret", encryption_key=KEY)]
    )
    assert allowed(made(app), "CFunctionRole")["kms:Decrypt"] == [KEY]


def test_code_finds_it_at_run_time_live_and_with_devbridge_bind(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = environment(app, "dev", {"AllClicksRepository": "repository-1"})
    assert given["DEVBRIDGE_Repository_repositoryName_all_clicks"] == "repository-1"
    for key, value in given.items():
        monkeypatch.setenv(key, value)
    repository = resources.Repository  # type: ignore[attr-defined]
    assert repository.all_clicks.repository_name == "repository-1"
    assert repository.all_clicks.stage == "dev"
    assert repr(repository.all_clicks) == "Repository.all_clicks"
    assert dir(repository) == ["all_clicks"]


def test_editors_and_type_checkers_know_it(app: App) -> None:
    text = stubs(app, {})["typings/devbridge/resources.pyi"]
    assert "class Repository:" in text
    assert "    all_clicks: ClassVar[BoundRepository]" in text
    assert "def repository_name(self) -> str:" in text
    assert "The deployed repository's name." in text
    assert placeholders(app)["DEVBRIDGE_Repository_repositoryName_all_clicks"] == "all-clicks"


def test_plans_know_what_replaces_it_and_that_it_holds_data(app: App) -> None:
    new = json.loads(made(app).body)
    (change,) = (each for each in all_added(new, made(app).labels) if each.type == TYPE)
    assert (change.action, change.label) == ("add", "Repository 'all-clicks'")
    old = json.loads(json.dumps(new))
    old["Metadata"] = {LABELS: {"AllClicksRepository": "Repository 'all-clicks'"}}
    old["Resources"]["AllClicksRepository"]["Properties"] = {"RepositoryName": "other"}
    item = {
        "Action": "Modify",
        "LogicalResourceId": "AllClicksRepository",
        "ResourceType": TYPE,
        "PhysicalResourceId": "12345",
        "Replacement": "Conditional",
    }
    (change,) = changes_of([item], old, new, made(app).labels)
    assert (change.action, change.reason, change.data) == ("replace", "RepositoryName", True)
    cloud: Access = FakeCloud()
    assert lost(cloud, change) == "5 records"
    del new["Resources"]["AllClicksRepository"]
    (change,) = changes_of([{**item, "Action": "Remove"}], old, new, {})
    assert (change.data, change.kept, change.label) == (True, False, "Repository 'all-clicks'")


def test_what_is_left_of_it_can_be_deleted(app: App) -> None:
    cloud: Access = FakeCloud()
    resource = Resource(TYPE, "repository-1", "Repository 'all-clicks'", kept=True)
    assert resource.data
    assert resource.leftover
    resource.leftover.remove(cloud, resource.name, resource.label, lambda _: None)
    assert DELETED == ["repository-1"]


def test_a_construct_without_a_row_is_said_to_have_none(root: Path) -> None:
    with loading(root):
        app = App("demo")
        repository = Repository(app, "x")
    with pytest.raises(LookupError, match="Repository has no row"):
        kinds.bindings().variables([repository], "dev")
