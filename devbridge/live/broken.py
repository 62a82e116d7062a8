"""What `devbridge dev` says of functions that cannot be packed."""

from __future__ import annotations

from devbridge.constructs import Function
from devbridge.errors import DevbridgeError
from devbridge.live.voice import Voice


class Broken:
    """The functions that the last deployment could not pack. Each error is said once."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._now: dict[str, str] = {}
        self._before: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._now)

    def begin(self) -> None:
        """A deployment begins."""
        self._before, self._now = self._now, {}

    def __call__(self, function: Function, error: DevbridgeError, stays: bool) -> None:
        """This function cannot be packed; `stays`: what is deployed of it goes on."""
        self._now[function.name] = str(error)
        if self._before.get(function.name) != str(error):
            word = self._voice.style.bad("Error")
            then = "the deployed version stays" if stays else "calls are answered with this error"
            self._voice(f"{word}  {error}\n  until it is fixed: {then} ({function})")
