"""Resources that exist: made by somebody else, and used by their ARNs. Pure.

A class that can be one has ``existing = Existing(...)``; what its references are, is known at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Generic, ParamSpec, TypeVar, overload

from devbridge.constructs.app import App, Construct
from devbridge.constructs.where import here
from devbridge.errors import InvalidValue

C = TypeVar("C", bound=Construct)
P = ParamSpec("P")

_PARTITIONS: Final = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-us-gov": "amazonaws.com",
    "aws-eusc": "amazonaws.eu",
}
"""And the domains of their endpoints."""
_PLACE: Final = r"(?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d{1,2}):(?P<account>\d{12})"
_SHAPES: Final = {
    "Queue": (rf"sqs:{_PLACE}:(?P<name>[\w-]{{1,80}}|[\w-]{{1,75}}\.fifo)", "sqs", "orders"),
    "Topic": (rf"sns:{_PLACE}:(?P<name>[\w-]{{1,256}}|[\w-]{{1,251}}\.fifo)", "sns", "news"),
    "Bucket": (r"s3:::(?P<name>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])", "s3", "files"),
    "Table": (rf"dynamodb:{_PLACE}:table/(?P<name>[\w.-]{{3,255}})", "dynamodb", "table/notes"),
    "Stream": (rf"kinesis:{_PLACE}:stream/(?P<name>[\w.-]{{1,128}})", "kinesis", "stream/clicks"),
    "EventBus": (
        rf"events:{_PLACE}:event-bus/(?P<name>[\w./-]{{0,255}}[\w.-])",
        "events",
        "event-bus/default",
    ),
    "LoadBalancer": (
        rf"elasticloadbalancing:{_PLACE}:listener/app/(?P<name>[\w-]{{1,32}}/[0-9a-f]{{16}})"
        r"/[0-9a-f]{16}",
        "elasticloadbalancing",
        "listener/app/web/0123456789abcdef/0123456789abcdef",
    ),
}
"""By the construct: what follows ``arn:PARTITION:`` (each service's "Resource types" in the Service
Authorization Reference, and its own rules of names), and an example's service and resource."""


class Existing(Generic[P, C]):
    """How a class takes what exists: ``Queue.existing(app, "orders", arn="arn:...")`` makes one,
    and ``queue.existing`` is its ARN; None, of one that the app makes.

    Args:
        make: makes one.
    """

    def __init__(self, make: Callable[P, C]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type[Construct], name: str) -> None:
        # What Python says of a missing argument names it as it is called.
        self._make.__qualname__ = f"{owner.__name__}.{name}"

    @overload
    def __get__(self, construct: None, kind: type[Construct]) -> Callable[P, C]: ...

    @overload
    def __get__(self, construct: Construct, kind: type[Construct]) -> str | None: ...

    def __get__(
        self, construct: Construct | None, kind: type[Construct]
    ) -> Callable[P, C] | str | None:
        return self._make if construct is None else existing_arn(construct)


def existing_arn(construct: Construct) -> str | None:
    """The ARN of what exists; None of what the app makes."""
    return next(iter(construct.known.values()), None)


class Arn:
    """An ARN, by its parts.

    Args:
        kind: of the construct that it is for: ``Queue``.
        what: the argument that it was given as.

    Raises:
        InvalidValue: it is no ARN of what the construct is.
    """

    def __init__(self, app: App, kind: str, name: str, arn: str, what: str = "arn") -> None:
        shape, service, resource = _SHAPES[kind]
        partitions = "|".join(_PARTITIONS)
        pattern = rf"arn:(?P<partition>{partitions}):{shape}"
        match = re.fullmatch(pattern, arn, re.ASCII) if isinstance(arn, str) else None
        if match is None:
            place = ":" if service == "s3" else "eu-west-1:123456789012"
            example = f"arn:aws:{service}:{place}:{resource}"
            raise refused(app, kind, name, f"{what} {arn!r}", f"an ARN such as {example!r}")
        self.text = match[0]
        self.name = match["name"]
        """What its service calls it."""
        self._parts = match.groupdict()

    @property
    def queue_url(self) -> str:
        """The URL of the queue that it is of."""
        where = f"{self._parts['region']}.{_PARTITIONS[self._parts['partition']]}"
        return f"https://sqs.{where}/{self._parts['account']}/{self.name}"


def refused(app: App, kind: str, name: str, what: str, allowed: str) -> InvalidValue:
    """The error for what cannot exist, before there is a construct."""
    root = app.root if isinstance(app, App) else None
    return InvalidValue(
        f"{kind} {name!r}: {what} is not allowed",
        where=str(here(root)),
        remedy=f"allowed: {allowed}",
    )
