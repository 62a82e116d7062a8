"""Where the logs of an app's jobs and functions are forwarded to, once all of them are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from devbridge.constructs.app import App
from devbridge.constructs.code import Code
from devbridge.constructs.forwarding import Forwarding
from devbridge.constructs.function import Function
from devbridge.constructs.job import Job
from devbridge.constructs.owners import Owner, triggers
from devbridge.constructs.triggers import OnLog
from devbridge.constructs.values import function_arn, stream_arn
from devbridge.errors import InvalidValue, did_you_mean

FILTERS: Final = 2
"""Of a log group, whoever has made them (CloudWatch Logs quotas)."""
Target = str | Function
"""The ARN of a Firehose stream or of a Lambda function, or a Function of the app."""


@dataclass(frozen=True, slots=True)
class LogTargets:
    """What is forwarded where."""

    of: Mapping[Code, Target]
    """The logs of jobs and functions; those that are forwarded nowhere are left out."""
    invokers: Target | None
    """The logs of the jobs' invokers: where the app says."""


def log_targets(app: App) -> LogTargets:
    """
    Raises:
        InvalidValue: there is no Function of a name, or a function would be called for what it
            logs itself: each record would make the next one; or more listen to one log group
            than AWS allows.
    """
    apps = _target(app, f"{app!r}", f"{app.where}, App", app.log_forwarding)
    found: dict[Code, Target] = {}
    for code in app.of_type(Code):
        asked = code.log_forwarding
        if asked is None:
            # Whom all others' logs are sent to says nothing of its own.
            target = apps if code is not apps else None
        else:
            target = _target(app, str(code), str(code.where), asked)
        if target is not None:
            found[code] = target
    _refuse_loop(app, found, apps)
    _refuse_many(app, found)
    return LogTargets(found, apps)


def _target(app: App, whose: str, where: str, value: Forwarding) -> Target | None:
    if isinstance(value, Function):
        return value
    if not isinstance(value, str):
        return None
    if stream_arn(value) or function_arn(value):
        return value
    known = {function.name: function for function in app.of_type(Function)}
    if value in known:
        return known[value]
    raise InvalidValue(
        f"{whose}: log_forwarding {value!r}: the app has no Function of that name"
        f"{did_you_mean(value, known)}",
        where=where,
        remedy=f"there are: {', '.join(known)}" if known else "make one: Function(app, ...)",
    )


def _refuse_many(app: App, found: Mapping[Code, Target]) -> None:
    listening: dict[Code, list[Owner]] = {}
    for owner, trigger in triggers(app, OnLog):
        listening.setdefault(trigger.of, []).append(owner)
    for code, owners in listening.items():
        takes = [*(f"OnLog of {each}" for each in owners), *(["log_forwarding"] * (code in found))]
        if len(takes) > FILTERS:
            raise InvalidValue(
                f"{code}: {len(takes)} listen to its log, and AWS allows a log group {FILTERS}",
                where=f"{owners[-1].where}: {', '.join(takes)}",
                remedy="let one listen and start the others, or log_forwarding=False for it",
            )


def _refuse_loop(app: App, found: Mapping[Code, Target], invokers: Target | None) -> None:
    called: dict[Code, list[Code]] = {}
    for code, target in found.items():
        if isinstance(target, Function):
            called.setdefault(code, []).append(target)
    for owner, trigger in triggers(app, OnLog):
        if not trigger.loop:
            called.setdefault(trigger.of, []).append(owner)
        if isinstance(owner, Job) and isinstance(invokers, Function):
            called.setdefault(owner, []).append(invokers)  # its invoker's log is forwarded, too
    for code in called:
        if way := _way_back(code, called):
            through = " -> ".join(f"{each}" for each in (*way, code))
            raise InvalidValue(
                f"{code}: its log leads back to it: {through}: each line that it logs would call"
                " it again",
                where=str(code.where),
                remedy="log_forwarding=False for one of them, another target, or loop=True of an"
                " OnLog where you have made sure that it ends",
            )


def _way_back(code: Code, called: Mapping[Code, Sequence[Code]]) -> Sequence[Code]:
    """From what logs to the last of those that are called for it, if that calls it; else ()."""
    ways = [[code]]
    seen: set[Code] = set()
    for way in ways:
        for target in called.get(way[-1], ()):
            if target is code:
                return way
            if target not in seen:
                seen.add(target)
                ways.append([*way, target])
    return ()
