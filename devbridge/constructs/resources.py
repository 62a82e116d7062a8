"""The constructs: Table, Function, Job, Api."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypedDict

from devbridge.constructs import values
from devbridge.constructs.app import App, Construct
from devbridge.constructs.handlers import (
    HANDLER_ALLOWED,
    Handler,
    missing_handler,
    parse_handler,
)
from devbridge.errors import HandlerNotFound, UnknownBindTarget

Architecture = Literal["x86_64", "arm64"]
JobMemory = Literal["3 GB", "7 GB", "15 GB", "145 GB"]
Offline = Literal["queue", "error", "cloud"]
Duration = str | timedelta


class Permission(TypedDict):
    """What a job or function may do beyond its binds: IAM actions on ARNs."""

    actions: Sequence[str]
    resources: Sequence[str]


class Table(Construct):
    """A DynamoDB table, billed per request, with string keys.

    Args:
        partition_key: name of the partition key's attribute.
        sort_key: name of the sort key's attribute, if there is one.

    Raises:
        InvalidValue, DuplicateName: see Construct.
    """

    def __init__(
        self, app: App, name: str, *, partition_key: str, sort_key: str | None = None
    ) -> None:
        super().__init__(app, name)
        for what, key in (("partition_key", partition_key), ("sort_key", sort_key)):
            if what == "sort_key" and key is None:
                continue
            if not isinstance(key, str) or not 0 < len(key.encode()) <= 255:
                raise self.invalid(what, key, "an attribute's name of 1 to 255 bytes")
        if partition_key == sort_key:
            raise self.invalid("sort_key", sort_key, "a name other than the partition key's")
        self.partition_key = partition_key
        self.sort_key = sort_key
        self.register()


class _Code(Construct):
    """What Job and Function share: a handler, its binds, permissions and environment."""

    handler: Handler
    bind: tuple[Bindable, ...]
    permissions: tuple[Permission, ...]
    environment: Mapping[str, str]
    architecture: Architecture

    def _set_code(
        self,
        handler: str,
        bind: Sequence[Bindable],
        permissions: Sequence[Permission],
        environment: Mapping[str, str],
        architecture: Architecture,
    ) -> None:
        if architecture not in values.ARCHITECTURES:
            raise self.invalid("architecture", architecture, _listed(values.ARCHITECTURES))
        if problem := values.environment_problem(environment):
            raise self.invalid("environment", *problem)
        self.handler = _handler(self, handler)
        self.bind = _bound(self, bind)
        self.permissions = _permissions(self, permissions)
        self.environment = dict(environment)
        self.architecture = architecture


class Job(_Code):
    """A long-running job: CodeBuild when deployed, a local worker under `devbridge dev`.

    Args:
        handler: ``folder/file.function``, relative to the app's folder.
        timeout: how long one run may take, from 5 minutes to 36 hours.
        memory_size: 3, 7, 15 or 145 GB; on arm64 only 3 or 15.
        bind: tables and jobs that it may use; gives permission and environment variables.
        permissions: IAM actions and resources beyond those of `bind`.
        environment: further environment variables, 4096 bytes at most.
        architecture: of the CodeBuild machine.
        retries: how often a run that failed, crashed or timed out is tried again, 0 to 10.
        retry_delay: the time before the first retry, up to 1 hour; it doubles with each further
            one.
        concurrency: how many runs of this job there may be at the same time; the rest wait.
        offline: what happens to a run that is asked for while nobody runs `devbridge dev`: "queue"
            keeps it until somebody does, "error" refuses it, "cloud" starts the CodeBuild project.
            The default is what the stage says (`devbridge dev --offline`).

    Raises:
        InvalidValue, DuplicateName, UnknownBindTarget, HandlerNotFound.
    """

    def __init__(
        self,
        app: App,
        name: str,
        *,
        handler: str,
        timeout: Duration = "8 hours",
        memory_size: JobMemory = "3 GB",
        bind: Sequence[Bindable] = (),
        permissions: Sequence[Permission] = (),
        environment: Mapping[str, str] = {},
        architecture: Architecture = "x86_64",
        retries: int = 0,
        retry_delay: Duration = "1 second",
        concurrency: int | None = None,
        offline: Offline | None = None,
    ) -> None:
        super().__init__(app, name)
        self._set_code(handler, bind, permissions, environment, architecture)
        if (limit := values.duration(timeout, values.JOB_TIMEOUT)) is None:
            raise self.invalid(
                "timeout", timeout, "5 minutes to 36 hours, e.g. '30 minutes', '1 hour', '1 day'"
            )
        if (memory := values.job_memory(memory_size, architecture)) is None:
            sizes = _listed(values.job_memory_sizes(architecture))
            raise self.invalid("memory_size", memory_size, f"{sizes} on {architecture}")
        if type(retries) is not int or not 0 <= retries <= 10:
            raise self.invalid("retries", retries, "a whole number from 0 to 10")
        if (delay := values.duration(retry_delay, values.RETRY_DELAY)) is None:
            raise self.invalid("retry_delay", retry_delay, "0 seconds to 1 hour")
        if concurrency is not None and (
            type(concurrency) is not int or not 0 < concurrency <= 1000
        ):
            raise self.invalid("concurrency", concurrency, "a whole number from 1 to 1000, or None")
        if offline is not None and offline not in values.OFFLINE:
            raise self.invalid("offline", offline, f"{_listed(values.OFFLINE)}, or None")
        self.timeout = limit
        self.memory_mb = memory
        self.offline = offline
        self.retries = retries
        self.retry_delay = delay
        self.concurrency = concurrency
        self.register()


class Function(_Code):
    """An AWS Lambda function.

    Args:
        handler: ``folder/file.function``, relative to the app's folder.
        timeout: 1 second to 15 minutes. The default leaves an invoker its 10 seconds, and stays
            below the 30 that an HTTP API waits.
        memory_size: "128 MB" to "10240 MB".
        bind, permissions, environment, architecture: as for Job.

    Raises:
        InvalidValue, DuplicateName, UnknownBindTarget, HandlerNotFound.
    """

    def __init__(
        self,
        app: App,
        name: str,
        *,
        handler: str,
        timeout: Duration = "20 seconds",
        memory_size: str = "512 MB",
        bind: Sequence[Bindable] = (),
        permissions: Sequence[Permission] = (),
        environment: Mapping[str, str] = {},
        architecture: Architecture = "x86_64",
    ) -> None:
        super().__init__(app, name)
        self._set_code(handler, bind, permissions, environment, architecture)
        if (limit := values.duration(timeout, values.FUNCTION_TIMEOUT)) is None:
            raise self.invalid("timeout", timeout, "1 second to 15 minutes, e.g. '30 seconds'")
        if (memory := values.function_memory(memory_size)) is None:
            raise self.invalid("memory_size", memory_size, "'128 MB' to '10240 MB'")
        self.timeout = limit
        self.memory_mb = memory
        self.register()


@dataclass(frozen=True, slots=True)
class Route:
    """One route of an Api, e.g. ``POST /factorial``, and the function that answers it."""

    key: str
    function: Function


class Api(Construct):
    """An HTTP API: routes to functions.

    Args:
        routes: route key -> handler path, or a Function. Each handler path becomes a function,
            one for all the routes that name it.
        bind: what the functions made from handler paths may use.

    Raises:
        InvalidValue, DuplicateName, UnknownBindTarget, HandlerNotFound.
    """

    def __init__(
        self,
        app: App,
        name: str,
        *,
        routes: Mapping[str, str | Function],
        bind: Sequence[Bindable] = (),
    ) -> None:
        super().__init__(app, name)
        if not isinstance(routes, Mapping) or not routes:
            raise self.invalid("routes", routes, "a dict of at least one route")
        bound = _bound(self, bind)
        made: dict[str, Function] = {}
        parsed: list[Route] = []
        for key, target in routes.items():
            if not values.route(key):
                raise self.invalid("route", key, values.ROUTE_ALLOWED)
            if isinstance(target, str) and target not in made:
                made[target] = Function(
                    app,
                    _function_name(name, _handler(self, target)),
                    handler=target,
                    bind=bound,
                )
            function = made[target] if isinstance(target, str) else target
            if not isinstance(function, Function) or function.app is not app:
                raise self.invalid(f"route {key!r}:", target, "a handler path or a Function")
            parsed.append(Route(key, function))
        self.routes = tuple(parsed)
        self.register()


Bindable = Table | Job


def _function_name(api: str, handler: Handler) -> str:
    parts = handler.module.split("/")
    if parts[0] == api and len(parts) > 1:
        parts = parts[1:]
    if handler.function != "handler":
        parts.append(handler.function)
    words = [word for part in (api, *parts) for word in part.replace("_", "-").split("-") if word]
    return "-".join(words)


def _handler(construct: Construct, value: object) -> Handler:
    handler = parse_handler(value)
    if handler is None:
        raise construct.invalid("handler", value, HANDLER_ALLOWED)
    if missing := missing_handler(construct.app.root, handler):
        raise HandlerNotFound(
            f"{construct}: handler {str(handler)!r}: {missing.what}",
            where=str(construct.where),
            remedy=missing.allowed,
        )
    return handler


def _bound(construct: Construct, bind: Sequence[Bindable]) -> tuple[Bindable, ...]:
    if not isinstance(bind, Sequence) or isinstance(bind, str):
        raise construct.invalid("bind", bind, "a list of tables and jobs")
    for target in bind:
        if isinstance(target, Table | Job) and target.app is construct.app:
            continue
        known = [str(c) for c in construct.app.constructs if isinstance(c, Table | Job)]
        raise UnknownBindTarget(
            f"{construct}: bind {target!r} is not a table or job of this app",
            where=str(construct.where),
            remedy=f"allowed: the objects of {', '.join(known)}"
            if known
            else "create a Table or a Job first and bind the object, not its name",
        )
    return tuple(dict.fromkeys(bind))


def _permissions(construct: Construct, permissions: Sequence[Permission]) -> tuple[Permission, ...]:
    allowed = '{"actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::bucket/*"]}'
    if not isinstance(permissions, Sequence) or isinstance(permissions, str):
        raise construct.invalid("permissions", permissions, f"a list of {allowed}")
    checked: list[Permission] = []
    for permission in permissions:
        if not isinstance(permission, Mapping) or set(permission) != {"actions", "resources"}:
            raise construct.invalid("permission", permission, allowed)
        actions, resources = permission["actions"], permission["resources"]
        for items, valid in ((actions, values.action), (resources, values.resource)):
            if isinstance(items, str) or not items or not all(map(valid, items)):
                raise construct.invalid("permission", items, allowed)
        checked.append({"actions": list(actions), "resources": list(resources)})
    return tuple(checked)


def _listed(allowed: Sequence[str]) -> str:
    return ", ".join(map(repr, allowed))
