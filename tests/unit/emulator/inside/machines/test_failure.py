from __future__ import annotations

from devbridge.emulator.inside.machines.failure import Failure


def test_a_failure_has_both_texts_of_a_phases_context_and_shows_them() -> None:
    failure = Failure("YAML_FILE_ERROR", "no such file")
    assert (failure.code, failure.message) == ("YAML_FILE_ERROR", "no such file")
    assert str(failure) == "YAML_FILE_ERROR: no such file"
