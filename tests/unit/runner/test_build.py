from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.build import MAX_MESSAGE, Settings, ascii_json, error_json, worker_environment
from runner.outcome import Failure
from runner.results import encode

ENVIRONMENT = {
    "DEVBRIDGE_APP": "demo",
    "DEVBRIDGE_STAGE": "prod",
    "DEVBRIDGE_JOB_NAME": "factorial",
    "DEVBRIDGE_HANDLER": "jobs/factorial.handler",
    "DEVBRIDGE_PAYLOAD": "{}",
    "DEVBRIDGE_PAYLOAD_KEY": "k",
    "CODEBUILD_BUILD_ID": "demo_prod_factorial:1",
    "CODEBUILD_SRC_DIR": "/src",
}
LEAVES = st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.recursive(LEAVES, lambda s: st.lists(s) | st.dictionaries(st.text(), s)))
def test_a_result_in_ascii_is_the_same_result(value: Any) -> None:
    text = ascii_json(encode(value).decode())
    assert text.isascii()
    assert json.loads(text) == value


@given(st.text(st.characters(), max_size=3000))
def test_an_errors_message_is_cut_to_what_a_variable_holds(message: str) -> None:
    text = error_json(Failure("ValueError", message))
    assert text.isascii()
    shown = json.loads(text)["message"]
    assert len(shown.encode("utf-8", "surrogatepass")) <= MAX_MESSAGE
    assert shown == message or shown.endswith("…")


def test_settings_have_defaults_for_what_a_project_may_leave_out() -> None:
    settings = Settings.read(ENVIRONMENT)
    assert (settings.attempts, settings.retry_delay, settings.concurrency) == (1, 1, 0)
    assert settings.project == "demo_prod_factorial"
    assert settings.result_key == "results/demo/prod/factorial/1.json"


def test_a_worker_does_not_get_the_payload_twice() -> None:
    environment = worker_environment(Settings.read(ENVIRONMENT), ENVIRONMENT)
    assert not [name for name in environment if "PAYLOAD" in name]
    assert environment["LAMBDA_TASK_ROOT"] == "/src"
    assert environment["DEVBRIDGE_JOB_NAME"] == "factorial"


def test_a_worker_imports_what_is_in_the_source_with_the_packages() -> None:
    def made(**more: str) -> str | None:
        environment = ENVIRONMENT | more
        return worker_environment(Settings.read(environment), environment).get("PYTHONPATH")

    packages = {"CODEBUILD_SRC_DIR_packages": "/packages"}
    assert made() is None
    assert made(**packages) == "/packages"
    assert made(**packages, PYTHONPATH="/own") == f"/own{os.pathsep}/packages"


@pytest.mark.parametrize("module", ["build", "worker", "command", "zygote"])
def test_the_runner_imports_nothing_but_the_standard_library(module: str) -> None:
    assert imported(module) - sys.stdlib_module_names - {"__main__"} == {"runner"}


def test_a_worker_imports_nothing_that_only_a_build_needs() -> None:
    heavy = {"http", "urllib", "ssl", "dataclasses", "inspect", "subprocess", "threading", "email"}
    assert not imported("worker") & heavy
    assert not {"runner.build", "runner.aws"} & imported("worker", whole=True)


def imported(module: str, *, whole: bool = False) -> set[str]:
    """The modules that an interpreter has which imported one of the runner."""
    root = Path(__file__).parents[3]
    code = f"import sys; sys.path.append({str(root)!r})\nimport runner.{module}\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"{code}print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    names = done.stdout.split()
    return set(names) if whole else {name.partition(".")[0] for name in names}
