"""What is said of a file of the app's that does not parse."""

from __future__ import annotations

from devbridge.errors import AppFailed


def unparsed(error: SyntaxError, file: str) -> AppFailed:
    """
    Args:
        file: as the error is to name it.
    """
    caret = " " * ((error.offset or 1) - 1) + "^"
    line = (error.text or "").rstrip("\n")
    return AppFailed(
        f"SyntaxError: {error.msg}" + (f"\n    {line}\n    {caret}" if line else ""),
        where=f"{file}:{error.lineno}",
        remedy="correct that line",
    )
