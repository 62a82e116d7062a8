"""The runtimes that AWS has, in one table: what AWS Lambda's API names (botocore's enum `Runtime`)
and AWS has not deprecated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Name = Literal["python", "nodejs"]
"""A language, as runtimes' names begin."""
FunctionRuntime = Literal[
    "python3.11",
    "python3.12",
    "python3.13",
    "python3.14",
    "python3.15",
    "nodejs22.x",
    "nodejs24.x",
    "nodejs26.x",
]
JobRuntime = Literal[
    "python3.11", "python3.12", "python3.13", "python3.14", "nodejs22.x", "nodejs24.x"
]
DEFAULT: Final[Name] = "python"
"""The language where no runtime is named: that of app.py, in the version of its interpreter."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A language's version."""

    language: Name
    version: str
    """``3.11``, ``22``"""
    builds: bool
    """CodeBuild's curated images (amazonlinux-x86_64-standard:6.0, aarch64-standard:4.0), and AWS's
    base images, are known to have it: jobs can run on it."""


RUNTIMES: Final[Mapping[str, Runtime]] = {
    "python3.11": Runtime("python", "3.11", builds=True),
    "python3.12": Runtime("python", "3.12", builds=True),
    "python3.13": Runtime("python", "3.13", builds=True),
    "python3.14": Runtime("python", "3.14", builds=True),
    "python3.15": Runtime("python", "3.15", builds=False),
    "nodejs22.x": Runtime("nodejs", "22", builds=True),
    "nodejs24.x": Runtime("nodejs", "24", builds=True),
    "nodejs26.x": Runtime("nodejs", "26", builds=False),
}
FUNCTIONS: Final = tuple(RUNTIMES)
"""Those that a function may have."""
JOBS: Final = tuple(name for name in FUNCTIONS if RUNTIMES[name].builds)
"""Those that a job may have."""


def language_of(runtime: str | None) -> Name | None:
    """The language of a runtime; None for what is no runtime of AWS's: a container.

    Args:
        runtime: as a construct names it; None names none.
    """
    if runtime is None:
        return DEFAULT
    known = RUNTIMES.get(runtime)
    return known.language if known else None


def runs_in_functions(runtime: str | None) -> bool:
    """Whether there is a runner for a *job* of that runtime in AWS Lambda: not yet for each."""
    return language_of(runtime) == "python"


def of_language(language: Name, names: tuple[str, ...] = FUNCTIONS) -> tuple[str, ...]:
    """Those of `names` that are a language's."""
    return tuple(name for name in names if RUNTIMES[name].language == language)
