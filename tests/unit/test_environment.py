from __future__ import annotations

from pathlib import Path

import pytest

from devbridge.daemon.runtime_api import WorkerAddress
from devbridge.environment import (
    WITHHELD,
    given_values,
    inherited,
    of_pip,
    past_proxies,
    withheld,
    without_own,
    worker_environment,
)
from devbridge.runs.model import JobSpec

ADDRESS = WorkerAddress("127.0.0.1:5/token", "http://127.0.0.1:5/credentials/w1", "token")
_PASSED = """
    PATH HOME USER LOGNAME LANG LC_ALL LC_CTYPE TERM TZ TMPDIR
    HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy
    AWS_CA_BUNDLE REQUESTS_CA_BUNDLE SSL_CERT_FILE CURL_CA_BUNDLE VIRTUAL_ENV
    CUDA_VISIBLE_DEVICES CUDA_HOME DISPLAY WAYLAND_DISPLAY XDG_RUNTIME_DIR
"""
_KEPT_BACK = """
    GITHUB_TOKEN NPM_TOKEN DATABASE_URL OPENAI_API_KEY SSH_AUTH_SOCK EDITOR
    AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE AWS_ENDPOINT_URL_S3
    BOTO_CONFIG DEVBRIDGE_STAGE LAMBDA_TASK_ROOT _HANDLER
    PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONWARNINGS LD_PRELOAD MYCUDA_X
"""
PASSED = dict.fromkeys(_PASSED.split(), "theirs")
KEPT_BACK = dict.fromkeys(_KEPT_BACK.split(), "theirs")


def environment(
    shell: dict[str, str],
    *given: str,
    of_app: dict[str, str] | None = None,
    endpoint_url: str | None = None,
    **job: str,
) -> dict[str, str]:
    spec = JobSpec("factorial", "jobs/f.handler", 60, 3072, "arn", job, of_app or {})
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
    assert {key for key, value in made.items() if value == "theirs"} == PASSED.keys()
    assert inherited({**PASSED, **KEPT_BACK}) == PASSED


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


def test_a_beginning_of_names_never_takes_what_sdks_and_devbridge_read() -> None:
    assert given_values(KEPT_BACK, ["A*", "B*", "D*", "PYTHON*"]).keys() == {
        *("DATABASE_URL", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONWARNINGS")
    }


def test_the_runner_is_told_the_names_that_a_job_might_miss_and_no_value() -> None:
    made = environment({**PASSED, **KEPT_BACK, "odd name": "x"}, "GITHUB_TOKEN")
    told = made[WITHHELD].split()
    assert {"DATABASE_URL", "NPM_TOKEN", "PYTHONPATH", "LD_PRELOAD"} <= set(told)
    no_use = {"GITHUB_TOKEN", "PATH", "EDITOR", "SSH_AUTH_SOCK", "PYTHONHOME", "AWS_PROFILE", "odd"}
    assert not no_use & set(told)
    assert "theirs" not in made[WITHHELD]
    assert WITHHELD not in environment(PASSED)
    assert withheld({"A": "1"}, ["A"]) == []


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_the_embedded_cloud_is_reached_past_a_proxy(name: str) -> None:
    shell = {name: "http://proxy:1", "no_proxy": "intra"}
    made = environment(shell, endpoint_url="http://127.0.0.1:5")
    assert made["NO_PROXY"] == made["no_proxy"] == "intra,127.0.0.1,localhost,.localhost"
    assert past_proxies({"HTTP_PROXY": ""}, "http://127.0.0.1:5") == {}
    assert past_proxies(shell, None) == past_proxies(shell, "https://aws.example") == {}


def test_a_command_of_the_users_own_keeps_the_shells_variables() -> None:
    kept = without_own({**PASSED, **KEPT_BACK})
    assert kept.keys() >= {*PASSED, "GITHUB_TOKEN", "PYTHONPATH"}
    assert not [key for key in kept if key.startswith(("AWS_S", "AWS_A", "AWS_P", "BOTO", "DEVB"))]


def test_pip_keeps_the_users_index_and_nothing_that_says_where_packages_go() -> None:
    made = of_pip({"PIP_INDEX_URL": "i", "PIP_USER": "1", "PYTHONPATH": "p", "HTTPS_PROXY": "x"})
    assert made["PIP_INDEX_URL"] == "i"
    assert made["HTTPS_PROXY"] == "x"
    assert not {"PIP_USER", "PYTHONPATH"} & made.keys()
