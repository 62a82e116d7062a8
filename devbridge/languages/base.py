"""What a language does with its handlers: the door that each of them stands behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from devbridge.constructs import App, Function, Job
from devbridge.errors import DevbridgeError
from devbridge.packing.assets import JobAssets, Remarks, Shape
from devbridge.packing.imported import Live
from devbridge.packing.zips import Asset
from devbridge.types.model import JobTypes, Slow
from devbridge.workers.base import Launcher
from devbridge.workers.debugging import Debugger

Code = Function | Job
_USUAL: Final = Shape()


@dataclass(frozen=True, slots=True)
class Build:
    """What a job's builds run in."""

    image: str
    """Empty: an image of whoever runs it, which has the `runtimes`."""
    runtimes: Mapping[str, str] = field(default_factory=dict)
    """What is chosen of those that such an image has: name -> version."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What tells the runner of the language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """What one deployment's code is packed for."""

    python: Path
    """The app's interpreter."""
    version: str
    """Its version, e.g. ``3.11``."""
    cache: Path
    """Folder that keeps what was resolved and installed, and the keys of zips."""
    local: bool = False
    """For the embedded cloud, which runs what it is given on this very machine."""
    schemas: Mapping[str, Any] = field(default_factory=dict)
    """JSON Schemas of the jobs' payloads, by the job's name, for those who bind them."""
    live: Mapping[str, Live] = field(default_factory=dict)
    """What the live runs of jobs have imported, by the job's name."""
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    """What jobs are packed as, by the job's name."""

    def shape(self, code: Code) -> Shape:
        """What some code is packed as."""
        return self.shapes.get(code.name, _USUAL) if isinstance(code, Job) else _USUAL


class Packer(Protocol):
    """Packs the code of one deployment. It remembers what it has found out, so it must not outlive
    the deployment."""

    @property
    def remarks(self) -> Remarks:
        """What there is to say of the code, so far."""

    def analyse(self, codes: Sequence[Code]) -> None:
        """Find out of all of these what they reach: faster than one by one.

        Raises:
            BuildError: that failed.
        """

    def app_files(self, function: Function) -> set[Path]:
        """The files that a function is made of and that are not installed, as far as they parse."""

    def function_asset(self, function: Function) -> Asset:
        """The zip of a function.

        Raises:
            BuildError: it cannot be packed, or is too large.
        """

    def job_assets(self, job: Job) -> JobAssets:
        """What a job's runs start from: as a function, and the runner.

        Raises:
            BuildError: it cannot be packed.
        """

    def compare(self, job: Job) -> None:
        """Warn of what the job's live runs have imported and a deployed one would not have.

        Raises:
            BuildError: as `job_assets`.
        """

    def close(self) -> None:
        """End what it has started. Idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where the laptop's workers are."""

    root: Path
    """The app's folder."""
    python: Path
    """The app's interpreter."""
    environment: Mapping[str, str]
    """What all jobs have of the developer's shell, without credentials."""
    bundles: Path
    """Folder for code that is made of the app's."""
    cache: Path
    """Folder that keeps what was resolved and installed."""
    say: Callable[[str], None]
    """Takes a line for the developer."""
    details: Callable[[str], None]
    """Takes a line for a developer who wants to know more."""
    fresh_jobs: Path
    """Where to keep which jobs get processes that have nothing imported yet, and why."""
    debug: bool = False
    """Workers are to be open to debuggers."""
    debug_port: Path | None = None
    """Where to keep the port that debuggers were last served at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How it is asked what jobs take."""

    python: Path
    """The app's interpreter."""
    given: Sequence[str] = ()
    """With `--env`."""
    timeout: float = 120.0
    """Seconds that one handler may take."""
    slow: Callable[[Slow], None] = lambda _: None
    """Is told of a handler that takes long, again and again."""
    stopped: Callable[[], bool] = lambda: False
    """Asked often; when it says so, what goes on is killed, and jobs that nothing is known of yet
    take and return anything."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of `devbridge doctor`."""

    name: str
    text: str
    good: bool = True
    remedy: str = ""


class Deployed(Protocol):
    """Where a language's code runs on AWS, as templates say it. Pure."""

    def build(self, runtime: str, architecture: str, image: str | None) -> Build:
        """What a job's builds run in.

        Args:
            architecture: ``x86_64`` or ``arm64``.
            image: the user's own, which then has all that is needed.
        """

    def image(self, runtime: str, image: str | None) -> Build:
        """What a container runs in that runs a job's handler. It has `python3` for the runner, and
        no entry point that could not be replaced; it is there for each architecture.

        Args:
            image: the user's own, which then has all that is needed.
        """

    def function_variables(self, esbuild: Mapping[str, Any]) -> Mapping[str, str]:
        """The variables that a function gets unless its user has set them.

        Args:
            esbuild: how it is bundled, if it is.
        """


class Language(Protocol):
    """One language."""

    @property
    def deployed(self) -> Deployed:
        """Where its code runs on AWS."""

    def packer(self, packing: Packing) -> Packer:
        """Packs code for one deployment."""

    def broken(self, function: Function, error: DevbridgeError) -> Asset:
        """The zip of a function that answers with the error: an HTTP call with status 500, any
        other by failing."""

    def environment(self, code: Code, packing: Packing) -> Mapping[str, str]:
        """What live code's environment must have beside its own, so that it finds what `install`
        names.

        Raises:
            BuildError: that cannot be installed.
        """

    def launcher(self, place: Workplace) -> Launcher:
        """Starts live workers."""

    def debugger(self, place: Workplace, wait: float) -> Debugger:
        """Serves debuggers of live workers.

        Args:
            wait: seconds that a run waits for one before it begins, where it must.
        """

    def require_debugger(self, python: Path) -> None:
        """See that what that needs is there.

        Args:
            python: the app's interpreter.

        Raises:
            DevbridgeError: it is not; what to do about it.
        """

    def types(self, app: App, jobs: Iterable[Job], asking: Asking) -> Mapping[str, JobTypes]:
        """What each of these jobs takes and returns, by its name."""

    def facts(self, app: App) -> list[Fact]:
        """What `devbridge doctor` tells of the tools for the app's code; nothing is fetched for
        that."""

    def set_up(self, app: App) -> str:
        """Put into the app's folder what its code needs beside what users install; what to say of
        it, if anything was done."""

    def declarations(self, app: App, types: Mapping[str, JobTypes]) -> Mapping[str, str]:
        """The files that make the language's own checkers know the app's jobs, whatever language
        those are in: by their paths below the app's folder. Python's are `devbridge.types`'."""
