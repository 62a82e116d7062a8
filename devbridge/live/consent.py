"""What `devbridge dev` deploys by itself, and what it asks about before: data that would go."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from typing import Final

from devbridge import names
from devbridge.cloud.session import Cloud
from devbridge.config import Config
from devbridge.constructs import App
from devbridge.deploy import stage_mode
from devbridge.deploy.changes import Change
from devbridge.deploy.contents import lost
from devbridge.deploy.plan import Plan
from devbridge.errors import DevbridgeError
from devbridge.live.voice import Voice

Losses = tuple[tuple[str, str], ...]
"""Construct and what is lost with it."""

_CAUSES: Final = (
    "was it renamed or commented out? Put the line back into app.py; or, if you mean it, {how}"
)


def ask_first(app: App, cloud: Cloud, config: Config, voice: Voice, *, yes: bool) -> None:
    """Ask before a deployed stage becomes one of `devbridge dev`.

    Raises:
        NotConfirmed: the stage is a deployed one, and there is no terminal to ask on.
    """
    if stage_mode(cloud, app.name, config.stage) == "deployed" and not yes:
        voice(
            f"stage {config.stage} is a deployed one: its jobs and functions run in the cloud. dev"
            " would run\nthem here; and what is kept when the stage is removed would be deleted"
            " then, as on any stage of dev"
        )
        voice.confirm("run them on this machine?", "devbridge dev takes over a deployed stage")


class Undecided(DevbridgeError):
    """The deployment would take data away, and nobody has agreed to that yet."""


class Consent:
    """Asks at the start; later, while runs go on, it waits for an answer, or for another save.

    Args:
        yes: agree to everything.
    """

    def __init__(self, cloud: Cloud, voice: Voice, *, yes: bool) -> None:
        self._cloud = cloud
        self._yes = yes
        self._voice = voice
        self.running = False
        """Whether the stage is up, so that nothing may wait for an answer."""
        self.open: Losses = ()
        """What was asked last, and is not answered."""
        self._agreed: set[Losses] = set()
        self._told: Losses = ()
        self._listening = False

    def approve(self, plan: Plan) -> None:
        """Return if the plan may be carried out.

        Raises:
            NotConfirmed: at the start, and there is no terminal to ask on.
            click.exceptions.Exit: at the start, and the answer is no.
            Undecided: later; `open` says what waits for an answer.
        """
        losses = self._losses(plan)
        self.open = () if self._yes or losses in self._agreed else losses
        if self.running and self.open and self.open == self._told:
            raise Undecided("the deployment still waits")
        self._told = self.open
        for line in taken_away(plan, dict(losses)):
            self._voice(line)
        if not self.open:
            return
        named = ", ".join(f"{label} and {what}" for label, what in losses)
        if not self.running:
            self._voice.confirm(f"delete {named}?", f"the deployment deletes {named}")
            return
        how = "press y and Enter" if _listens() else "start devbridge dev again with --yes"
        self._voice(f"nothing was deployed, because that would delete {named}:")
        self._voice(_CAUSES.format(how=how))
        raise Undecided("the deployment waits")

    def settled(self) -> None:
        """The stage is as app.py says: nothing is open, and what was agreed to is over."""
        self.open = self._told = ()
        self._agreed.clear()

    def answer(self, text: str) -> bool:
        """Take a line that was typed; whether it agrees to what is open."""
        if not self.open or text.strip().lower() not in ("y", "yes"):
            return False
        self._agreed.add(self.open)
        return True

    def listen(self, agreed: Callable[[], None]) -> None:
        """Call `agreed` when a line agrees to what is open; in the event loop's thread."""
        if self._listening or not _listens():
            return
        loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()

        def readable() -> None:
            text = _typed()
            if yes := self.answer(text):
                agreed()
            elif text.strip() and self.open:
                self._voice("nothing was deleted, and nothing will be deployed until you decide")
            if yes or not text:
                loop.remove_reader(stdin)
                self._listening = False

        loop.add_reader(stdin, readable)
        self._listening = True

    def _losses(self, plan: Plan) -> Losses:
        found = ((change.label, lost(self._cloud, change)) for change in plan.dangerous)
        return tuple((label, what) for label, what in found if what)


def taken_away(plan: Plan, losses: dict[str, str]) -> Iterator[str]:
    """The plan's lines that no progress tells: what is removed or replaced."""
    if plan.creates:
        return
    for change in plan.changes:
        if change.action in ("remove", "replace") and not change.iam and _is_shown(change):
            what = "removed" if change.kept else "deleted"
            if change.action == "replace":
                what = f"replaced: {change.reason}"
            lost = losses.get(change.label) if change.data else None
            kept = ", and kept outside of the app" if change.kept else ""
            mark = "-" if change.action == "remove" else "!"
            more = f" and its {lost.removeprefix('its ')}" if lost else ""
            yield f"{mark} {change.label}{more}: {what}{kept}  ({change.type})"


def _is_shown(change: Change) -> bool:
    return change.type != names.STAMP


def _listens() -> bool:
    """Whether what is typed comes to this process, and not to a shell in front of it."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (AttributeError, OSError, ValueError):  # no terminal, or not even a stdin
        return False


def _typed() -> str:
    """The line that was typed, when there is one; empty if it is not for this process."""
    if not _listens():
        return ""
    return os.read(sys.stdin.fileno(), 4096).decode(errors="replace")
