"""The values that constructs take: parsed from what the user wrote, or refused. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

APP_NAME: Final = re.compile(r"(?=.{1,32}\Z)[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
APP_NAME_ALLOWED: Final = (
    "lower-case letters, digits and single hyphens, starting with a letter, at most 32 characters"
)
NAME: Final = re.compile(r"(?=.{1,40}\Z)[A-Za-z][A-Za-z0-9]*(?:[-_][A-Za-z0-9]+)*")
NAME_ALLOWED: Final = (
    "letters, digits and single '-' or '_', starting with a letter, at most 40 characters"
)
STAGE_ALLOWED: Final = APP_NAME_ALLOWED

MEMORY_MB: Final[Mapping[str, int]] = {
    "3 GB": 3 * 1024,
    "7 GB": 7 * 1024,
    "15 GB": 15 * 1024,
    "145 GB": 145 * 1024,
}
ARM_MEMORY: Final = ("3 GB", "15 GB")
ARCHITECTURES: Final = ("x86_64", "arm64")
OFFLINE: Final = ("queue", "error", "cloud")

JOB_TIMEOUT: Final = (timedelta(minutes=5), timedelta(hours=36))
RETRY_DELAY: Final = (timedelta(), timedelta(hours=1))
FUNCTION_TIMEOUT: Final = (timedelta(seconds=1), timedelta(minutes=15))
FUNCTION_MEMORY_MB: Final = (128, 10_240)
ENVIRONMENT_LIMIT: Final = 4096
"""Bytes that AWS Lambda allows for all names and values together."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(second|minute|hour|day)s?")
_SIZE = re.compile(r"(\d+) ?(MB|GB)", re.IGNORECASE)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = ("AWS_", "LAMBDA_", "CODEBUILD_", "DEVBRIDGE_")
_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9*?]+")
_HTTP_METHODS = "GET POST PUT PATCH DELETE HEAD OPTIONS ANY"
_ROUTE = re.compile(
    rf"(?P<method>{_HTTP_METHODS.replace(' ', '|')}) (?P<path>/|(?:/(?:[\w.~%-]+|{{\w+\+?}}))+)",
    re.ASCII,
)
ROUTE_ALLOWED: Final = (
    f"a method, a space and a path, such as 'POST /orders/{{id}}' (methods: {_HTTP_METHODS})"
)


def duration(value: object, limits: tuple[timedelta, timedelta]) -> timedelta | None:
    """`value` ("1 hour", "30 minutes", a timedelta) if it is a duration within `limits`."""
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        value = timedelta(**{f"{match[2]}s": float(match[1])})
    if not isinstance(value, timedelta) or not limits[0] <= value <= limits[1]:
        return None
    return value


def job_memory(value: object, architecture: str) -> int | None:
    """The megabytes of a job's memory size, if CodeBuild has it for that architecture."""
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    size = f"{match[1]} {match[2].upper()}" if match else ""
    return MEMORY_MB.get(size) if size in job_memory_sizes(architecture) else None


def job_memory_sizes(architecture: str) -> tuple[str, ...]:
    """The memory sizes that CodeBuild has for an architecture."""
    return ARM_MEMORY if architecture == "arm64" else tuple(MEMORY_MB)


def function_memory(value: object) -> int | None:
    """The megabytes of a function's memory size ("512 MB", "2 GB"), if Lambda has it."""
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match:
        return None
    megabytes = int(match[1]) * (1024 if match[2].upper() == "GB" else 1)
    low, high = FUNCTION_MEMORY_MB
    return megabytes if low <= megabytes <= high else None


def environment_problem(environment: object) -> tuple[object, str] | None:
    """The first entry of an environment that is not allowed, and what is."""
    if not isinstance(environment, Mapping):
        return environment, "a dict of strings"
    for key, value in environment.items():
        if not isinstance(key, str) or not _VARIABLE.fullmatch(key):
            return key, "names of letters, digits and '_', not starting with a digit"
        if key.startswith(_RESERVED):
            return key, f"names that do not start with {', '.join(_RESERVED)}"
        if not isinstance(value, str):
            return {key: value}, "strings as values"
    size = sum(len(k.encode()) + len(v.encode()) for k, v in environment.items())
    if size > ENVIRONMENT_LIMIT:
        return f"of {size} bytes", f"at most {ENVIRONMENT_LIMIT} bytes for all names and values"
    return None


def route(value: object) -> bool:
    """Whether this is a route key of an HTTP API."""
    return value == "$default" or (isinstance(value, str) and bool(_ROUTE.fullmatch(value)))


def action(value: object) -> bool:
    """Whether this is an IAM action such as ``s3:GetObject``."""
    return isinstance(value, str) and bool(_ACTION.fullmatch(value))


def resource(value: object) -> bool:
    """Whether this is an ARN, or ``*``."""
    return isinstance(value, str) and (value == "*" or value.startswith("arn:"))
