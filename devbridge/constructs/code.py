"""What Job and Function share: code that runs with a role, an environment and a network."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal, TypedDict

from devbridge.constructs import values
from devbridge.constructs.app import App, Bindable, Construct, Transform
from devbridge.constructs.files import copy_problem
from devbridge.constructs.forwarding import Forwarding, forwarding_problem
from devbridge.constructs.network import Vpc, vpc_problem
from devbridge.constructs.references import Reference
from devbridge.constructs.tags import tags_problem
from devbridge.constructs.values import Duration
from devbridge.constructs.variables import Value, Variables, reference_problem, sorted_out
from devbridge.errors import HandlerNotFound, UnknownBindTarget
from devbridge.sources.base import Problem, Source
from devbridge.sources.esbuild import Esbuild, options_problem
from devbridge.sources.handlers import HANDLER_ALLOWED, Handler, parse_handler
from devbridge.sources.known import SOURCES, source_of
from devbridge.sources.runtimes import JOBS, language_of, of_language

Architecture = Literal["x86_64", "arm64"]


class Permission(TypedDict):
    """What a job or function may do beyond its binds: IAM actions on ARNs."""

    actions: Sequence[str]
    resources: Sequence[str | Reference]


class CodeOptions(TypedDict, total=False):
    """The options that Job and Function share; what they mean stands at Job."""

    architecture: Architecture
    environment: Mapping[str, Value]
    bind: Sequence[Bindable]
    permissions: Sequence[Permission]
    copy_files: Sequence[str]
    install: Sequence[str]
    esbuild: Esbuild | None
    log_retention: Duration
    log_forwarding: Forwarding
    vpc: Vpc | None
    tags: Mapping[str, str]
    permissions_boundary: str | None
    encryption_key: str | None
    transform: Transform | None


DEFAULTS: Final[CodeOptions] = {
    "architecture": "x86_64",
    "environment": {},
    "bind": (),
    "permissions": (),
    "copy_files": (),
    "install": (),
    "esbuild": None,
    "log_retention": "14 days",
    "log_forwarding": None,
    "vpc": None,
    "tags": {},
    "permissions_boundary": None,
    "encryption_key": None,
    "transform": None,
}


class Code(Bindable):
    """A job or a function: everything but its handler, timeout and memory.

    Raises:
        TypeError: there is no such option.
        InvalidValue, DuplicateName, UnknownBindTarget.
    """

    paths: tuple[str, ...] = ()
    """Absolute folders that its environment may name: they are there where it runs."""
    raw_events: bool = False
    """What triggers it calls it, with AWS's own events; else it starts runs."""

    @property
    def call_limit(self) -> timedelta:
        """How long what AWS calls for its triggers may take."""
        raise NotImplementedError

    def __init__(
        self,
        app: App,
        name: str,
        options: CodeOptions,
        *,
        runtime: str | None,
        runtimes: Sequence[str],
    ) -> None:
        for unknown in options.keys() - DEFAULTS.keys():
            what = f"{type(self).__name__}.__init__() got an unexpected keyword argument"
            raise TypeError(f"{what} {unknown!r}")
        given = DEFAULTS | options
        super().__init__(app, name, transform=given["transform"])
        self.choice("runtime", runtime, runtimes)
        self.variables = self._variables(given["environment"])
        """Of its own environment, by what their values are."""
        self.environment: Mapping[str, str] = self.variables.texts
        """Those that are texts."""
        self.references: Mapping[str, Reference] = self.variables.references
        """Those whose value is known when it is deployed."""
        self._check(given, runtime)
        self.encryption_key = self.key_of(given["encryption_key"])
        self.bind = bound(self, given["bind"])
        self.permissions = _permissions(self, given["permissions"])
        self.runtime = runtime
        """As the user wrote it; None is the version of the app's interpreter."""
        self.architecture: Architecture = given["architecture"]
        self.language = language_of(runtime)
        """Of its handler; None: it runs a container."""
        source = source_of(runtime)
        self.folders = source.folders(self.environment) if source else ()
        """The folders of the app, beside its own, that modules are found in."""
        self.copy_files = tuple(given["copy_files"])
        self.install = tuple(given["install"])
        self.esbuild: Esbuild = given["esbuild"] or {}
        """How esbuild bundles it, beyond devbridge's own options."""
        self.log_days = self.days_of(given["log_retention"])
        """How long CloudWatch keeps the logs; None is for ever."""
        self.log_forwarding = given["log_forwarding"]
        """Where its logs are forwarded to; None: where the app says; False: nowhere."""
        self.vpc = given["vpc"]
        self.tags = {**app.tags, **given["tags"]}
        """With those of the app."""
        self.permissions_boundary = given["permissions_boundary"] or app.permissions_boundary
        """Its own, else the app's."""

    def _variables(self, environment: object) -> Variables:
        found = sorted_out(self.app, environment)
        if not isinstance(found, Variables):
            raise self.refused("environment", found)
        return found

    def _check(self, given: CodeOptions, runtime: str | None) -> None:
        root, environment = self.app.root, self.environment
        if given["architecture"] not in values.ARCHITECTURES:
            allowed = listed(values.ARCHITECTURES)
            raise self.invalid("architecture", given["architecture"], allowed)
        source = source_of(runtime)
        if source and (problem := source.environment_problem(root, environment, self.paths)):
            raise self.refused("environment", problem)
        if problem := copy_problem(root, given["copy_files"]):
            raise self.refused("copy_files", problem)
        if problem := _install_problem(given["install"], source):
            raise self.refused("install", problem)
        if problem := options_problem(given["esbuild"], language_of(runtime)):
            raise self.refused("esbuild", problem)
        self.days_of(given["log_retention"])
        if problem := forwarding_problem(self.app, given["log_forwarding"]):
            raise self.refused("log_forwarding", problem)
        if problem := vpc_problem(given["vpc"]):
            raise self.refused("vpc", problem)
        tags = given["tags"]
        if problem := tags_problem(tags) or tags_problem({**self.app.tags, **tags}):
            raise self.refused("tags", problem)
        if not values.boundary(boundary := given["permissions_boundary"]):
            raise self.invalid("permissions_boundary", boundary, values.BOUNDARY_ALLOWED)


