from __future__ import annotations

import pytest

from devbridge.languages.base import Build
from devbridge.languages.python.deployed import DeployedPython


@pytest.mark.parametrize(("architecture", "suffix"), [("x86_64", ""), ("arm64", "-arm64")])
def test_a_build_runs_in_the_base_image_of_its_version(architecture: str, suffix: str) -> None:
    build = DeployedPython().build("python3.13", architecture, None)
    assert build == Build(f"public.ecr.aws/lambda/python:3.13{suffix}")


def test_an_image_of_the_user_s_own_takes_its_place() -> None:
    assert DeployedPython().build("python3.13", "x86_64", "a/b@sha256:c") == Build("a/b@sha256:c")


def test_a_function_gets_no_variables() -> None:
    assert DeployedPython().function_variables({}) == {}
