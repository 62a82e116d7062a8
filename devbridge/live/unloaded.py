"""What `devbridge dev` says of handlers that could not be imported to learn what they take."""

from __future__ import annotations

from collections.abc import Callable, Collection


class Unloaded:
    """Workers import the same handlers, and the daemon says of which jobs that fails: only of the
    others is it said that their types are not known, once the daemon knows.

    Args:
        warn: takes a warning.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._warnings: dict[str, str] = {}
        self._broken: Callable[[], Collection[str]] | None = None

    def __call__(self, job: str, warning: str) -> None:
        """A job's handler could not be imported."""
        self._warnings[job] = warning

    def tell(self, broken: Callable[[], Collection[str]] | None = None) -> None:
        """Say what there is to say, once it is known which jobs cannot be loaded.

        Args:
            broken: tells them, from now on.
        """
        self._broken = broken or self._broken
        if self._broken is None:
            return
        warnings, self._warnings = self._warnings, {}
        known = self._broken()
        for job, warning in warnings.items():
            if job not in known:
                self._warn(f"job {job!r}: {warning}")
