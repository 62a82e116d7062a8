"""The app and what all of its constructs have in common: a name, a place, an owner."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from devbridge.constructs import values
from devbridge.constructs.references import Reference
from devbridge.constructs.tags import tags_problem
from devbridge.constructs.values import APP_NAME, APP_NAME_ALLOWED, NAME, NAME_ALLOWED
from devbridge.constructs.where import Where, caller, here
from devbridge.environment import inherit_problem
from devbridge.errors import AppFailed, DuplicateName, HandlerNotFound, InvalidValue
from devbridge.sources.base import Problem

C = TypeVar("C", bound="Construct")
R = TypeVar("R")
PayloadPlace = Literal["s3", "inline"]
Transform = Callable[[Any], None]
"""Changes a construct's main troposphere resource in place, just before it is deployed."""


@dataclass
class Loading:
    """The app that is being loaded: where it is, for which stage, and the Apps it has made."""

    root: Path
    stage: str = ""
    lenient: bool = False
    """A handler that is not there is noted, not refused: it may be the next file to be saved."""
    apps: list[App] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class JobFolder:
    """A folder whose modules were asked whether they are jobs."""

    signed: tuple[object, ...]
    """What they declared then."""
    remark: str
    """What was passed over, in words; empty if nothing was."""


_loading: ContextVar[Loading | None] = ContextVar("devbridge_loading", default=None)


@contextmanager
def loading(root: Path, stage: str = "", *, lenient: bool = False) -> Iterator[Loading]:
    """Within this block, every `App` that is made belongs to the folder `root` and that stage."""
    state = Loading(root, stage, lenient)
    token = _loading.set(state)
    try:
        yield state
    finally:
        _loading.reset(token)


