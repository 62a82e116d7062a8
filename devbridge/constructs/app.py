"""The app and what all of its constructs have in common: a name, a place, an owner."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from devbridge.constructs.values import APP_NAME, APP_NAME_ALLOWED, NAME, NAME_ALLOWED
from devbridge.errors import DuplicateName, InvalidValue

_PACKAGE: Final = str(Path(__file__).resolve().parents[1])

C = TypeVar("C", bound="Construct")


@dataclass(frozen=True, slots=True)
class Where:
    """The line of the user's code that made a construct."""

    file: str
    """Relative to the app's folder where it is below it."""
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass
class Loading:
    """The app that is being loaded: where it is, and the App objects that it has made."""

    root: Path
    apps: list[App] = field(default_factory=list)


_loading: ContextVar[Loading | None] = ContextVar("devbridge_loading", default=None)


@contextmanager
def loading(root: Path) -> Iterator[Loading]:
    """Within this block, every `App` that is made belongs to the folder `root`."""
    state = Loading(root)
    token = _loading.set(state)
    try:
        yield state
    finally:
        _loading.reset(token)


def _caller() -> tuple[Path, int]:
    """File and line of the innermost frame outside devbridge."""
    frame = sys._getframe(1)
    while frame.f_back and str(Path(frame.f_code.co_filename).resolve()).startswith(_PACKAGE):
        frame = frame.f_back
    return Path(frame.f_code.co_filename).resolve(), frame.f_lineno


def _place(root: Path) -> Where:
    file, line = _caller()
    shown = file.relative_to(root) if file.is_relative_to(root) else file
    return Where(shown.as_posix(), line)


class App:
    """One app: its name, its folder, and its constructs in the order in which they were made.

    Args:
        name: lower-case letters, digits and hyphens, at most 32; it starts the name of everything
            that is deployed.

    Raises:
        InvalidValue: the name is not allowed.
    """

    def __init__(self, name: str) -> None:
        current = _loading.get()
        self.root = current.root if current else _caller()[0].parent
        self.where = _place(self.root)
        self.name = name
        self.constructs: list[Construct] = []
        self.files: frozenset[Path] = frozenset()
        """app.py and what it imported below its folder; known when it was loaded by devbridge."""
        self.loaded_at = 0.0
        """When devbridge began to load it, in seconds since the epoch."""
        if not isinstance(name, str) or not APP_NAME.fullmatch(name):
            raise InvalidValue(
                f"the app's name {name!r} is not allowed",
                where=f"{self.where}, App",
                remedy=f"allowed: {APP_NAME_ALLOWED}",
            )
        if current:
            current.apps.append(self)

    def __repr__(self) -> str:
        return f"App({self.name!r})"

    def of_type(self, kind: type[C]) -> list[C]:
        """The app's constructs of one type, in the order in which they were made."""
        return [construct for construct in self.constructs if isinstance(construct, kind)]


class Construct:
    """One part of an app.

    Raises:
        InvalidValue: the scope is not an App, or the name is not allowed.
        DuplicateName: the app has a construct of this type with that name, or one so like it that
            their environment variables or CloudFormation ids would be the same.
    """

    def __init__(self, app: App, name: str) -> None:
        if not isinstance(app, App):
            file, line = _caller()
            raise InvalidValue(
                f"the first argument must be the App, not {app!r}",
                where=f"{file.name}:{line}, {type(self).__name__}",
                remedy=f'write {type(self).__name__}(app, "name", ...)',
            )
        self.app = app
        self.where = _place(app.root)
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
        return InvalidValue(
            f"{self}: {what} {value!r} is not allowed",
            where=str(self.where),
            remedy=f"allowed: {allowed}",
        )
