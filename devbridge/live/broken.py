"""What `devbridge dev` says of functions that cannot be packed."""

from __future__ import annotations

from functools import partial

from devbridge.constructs import Function
from devbridge.errors import DevbridgeError
from devbridge.live.unloaded import Unloaded
from devbridge.live.voice import Voice


class Broken:
    """The functions that the last deployment could not pack. Each error is said once; of a live
    function, where its workers do not say it."""

    def __init__(self, voice: Voice, unloaded: Unloaded) -> None:
        self._voice = voice
        self._unloaded = unloaded
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
            what = f"{word}  {error}\n  until it is fixed: {then} ({function})"
            if function.live:
                self._unloaded(function.name, partial(self._voice, what))
            else:
                self._voice(what)