class App:
    """One app: its name, its folder, and its constructs in the order in which they were made.

    Args:
        name: lower-case letters, digits and hyphens, at most 32; it starts the name of everything
            that is deployed.
        tags: of everything that is deployed; 40 at most, together with a construct's own.
        permissions_boundary: the ARN of a managed policy that no role of the app can exceed.
        encryption_key: the ARN of a KMS key that encrypts tables, buckets, queues, topics,
            streams, logs, secrets, environments of functions, and payloads and results of jobs,
            unless a construct says otherwise. By default AWS's own keys do.
        payload: where payloads, results and messages of errors of runs in CodeBuild are, unless a
            job says otherwise: "s3", or "inline" for small ones in the build's environment, which
            CodeBuild shows for a year to all who may read builds.
        log_forwarding: where CloudWatch sends the logs of all jobs, functions and invokers on to,
            unless a construct says otherwise: the ARN of a Firehose stream or of a Lambda function,
            or the name of a Function of the app, which is made later.
        preload: modules that live runs need not import each time. Whoever names one vouches that
            it may be imported once for all runs, before their processes exist.
        inherit: variables of the developer's shell that live jobs get besides those that all get
            (see `devbridge dev --help`): names, or beginnings of names such as "MYAPP_*". Deployed
            jobs have no shell: what they need is in `environment`. What app.py itself sets (with
            python-dotenv, say) counts as the shell's.

    Raises:
        InvalidValue: a value is not allowed.
    """

    def __init__(
        self,
        name: str,
        *,
        tags: Mapping[str, str] = {},
        permissions_boundary: str | None = None,
        encryption_key: str | None = None,
        payload: PayloadPlace = "s3",
        log_forwarding: str | None = None,
        preload: Sequence[str] = (),
        inherit: Sequence[str] = (),
    ) -> None:
        current = _loading.get()
        self.root = current.root if current else caller()[0].parent
        self.stage = current.stage if current else ""
        """The stage that the app is loaded for; empty outside of devbridge."""
        self.lenient = current.lenient if current else False
        self.missing: dict[str, HandlerNotFound] = {}
        """What was noted of handlers that are not there, by their paths."""
        self.unread: list[AppFailed] = []
        """What is wrong with files of folders of jobs that could never be read, where the app is
        loaded leniently: which jobs they have is not known."""
        self.job_folders: dict[Path, JobFolder] = {}
        """What was read of the folders given to `jobs`."""
        self.where = here(self.root)
        self.name = name
        self.constructs: list[Construct] = []
        self.resources: list[Any] = []
        """The troposphere resources given to `add`."""
        self.added_at: dict[str, Where] = {}
        """Where each of those was added, by its title."""
        self.outputs: dict[str, str | Reference] = {}
        """Further outputs of its stack."""
        self.exports: dict[str, str] = {}
        """What other stacks import some of them by: output -> name."""
        self.files: frozenset[Path] = frozenset()
        """app.py and what it imported below its folder; known when it was loaded by devbridge."""
        self.loaded_at = 0.0
        """When devbridge began to load it, in seconds since the epoch."""
        if not isinstance(name, str) or not APP_NAME.fullmatch(name):
            raise self._invalid(f"the app's name {name!r}", APP_NAME_ALLOWED)
        if problem := tags_problem(tags):
            raise self._invalid(f"{self!r}: tags {problem[0]}", problem[1])
        self.permissions_boundary = self._boundary(permissions_boundary)
        self.encryption_key = self._key(encryption_key)
        self.payload = self._place(payload)
        self.log_forwarding = self._forwarding(log_forwarding)
        """An ARN, or the name of a Function."""
        self.preload = self._vouched(preload)
        self.inherit = self._inherited(inherit)
        self.shell: Mapping[str, str] = {}
        """Of what `inherit` names, what was set when app.py ended."""
        self.tags = dict(tags)
        if current:
            current.apps.append(self)

    def _key(self, arn: str | None) -> str | None:
        if not values.key_arn(arn):
            raise self._invalid(f"{self!r}: encryption_key {arn!r}", values.KEY_ALLOWED)
        return arn

    def _boundary(self, arn: str | None) -> str | None:
        if not values.boundary(arn):
            what = f"{self!r}: permissions_boundary {arn!r}"
            raise self._invalid(what, values.BOUNDARY_ALLOWED)
        return arn

    def _place(self, payload: PayloadPlace) -> PayloadPlace:
        if payload not in values.PAYLOAD:
            allowed = " or ".join(map(repr, values.PAYLOAD))
            raise self._invalid(f"{self!r}: payload {payload!r}", allowed)
        return payload

    def _inherited(self, inherit: Sequence[str]) -> tuple[str, ...]:
        if problem := inherit_problem(inherit):
            raise self._invalid(f"{self!r}: inherit {problem[0]}", problem[1])
        return tuple(inherit)

    def _forwarding(self, target: str | None) -> str | None:
        if target is not None and not values.log_target(target):
            raise self._invalid(f"{self!r}: log_forwarding {target!r}", values.LOG_TARGET_ALLOWED)
        return target

    def _vouched(self, preload: Sequence[str]) -> tuple[str, ...]:
        if problem := values.preload_problem(preload):
            raise self._invalid(f"{self!r}: preload {problem[0]}", problem[1])
        return tuple(preload)

    def add(self, resource: R) -> R:
        """Add any troposphere resource to the stack, and return it.

        Raises:
            InvalidValue: it is no troposphere resource.
            DuplicateName: one with that title was added before.
        """
        title = getattr(resource, "title", None)
        if not isinstance(title, str) or not hasattr(resource, "resource_type"):
            raise self._invalid(
                f"{self!r}: add({resource!r})",
                "a troposphere resource with a title, e.g. troposphere.sns.Topic('Alarms')",
                here(self.root),
            )
        if any(other.title == title for other in self.resources):
            raise DuplicateName(
                f"{self!r}: a resource {title!r} was added before",
                where=str(here(self.root)),
                remedy="give it another title",
            )
        self.resources.append(resource)
        self.added_at[title] = here(self.root)
        return resource

    def output(self, name: str, value: str | Reference, *, export: str | None = None) -> None:
        """Have the stack say something: an output that other stacks and scripts can read.

        Args:
            name: letters and digits; not that of another output.
            value: a text, or a reference such as ``notes.arn``.
            export: a name by which other stacks import it (``Fn::ImportValue``): letters, digits,
                ':' and '-'. It is the only one of the account and region, stages included:
                ``f"{app.name}-{app.stage}-jobs"``. While a stack imports it, it can be neither
                changed nor removed.

        Raises:
            InvalidValue: the name, the value or the export is not allowed.
            DuplicateName: there is an output of that name, or one with that export.
        """
        where = here(self.root)
        if not isinstance(name, str) or not values.OUTPUT.fullmatch(name):
            raise self._invalid(f"{self!r}: output {name!r}", values.OUTPUT_ALLOWED, where)
        if name in self.outputs:
            raise DuplicateName(
                f"{self!r}: an output {name!r} was made before",
                where=str(where),
                remedy="give it another name",
            )
        known = isinstance(value, Reference) and getattr(value.construct, "app", None) is self
        if not known and not (isinstance(value, str) and values.plain(value)):
            allowed = f"a reference to a construct of this app (notes.arn), or {values.PLAIN}"
            raise self._invalid(f"{self!r}: output {name!r}, value {value!r}", allowed, where)
        if export is not None:
            self._export(name, export, where)
        self.outputs[name] = value

    def _export(self, name: str, export: str, where: Where) -> None:
        if not isinstance(export, str) or not values.EXPORT.fullmatch(export):
            what = f"{self!r}: output {name!r}, export {export!r}"
            raise self._invalid(what, values.EXPORT_ALLOWED, where)
        if export in self.exports.values():
            raise DuplicateName(
                f"{self!r}: output {name!r}: another one is exported as {export!r}",
                where=str(where),
                remedy="give it another name",
            )
        self.exports[name] = export

    def _invalid(self, what: str, allowed: str, where: Where | None = None) -> InvalidValue:
        return InvalidValue(
            f"{what} is not allowed",
            where=f"{where or self.where}, App",
            remedy=f"allowed: {allowed}",
        )

    def __repr__(self) -> str:
        return f"App({self.name!r})"

    def of_type(self, kind: type[C]) -> list[C]:
        """The app's constructs of one type, in the order in which they were made."""
        return [construct for construct in self.constructs if isinstance(construct, kind)]


