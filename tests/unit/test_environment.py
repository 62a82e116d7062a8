from __future__ import annotations

import os

import pytest

from devbridge.environment import (
    given_values,
    inherit_problem,
    inherited,
    isolated,
    matching,
    of_pip,
    of_sdks,
    past_proxies,
    withheld,
    without_own,
)
from tests.unit.shell import KEPT_BACK, PASSED


def test_a_beginning_of_names_never_takes_what_sdks_and_devbridge_read() -> None:
    assert given_values(KEPT_BACK, ["A*", "B*", "D*", "PYTHON*"]).keys() == {
        *("DATABASE_URL", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONWARNINGS")
    }


def test_a_command_of_the_users_own_keeps_the_shells_variables() -> None:
    kept = without_own({**PASSED, **KEPT_BACK})
    assert kept.keys() >= {*PASSED, "GITHUB_TOKEN", "PYTHONPATH"}
    assert not [key for key in kept if key.startswith(("AWS_S", "AWS_A", "AWS_P", "BOTO", "DEVB"))]


def test_a_file_of_botos_settings_leads_an_sdk_somewhere_else_too() -> None:
    names = of_sdks({**PASSED, **KEPT_BACK})
    assert names == {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"),
        *("AWS_ENDPOINT_URL_S3", "BOTO_CONFIG"),
    }


def test_pip_keeps_the_users_index_and_nothing_that_says_where_packages_go() -> None:
    made = of_pip({"PIP_INDEX_URL": "i", "PIP_USER": "1", "PYTHONPATH": "p", "HTTPS_PROXY": "x"})
    assert made["PIP_INDEX_URL"] == "i"
    assert made["HTTPS_PROXY"] == "x"
    assert not {"PIP_USER", "PYTHONPATH"} & made.keys()


def test_a_live_job_gets_a_list_of_the_shells_variables_and_no_other() -> None:
    assert inherited({**PASSED, **KEPT_BACK}) == PASSED


def test_what_the_app_names_and_what_is_given_come_on_top_in_this_order() -> None:
    shell = {"HOME": "shell", "A": "shell", "B": "shell"}
    of_app = {"HOME": "app", "A": "app"}
    assert inherited(shell, of_app, ["A=given", "B"]) == {"HOME": "app", "A": "given", "B": "shell"}


def test_a_name_without_a_star_may_be_any_variable() -> None:
    assert matching(KEPT_BACK, ["AWS_PROFILE", "NOT_THERE"]) == {"AWS_PROFILE": "theirs"}


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("host", ["127.0.0.1:5", "127.9.9.9:5", "[::1]:5", "localhost:5"])
def test_an_endpoint_on_loopback_is_reached_past_any_proxy(name: str, host: str) -> None:
    made = past_proxies({name: "http://proxy:1"}, f"http://{host}")
    assert made == dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost,.localhost")


def test_hosts_that_need_no_proxy_already_still_need_none() -> None:
    shell = {"HTTP_PROXY": "http://proxy:1", "NO_PROXY": "intra"}
    made = past_proxies(shell, "http://127.0.0.1:5")
    assert made["NO_PROXY"] == made["no_proxy"] == "intra,127.0.0.1,localhost,.localhost"


def test_without_a_proxy_or_on_aws_nothing_is_said_about_proxies() -> None:
    shell = {"HTTP_PROXY": "http://proxy:1"}
    assert past_proxies({"HTTP_PROXY": ""}, "http://127.0.0.1:5") == {}
    assert past_proxies(shell, None) == past_proxies(shell, "https://aws.example") == {}


def test_an_sdk_is_kept_from_the_developers_files_and_from_the_machines_role() -> None:
    made = isolated("eu-west-1")
    assert made["AWS_REGION"] == made["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert made["AWS_SHARED_CREDENTIALS_FILE"] == made["AWS_CONFIG_FILE"] == os.devnull
    assert made["AWS_EC2_METADATA_DISABLED"] == "true"


def test_names_that_a_job_might_miss_are_told_in_order_and_no_others() -> None:
    shell = {**PASSED, **KEPT_BACK, "odd name": "x"}
    assert withheld(shell, [*PASSED, "GITHUB_TOKEN"]) == [
        *("DATABASE_URL", "LD_PRELOAD", "MYCUDA_X", "NPM_TOKEN", "OPENAI_API_KEY"),
        *("PYTHONPATH", "PYTHONSTARTUP", "PYTHONWARNINGS"),
    ]


@pytest.mark.parametrize(
    ("names", "shown", "allowed"),
    [
        ("DB_URL", "'DB_URL'", "a list of names of variables"),
        (3, "3", "a list of names of variables"),
        (["A", "1X"], "'1X'", "NAME or a beginning of names, such as 'MYAPP_*'"),
        ([1], "1", "NAME or a beginning of names, such as 'MYAPP_*'"),
        (["A=1"], "'A=1'", "NAME or a beginning of names, such as 'MYAPP_*'"),
        (
            ["BOTO_CONFIG"],
            "'BOTO_CONFIG'",
            "names that do not start with AWS_, BOTO_, LAMBDA_, DEVBRIDGE_, _HANDLER, PYTHONHOME",
        ),
    ],
)
def test_what_no_live_job_can_get_is_named_with_what_is_allowed(
    names: object, shown: str, allowed: str
) -> None:
    assert inherit_problem(names) == (shown, allowed)


def test_a_value_is_allowed_for_one_name_where_values_are() -> None:
    assert inherit_problem(["A=1", "B", "C_*"], values=True) is None
    assert inherit_problem(["C_*=1"], values=True) == (
        "'C_*=1'",
        "NAME, NAME=VALUE or a beginning of names, such as 'MYAPP_*'",
    )
