"""What `devbridge dev` has found wrong with handlers before its workers load them."""

from __future__ import annotations

from collections.abc import Callable, Collection


class Unloaded:
    """Workers load the same handlers, and the daemon says of which jobs and functions that fails:
    what was found before is said of the others only, once the daemon knows."""

    def __init__(self) -> None:
        self._found: dict[str, Callable[[], object]] = {}
        self._broken: Callable[[], Collection[str]] | None = None

    def __call__(self, name: str, say: Callable[[], object]) -> None:
        """Something is wrong with the handler of this job or function, which `say` says."""
        self._found[name] = say

    def tell(self, broken: Callable[[], Collection[str]] | None = None) -> None:
        """Say what there is to say, once it is known which handlers cannot be loaded.

        Args:
            broken: tells them, from now on.
        """
        self._broken = broken or self._broken
        if self._broken is None:
            return
        found, self._found = self._found, {}
        known = self._broken()
        for name, say in found.items():
            if name not in known:
                say()
