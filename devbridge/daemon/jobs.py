"""Which jobs and live functions there are: values that are handed on, never changed in place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from devbridge.runs.model import CodeSpec, FunctionSpec, JobSpec
from devbridge.workers.signatures import Watched


class Jobs(Mapping[str, JobSpec]):
    """The jobs of an app as it was deployed, by name. Immutable."""

    __slots__ = ("_specs",)

    def __init__(self, specs: Iterable[JobSpec] = ()) -> None:
        self._specs = {spec.name: spec for spec in specs}

    def __getitem__(self, name: str) -> JobSpec:
        return self._specs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def __repr__(self) -> str:
        return f"Jobs({', '.join(self._specs)})"


def _nothing() -> None:
    """Nothing is new."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The app as it is deployed now."""

    jobs: Jobs
    functions: Mapping[str, FunctionSpec] = field(default_factory=dict, kw_only=True)
    """Those whose requests are handled here, by name."""
    files: frozenset[Watched] = frozenset()
    """What app.py has read, and what its functions are made of."""
    loaded: float = math.inf
    """When app.py began to be loaded, in seconds since the epoch."""
    whole: bool = True
    """False: something was left out, for it could not be packed."""
    say: Callable[[], None] = field(default=_nothing, compare=False, kw_only=True)
    """Says what is new, once the daemon goes by it."""

    @property
    def codes(self) -> Mapping[str, CodeSpec]:
        """Jobs and functions, by their keys."""
        return {spec.key: spec for spec in (*self.jobs.values(), *self.functions.values())}


class Redeploys(Protocol):
    """Whoever deploys the app while the daemon runs."""

    async def redeploy(self, again: Callable[[], None]) -> Deployment:
        """Deploy what has changed in the app, and return what there is then.

        Args:
            again: to be called when it is worth another try, without a save.

        Raises:
            DevbridgeError: the app cannot be loaded or deployed: what was deployed stays.
            OSError: likewise, a file could not be read.
        """
        ...

    async def outdated(self) -> bool:
        """Whether what is deployed no longer goes with the code, though app.py is the same.

        Raises:
            DevbridgeError, OSError: nobody can tell now.
        """
        ...
