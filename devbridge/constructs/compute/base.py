"""What every `compute` has: options that are checked, and what of a job they are checked with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final, Self

from devbridge.constructs import values
from devbridge.constructs.app import Bindable
from devbridge.constructs.compute.workers import Workers
from devbridge.constructs.file_systems import mount_problem
from devbridge.constructs.network import Vpc
from devbridge.constructs.where import here
from devbridge.durations import OF_ATTEMPTS, spelled
from devbridge.errors import InvalidValue
from devbridge.sources.base import Problem

Refusal = tuple[str, Problem]
"""The option of a job that is refused, and why."""

UNINTERRUPTED: Final = timedelta(hours=24)
"""What a run on spare capacity may take that begins anew after each interruption: hardly any keeps
its machine for longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a job says beside its `compute`."""

    architecture: str = "x86_64"
    runtime: str | None = None
    memory_size: str | None = None
    timeout: timedelta | None = None
    """None: it says none."""
    checkpoints: bool | None = None
    """Whether its handler yields checkpoints; None: only running it would tell."""
    image: str | None = None
    """Its own one."""
    variables: tuple[str, ...] = ()
    """The names of `environment`."""

    @property
    def container(self) -> bool:
        """It runs a container, and has no handler."""
        return self.runtime == "container"


class ComputeBase:
    """The base of CodeBuild, Batch, Fargate and Lambda.

    Raises:
        InvalidValue: there is no such option.
    """

    __slots__ = ()
    name: ClassVar[str]
    timeouts: ClassVar[tuple[timedelta, timedelta]] = OF_ATTEMPTS
    """How long an attempt may take."""
    unmounted: ClassVar[str | None] = None
    """What is allowed in place of a file system for a job without a VPC of its own."""
    definition: ClassVar[str]
    """The service and the resource that runs are started from, ``{}`` for its name, as ARNs have
    them."""
    least: ClassVar[timedelta] = OF_ATTEMPTS[0]
    """The shortest timeout that holds where it is deployed."""
    elsewhere: ClassVar[Mapping[str, str]] = {}
    """Options that it has not, and what has them."""

    def __new__(cls, *_values: object, **options: object) -> Self:
        """Refuse an option that there is not: as TypeError it would not say what there is."""
        known = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
        for option in options:
            if option not in known:
                remedy = f"its options: {', '.join(known) or 'none'}"
                if option in cls.elsewhere:
                    remedy += f"; {cls.elsewhere[option]}"
                raise InvalidValue(
                    f"{cls.__name__} has no option {option!r}",
                    where=str(here()),
                    remedy=remedy,
                )
        return super().__new__(cls)

    @property
    def reads(self) -> timedelta | None:
        """How long runs may take of a job that reads its queues itself; None: it cannot."""
        return None

    @property
    def workers(self) -> Workers | None:
        """The tasks that read its queue for ever, if there are any."""
        return None

    @property
    def bounded(self) -> str:
        """What bounds how many runs there are at once of a job that reads its queues itself."""
        return ""

    def mount_problem(self, bind: Sequence[Bindable], vpc: Vpc | None) -> Problem | None:
        """The first file system of `bind` that it could not reach."""
        return mount_problem(bind, vpc, self.unmounted)

    def default_timeout(self, asked: Asked) -> timedelta:  # noqa: ARG002
        """How long an attempt may take where the job does not say it."""
        return timedelta(hours=8)

    def timeout_allowed(self, asked: Asked) -> str:  # noqa: ARG002
        """The timeouts that it has, for an error."""
        least, most = map(spelled, self.timeouts)
        return f"{least} to {most} with compute={type(self).__name__}, e.g. '1 hour', '2 days'"

    def refused(self, *names: str, allowed: str) -> Refusal:
        """The refusal of some of its options."""
        return "compute", (shown(self, *names), allowed)

    def hints(self, asked: Asked) -> tuple[str, ...]:  # noqa: ARG002
        """What is allowed, and could be better."""
        return ()


def shown(compute: object, *names: str) -> str:
    """A `compute` as app.py has it: the options `names`, else those that are not the default."""
    parts = [
        f"{field.name}={values.written(getattr(compute, field.name))}"
        for field in dataclasses.fields(compute)  # type: ignore[arg-type]
        if (field.name in names if names else getattr(compute, field.name) != field.default)
    ]
    return f"{type(compute).__name__}({', '.join(parts)})"


def not_ours(place: ComputeBase, asked: Asked, larger: str) -> Refusal | None:
    """The refusal of CodeBuild's `memory_size`; `larger` is what this place has instead."""
    if asked.memory_size is None:
        return None
    text = f"only CodeBuild's; with {type(place).__name__}, compute={larger}"
    return "memory_size", (repr(asked.memory_size), text)


def spot_problem(place: ComputeBase, spot: object, asked: Asked) -> Refusal | None:
    """The refusal of `spot` where no run could be expected to end."""
    if not isinstance(spot, bool):
        return place.refused("spot", allowed="as spot, True or False")
    if spot and asked.checkpoints is False and (asked.timeout or timedelta()) > UNINTERRUPTED:
        return place.refused(
            "spot",
            allowed=f"with a timeout of {spelled(asked.timeout or timedelta())}, spot=True only for"
            " a handler that yields checkpoints: AWS may take the machine back at any time, and"
            f" the run would begin anew; without checkpoints, up to {spelled(UNINTERRUPTED)}",
        )
    return None


def whole(value: object, least: int) -> bool:
    """Whether this is a whole number from `least` on."""
    return type(value) is int and value >= least
