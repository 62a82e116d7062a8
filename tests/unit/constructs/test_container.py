"""The image of a container job: what is taken and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.constructs import App, Container, Job
from devbridge.errors import InvalidValue

HANDLER = "jobs/a.handler"
IMAGE = Container("image", cmd=["python", "main.py"])


def test_a_container_job_has_a_folder_and_a_command(app: App) -> None:
    job = Job(app, "a", runtime="container", container=IMAGE)
    assert (job.runtime, job.handler, job.container) == ("container", None, IMAGE)


def test_its_dockerfile_and_arguments_can_be_said(app: App, root: Path) -> None:
    (root / "image" / "docker").mkdir()
    (root / "image" / "docker" / "Dev").touch()
    container = Container("./image", ["run"], file="docker/Dev", build_args={"V": "1", "_x": ""})
    assert Job(app, "a", runtime="container", container=container).container == container


def test_the_apps_folder_itself_can_be_an_image(app: App, root: Path) -> None:
    (root / "Dockerfile").touch()
    assert Job(app, "a", runtime="container", container=Container(".", ["run"])).container


WRONG_CONTAINERS: list[tuple[Any, str]] = [
    (None, "None"),
    ("image", "'image'"),
    (Container("other", ["run"]), "directory 'other'"),
    (Container("jobs/a.py", ["run"]), "directory 'jobs/a.py'"),
    (Container("../image", ["run"]), "directory '../image'"),
    (Container("/tmp", ["run"]), "directory '/tmp'"),
    (Container("", ["run"]), "directory ''"),
    (Container("image", ["run"], file="Other"), "file 'Other'"),
    (Container("image", ["run"], file="../image/Dockerfile"), "file '../image/Dockerfile'"),
    (Container("image", []), "cmd []"),
    (Container("image", "run"), "cmd 'run'"),
    (Container("image", ["run", ""]), "cmd ['run', '']"),
    (Container("image", ["run"], build_args={"a-b": "1"}), "build_args"),
    (Container("image", ["run"], build_args={"a": 1}), "build_args"),  # type: ignore[dict-item]
    (Container("image", ["run"], build_args=["a=1"]), "build_args"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("container", "named"), WRONG_CONTAINERS, ids=str)
def test_containers_that_are_not_allowed_are_refused(app: App, container: Any, named: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        Job(app, "a", runtime="container", container=container)
    assert caught.value.what.startswith(f"Job 'a': container {named}")


@pytest.mark.parametrize(
    "extra",
    [
        {"handler": HANDLER},
        {"copy_files": ["jobs"]},
        {"install": ["polars"]},
        {"image": f"a.b/c@sha256:{'0' * 64}"},
    ],
)
def test_what_a_dockerfile_says_is_said_there_alone(app: App, extra: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=rf"Job 'a': {next(iter(extra))}(.|\n)*the Dockerfile"):
        Job(app, "a", runtime="container", container=IMAGE, **extra)
