"""Why a phase of a build failed, in the two texts that CodeBuild's phase context has."""

from __future__ import annotations


class Failure(Exception):
    """A phase failed; the build's status will be FAILED."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Ended(Exception):
    """The build was ended from outside meanwhile: stopped, or timed out."""
