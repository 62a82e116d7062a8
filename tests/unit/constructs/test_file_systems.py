from __future__ import annotations

from typing import Any

import pytest

from devbridge.constructs import (
    App,
    Batch,
    CodeBuild,
    Container,
    Fargate,
    FileSystem,
    Function,
    Job,
    Lambda,
    Vpc,
)
from devbridge.errors import InvalidValue

HANDLER = "jobs/a.handler"
VPC = Vpc("vpc-01234567", subnets=["subnet-01234567"], security_groups=["sg-01234567"])
SAME = Vpc("vpc-01234567", subnets=["subnet-89abcdef"], security_groups=["sg-01234567"])
OTHER = Vpc("vpc-89abcdef", subnets=["subnet-01234567"], security_groups=["sg-01234567"])


def test_it_has_sensible_defaults(app: App) -> None:
    files = FileSystem(app, "my_files")
    assert (files.vpc, files.removal, files.encryption_key) == (None, None, None)
    assert files.mount == "/mnt/my_files"
    assert app.constructs == [files]


@pytest.mark.parametrize("wrong", [{"vpc": "vpc-01234567"}, {"removal": "keep"}])
def test_values_that_are_not_allowed_are_refused(app: App, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=f"FileSystem 'files': {next(iter(wrong))} "):
        FileSystem(app, "files", **wrong)
    assert app.constructs == []


@pytest.mark.parametrize("compute", [Batch(), Fargate()])
def test_without_a_vpc_it_is_in_the_default_one_as_tasks_are(app: App, compute: Any) -> None:
    files = FileSystem(app, "files")
    Job(app, "a", handler=HANDLER, compute=compute, bind=[files])
    image = Container("image", cmd=["run"])
    Job(app, "c", runtime="container", container=image, compute=compute, bind=[files])


@pytest.mark.parametrize("compute", [Batch(), Fargate(), Lambda()])
def test_in_a_vpc_it_is_reached_from_all_of_its_subnets(app: App, compute: Any) -> None:
    files = FileSystem(app, "files", vpc=VPC)
    assert Job(app, "a", handler=HANDLER, compute=compute, vpc=SAME, bind=[files]).vpc == SAME


@pytest.mark.parametrize(("own", "its"), [(None, VPC), (VPC, None), (OTHER, VPC)])
def test_from_elsewhere_it_is_not_reached(app: App, own: Vpc | None, its: Vpc | None) -> None:
    files = FileSystem(app, "files", vpc=its)
    with pytest.raises(InvalidValue) as caught:
        Job(app, "a", handler=HANDLER, compute=Fargate(), vpc=own, bind=[files])
    assert caught.value.what == "Job 'a': bind FileSystem('files') is not allowed"
    assert "give it and the FileSystem the same vpc=" in str(caught.value.remedy)


def test_codebuild_mounts_none_and_says_what_does(app: App) -> None:
    files = FileSystem(app, "files", vpc=VPC)
    with pytest.raises(InvalidValue, match="compute=CodeBuild, which mounts none"):
        Job(app, "a", handler=HANDLER, compute=CodeBuild(), vpc=VPC, bind=[files])


def test_lambda_needs_a_vpc_of_its_own(app: App) -> None:
    files = FileSystem(app, "files")
    with pytest.raises(InvalidValue, match="a file system only with vpc="):
        Job(app, "a", handler=HANDLER, compute=Lambda(), bind=[files])
    with pytest.raises(InvalidValue, match="a file system only with vpc="):
        Function(app, "f", handler="api/start.handler", bind=[files])
    inside = FileSystem(app, "inside", vpc=VPC)
    Function(app, "f", handler="api/start.handler", bind=[inside], vpc=VPC)
