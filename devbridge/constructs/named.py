"""Constructs by their names, as the options beside a handler have them; and what is made of these.

``bind=["notes"]`` is the construct that is called so; where constructs of several types are, it is
``"Table:notes"``. What a trigger listens to is told by its type: ``OnQueue("orders")`` is a Queue.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from devbridge.constructs import compute, triggers
from devbridge.constructs.app import App, Bindable, Construct
from devbridge.constructs.messaging import Queue, Topic
from devbridge.constructs.network import Vpc
from devbridge.constructs.where import Where
from devbridge.errors import InvalidValue, UnknownBindTarget, did_you_mean
from devbridge.sources.declared import Called

_NAMES: Final[Mapping[str, type[Construct]]] = {
    "bind": Bindable,
    "notify": Topic,
    "on_failure": Queue,
}
"""The options that name constructs, and of which type."""
_PLAIN: Final = (
    *(compute.Batch, compute.CodeBuild, compute.Fargate, compute.Lambda, compute.Workers),
    Vpc,
)


@dataclass(frozen=True, slots=True)
class Named:
    """Finds constructs for one owner."""

    app: App
    owner: str
    """Who names them, for errors."""
    where: Where
    pending: Callable[[str], Iterable[Construct]]
    """Makes what has this name and is not made yet."""

    def find(self, what: str, text: str, kinds: tuple[type[Construct], ...]) -> Construct:
        """The construct that a text names.

        Args:
            kinds: the types that it may have.

        Raises:
            UnknownBindTarget: there is none.
            InvalidValue: there are several.
        """
        type_name, colon, name = text.rpartition(":")
        there = [*self.app.constructs, *self.pending(name)]
        known = [each for each in there if isinstance(each, kinds)]
        found = [each for each in known if each.name == name and type_name in (each.type, "")]
        if len(found) == 1:
            return found[0]
        texts = [f"{each.type}:{each.name}" for each in found or known]
        if found:
            raise InvalidValue(
                f"{self.owner}: {what} {text!r} is the name of several",
                where=str(self.where),
                remedy=f"say which: {' or '.join(map(repr, texts))}",
            )
        names = texts if colon else [each.name for each in known]
        raise UnknownBindTarget(
            f"{self.owner}: {what} {text!r}: the app has no such construct"
            f"{did_you_mean(text, names)}",
            where=str(self.where),
            remedy=f"there are, so far: {', '.join(texts)}"
            if texts
            else "make it in app.py, before app.jobs(...)",
        )


def built(option: str, value: object, named: Named) -> object:
    """The value of an option of Job that a literal stands for.

    Raises:
        InvalidValue, UnknownBindTarget: it stands for nothing.
    """
    if isinstance(value, Called):
        return _built_call(value, named)
    if kind := _NAMES.get(option):
        if isinstance(value, str) and option == "on_failure":
            return named.find(option, value, (kind,))
        if isinstance(value, list):
            return [
                named.find(option, each, (kind,)) if isinstance(each, str) else each
                for each in value
            ]
    if isinstance(value, list):
        return [built("", each, named) for each in value]
    return value


def classes() -> Mapping[str, type[Any]]:
    """What may be called in an option: places to run, triggers, a VPC."""
    exported = (getattr(triggers, name) for name in triggers.__all__)
    found = [each for each in exported if isinstance(each, type) and each is not triggers.Trigger]
    return {each.__name__: each for each in (*_PLAIN, *filter(dataclasses.is_dataclass, found))}


def _built_call(call: Called, named: Named) -> object:
    known = classes()
    if call.name not in known:
        raise InvalidValue(
            f"{named.owner}: {call.name}(...) is nothing that an option can have"
            f"{did_you_mean(call.name, known)}",
            where=f"{named.where.file}:{call.line}",
            remedy=f"allowed: {', '.join(known)}",
        )
    made = known[call.name]
    fields = [each.name for each in dataclasses.fields(made) if each.init and not each.kw_only]
    hints = typing.get_type_hints(made)
    positional = dict(zip(fields, call.args, strict=False))
    args = [
        *(_argument(f"{call.name}: {n}", hints.get(n), v, named) for n, v in positional.items()),
        *call.args[len(fields) :],
    ]
    values: dict[str, Any] = {
        n: _argument(f"{call.name}: {n}", hints.get(n), v, named) for n, v in call.options.items()
    }
    try:
        return made(*args, **values)
    except TypeError as error:
        reason = str(error).partition("() ")[2] or str(error)
        wrong = next((name for name in call.options if repr(name) in reason), "")
        options = [each.name for each in dataclasses.fields(made)]
        raise InvalidValue(
            f"{named.owner}: {call.name}(...) {reason}{did_you_mean(wrong, options)}",
            where=f"{named.where.file}:{call.line}",
            remedy=f"it has: {', '.join(options)}",
        ) from None


def _argument(what: str, hint: object, value: object, named: Named) -> object:
    """An argument: where the class has a construct there, a text is the name of one."""
    members = typing.get_args(hint) or (hint,)
    types = (each for each in members if isinstance(each, type))
    kinds = tuple(each for each in types if issubclass(each, Construct))
    if not kinds or not isinstance(value, str):
        return built("", value, named)
    if str in members and value.startswith("arn:"):
        return value  # an ARN, where one will do
    return named.find(what, value, kinds)
