"""What code that binds constructs gets: environment variables and permissions. Pure.

What each type of construct gives is in its row of `devbridge.deploy.kinds`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from devbridge import names
from devbridge.constructs import Bindable
from devbridge.deploy.policies import Json, allow
from devbridge.deploy.references import ref
from devbridge.resources import variable

B = TypeVar("B", bound=Bindable)

Grant = tuple[tuple[str, ...], list[Any]]
"""Actions, and the resources that they are allowed on."""


def nothing(_target: Bindable, _stage: str) -> Iterator[Grant]:
    """No permission at all."""
    return iter(())


@dataclass(frozen=True, slots=True)
class Output:
    """One of a construct's outputs in its stack."""

    name: str
    """``Url`` becomes the output ``ApiUrl`` of an Api 'api'."""
    value: Callable[[str], Any] = ref
    """Its value in the template, from the logical id of the construct's main resource."""


@dataclass(frozen=True, slots=True)
class Property(Generic[B]):
    """One run-time property: the environment variable ``DEVBRIDGE_<Type>_<name>_<construct>``."""

    name: str
    """As the construct's class in `devbridge.resources` reads it."""
    value: Output | Callable[[B, str], str]
    """The output that holds it, or a function of the construct and the stage's name."""

    @property
    def attribute(self) -> str:
        """The same name, as constructs have it in `known`: ``table_name`` for ``tableName``."""
        return re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", self.name)


@dataclass(frozen=True, slots=True)
class Binding(Generic[B]):
    """What binding one type of construct gives."""

    properties: tuple[Property[B], ...]
    grants: Callable[[B, str], Iterator[Grant]] = nothing
    """The permissions, from the construct and the stage's name."""


Lookup = Callable[[Bindable, Output], Any]
"""What CloudFormation knows of a construct: a reference to it, or its value."""


def in_template(target: Bindable, output: Output) -> Any:
    """A reference, for a template."""
    return output.value(names.logical(target))


class Bindings:
    """What binding gives, for each type of construct.

    Raises:
        LookupError: on being asked about a construct of a type that has no binding.
    """

    def __init__(self, known: Iterable[tuple[type[Any], Binding[Any]]]) -> None:
        self._known = tuple(known)

    def _of(self, target: Bindable) -> Binding[Any]:
        for construct, binding in self._known:
            if isinstance(target, construct):
                return binding
        raise LookupError(f"{target.type} has no row in devbridge.deploy.kinds")

    def variables(
        self, bind: Iterable[Bindable], stage: str, lookup: Lookup = in_template
    ) -> dict[str, Any]:
        """What `bind` puts into an environment, by the names of the variables."""
        return {
            variable(target.type, prop.name, target.name): (
                target.known[prop.attribute]
                if target.known
                else lookup(target, prop.value)
                if isinstance(prop.value, Output)
                else prop.value(target, stage)
            )
            for target in bind
            for prop in self._of(target).properties
        }

    def grants(self, bind: Iterable[Bindable], stage: str) -> list[Json]:
        """The statements that `bind` gives: one for each kind of access, to keep policies small."""
        merged: dict[tuple[str, ...], list[Any]] = {}
        for target in bind:
            for actions, resources in self._of(target).grants(target, stage):
                known = merged.setdefault(actions, [])
                known.extend(each for each in resources if each not in known)
        return [allow(actions, resources) for actions, resources in merged.items()]
