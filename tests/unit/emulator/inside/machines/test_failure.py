from __future__ import annotations

from devbridge.emulator.inside.machines.failure import Failure, words


def test_a_failure_has_both_texts_of_a_phases_context_and_shows_them() -> None:
    failure = Failure("YAML_FILE_ERROR", "no such file")
    assert (failure.code, failure.message) == ("YAML_FILE_ERROR", "no such file")
    assert str(failure) == "YAML_FILE_ERROR: no such file"


def test_an_error_without_a_code_is_said_as_it_is() -> None:
    assert words(ValueError("x")) == "x"
