"""What `devbridge dev` says of functions that cannot be packed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from devbridge.palette import Style

if TYPE_CHECKING:
    from devbridge.constructs import Function
    from devbridge.errors import DevbridgeError


class Broken:
    """The functions that the last deployment could not pack. Each error is said once."""

    def __init__(self, say: Callable[[str], None], *, colour: bool = False) -> None:
        self.say = say
        self._word = Style(colour).bad("Error")
        self._now: dict[str, str] = {}
        self._before: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._now)

    def begin(self) -> None:
        """A deployment begins."""
        self._before, self._now = self._now, {}

    def __call__(self, function: Function, error: DevbridgeError, stays: bool) -> None:
        self._now[function.name] = str(error)
        if self._before.get(function.name) != str(error):
            then = "what is deployed of it stays" if stays else "calls are answered with this error"
            self.say(f"{self._word}  {error}\n  until it is mended: {then} ({function})")
