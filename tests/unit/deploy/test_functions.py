from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Function
from devbridge.constructs.app import loading
from devbridge.deploy.functions import Broken, Kept, pack_functions
from devbridge.deploy.synth import Settings
from devbridge.errors import BuildError, DevbridgeError, HandlerNotFound
from devbridge.packing.zips import Asset
from tests.unit.deploy.cloudformation import Script, stack
from tests.unit.deploy.conftest import FakeCloud
from tests.unit.deploy.packing import FakeBuilder


@pytest.fixture
def app(root: Path) -> App:
    with loading(root):
        app = App("demo")
        for name in ("good", "bad"):
            Function(app, name, handler="api/start.handler")
    return app


class Told:
    """What is told of broken functions."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, DevbridgeError, bool]] = []

    def __call__(self, function: Function, why: DevbridgeError, stays: bool) -> None:
        self.calls.append((function.name, why, stays))


def pack(app: App, aws: FakeCloud, broken: Broken | None, *names: str) -> tuple[Any, Kept]:
    builder: Any = FakeBuilder(broken=set(names))
    settings = Settings("dev", "", "", "3.11", mode="deployed")
    return pack_functions(app, aws, settings, builder, broken)


def deployed(script: Script, **properties: Any) -> None:
    """The stage is there, with a function that has these properties."""
    script.stacks(stack())
    script.template(BadFunction={"Properties": properties}, Q={"Type": "AWS::X::Y"})


def test_functions_that_can_be_packed_ask_nobody(app: App) -> None:
    cloud = FakeCloud()
    made, kept = pack(app, cloud, None)
    assert made.keys() == {"good", "bad"}
    assert kept == Kept({}, {})
    assert not cloud.clients


def test_one_that_cannot_be_packed_is_an_error_unless_somebody_is_told(app: App) -> None:
    with pytest.raises(BuildError, match="Function 'bad': no module"):
        pack(app, FakeCloud(), None, "bad")
    app.missing["api/start.handler"] = HandlerNotFound("api/start.py is not there")
    with pytest.raises(HandlerNotFound):
        pack(app, FakeCloud(), None)


def test_one_that_was_deployed_stays_as_it_is_in_its_very_version(
    app: App, aws: FakeCloud, script: Script
) -> None:
    deployed(script, Handler="api/start.handler", Code={"S3Key": "k", "S3ObjectVersion": "1"})
    told = Told()
    made, kept = pack(app, aws, told, "bad")
    assert made.keys() == {"good"}
    assert kept == Kept({"bad": "k"}, {"k": "1"})
    ((name, why, stays),) = told.calls
    assert (name, str(why), stays) == ("bad", "Function 'bad': no module 'x'", True)


def test_one_that_was_deployed_without_a_version_has_none(
    app: App, aws: FakeCloud, script: Script
) -> None:
    deployed(script, Handler="api/start.handler", Code={"S3Key": "k"})
    assert pack(app, aws, Told(), "bad")[1] == Kept({"bad": "k"}, {})


@pytest.mark.parametrize(
    "properties",
    [
        {"Handler": "api/other.handler", "Code": {"S3Key": "k"}},
        {"Handler": "api/start.handler", "Code": {"ZipFile": "..."}},
        {},
    ],
)
def test_one_that_is_deployed_as_something_else_answers_with_the_error(
    app: App, aws: FakeCloud, script: Script, properties: dict[str, Any]
) -> None:
    deployed(script, **properties)
    told = Told()
    made, kept = pack(app, aws, told, "bad")
    assert kept == Kept({}, {})
    assert answer(made["bad"]) == "Function 'bad' is broken: Function 'bad': no module 'x'"
    assert [(name, stays) for name, _, stays in told.calls] == [("bad", False)]


def test_one_of_a_stage_that_is_not_there_answers_with_the_error(
    app: App, aws: FakeCloud, script: Script
) -> None:
    for _ in ("its name", "the one that an older devbridge gave it"):
        script.stacks()
    made, _ = pack(app, aws, Told(), "bad")
    assert "is broken" in answer(made["bad"])


def test_one_of_a_stage_whose_creation_failed_answers_with_the_error(
    app: App, aws: FakeCloud, script: Script
) -> None:
    script.stacks(stack("ROLLBACK_COMPLETE"))
    made, _ = pack(app, aws, Told(), "bad")
    assert "is broken" in answer(made["bad"])


def answer(asset: Asset) -> str:
    """What the function answers to an HTTP call."""
    import io
    import zipfile

    with asset.open() as file, zipfile.ZipFile(io.BytesIO(file.read())) as archive:
        code = archive.read("api/start.py")
    scope: dict[str, Any] = {}
    exec(code, scope)  # noqa: S102 - it is what would be deployed
    found = scope["handler"]({"requestContext": {}}, None)
    assert found["statusCode"] == 500
    return str(found["body"])
