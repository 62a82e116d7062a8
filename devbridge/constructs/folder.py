"""`App.jobs`: a Job of every module in a folder that declares itself one."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from devbridge.constructs import app as base
from devbridge.constructs.job import Job
from devbridge.constructs.named import Named, built
from devbridge.constructs.unparsed import unparsed
from devbridge.constructs.where import Where, here, made_at
from devbridge.errors import AppFailed, InvalidValue, did_you_mean
from devbridge.sources.declared import ALLOWED, DECORATOR, Declared, NotLiteralError
from devbridge.sources.folder import SUFFIX, Failure, files_in, read, signed
from devbridge.sources.runtimes import DEFAULT

_NOT_HERE: Final = frozenset({"handler", "transform", "container"})
"""Options of a Job that no literal beside the handler can give."""
OPTIONS: Final = tuple(
    name for name in list(inspect.signature(Job).parameters)[2:] if name not in _NOT_HERE
)
"""What ``@job_handler(...)`` and `App.jobs` take."""


@dataclass(slots=True)
class _Module:
    """A handler that is to become a job."""

    file: str
    """Relative to the app's folder."""
    said: Declared
    begun: bool = False

    @property
    def name(self) -> str:
        return self.said.name or self.file.rpartition("/")[2].removesuffix(SUFFIX)

    @property
    def where(self) -> Where:
        return Where(self.file, self.said.line)

    @property
    def handler(self) -> str:
        return f"{self.file.removesuffix(SUFFIX)}.{self.said.function}"


@dataclass(slots=True)
class _Folder:
    """A folder of jobs, while they are made: each after those that it names."""

    app: base.App
    defaults: Mapping[str, Any]
    modules: list[_Module] = field(default_factory=list)
    made: dict[str, Job] = field(default_factory=dict)

    def named(self, name: str) -> Iterator[Job]:
        """The job of that name of this folder, made now if it is not yet."""
        for module in self.modules:
            if module.name == name and not module.begun:
                self.make(module)
                yield self.made[name]

    def make(self, module: _Module) -> None:
        """
        Raises:
            AppError: its options are not those of a job, or one is not allowed.
        """
        if module.begun:
            return
        module.begun = True
        for name in module.said.options:
            if problem := _unknown(name):
                raise InvalidValue(
                    f"{module.file}: @{DECORATOR}: {problem[0]}",
                    where=str(module.where),
                    remedy=problem[1],
                )
        with made_at(module.where):
            named = Named(self.app, f"Job {module.name!r}", module.where, self.named)
            own = {name: built(name, each, named) for name, each in module.said.options.items()}
            job = Job(self.app, module.name, handler=module.handler, **{**self.defaults, **own})
        self.made[module.name] = job


def jobs_in(app: base.App, folder: str, defaults: Mapping[str, Any]) -> dict[str, Job]:
    """See `App.jobs`."""
    root = _checked(app, folder)
    for name in defaults:
        if problem := _unknown(name):
            raise InvalidValue(
                f"{app!r}: jobs({folder!r}): {problem[0]}",
                where=str(here(app.root)),
                remedy=problem[1],
            )
    signature = signed(root)  # what is saved while it is read is another one
    known = {str(job.handler) for job in app.of_type(Job)}
    found, passed = _Folder(app, defaults), []
    for path in files_in(root):
        file = path.relative_to(app.root).as_posix()
        said = _declared(app, path, file) if path.suffix == SUFFIX else ()
        if not said and path.name != "__init__.py":
            passed.append(path.relative_to(root).as_posix())
        modules = [_Module(file, each) for each in said]
        found.modules += [module for module in modules if module.handler not in known]
    for module in found.modules:
        found.make(module)
    shown = f"{root.relative_to(app.root).as_posix()}/"
    app.job_folders[root] = base.JobFolder(signature, _told(shown, passed))
    return {module.name: found.made[module.name] for module in found.modules}


