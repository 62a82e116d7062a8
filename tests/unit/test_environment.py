from __future__ import annotations

import os

import pytest

from devbridge.environment import (
    given_values,
    inherit_problem,
    inherited,
    isolated,
    matching,
    of_network,
    of_pip,
    of_sdks,
    withheld,
    without_own,
)
from devbridge.proxies import past_proxies
from tests.unit.shell import KEPT_BACK, PASSED


def test_a_beginning_of_names_never_takes_what_sdks_and_devbridge_read() -> None:
    assert given_values(KEPT_BACK, ["A*", "B*", "D*", "PYTHON*"]).keys() == {
        *("DATABASE_URL", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONWARNINGS")
    }


def test_a_command_of_the_users_own_keeps_the_shells_variables() -> None:
    kept = without_own({**PASSED, **KEPT_BACK})
    assert ".localhost" in kept["no_proxy"]
    assert kept.keys() >= {*PASSED, "GITHUB_TOKEN", "PYTHONPATH"}
    assert not [key for key in kept if key.startswith(("AWS_S", "AWS_A", "AWS_P", "BOTO", "DEVB"))]


def test_a_file_of_botos_settings_leads_an_sdk_somewhere_else_too() -> None:
    names = of_sdks({**PASSED, **KEPT_BACK})
    assert names == {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"),
        *("AWS_ENDPOINT_URL_S3", "BOTO_CONFIG"),
    }


PIP_CONFIG = """\
:env:.user='1'
global.index-url='of all'
global.extra-index-url='\\nfirst\\nsecond'
install.index-url='of install'
install.target='/elsewhere'
download.index-url='of another command'
global.user='true'
global.constraint='pins.txt'
no setting at all
"""


def test_pip_keeps_where_packages_come_from_and_nothing_that_says_where_they_go() -> None:
    shell = {"PIP_INDEX_URL": "i", "PIP_USER": "1", "PIP_DRY_RUN": "1", "PIP_PYTHON": "p"}
    made = of_pip({**shell, "PYTHONPATH": "p", "HTTPS_PROXY": "x", "PIP_CONFIG_FILE": "/own"})
    assert {name: value for name, value in made.items() if name.startswith("PIP_")} == {
        "PIP_INDEX_URL": "i",
        "PIP_CONFIG_FILE": "/own",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_PROGRESS_BAR": "off",
    }
    assert made["HTTPS_PROXY"] == "x"
    assert "127.0.0.1" in made["NO_PROXY"]
    assert "PYTHONPATH" not in made


def test_pips_files_are_read_by_the_same_rule_and_count_less_than_variables() -> None:
    shell = {"PIP_CERT": "c", "PIP_CONSTRAINT": "", "PIP_CONFIG_FILE": "/own"}
    made = of_pip(shell, PIP_CONFIG)
    expected = {
        "PIP_INDEX_URL": "of install",
        "PIP_EXTRA_INDEX_URL": "\nfirst\nsecond",
        "PIP_CONSTRAINT": "pins.txt",
        "PIP_CERT": "c",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_PROGRESS_BAR": "off",
    }
    assert made == expected
    del expected["PIP_CONSTRAINT"]
    assert of_pip(shell, PIP_CONFIG, pinned=True) == expected


def test_the_embedded_cloud_gets_out_of_the_network_as_the_shell_does() -> None:
    shell = {**KEPT_BACK, "PATH": "/bin", "https_proxy": "http://p", "SSL_CERT_FILE": "/c"}
    made = of_network(shell)
    assert made.keys() == {"https_proxy", "SSL_CERT_FILE", "NO_PROXY", "no_proxy"}


def test_a_live_job_gets_a_list_of_the_shells_variables_and_no_other() -> None:
    assert inherited({**PASSED, **KEPT_BACK}) == {**PASSED, **past_proxies(PASSED)}


def test_what_the_app_names_and_what_is_given_come_on_top_in_this_order() -> None:
    shell = {"HOME": "shell", "A": "shell", "B": "shell"}
    of_app = {"HOME": "app", "A": "app"}
    assert inherited(shell, of_app, ["A=given", "B"]) == {"HOME": "app", "A": "given", "B": "shell"}


def test_a_name_without_a_star_may_be_any_variable() -> None:
    assert matching(KEPT_BACK, ["AWS_PROFILE", "NOT_THERE"]) == {"AWS_PROFILE": "theirs"}


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
            "names that do not start with AWS_, BOTO_, LAMBDA_, DEVBRIDGE_, _HANDLER, PYTHONHOME,"
            " PYTHONPLATLIBDIR, PYTHONEXECUTABLE, PYTHONINSPECT",
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
