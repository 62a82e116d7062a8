from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from devbridge.constructs import App, Container, Job
from devbridge.constructs.app import loading
from devbridge.errors import BuildError
from devbridge.packing.container import build_image, context, image_uri, lay_out

ACCOUNT = "123456789012"
REPOSITORY = "devbridge/demo/prod"

DOCKER = """\
#!/bin/sh
printf '%s\\0' "$@" >> "$FAKE/calls"
printf '\\n' >> "$FAKE/calls"
[ "$1" = login ] && cat > "$FAKE/password"
if [ -f "$FAKE/fail-$1" ]; then echo step one; echo "$1 has failed" >&2; exit 1; fi
exit 0
"""


class Registry:
    region = "eu-west-1"
    account = ACCOUNT

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service, region_name=self.region, aws_access_key_id="x", aws_secret_access_key="x"
        )

    def push(self, uri: str) -> None:
        """What the real docker would have done."""
        self.client("ecr").put_image(
            repositoryName=REPOSITORY,
            imageTag=uri.rpartition(":")[2],
            imageManifest=json.dumps({"schemaVersion": 2, "config": {"digest": uri}}),
            imageManifestMediaType="application/vnd.docker.distribution.manifest.v2+json",
        )


@pytest.fixture
def cloud() -> Iterator[Registry]:
    with mock_aws():
        yield Registry()