def signature(construct: type[Code]) -> inspect.Signature:
    """The options of Job or Function, the shared ones after its own: what `help` shows."""
    *own, _ = list(inspect.signature(construct.__init__).parameters.values())[1:]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in DEFAULTS.items()
    ]
    return inspect.Signature([*own, *shared])


def parsed_handler(construct: Construct, value: object, runtime: str | None) -> Handler:
    """The handler that a construct names.

    Raises:
        InvalidValue: it is no handler path.
        HandlerNotFound: its file or function does not exist. Noted only, while a lenient app is
            loaded.
    """
    handler = parse_handler(value)
    if handler is None:
        raise construct.invalid("handler", value, HANDLER_ALLOWED)
    source = source_of(runtime)
    assert source  # noqa: S101 - a container has no handler
    if missing := source.missing(construct.app.root, handler):
        error = HandlerNotFound(
            f"{construct}: handler {str(handler)!r}: {missing.what}",
            where=str(construct.where),
            remedy=_in_another_language(construct.app.root, handler, runtime) or missing.allowed,
        )
        if not construct.app.lenient:
            raise error
        construct.app.missing.setdefault(str(handler), error)
    return handler


def _in_another_language(root: Path, handler: Handler, runtime: str | None) -> str:
    """What to do about a handler whose file is that of a language which its construct has not."""
    for language, source in SOURCES.items():
        file = source.file(root, handler.module)
        if language != language_of(runtime) and file.is_file():
            name = of_language(language, JOBS)[-1]
            there = file.relative_to(root).as_posix()
            return f"there is {there!r}: say which runtime it is for, e.g. runtime={name!r}"
    return ""


def bound(construct: Construct, bind: Sequence[Bindable]) -> tuple[Bindable, ...]:
    """What a construct binds, checked.

    Raises:
        InvalidValue: it is not a list, or has something twice.
        UnknownBindTarget: something in it is not a construct of the same app.
    """
    if not isinstance(bind, Sequence) or isinstance(bind, str):
        raise construct.invalid("bind", bind, "a list of constructs, e.g. [notes, factorial]")
    for index, target in enumerate(bind):
        if not isinstance(target, Bindable) or target.app is not construct.app:
            raise _unknown_target(construct, target)
        if target in bind[:index]:
            raise construct.invalid("bind", target, "each construct once")
    return tuple(bind)


def _unknown_target(construct: Construct, target: object) -> UnknownBindTarget:
    known = [str(other) for other in construct.app.constructs]
    what = f"{target} of another App" if isinstance(target, Construct) else values.written(target)
    return UnknownBindTarget(
        f"{construct}: bind {what} is not a construct of this app",
        where=str(construct.where),
        remedy=f"bind objects, not names; there are: {', '.join(known)}"
        if known
        else "create a Table, Bucket, Job ... first and bind the object, not its name",
    )


def _install_problem(install: object, source: Source | None) -> Problem | None:
    """The first of what is to be installed that is nothing to install."""
    names = values.strings(install)
    if names is None:
        return repr(install), "a list of texts"
    return source.install_problem(names) if source and names else None


def _permissions(construct: Construct, permissions: Sequence[Permission]) -> tuple[Permission, ...]:
    allowed = (
        '{"actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::bucket/*", files.arn + "/*"]}'
    )
    if not isinstance(permissions, Sequence) or isinstance(permissions, str):
        raise construct.invalid("permissions", permissions, f"a list of {allowed}")
    checked: list[Permission] = []
    for permission in permissions:
        if not isinstance(permission, Mapping) or set(permission) != {"actions", "resources"}:
            raise construct.invalid("permission", permission, allowed)
        actions, resources = permission["actions"], permission["resources"]
        for items, valid in ((actions, values.action), (resources, _is_resource)):
            if not _is_list(items) or not all(map(valid, items)):
                raise construct.invalid("permission", items, allowed)
        for resource in resources:
            if isinstance(resource, Reference):
                _check_reference(construct, resource)
        checked.append({"actions": list(actions), "resources": list(resources)})
    return tuple(checked)


def _is_list(items: object) -> bool:
    return isinstance(items, Sequence) and not isinstance(items, str) and bool(items)


def _is_resource(value: object) -> bool:
    return isinstance(value, Reference) or values.resource(value)


def _check_reference(construct: Construct, reference: Reference) -> None:
    """Refuse what is no ARN of this app's."""
    allowed = reference_problem(construct.app, reference)
    if reference.before or not reference.what.endswith("arn"):
        allowed = "ARNs: notes.arn, or with more behind it, files.arn + '/*'"
    if allowed:
        raise construct.invalid("permission", reference, allowed)


def listed(allowed: Iterable[str]) -> str:
    """The allowed values as an error shows them."""
    return ", ".join(map(repr, allowed))
