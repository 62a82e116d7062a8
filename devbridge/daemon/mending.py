"""When a job that cannot be loaded is tried again: decided and nothing else.

What keeps a handler from being loaded is often no file of the app: a package that is not installed,
a secret without a value, a port that is taken. So a failed load is tried again

- by the next run that is asked for; those that come meanwhile share that try;
- when a process of the job that was there during the failed load has ended: it may have held what
  the load needs (a port, a lock);
- while runs wait for it, with pauses that grow.

Nothing else makes a try: an idle daemon loads a broken job no more. Times are seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from runner.outcome import Failure

FIRST_PAUSE: Final = 1.0
"""Before waiting runs cause another try; it doubles with each."""
LONGEST_PAUSE: Final = 60.0


@dataclass(slots=True)
class Mending:
    """What is known of one job's ability to be loaded."""

    failure: Failure | None = None
    """Why it cannot be loaded, as the last try has found; None: nothing is known against it."""
    trying: bool = False
    """It is broken, and a worker that may prove the contrary is wanted."""
    again_at: float | None = None
    """When waiting runs cause a try, seconds since the epoch."""
    told: bool = False
    """It was said that waiting runs cause further tries."""
    _pause: float = FIRST_PAUSE
    _shown: set[tuple[str, str]] = field(default_factory=set)
    _beside: set[str] = field(default_factory=set)

    @property
    def broken(self) -> bool:
        """It could not be loaded when that was last tried."""
        return self.failure is not None

    @property
    def hopeless(self) -> bool:
        """It is broken, and nobody is finding out whether it still is."""
        return self.failure is not None and not self.trying

    def failed(self, failure: Failure, beside: Iterable[str], now: float) -> bool:
        """A load has failed, while those other workers of the job were there.

        True if the developer has not seen this error since the last save.
        """
        self.failure, self.trying = failure, False
        self.again_at = now + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._beside = set(beside)
        error = (failure.type, failure.message)
        new = error not in self._shown
        self._shown.add(error)
        return new

    def loaded(self) -> None:
        """A load has succeeded. What was shown stays known: it may fail in turns."""
        self.failure, self.trying, self.again_at, self.told = None, False, None, False
        self._pause = FIRST_PAUSE
        self._beside.clear()

    def renewed(self) -> None:
        """The code is another one: nothing is known of it."""
        self.loaded()
        self._shown.clear()

    def asked(self) -> None:
        """A run was asked for."""
        self._try()

    def ended(self, worker_id: str) -> None:
        """A process of the job is gone."""
        if worker_id in self._beside:
            self._beside.discard(worker_id)
            self._try()

    def due(self, now: float) -> None:
        """Runs wait, and it is now."""
        if self.again_at is not None and now >= self.again_at:
            self._try()

    def _try(self) -> None:
        if self.failure is not None:
            self.trying, self.again_at = True, None
