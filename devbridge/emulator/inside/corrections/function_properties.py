"""What a template says of a function, or of its asynchronous invocations, and ministack's
CloudFormation forgets, or takes though AWS refuses it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..host import ministack
from . import destinations, grants

Json = Mapping[str, Any]

UNRESERVED: Final = 100
"""Executions at once that must be left to functions which reserve none: "Configuring reserved
concurrency for a function"."""
ACCOUNT: Final = 1000
"""Executions at once of an account, by default; a new account may have as few as 10."""
VARIABLES: Final = 4096
"""Bytes of all environment variables together, as JSON."""
UNZIPPED: Final = 262144000
"""Bytes of a function's files."""
RESERVED: Final = frozenset(
    {
        *("_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION"),
        *("AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
        *("AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE"),
        *("AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY"),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
    }
)
"""Variables that are Lambda's ("Defined runtime environment variables")."""
_MOUNT: Final = re.compile(r"/mnt/[a-zA-Z0-9-_.]+")
LOOPS: Final = ("Allow", "Terminate")
_KEPT: Final = ("DeadLetterConfig", "FileSystemConfigs", "VpcConfig")


def keep(provisioners: Any) -> None:
    """Give functions what their templates say."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    create, update = handlers["create"], handlers["update"]

    def created(title: str, properties: Json, stack: str) -> Any:
        _check(properties, "")
        answer = create(title, properties, stack)
        _apply(answer[0], properties)
        if problem := _problem_of_code(_functions()[answer[0]]):
            del _functions()[answer[0]]
            raise ValueError(f"{problem} (Service: Lambda, Status Code: 400)")
        return answer

    def updated(physical: str, old: Json, new: Json, *rest: Any) -> Any:
        _check(new, physical)
        answer = update(physical, old, new, *rest)
        _apply(answer[0], new)
        return answer

    handlers["create"], handlers["update"] = created, updated
    _check_destinations(provisioners)


def _check(properties: Json, name: str) -> None:
    """
    Raises:
        ValueError: AWS refuses this.
    """
    others = _functions().items()
    reserved = sum(int(each.get("concurrency") or 0) for key, each in others if key != name)
    if problem := problem_of(properties, reserved):
        raise ValueError(f"{problem} (Service: Lambda, Status Code: 400)")


def problem_of(properties: Json, reserved: int) -> str | None:
    """What AWS says of a function's properties. Pure.

    Args:
        reserved: by all other functions.
    """
    asked = properties.get("ReservedConcurrentExecutions")
    if asked is not None and reserved + int(asked) > ACCOUNT - UNRESERVED:
        return (
            "Specified ReservedConcurrentExecutions for function decreases account's"
            f" UnreservedConcurrentExecution below its minimum value of [{UNRESERVED}]."
        )
    loop = properties.get("RecursiveLoop", LOOPS[0])
    if loop not in LOOPS:
        return f"Value {loop!r} at 'recursiveLoop' must be one of: {', '.join(LOOPS)}"
    seconds = int(properties.get("Timeout", 3))
    if not 1 <= seconds <= 900:
        return f"Value '{seconds}' at 'timeout' must be between 1 and 900"
    disk = int((properties.get("EphemeralStorage") or {}).get("Size", 512))
    if not 512 <= disk <= 10240:
        return f"Value '{disk}' at 'ephemeralStorage.size' must be between 512 and 10240"
    memory = int(properties.get("MemorySize", 128))
    if not 128 <= memory <= 10240:
        return f"Value '{memory}' at 'memorySize' must be between 128 and 10240"
    return _problem_of_mounts(properties) or _problem_of_variables(properties)


def _problem_of_mounts(properties: Json) -> str | None:
    if properties.get("FileSystemConfigs") and not properties.get("VpcConfig"):
        return "Function must be configured to execute in a VPC to reference access point."
    paths = (str(each.get("LocalMountPath")) for each in properties.get("FileSystemConfigs") or ())
    wrong = [path for path in paths if not _MOUNT.fullmatch(path)]
    return f"Value '{wrong[0]}' at 'localMountPath' must be a path below /mnt" if wrong else None


def _problem_of_variables(properties: Json) -> str | None:
    variables = (properties.get("Environment") or {}).get("Variables") or {}
    if reserved := sorted(RESERVED & variables.keys()):
        return (
            "Lambda was unable to configure your environment variables because the environment"
            " variables you have provided contains reserved keys that are currently not supported"
            f" for modification. Reserved keys used in this request: {', '.join(reserved)}"
        )
    if len(json.dumps(variables, separators=(",", ":"), ensure_ascii=False).encode()) > VARIABLES:
        return (
            "Lambda was unable to configure your environment variables because the environment"
            " variables you have provided exceeded the 4KB limit."
        )
    return None


def _apply(name: str, properties: Json) -> None:
    function = _functions()[name]
    asked = properties.get("ReservedConcurrentExecutions")
    function["concurrency"] = None if asked is None else int(asked)
    function["recursive_loop"] = properties.get("RecursiveLoop", "Terminate")
    for key in _KEPT:
        function["config"].pop(key, None)
        if key in properties:
            function["config"][key] = properties[key]


def _check_destinations(provisioners: Any) -> None:
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventInvokeConfig"]

    def checked(make: Callable[..., Any], place: int) -> Callable[..., Any]:
        def made(*arguments: Any) -> Any:
            _may_tell(provisioners, arguments[place])
            return make(*arguments)

        return made

    handlers["create"] = checked(handlers["create"], 1)
    handlers["update"] = checked(handlers["update"], 2)


def _problem_of_code(function: Json) -> str | None:
    code = function.get("code_zip")
    size = ministack("services.lambda_svc")._unzipped_size(code) if code else 0
    return f"Unzipped size must be smaller than {UNZIPPED} bytes" if size > UNZIPPED else None


def _may_tell(provisioners: Any, properties: Json) -> None:
    """
    Raises:
        ValueError: the function's role may not tell a destination, which AWS checks.
    """
    function = provisioners._lambda_function_for_cfn_ref(properties.get("FunctionName", ""))[0]
    role = str(((function or {}).get("config") or {}).get("Role", ""))
    for each in (properties.get("DestinationConfig") or {}).values():
        destination = str(each.get("Destination") or "")
        action = destinations.action_on(destination)
        if function and action and not grants.role_may(role, action, destination):
            raise ValueError(
                "The function's execution role does not have permissions to call"
                f" {action.partition(':')[2]} on {destination}"
                " (Service: Lambda, Status Code: 400, InvalidParameterValueException)"
            )


def _functions() -> Any:
    return ministack("services.lambda_svc")._functions
