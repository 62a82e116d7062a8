"""The values that constructs take: parsed from what the user wrote, or refused. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from fractions import Fraction
from keyword import iskeyword
from typing import Final

from devbridge.durations import parsed
from devbridge.sources.base import LAMBDA_ROOT, Problem

APP_NAME: Final = re.compile(r"(?=.{1,32}\Z)[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
APP_NAME_ALLOWED: Final = (
    "lower-case letters, digits and single hyphens, starting with a letter, at most 32 characters"
)
NAME: Final = re.compile(r"(?=.{1,40}\Z)[A-Za-z][A-Za-z0-9]*(?:[-_][A-Za-z0-9]+)*")
NAME_ALLOWED: Final = (
    "letters, digits and single '-' or '_', starting with a letter, at most 40 characters"
)

MEMORY_MB: Final[Mapping[str, int]] = {
    "3 GB": 3 * 1024,
    "7 GB": 7 * 1024,
    "15 GB": 15 * 1024,
    "145 GB": 145 * 1024,
}
ARM_MEMORY: Final = ("3 GB", "15 GB")
Duration = str | timedelta
"""``"30 minutes"``, ``"1.5 hours"``, or a timedelta."""

ARCHITECTURES: Final = ("x86_64", "arm64")
OFFLINE: Final = ("queue", "error", "cloud")
FUNCTION_OFFLINE: Final = ("cloud", "error")
PAYLOAD: Final = ("s3", "inline")

BUILD_TIMEOUT: Final = (timedelta(minutes=5), timedelta(hours=36))
"""Of CodeBuild (API, CreateProject), and so of the jobs that it runs."""
BATCH_LEAST: Final = timedelta(minutes=1)
"""The shortest timeout of AWS Batch (API, JobTimeout)."""
RETRY_DELAY: Final = (timedelta(), timedelta(hours=1))
INVOCATION: Final = timedelta(seconds=900)
"""The longest that AWS Lambda runs a function for at once (API, CreateFunction)."""
FUNCTION_TIMEOUT: Final = (timedelta(seconds=1), INVOCATION)
FUNCTION_MEMORY_MB: Final = (128, 10_240)
VISIBILITY_TIMEOUT: Final = (timedelta(), timedelta(hours=12))
"""Of SQS."""
RETENTION: Final = (timedelta(seconds=60), timedelta(days=14))
"""Of SQS messages."""
STREAM_RETENTION: Final = (timedelta(hours=24), timedelta(days=365))
"""Of the records of Kinesis (API, IncreaseStreamRetentionPeriod)."""
SHARDS: Final = 10_000
"""The most that one stream may have (API, UpdateShardCount)."""
VIEWS: Final = ("new_image", "old_image", "new_and_old_images", "keys_only")
"""Of a table's stream."""
AUTHORIZER_TTL: Final = (timedelta(), timedelta(hours=1))
"""Of API Gateway."""
CORS_AGE: Final = (timedelta(), timedelta(days=1))
"""Of API Gateway."""
ENVIRONMENT_LIMIT: Final = 4096
"""Bytes that AWS Lambda allows for all names and values together."""
CONFIG_LIMIT: Final = 1024
"""Bytes of one Config value: a quarter of what a function's environment may take."""
REMOVALS: Final = ("retain", "delete")
LOG_DAYS: Final = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096),
    *(1827, 2192, 2557, 2922, 3288, 3653),
)
"""What CloudWatch Logs allows (PutRetentionPolicy)."""
LOG_DAYS_ALLOWED: Final = f"'forever' or one of {', '.join(map(str, LOG_DAYS))} days, e.g. '7 days'"
MACHINES: Final = ("PATH", "PYTHONHOME", "PYTHONPLATLIBDIR", "PYTHONEXECUTABLE", "PYTHONINSPECT")
"""Variables that no environment sets: Python would not find itself, or would not end."""
MACHINE_ALLOWED: Final = (
    "names other than this, which is the machine's own: what runs the code starts with it;"
    " set it in the handler for the processes that it starts"
)
LAMBDA_VARIABLE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
LAMBDA_VARIABLE_ALLOWED: Final = "names of two or more letters, digits and '_', a letter first"
"""By AWS Lambda (API, Environment)."""
BOUNDARY_ALLOWED: Final = "the ARN of a managed policy: 'arn:aws:iam::123456789012:policy/name'"

