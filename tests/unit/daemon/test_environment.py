from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from devbridge.daemon.environment import worker_environment
from devbridge.daemon.runtime_api import WorkerAddress
from devbridge.environment import WITHHELD, withheld
from devbridge.runs.model import JobSpec
from tests.integration.functions import function
from tests.unit.shell import KEPT_BACK, PASSED

ADDRESS = WorkerAddress("127.0.0.1:5/token", "http://127.0.0.1:5/credentials/w1", "token")


def environment(
    shell: dict[str, str],
    *given: str,
    of_app: dict[str, str] | None = None,
    endpoint_url: str | None = None,
    of_job: dict[str, str] | None = None,
    **job: str,
) -> dict[str, str]:
    own = {**(of_job or {}), **job}
    spec = JobSpec("factorial", "jobs/f.handler", 60, 3072, "arn", own, of_app or {})
    return worker_environment(
        shell,
        spec,
        ADDRESS,
        root=Path("/app"),
        region="eu-west-1",
        endpoint_url=endpoint_url,
        given=given,
    )


def test_a_job_gets_a_list_of_the_shells_variables_and_no_other() -> None:
    made = environment({**PASSED, **KEPT_BACK})
    theirs = {key for key, value in made.items() if "theirs" in value.split(",")}
    assert theirs == PASSED.keys()


def test_others_are_given_by_name_or_with_a_value() -> None:
    made = environment(KEPT_BACK, "DATABASE_URL", "PYTHONPATH", "MODE=fast=1", "NOT_THERE")
    assert (made["DATABASE_URL"], made["PYTHONPATH"], made["MODE"]) == (
        "theirs",
        "theirs",
        "fast=1",
    )
    assert not {"NOT_THERE", "GITHUB_TOKEN", "PYTHONHOME"} & made.keys()


def test_what_is_given_counts_more_than_the_jobs_own_and_that_more_than_the_shells() -> None:
    made = environment(
        {"A": "shell", "HOME": "shell"},
        "A=given",
        of_app={"A": "shell", "B": "shell"},
        A="job",
        B="job",
        HOME="job",
    )
    assert (made["A"], made["B"], made["HOME"]) == ("given", "job", "job")


def test_the_runner_is_told_the_names_that_a_job_might_miss_and_no_value() -> None:
    made = environment({**PASSED, **KEPT_BACK, "odd name": "x"}, "GITHUB_TOKEN")
    told = made[WITHHELD].split()
    assert {"DATABASE_URL", "NPM_TOKEN", "PYTHONPATH", "LD_PRELOAD"} <= set(told)
    no_use = {"GITHUB_TOKEN", "PATH", "EDITOR", "SSH_AUTH_SOCK", "PYTHONHOME", "AWS_PROFILE", "odd"}
    assert not no_use & set(told)
    assert "theirs" not in made[WITHHELD]
    assert WITHHELD not in environment(PASSED)
    assert withheld({"A": "1"}, ["A"]) == []


@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:5"])
@pytest.mark.parametrize("of_shell", [True, False])
def test_loopback_is_reached_past_a_proxy_of_the_shell_or_of_the_job(
    endpoint: str | None, of_shell: bool
) -> None:
    proxy = {"http_proxy": "http://proxy:1", "no_proxy": "intra"}
    shell, job = (proxy, {}) if of_shell else ({}, proxy)
    made = environment(shell, endpoint_url=endpoint, of_job=job)
    assert made["NO_PROXY"] == made["no_proxy"] == "intra,127.0.0.1,localhost,.localhost,::1"


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


def test_a_function_is_told_what_lambda_tells_it_and_nothing_of_jobs() -> None:
    spec = function(memory_mb=256, environment={"AWS_EXECUTION_ENV": "AWS_Lambda_x", "A": "1"})
    made = worker_environment(
        {"TZ": "Europe/Berlin"}, spec, ADDRESS, root=Path("/app"), region="eu-west-1"
    )
    stream = made.pop("AWS_LAMBDA_LOG_STREAM_NAME")
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)
    of_lambda = {key: made[key] for key in made if key.startswith(("AWS_LAMBDA_", "AWS_EXEC"))}
    assert of_lambda == {
        "AWS_EXECUTION_ENV": "AWS_Lambda_x",
        "AWS_LAMBDA_FUNCTION_NAME": "demo_dev_api-fn",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/demo_dev_api-fn",
        "AWS_LAMBDA_RUNTIME_API": ADDRESS.runtime_api,
    }
    assert (made["TZ"], made["A"], made["_HANDLER"]) == (":UTC", "1", "api/start.handler")
    assert [key for key in made if key.startswith("DEVBRIDGE_")] == ["DEVBRIDGE_FUNCTION"]


def test_a_function_may_live_in_another_time_zone() -> None:
    spec = function(environment={"TZ": "Asia/Tokyo"})
    made = worker_environment({}, spec, ADDRESS, root=Path("/app"), region="eu-west-1")
    assert made["TZ"] == "Asia/Tokyo"