def _told(folder: str, passed: list[str]) -> str:
    """How many jobs there are is not said: this is said once, and again when it is another."""
    if not passed:
        return ""
    others = any(not file.endswith(SUFFIX) for file in passed)
    why = f"no @{DECORATOR}" + (", and only Python's files are read" if others else "")
    return f"{folder}: passed over: {', '.join(passed)} ({why})"


def _checked(app: base.App, folder: object) -> Path:
    """
    Raises:
        InvalidValue: it is no folder of the app's.
    """
    path = (app.root / folder).resolve() if isinstance(folder, str) and folder.strip() else None
    if path is None or not path.is_dir() or app.root.resolve() not in path.parents:
        raise InvalidValue(
            f"{app!r}: jobs({folder!r}) is not allowed",
            where=str(here(app.root)),
            remedy="allowed: a folder below the app's, relative to it, that exists: 'jobs/'",
        )
    return app.root / path.relative_to(app.root.resolve())


def _unknown(name: str) -> tuple[str, str] | None:
    """What is wrong with an option's name, and what is allowed."""
    if name in OPTIONS:
        return None
    if name in _NOT_HERE:
        return f"{name!r} is not allowed", f"make the job in app.py: Job(app, ..., {name}=...)"
    what = f"there is no option {name!r}{did_you_mean(name, OPTIONS)}"
    return what, f"allowed: {', '.join(OPTIONS)}"


def _declared(app: base.App, path: Path, file: str) -> tuple[Declared, ...]:
    """What a file declares.

    Raises:
        AppFailed: it does not parse, and was not lent the app's patience, or an option is no
            literal.
    """
    found = read(path)
    if found.failure is not None:
        error = _failed(file, found.failure)
        if not app.lenient or isinstance(found.failure, NotLiteralError):
            raise error
        if not found.known:
            app.unread.append(error)
    return found.declared


def _failed(file: str, failure: Failure) -> AppFailed:
    if isinstance(failure, NotLiteralError):
        return AppFailed(
            f"@{DECORATOR}: {failure.what}",
            where=f"{file}:{failure.line}",
            remedy=f"{ALLOWED}; or make the job in app.py",
        )
    if isinstance(failure, SyntaxError):
        return unparsed(failure, file)
    what = f"{type(failure).__name__}: {failure}"
    return AppFailed(f"{file} cannot be read: {what}", where=file, remedy="correct the file")


def refuse_unread(app: base.App) -> None:
    """
    Raises:
        InvalidValue: a job that app.py makes has options beside its handler, where nobody would
            read them.
    """
    for job in app.of_type(Job):
        file = f"{job.handler.module}{SUFFIX}" if job.handler else ""
        if job.handler is None or job.language != DEFAULT or job.where.file == file:
            continue
        for said in read(app.root / file).declared:
            if said.function == job.handler.function and said.options:
                options = ", ".join(f"{name}=" for name in said.options)
                raise InvalidValue(
                    f"{job}: @{DECORATOR} has {options}, and nobody reads it: the job is made at"
                    f" {job.where}",
                    where=f"{file}:{said.line}",
                    remedy="write the options there; or take that Job out, and app.jobs() makes it",
                )


class App(base.App):  # noqa: D101 - it is the one below
    __doc__ = base.App.__doc__

    def jobs(self, folder: str, **defaults: Any) -> dict[str, Job]:
        """Make a job of every Python file in a folder, and in those below it, that declares itself
        one: that has a handler with ``@job_handler(...)``. The files are read, not run.

        Args:
            folder: relative to the app's: ``"jobs/"``.
            defaults: options of Job, for those that say nothing else beside their handler.

        Returns:
            The jobs by their names.

        Raises:
            InvalidValue, DuplicateName, UnknownBindTarget: a job's options are not allowed, or name
                what is not there; the error names the line of its file.
            AppFailed: a file does not parse, or an option is no literal.
        """
        return jobs_in(self, folder, defaults)
