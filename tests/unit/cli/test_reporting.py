from __future__ import annotations

import errno

from click.testing import CliRunner

from devbridge import errors
from devbridge.errors import EXIT_NOT_WRITTEN

from .groups import group_with


def test_an_error_is_one_message_on_stderr_and_its_exit_code() -> None:
    def fail() -> None:
        raise errors.UnknownJob("no job 'x'", where="stage ann", remedy="use one of: y")

    result = CliRunner().invoke(group_with(fail), ["any"])
    assert result.exit_code == errors.EXIT_NOT_FOUND
    assert result.stdout == ""
    assert result.stderr == "error: no job 'x'\n  where: stage ann\n  to do: use one of: y\n"


def test_an_interrupt_has_its_own_exit_code() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    result = CliRunner().invoke(group_with(interrupt), ["any"])
    assert result.exit_code == errors.EXIT_INTERRUPTED
    assert result.stderr.strip() == "interrupted"


def test_a_full_disk_is_not_taken_for_output_that_cannot_be_written() -> None:
    def fail() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    result = CliRunner().invoke(group_with(fail), ["any"])
    assert result.exit_code == EXIT_NOT_WRITTEN
    assert result.stderr.startswith("error: a file cannot be written: No space left on device\n")
    assert "make room" in result.stderr


def test_another_error_of_the_system_is_not_taken_for_one_of_the_output() -> None:
    def fail() -> None:
        raise PermissionError(errno.EACCES, "no")

    assert isinstance(CliRunner().invoke(group_with(fail), ["any"]).exception, PermissionError)
