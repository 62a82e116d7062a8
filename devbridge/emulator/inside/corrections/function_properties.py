"""What a template says of a function, or of its asynchronous invocations, and ministack's
CloudFormation forgets, or takes though AWS refuses it.
"""

from __future__ import annotations

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
    if properties.get("FileSystemConfigs") and not properties.get("VpcConfig"):
        return "Function must be configured to execute in a VPC to reference access point."
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
