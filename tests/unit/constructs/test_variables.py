from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Bucket, Config, Container, Function, Job, Secret, Table
from devbridge.constructs.app import loading
from devbridge.constructs.variables import Variables, sorted_out
from devbridge.errors import InvalidValue

HANDLER = "jobs/a.handler"


def test_an_environment_is_sorted_by_what_is_known_when(app: App) -> None:
    notes = Table(app, "notes", partition_key="id")
    colour, key = Config(app, "colour", value="blue"), Secret(app, "key")
    job = Job(
        app,
        "a",
        handler=HANDLER,
        environment={
            "TEXT": "x",
            "COUNT": 3,
            "RATIO": 0.25,
            "COLOUR": colour,
            "NOTES": notes.arn,
            "KEY": key,
        },
    )
    assert job.environment == {"TEXT": "x", "COUNT": "3", "RATIO": "0.25", "COLOUR": "blue"}
    assert job.references == {"NOTES": notes.arn}
    assert job.secrets == {"KEY": key}
    assert job.variables.names == ("TEXT", "COUNT", "RATIO", "COLOUR", "NOTES", "KEY")


@pytest.mark.parametrize("value", [None, ["a"], {"a": 1}, b"a", float("nan"), float("inf"), object])
def test_what_is_no_value_is_refused_with_what_is(app: App, value: Any) -> None:
    found = sorted_out(app, {"A": value})
    assert not isinstance(found, Variables)
    assert "texts, numbers, references such as notes.arn, a Config or a Secret" in found[1]


def test_true_has_no_one_spelling(app: App) -> None:
    with pytest.raises(InvalidValue) as caught:
        Job(app, "a", handler=HANDLER, environment={"DEBUG": True})
    assert caught.value.what == "Job 'a': environment {'DEBUG': True} is not allowed"
    assert "of True the text that is read: 'true' or '1'" in str(caught.value.remedy)


def test_what_is_of_another_app_is_refused(app: App, root: Path) -> None:
    with loading(root):
        other = App("other")
    strangers = Table(other, "t", partition_key="id").arn, Config(other, "c", value="x")
    for value in (*strangers, Secret(other, "s")):
        with pytest.raises(InvalidValue, match="of this app"):
            Job(app, "a", handler=HANDLER, environment={"A": value})


@pytest.mark.parametrize("names", [{"AWS_REGION": 1}, {"1A": 1}, {"DEVBRIDGE_X": "x"}])
def test_names_are_checked_whatever_the_value_is(app: App, names: dict[str, Any]) -> None:
    (name,) = names
    for value in (names[name], Bucket(app, f"b{len(app.constructs)}").arn):
        with pytest.raises(InvalidValue, match="environment"):
            Job(app, "a", handler=HANDLER, environment={name: value})


def test_the_machines_variables_are_no_references_either(app: App) -> None:
    arn = Bucket(app, "files").arn
    for name in ("PATH", "HOME"):
        with pytest.raises(InvalidValue, match=f"environment '{name}'"):
            Job(app, "a", handler=HANDLER, environment={name: arn})


def test_a_secret_is_fetched_by_a_jobs_runner_and_by_nobody_else(app: App) -> None:
    key = Secret(app, "key")
    with pytest.raises(InvalidValue, match=r"write bind=\[secret\]"):
        Function(app, "f", handler="api/start.handler", environment={"KEY": key})
    image = Container("image", cmd=["run"])
    with pytest.raises(InvalidValue, match=r"write bind=\[secret\]"):
        Job(app, "c", runtime="container", container=image, environment={"KEY": key})


def test_no_reference_takes_what_cloudformation_would_replace(app: App) -> None:
    arn = Bucket(app, "files").arn
    with pytest.raises(InvalidValue, match="environment"):
        Job(app, "a", handler=HANDLER, environment={"A": arn + "{{resolve:ssm:x}}"})


def test_node_has_no_runner_yet_that_fetches_one(app: App) -> None:
    key = Secret(app, "key")
    with pytest.raises(InvalidValue, match="with a handler in Python only"):
        Job(app, "a", handler="work/a.handler", runtime="nodejs22.x", environment={"KEY": key})