class Docker:
    """A `docker` that writes down how it was called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def calls(self) -> list[list[str]]:
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split("\0")[:-1] for line in lines]

    def fail(self, command: str) -> None:
        (self.folder / f"fail-{command}").touch()


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    folder = tmp_path / "bin"
    folder.mkdir()
    fake = folder / "docker"
    fake.write_text(DOCKER)
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE", str(folder))
    return Docker(folder)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    (root / "render" / "src").mkdir(parents=True)
    (root / "render" / "Dockerfile.gpu").write_text("FROM scratch\n")
    (root / "render" / "src" / "main.sh").write_text("echo\n")
    return root


def job(root: Path, **options: Any) -> Job:
    settings: dict[str, Any] = {
        "cmd": ["sh", "src/main.sh"],
        "file": "Dockerfile.gpu",
        "build_args": {"VERSION": "3"},
    }
    architecture = options.pop("architecture", "x86_64")
    container = Container("render", **{**settings, **options})
    with loading(root):
        return Job(
            App("demo"),
            "render",
            runtime="container",
            container=container,
            architecture=architecture,
        )


def test_an_image_is_built_for_its_platform_and_pushed(
    cloud: Registry, docker: Docker, root: Path
) -> None:
    told: list[str] = []
    made = job(root, architecture="arm64")
    uri = build_image(made, cloud, told.append, stage="prod")
    host = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
    assert uri.startswith(f"{host}/{REPOSITORY}:render-")
    version, build, login, push = docker.calls
    assert version[0] == "version"
    folder = build[-1]
    assert not Path(folder).exists(), "the folder that docker is given is gone"
    assert build == [
        *("build", "--platform", "linux/arm64", "--build-arg", "VERSION=3"),
        *("-f", f"{folder}/Dockerfile.gpu", "-t", uri, folder),
    ]
    assert login == ["login", "--username", "AWS", "--password-stdin", host]
    assert push == ["push", uri]
    assert told == ["Job 'render': docker build", "Job 'render': docker push"]


def test_the_password_is_never_an_argument(cloud: Registry, docker: Docker, root: Path) -> None:
    build_image(job(root), cloud, lambda _: None, stage="prod")
    password = (docker.folder / "password").read_text()
    assert password
    assert password not in (docker.folder / "calls").read_text()


def test_the_repository_is_scanned_tidied_and_cannot_be_overwritten(
    cloud: Registry, docker: Docker, root: Path
) -> None:
    build_image(job(root), cloud, lambda _: None, stage="prod")
    ecr = cloud.client("ecr")
    found = ecr.describe_repositories(repositoryNames=[REPOSITORY])["repositories"][0]
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert found["repositoryUri"] == image_uri(job(root), cloud, "prod").rpartition(":")[0]
    rules = json.loads(ecr.get_lifecycle_policy(repositoryName=REPOSITORY)["lifecyclePolicyText"])
    assert rules["rules"][0]["selection"]["tagStatus"] == "untagged"


def test_an_image_that_is_there_is_not_built_and_needs_no_docker(
    cloud: Registry, docker: Docker, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build_image(job(root), cloud, lambda _: None, stage="prod")
    cloud.push(first)
    monkeypatch.setenv("PATH", "/nowhere")
    assert build_image(job(root), cloud, lambda _: None, stage="prod") == first
    assert len(docker.calls) == 4


def test_whatever_the_image_is_built_from_makes_another_tag(cloud: Registry, root: Path) -> None:
    uris = [image_uri(job(root), cloud, "prod")]
    assert image_uri(job(root, cmd=["other"]), cloud, "prod") == uris[0]
    uris.append(image_uri(job(root, build_args={"VERSION": "4"}), cloud, "prod"))
    uris.append(image_uri(job(root, architecture="arm64"), cloud, "prod"))
    script = root / "render" / "src" / "main.sh"
    script.chmod(0o755)
    uris.append(image_uri(job(root), cloud, "prod"))
    script.write_text("echo other\n")
    uris.append(image_uri(job(root), cloud, "prod"))
    (root / "render" / "src" / "link").symlink_to("main.sh")
    uris.append(image_uri(job(root), cloud, "prod"))
    assert len(set(uris)) == len(uris)


def test_docker_is_given_nothing_private_but_what_is_named(root: Path, tmp_path: Path) -> None:
    folder = root / "render"
    for name in (".env", "tls.key", ".npmrc", "node_modules/a.js", ".git/config", ".dockerignore"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    (folder / "passwd").symlink_to("/etc/passwd")
    with (folder / "Dockerfile.gpu").open("a") as file:
        file.write("\nCOPY --chown=1 .npmrc ./\nCOPY . .\n")
    taken = context(job(root))
    assert {".npmrc", ".dockerignore", "Dockerfile.gpu", "src/main.sh"} <= set(taken.files)
    assert not {".env", "tls.key", "passwd"} & set(taken.files)
    assert not [name for name in taken.files if name.startswith((".git/", "node_modules/"))]
    assert {each.name for each in taken.left} == {".env", "tls.key", "node_modules/", "passwd"}
    lay_out(taken, tmp_path / "place")
    laid = (tmp_path / "place").rglob("*")
    assert {p.relative_to(tmp_path / "place").as_posix() for p in laid if p.is_file()} == set(
        taken.files
    )


def test_a_folder_that_copy_names_takes_nothing_that_git_ignores(root: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    subprocess.run(["git", "init", "-q", root], check=True)
    (root / ".gitignore").write_text("*.bin\n/render/model/\n")
    folder = root / "render"
    for name in ("src/a.bin", "src/b.txt", "model/m.bin", ".env", ".env.example"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    with (folder / "Dockerfile.gpu").open("a") as file:
        file.write("\nCOPY src model /\nCOPY .env.example /\nCOPY --from=first .env /\n")
    taken = context(job(root))
    assert {"src/b.txt", "model/m.bin", ".env.example"} <= set(taken.files)
    assert not {"src/a.bin", ".env"} & set(taken.files)
    assert {"src/a.bin", ".env"} <= {each.name for each in taken.left}


def test_without_docker_the_error_says_what_to_do(
    cloud: Registry, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BuildError, match=r"no `docker` command(.|\n)*install Docker"):
        build_image(job(root), cloud, lambda _: None, stage="prod")


def test_without_an_engine_the_error_says_so(cloud: Registry, docker: Docker, root: Path) -> None:
    docker.fail("version")
    with pytest.raises(BuildError, match=r"no Docker engine answers: version has failed"):
        build_image(job(root), cloud, lambda _: None, stage="prod")


@pytest.mark.parametrize("command", ["build", "login", "push"])
def test_a_failure_of_docker_shows_its_last_lines(
    command: str, cloud: Registry, docker: Docker, root: Path
) -> None:
    docker.fail(command)
    with pytest.raises(BuildError, match=rf"Job 'render'(.|\n)*step one\n +{command} has failed"):
        build_image(job(root), cloud, lambda _: None, stage="prod")
