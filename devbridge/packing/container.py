"""The image of a container job: built with Docker, and pushed to the account's registry (ECR)."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from devbridge import files, progress
from devbridge.constructs import Container, Job
from devbridge.errors import BuildError
from devbridge.files import Taken

_UNTAGGED_DAYS: Final = 14
_LIFECYCLE: Final = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "images that were replaced",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": _UNTAGGED_DAYS,
            },
            "action": {"type": "expire"},
        },
    ]
}
_PLATFORM: Final = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}


class Registry(Protocol):
    """The cloud whose ECR has the images."""

    @property
    def region(self) -> str:
        """Its region, such as ``eu-west-1``."""

    @property
    def account(self) -> str:
        """The 12 digits of its account."""

    def client(self, service: str) -> Any:
        """The boto3 client of a service."""


def repository(app: str, stage: str) -> str:
    """The name of the ECR repository of an app's stage."""
    return f"devbridge/{app}/{stage}"


def image_uri(job: Job, cloud: Registry, stage: str) -> str:
    """The URI that a job's image has in ECR, whether it is there or not.

    Raises:
        BuildError: a file that it is built from cannot be read.
    """
    suffix = "amazonaws.com.cn" if cloud.region.startswith("cn-") else "amazonaws.com"
    host = f"{cloud.account}.dkr.ecr.{cloud.region}.{suffix}"
    return f"{host}/{repository(job.app.name, stage)}:{_tag(job)}"


def _tag(job: Job) -> str:
    """A digest of all that a job's image is built from.

    Raises:
        BuildError: a file cannot be read.
    """
    container = _container(job)
    digest = hashlib.sha256(
        json.dumps(
            [job.architecture, container.file, sorted(container.build_args.items())]
        ).encode()
    )
    try:
        for name, path in context(job).files.items():
            if path.is_symlink():
                digest.update(f"{name}\0link {path.readlink()}\n".encode())
            elif path.is_file():
                executable = os.access(path, os.X_OK)
                with path.open("rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
                digest.update(f"{name}\0{executable} {content}\n".encode())
    except OSError as error:
        raise BuildError(
            f"{job}: {error.strerror}", where=str(error.filename), remedy="make it readable"
        ) from error
    return f"{job.name}-{digest.hexdigest()[:24]}"


def build_image(
    job: Job, cloud: Registry, on_progress: Callable[[str], None], *, stage: str
) -> str:
    """The URI of a job's image in ECR; it is built and pushed unless it is there.

    The repository is made if there is none.

    Args:
        on_progress: is told what takes time.

    Raises:
        BuildError: there is no Docker engine, or it failed; its last lines are in the error.
    """
    uri = image_uri(job, cloud, stage)
    host, _, path = uri.partition("/")
    name, _, tag = path.partition(":")
    ecr = cloud.client("ecr")
    _ensure_repository(ecr, name)
    if _exists(ecr, name, tag):
        return uri
    docker = _docker(job)
    on_progress(f"{job}: docker build")
    taken = context(job)
    for line in files.said(taken.left, adds=""):
        on_progress(f"{job}: {line}; what COPY names as it is, is sent")
    with tempfile.TemporaryDirectory(prefix="devbridge-") as place:
        lay_out(taken, Path(place))
        command = build_command(docker, job, uri, Path(place))
        with progress.task("build", f"{job}: docker build"):
            _run(job, command, "docker could not build the image")
    on_progress(f"{job}: docker push")
    login = ecr.get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(login["authorizationToken"]).decode().partition(":")
    _run(
        job,
        [docker, "login", "--username", user, "--password-stdin", host],
        "docker could not log in to the registry",
        stdin=password,
    )
    with progress.task("build", f"{job}: docker push"):
        _run(job, [docker, "push", uri], "docker could not push the image")
    return uri


def context(job: Job) -> Taken:
    """What docker is given of the image's folder: nothing private, and nothing that git ignores,
    but what COPY and ADD name as it is.

    Raises:
        OSError: a file cannot be read.
    """
    container = _container(job)
    folder = job.app.root / container.directory
    taken = files.take(folder)
    limit = os.path.realpath(folder)
    own = (container.file, ".dockerignore", f"{container.file}.dockerignore")
    for name in (*own, *_copied(folder / container.file)):
        path = folder / name
        if not path.exists() or files.leaves(path, limit) or ".." in Path(name).parts:
            continue
        if path.is_dir():
            found = files.walk(folder, name)
            if not files.is_ignored(folder, name):
                found = files.without_ignored(folder, found)
            taken.files |= found.files
        else:
            taken.files[name] = path
    taken.files = dict(sorted(taken.files.items()))
    taken.left = [each for each in taken.left if not each.is_in(taken.files)]
    return taken


def _copied(dockerfile: Path) -> list[str]:
    """The paths that a Dockerfile copies by their names."""
    found = []
    text = dockerfile.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    for line in text.splitlines():
        word, *rest = line.split() or [""]
        elsewhere = any(each.startswith("--from=") for each in rest)
        if word.upper() in ("COPY", "ADD") and not elsewhere:
            paths = [each.strip('[]",') for each in rest if not each.startswith("--")]
            found += [path.removeprefix("./").strip("/") for path in paths[:-1]]
    return [path for path in found if path not in ("", ".") and not set(path) & set("*?$:")]


def lay_out(taken: Taken, place: Path) -> None:
    """Put the files into an empty folder, without a copy where that is possible."""
    for name, path in taken.files.items():
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_symlink():
            with contextlib.suppress(OSError):
                target.hardlink_to(path)
                continue
        shutil.copy2(path, target, follow_symlinks=False)


def build_command(docker: str, job: Job, uri: str, folder: Path) -> list[str]:
    """The command that builds a job's image. Pure.

    Args:
        folder: with all that it is built from.
    """
    container = _container(job)
    arguments = [docker, "build", "--platform", _PLATFORM[job.architecture]]
    for key, value in container.build_args.items():
        arguments += ["--build-arg", f"{key}={value}"]
    arguments += ["-f", str(folder / container.file), "-t", uri]
    return [*arguments, str(folder)]


def _container(job: Job) -> Container:
    assert job.container  # noqa: S101 - who calls this knows
    return job.container


def _ensure_repository(ecr: Any, name: str) -> None:
    try:
        ecr.describe_repositories(repositoryNames=[name])
    except ecr.exceptions.RepositoryNotFoundException:
        ecr.create_repository(
            repositoryName=name,
            imageScanningConfiguration={"scanOnPush": True},
            imageTagMutability="IMMUTABLE",
            encryptionConfiguration={"encryptionType": "AES256"},
        )
        ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps(_LIFECYCLE))


