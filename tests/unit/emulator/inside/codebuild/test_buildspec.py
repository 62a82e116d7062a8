from __future__ import annotations

import pytest

from devbridge.emulator.inside.codebuild.buildspec import Phase, is_inline, parse
from devbridge.emulator.inside.machines.failure import Failure


def test_everything_that_is_supported_is_read() -> None:
    spec = parse(
        """
version: 0.2
env:
  shell: bash
  variables: {A: a, N: 1, T: true}
  parameter-store: {P: /p}
  secrets-manager: {S: "s:k"}
  exported-variables: [A, B]
phases:
  install:
    runtime-versions: {python: 3.12}
    commands: one
  build:
    on-failure: CONTINUE
    commands: [two, "three"]
    finally: [four]
artifacts: {files: ['**/*']}
"""
    )
    assert spec.shell == "bash"
    assert spec.variables == {"A": "a", "N": "1", "T": "true"}
    assert (spec.parameters, spec.secrets) == ({"P": "/p"}, {"S": "s:k"})
    assert spec.exported == ("A", "B")
    assert spec.phases == {
        "install": Phase(("one",)),
        "build": Phase(("two", "three"), ("four",), go_on=True),
    }
    assert spec.runtimes == {"python": "3.12"}
    assert spec.ignored == ("artifacts",)


def test_runtimes_are_chosen_in_the_install_phase_only() -> None:
    phases = "install: {runtime-versions: {nodejs: 24}}, build: {runtime-versions: {nodejs: 22}}"
    spec = parse(f"version: 0.2\nphases: {{{phases}}}")
    assert spec.runtimes == {"nodejs": "24"}
    assert spec.ignored == ("build: runtime-versions",)


def test_that_a_phase_is_not_tried_again_is_said() -> None:
    spec = parse("version: 0.2\nphases: {build: {commands: x, on-failure: RETRY-2}}")
    assert spec.ignored == ("build: on-failure",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "unsupported version None"),
        ("[]", "the buildspec must be a mapping"),
        ("a: [", "parsing"),
        ("version: 0.1", "unsupported version 0.1"),
        ("version: 0.2", "no phases are defined"),
        ("version: 0.2\nphases: []", "phases must be a mapping"),
        ("version: 0.2\nphases: {x: {}}", "unknown phase 'x'"),
        ("version: 0.2\nphases: {build: {commands: 1}}", "build: commands must be a list"),
        ("version: 0.2\nphases: {build: {commands: [1]}}", "build: commands[0]"),
        ("version: 0.2\nphases: {build: {on-failure: x}}", "on-failure is 'x'"),
        ("version: 0.2\nenv: {shell: fish}", "unsupported shell 'fish'"),
        ("version: 0.2\nenv: {variables: {A: []}}\nphases: {build: }", "env: variables: A"),
        ("version: 0.2\nenv: {exported-variables: ['a b']}", "'a b' is not a variable's name"),
    ],
)
def test_what_is_wrong_is_a_failure_that_says_so(text: str, words: str) -> None:
    with pytest.raises(Failure) as caught:
        parse(text)
    assert caught.value.code == "YAML_FILE_ERROR"
    assert words in caught.value.message


def test_a_text_is_a_buildspec_or_the_name_of_its_file() -> None:
    assert is_inline("version: 0.2\nphases: {}\n")
    assert is_inline('{"version": 0.2}')
    assert not is_inline("ci/spec.yml")
    assert not is_inline("")
