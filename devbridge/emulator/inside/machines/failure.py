"""Why something failed that the user can mend: a code and a message, in the service's words."""

from __future__ import annotations


class Failure(Exception):
    """A build's phase failed, a task does not start, a request is refused."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Ended(Exception):
    """It was ended from outside meanwhile: stopped, or timed out."""


def words(error: Exception) -> str:
    """An error of botocore's as agents say it: ``Code: message``."""
    answer = getattr(error, "response", {}).get("Error", {})
    return f"{answer['Code']}: {answer.get('Message', '')}" if answer.get("Code") else str(error)
