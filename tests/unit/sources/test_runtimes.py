from __future__ import annotations

from typing import get_args

from botocore.loaders import Loader

from devbridge.sources.runtimes import (
    FUNCTIONS,
    JOBS,
    RUNTIMES,
    FunctionRuntime,
    JobRuntime,
    language_of,
    of_language,
    runs_in_functions,
)

DEPRECATED = {
    *("nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10", "nodejs8.10"),
    *(f"nodejs{version}.x" for version in (10, 12, 14, 16, 18, 20)),
    *("python2.7", *(f"python3.{minor}" for minor in range(6, 11))),
}
"""By AWS, until today: a name that botocore adds is for the table, or for this set."""


def test_the_table_has_what_lambda_names_and_has_not_deprecated() -> None:
    model = Loader().load_service_model("lambda", "service-2")
    named = {
        name for name in model["shapes"]["Runtime"]["enum"] if name.startswith(("python", "nodejs"))
    }
    assert named - DEPRECATED == RUNTIMES.keys()


def test_names_say_language_and_version() -> None:
    for name, each in RUNTIMES.items():
        assert name.removesuffix(".x") == f"{each.language}{each.version}"


def test_type_checkers_know_the_same_names() -> None:
    assert get_args(FunctionRuntime) == FUNCTIONS
    assert get_args(JobRuntime) == JOBS


def test_a_runtime_says_its_language_and_a_container_has_none() -> None:
    assert [language_of(name) for name in (None, "python3.13", "nodejs24.x", "container")] == [
        "python",
        "python",
        "nodejs",
        None,
    ]


def test_the_runtimes_of_a_language_are_in_order() -> None:
    assert of_language("nodejs", JOBS) == ("nodejs22.x", "nodejs24.x")


def test_jobs_run_in_functions_where_there_is_a_runner_for_it() -> None:
    assert runs_in_functions(None)
    assert {name for name in JOBS if runs_in_functions(name)} == {*of_language("python", JOBS)}
    assert not runs_in_functions("container")
