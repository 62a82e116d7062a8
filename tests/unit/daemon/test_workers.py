from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devbridge.daemon.runtime_api import WorkerAddress
from devbridge.daemon.workers import FreshLauncher, WorkerSpec, exit_of
from devbridge.environment import worker_environment
from devbridge.errors import InterpreterError
from devbridge.runs.model import Exit, JobSpec

ADDRESS = WorkerAddress("127.0.0.1:5/token", "http://127.0.0.1:5/credentials/w1", "token")


def environment(developer: dict[str, str], **job: str) -> dict[str, str]:
    spec = JobSpec("factorial", "jobs/f.handler", 60, 3072, "arn", job)
    return worker_environment(developer, spec, ADDRESS, root=Path("/app"), region="eu-west-1")


def test_nothing_of_the_developers_aws_settings_is_left() -> None:
    names = [
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
        "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "BOTO_CONFIG", "DEVBRIDGE_STAGE",
    ]  # fmt: skip
    assert not set(environment(dict.fromkeys(names, "theirs"))) & set(names)


def test_an_sdk_finds_the_roles_credentials_and_nothing_else() -> None:
    made = environment({"AWS_REGION": "us-west-2", "AWS_CONFIG_FILE": "/home/x/.aws/config"})
    assert made["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == ADDRESS.credentials_uri
    assert made["AWS_CONTAINER_AUTHORIZATION_TOKEN"] == "token"
    assert made["AWS_SHARED_CREDENTIALS_FILE"] == made["AWS_CONFIG_FILE"] == os.devnull
    assert made["AWS_EC2_METADATA_DISABLED"] == "true"
    assert made["AWS_REGION"] == made["AWS_DEFAULT_REGION"] == "eu-west-1"


def test_the_jobs_environment_comes_before_the_developers() -> None:
    developer = {"PATH": "/mine", "HOME": "/home/me", "VIRTUAL_ENV": "/venv"}
    made = environment(developer, VIRTUAL_ENV="/other", TABLE="notes")
    assert {**made, **developer, "VIRTUAL_ENV": "/other", "TABLE": "notes"} == made


def test_a_job_cannot_replace_its_credentials_or_its_handler() -> None:
    made = environment({}, AWS_CONTAINER_AUTHORIZATION_TOKEN="x", _HANDLER="y")
    assert (made["AWS_CONTAINER_AUTHORIZATION_TOKEN"], made["_HANDLER"]) == (
        "token",
        "jobs/f.handler",
    )


def test_a_memory_limit_is_told_to_the_runner() -> None:
    spec = JobSpec("factorial", "jobs/f.handler", 60, 3072, "arn", {})
    made = worker_environment(
        {"DEVBRIDGE_MEMORY_LIMIT": "1"},
        spec,
        ADDRESS,
        root=Path("/app"),
        region="eu-west-1",
        memory_limit=2 << 30,
    )
    assert made["DEVBRIDGE_MEMORY_LIMIT"] == str(2 << 30)
    assert "DEVBRIDGE_MEMORY_LIMIT" not in environment({"DEVBRIDGE_MEMORY_LIMIT": "1"})


def test_the_embedded_cloud_is_an_endpoint() -> None:
    spec = JobSpec("factorial", "jobs/f.handler", 60, 3072, "arn", {})
    made = worker_environment(
        {}, spec, ADDRESS, root=Path("/app"), region="r", endpoint_url="http://127.0.0.1:1"
    )
    assert made["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert "AWS_ENDPOINT_URL" not in environment({})


def test_an_address_does_not_print_its_token() -> None:
    assert "credentials_token" not in repr(ADDRESS)


def test_a_wait_status_is_a_code_or_a_signal() -> None:
    assert exit_of(3 << 8) == Exit(code=3)
    assert exit_of(signal.SIGKILL) == Exit(signal=signal.SIGKILL)


async def test_an_interpreter_that_does_not_exist_is_named(tmp_path: Path) -> None:
    spec = WorkerSpec("w1", tmp_path, "a.handler", tmp_path / "python", {})
    with pytest.raises(InterpreterError) as raised:
        await FreshLauncher().launch(spec, 1)
    assert raised.value.where == str(tmp_path / "python")


def test_the_runner_needs_only_the_standard_library() -> None:
    """And it does not open devbridge's own environment to the handlers that it runs."""
    code = (
        "import runpy, sys; before = set(sys.path)\n"
        "import runner.worker, runner.zygote, runner.__main__\n"
        "outside = {m.split('.')[0] for m in sys.modules} - sys.stdlib_module_names\n"
        "print(sorted(outside - {'runner', '__main__'}))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({str(root)!r})\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