class Construct:
    """One part of an app.

    Args:
        name: letters, digits and single '-' or '_', starting with a letter, at most 40 characters.
        transform: called with the construct's main troposphere resource just before it is
            deployed: the way to every property that devbridge has no option for.

    Raises:
        InvalidValue: the scope is not an App, or a value is not allowed.
        DuplicateName: the app has a construct of this type with that name, or one so like it that
            their environment variables or CloudFormation ids would be the same.
    """

    def __init__(self, app: App, name: str, *, transform: Transform | None = None) -> None:
        if not isinstance(app, App):
            raise InvalidValue(
                f"the first argument must be the App, not {app!r}",
                where=f"{here()}, {type(self).__name__}",
                remedy=f'write {type(self).__name__}(app, "name", ...)',
            )
        self.app = app
        self.where = here(app.root)
        self.name = name
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise self.invalid("name", name, NAME_ALLOWED)
        for other in app.of_type(type(self)):
            if other.key == self.key:
                raise DuplicateName(
                    f"{self} has the same name as {other}"
                    if other.name == name
                    else f"{self} and {other} differ only in case, '-' or '_'",
                    where=f"{self.where}; the other is at {other.where}",
                    remedy="rename one of them",
                )
        if transform is not None and not callable(transform):
            raise self.invalid("transform", transform, "a function of the troposphere resource")
        self.transform = transform
        self.known: Mapping[str, str] = {}
        """Of what exists already, what its references are, its ARN first; else nothing."""

    def register(self) -> None:
        """Add this to its app: the last step of a constructor, once all values are valid."""
        self.app.constructs.append(self)

    @property
    def key(self) -> str:
        """What must be unique among the constructs of one type."""
        return self.name.replace("-", "").replace("_", "").lower()

    @property
    def type(self) -> str:
        """The construct's type as the user writes it, e.g. ``Job``."""
        return type(self).__name__

    def __str__(self) -> str:
        return f"{self.type} {self.name!r}"

    def __repr__(self) -> str:
        return f"{self.type}({self.name!r})"

    def invalid(self, what: str, value: object, allowed: str) -> InvalidValue:
        """The error for a value of this construct that is not allowed."""
        return self.refused(what, (values.written(value), allowed))

    def refused(self, what: str, problem: Problem) -> InvalidValue:
        """The error for a part of a value that is not allowed."""
        return InvalidValue(
            f"{self}: {what} {problem[0]} is not allowed",
            where=str(self.where),
            remedy=f"allowed: {problem[1]}",
        )

    def flag(self, what: str, value: object) -> bool:
        """`value` if it is a bool; anything else is refused rather than taken for true."""
        if not isinstance(value, bool):
            raise self.invalid(what, value, "True or False")
        return value

    def key_of(self, encryption_key: str | None) -> str | None:
        """The KMS key that encrypts this: its own, else the app's; None for AWS's."""
        if not values.key_arn(encryption_key):
            raise self.invalid("encryption_key", encryption_key, values.KEY_ALLOWED)
        return encryption_key or self.app.encryption_key

    def days_of(self, log_retention: object) -> int | None:
        """How many days logs are kept; None for ever."""
        if (days := values.log_days(log_retention)) is None:
            raise self.invalid("log_retention", log_retention, values.LOG_DAYS_ALLOWED)
        return days[0]

    def choice(self, what: str, value: object, allowed: Sequence[str]) -> None:
        """Refuse a value that is neither None nor one of those."""
        if value is not None and value not in allowed:
            raise self.invalid(what, value, f"{', '.join(map(repr, allowed))}, or None")


class Bindable(Construct):
    """A construct that `bind` takes: its row in `devbridge.deploy.kinds` says what that gives."""