_SIZE = re.compile(r"(\d+) ?(MB|GB)", re.IGNORECASE)
_BROKEN_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,6})?) ?(MB|GB|TB)", re.IGNORECASE)
_MEGABYTES: Final = {"MB": 1, "GB": 1024, "TB": 1024 * 1024}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = ("AWS_", "LAMBDA_", "CODEBUILD_", "DEVBRIDGE_")
_OFFERED = ("DEVBRIDGE_CHECKPOINT_SECONDS",)
"""What of these is for whoever wants to set it."""
_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9*?]+")
_HTTP_METHODS = "GET POST PUT PATCH DELETE HEAD OPTIONS ANY"
_ROUTE = re.compile(
    rf"(?P<method>{_HTTP_METHODS.replace(' ', '|')}) (?P<path>/|(?:/(?:[\w.~%-]+|{{\w+\+?}}))+)",
    re.ASCII,
)
_PATH_VARIABLE = re.compile(r"(?<={)\w+")
ROUTE_ALLOWED: Final = (
    f"a method, a space and a path, such as 'POST /orders/{{id}}' (methods: {_HTTP_METHODS};"
    " names in braces once each; '{name+}' at the end only)"
)
KEY_ALLOWED: Final = (
    "the ARN of a KMS key: 'arn:aws:kms:eu-west-1:123456789012:key/...' (of an alias: its key's)"
)
LOG_TARGET_ALLOWED: Final = (
    "the name of a Function of this app, or the ARN of a Firehose stream or of a Lambda function:"
    " 'arn:aws:firehose:eu-west-1:123456789012:deliverystream/logs',"
    " 'arn:aws:lambda:eu-west-1:123456789012:function:collect'"
)
IMAGE_ALLOWED: Final = "an image by its digest: 'public.ecr.aws/lambda/python@sha256:...'"
RATE: Final = (0, 1_000_000)
"""Requests a second, and at once, that a throttle may name; AWS's own quotas are lower."""
LAMBDA_PATHS: Final = (LAMBDA_ROOT, "/opt", "/var/runtime")
"""Folders that are there in AWS Lambda: the function's, its layers', and Lambda's own."""
OUTPUT: Final = re.compile(r"(?!Devbridge)[A-Za-z0-9]{1,255}")
OUTPUT_ALLOWED: Final = (
    "letters and digits, at most 255, not starting with 'Devbridge', which is for its own outputs"
)
EXPORT: Final = re.compile(r"[A-Za-z0-9:-]{1,255}")
EXPORT_ALLOWED: Final = "letters, digits, ':' and '-', at most 255"
FETCHED_ALLOWED: Final = (
    "a Secret in the environment of a Job with a handler in Python only, where the runner fetches"
    " it; elsewhere write bind=[secret], and read it where it is needed"
)
PLAIN: Final = "strings without NUL, and without '{{resolve:', which CloudFormation would replace"

_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[\w-]+", re.ASCII)
_STREAM = re.compile(
    r"arn:aws[a-z-]*:firehose:[a-z0-9-]+:\d{12}:deliverystream/[\w.-]{1,64}", re.ASCII
)
_FUNCTION = re.compile(
    r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[\w-]{1,64}(?::[\w-]{1,128})?", re.ASCII
)
_IMAGE = re.compile(r"[a-z0-9.-]+(?::\d+)?(?:/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}", re.ASCII)
_BOUNDARY = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]{1,512}", re.ASCII)


def written(value: object) -> str:
    """A value as app.py has it: of a class in the place of an object of it, the name."""
    return value.__name__ if isinstance(value, type) else repr(value)


def whole_seconds(value: object, limits: tuple[timedelta, timedelta]) -> timedelta | None:
    """The same for a duration that AWS takes as a whole number of seconds."""
    found = parsed(value, limits)
    return None if found is None or found.microseconds else found


def log_days(value: object) -> tuple[int | None] | None:
    """The days that logs are kept, in a tuple: (None,) for "forever"; None if not allowed."""
    if value == "forever":
        return (None,)
    days = parsed(value, (timedelta(days=LOG_DAYS[0]), timedelta(days=LOG_DAYS[-1])))
    if days is None or days != timedelta(days=days.days) or days.days not in LOG_DAYS:
        return None
    return (days.days,)


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


def megabytes(value: object) -> int | None:
    """A size (``"7.5 GB"``, ``"512 MB"``) in whole megabytes, or None if it is none."""
    match = _BROKEN_SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    size = Fraction(match[1]) * _MEGABYTES[match[2].upper()] if match else Fraction()
    return int(size) if size > 0 and size.denominator == 1 else None