def delete_repository(cloud: Registry, app: str, stage: str) -> bool:
    """Delete a stage's repository with all of its images; False: there was none."""
    ecr = cloud.client("ecr")
    try:
        ecr.delete_repository(repositoryName=repository(app, stage), force=True)
    except ecr.exceptions.RepositoryNotFoundException:
        return False
    return True


def _exists(ecr: Any, name: str, tag: str) -> bool:
    try:
        answer = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": tag}])
    except ecr.exceptions.ImageNotFoundException:
        return False
    return bool(answer["images"])


def _docker(job: Job) -> str:
    """The path of a `docker` whose engine answers.

    Raises:
        BuildError: there is none.
    """
    docker = shutil.which("docker")
    if docker is None:
        raise BuildError(
            f"{job}: its image cannot be built: there is no `docker` command",
            where=str(job.where),
            remedy="install Docker and start it, then deploy again",
        )
    done = subprocess.run(
        [docker, "version", "--format", "{{.Server.Version}}"],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(
            f"{job}: its image cannot be built: no Docker engine answers: {_last(done.stderr)}",
            where=str(job.where),
            remedy="start Docker (`docker version` must show a server), then deploy again",
        )
    return docker


def _run(job: Job, command: Sequence[str | Path], what: str, *, stdin: str | None = None) -> None:
    done = subprocess.run(
        command,
        input=stdin or "",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(
            f"{job}: {what}: {_last(done.stdout, 15)}",
            where=str(job.where),
            remedy="correct what docker names",
        )


def _last(text: str, count: int = 1) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return "\n    ".join(lines[-count:]) if lines else "it says nothing"