def gigabytes(value: object, limits: tuple[int, int]) -> int | None:
    """A size in whole gigabytes within `limits`, or None if it is none."""
    size, rest = divmod(megabytes(value) or 0, 1024)
    return size if not rest and limits[0] <= size <= limits[1] else None


def spelled_size(megabytes: int) -> str:
    """The same as app.py would have it: ``7.5 GB``, ``512 MB``."""
    in_gb = Fraction(megabytes, 1024)
    if in_gb < 1 or 100 % in_gb.denominator:
        return f"{megabytes} MB"
    return f"{float(in_gb):.10g} GB"


def environment_problem(environment: object) -> Problem | None:
    """The first entry of an environment that is not allowed, and what is."""
    if not isinstance(environment, Mapping):
        return repr(environment), "a dict of strings"
    for key, value in environment.items():
        if problem := variable_problem(key):
            return problem
        if not isinstance(value, str) or not plain(value):
            return repr({key: value}), f"as values, {PLAIN}"
    size = sum(len(k.encode()) + len(v.encode()) for k, v in environment.items())
    if size > ENVIRONMENT_LIMIT:
        return f"of {size} bytes", f"at most {ENVIRONMENT_LIMIT} bytes for all names and values"
    return None


def variable_problem(name: object) -> Problem | None:
    """Why this is no variable's name, or not the user's."""
    if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
        return repr(name), "names of letters, digits and '_', not starting with a digit"
    if name.startswith(_RESERVED) and name not in _OFFERED:
        return repr(name), f"names that do not start with {', '.join(_RESERVED)}"
    return None


def plain(text: str) -> bool:
    """Whether a text reaches a process as it is."""
    return "\0" not in text and "{{resolve:" not in text


def route(value: object) -> bool:
    """Whether this is a route key of an HTTP API."""
    if value == "$default":
        return True
    if not isinstance(value, str) or not _ROUTE.fullmatch(value):
        return False
    variables = _PATH_VARIABLE.findall(value)
    greedy_before_the_end = "+}/" in value
    return len(set(variables)) == len(variables) and not greedy_before_the_end


def same_requests(route: str) -> str:
    """What is equal for routes that match the same requests: variables without their names."""
    return _PATH_VARIABLE.sub("", route)


def action(value: object) -> bool:
    """Whether this is an IAM action such as ``s3:GetObject``."""
    return isinstance(value, str) and bool(_ACTION.fullmatch(value))


def resource(value: object) -> bool:
    """Whether this is an ARN, or ``*``."""
    return isinstance(value, str) and (value == "*" or value.startswith("arn:"))


def preload_problem(modules: object) -> Problem | None:
    """The first of `preload` that cannot be a module's name."""
    if isinstance(modules, str) or not isinstance(modules, Sequence):
        return repr(modules), "a list of names of modules"
    for name in modules:
        parts = name.split(".") if isinstance(name, str) else ()
        if not parts or any(not part.isidentifier() or iskeyword(part) for part in parts):
            return repr(name), "names of modules, e.g. 'pandas' or 'google.cloud.storage'"
    return None


def boundary(value: object) -> bool:
    """Whether this is None, or the ARN of a managed policy."""
    return value is None or (isinstance(value, str) and bool(_BOUNDARY.fullmatch(value)))


def key_arn(value: object) -> bool:
    """Whether this is None, or the ARN of a KMS key."""
    return value is None or (isinstance(value, str) and bool(_KEY.fullmatch(value)))


def stream_arn(value: object) -> bool:
    """Whether this is the ARN of a Firehose stream."""
    return isinstance(value, str) and bool(_STREAM.fullmatch(value))


def function_arn(value: object) -> bool:
    """Whether this is the ARN of a Lambda function, or of an alias or version of one."""
    return isinstance(value, str) and bool(_FUNCTION.fullmatch(value))


def log_target(value: object) -> bool:
    """Whether logs can be forwarded there: an ARN, or what may be a construct's name."""
    named = isinstance(value, str) and bool(NAME.fullmatch(value))
    return named or stream_arn(value) or function_arn(value)


def image(value: object) -> bool:
    """Whether this is None, or an image by its digest."""
    return value is None or (isinstance(value, str) and bool(_IMAGE.fullmatch(value)))


def strings(value: object) -> tuple[str, ...] | None:
    """A list of non-empty strings as a tuple, or None if it is something else."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return None
    return tuple(value) if all(isinstance(item, str) and item for item in value) else None
