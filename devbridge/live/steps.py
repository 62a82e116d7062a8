"""What is said of a deployment's steps while it goes on.

A terminal shows how far it is in its last line (`devbridge.progress`), so what stays there is
short: what is warned of and waited for, what fails, and a summary. Elsewhere each step is a line.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal

from devbridge.deploy import Progress
from devbridge.deploy.changes import Change
from devbridge.deploy.plan import Plan
from devbridge.live.left_out import LeftOut
from devbridge.palette import Style
from devbridge.words import few
from runner.outcome import duration

Kept = Literal["all", "summary", "nothing"]
"""What stays of steps that went well: each, one line for all of a kind, or nothing."""

_DONE: Final[Mapping[str, str]] = {
    "CREATE_COMPLETE": "created",
    "IMPORT_COMPLETE": "created",
    "UPDATE_COMPLETE": "updated",
    "DELETE_COMPLETE": "deleted",
    "DELETE_SKIPPED": "kept",
}
_NAMED: Final = re.compile(r"\S+ '([^']+)'(?:, [^']+)?")
_ORDER: Final = ("created", "updated", "replaced", "deleted", "kept")


class Steps:
    """Says them (`devbridge.deploy.access.OnProgress`).

    Args:
        say: takes a line; what it quotes may have more.
        warn: takes a line that is a warning; by default `say`.
        left: knows what was left out before, which is not said again; None: it is.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        style: Style,
        kept: Kept,
        *,
        warn: Callable[[str], None] | None = None,
        left: LeftOut | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._warn = warn or say
        self._style = style
        self._kept = kept
        self._left = left
        self._clock = clock
        self._uploads: list[Progress] = []
        self._settled: dict[str, str] = {}
        """What became of a resource, by its logical id."""
        self._began = clock()
        """When the stack began to change."""

    def __call__(self, step: Progress) -> None:
        """A step was done."""
        if step.failed:
            self._say(self._style.bad(f"  {step}"))
        elif step.step == "left":
            if self._left is None or self._left.is_new(step.text):
                self._warn(f"  {step}")
        elif step.step == "warning":
            self._warn(f"  {step}")
        elif self._kept == "all":
            self._say(f"  {step}")
        elif step.step == "upload":
            self._uploads.append(step)
        elif step.step == "resource":
            self._settle(step)
        else:
            self._plan(step)

    def _plan(self, step: Progress) -> None:
        self._say_uploads()
        self._began = self._clock()
        if step.step != "plan" or self._kept == "summary":
            self._say(f"  {step}")

    def _settle(self, step: Progress) -> None:
        word, before = _DONE.get(step.status), self._settled.get(step.logical_id)
        if word is not None:
            again = word == "deleted" and before in ("created", "updated")
            self._settled[step.logical_id] = "replaced" if again else word

    def end(self) -> None:
        """All has gone well: say what was done, as far as it was not said."""
        self._say_uploads()
        if self._settled and self._kept == "summary":
            took = self._clock() - self._began
            self._say(f"  {counted(self._settled.values())} in {duration(took)}")
        self._settled.clear()
        if self._left is not None:
            self._left.keep()

    def after(self, agree: Callable[[Plan], None]) -> Callable[[Plan], None]:
        """The same as `agree`; what takes time until somebody has agreed does not count."""

        def approve(plan: Plan) -> None:
            agree(plan)
            self._began = self._clock()

        return approve

    def _say_uploads(self) -> None:
        uploads, self._uploads = self._uploads, []
        if not uploads or self._kept != "summary":
            return
        if len(uploads) == 1:
            self._say(f"  {uploads[0]}")
        else:
            size = sum(each.size for each in uploads)
            self._say(f"  {Progress('upload', f'{len(uploads)} zips, {size:,} bytes')}")


def counted(words: Iterable[str]) -> str:
    """``16 created, 2 updated``"""
    found = list(words)
    return ", ".join(f"{found.count(word)} {word}" for word in _ORDER if word in found)


def deployed(word: str, changes: Sequence[Change], took: float) -> str:
    """A deployment in one sentence: what has other code or options than before; or, if something
    has come or gone, how many of which kind.

    Args:
        word: ``Deployed``, as it looks.
        took: seconds.
    """
    if all(change.action == "change" for change in changes):
        own = {change.label for change in changes if change.properties and not change.iam}
        named = few(sorted({_name(label) for label in own}))
        return f"{word}{f' {named}' * bool(named)} in {took:.1f}s."
    words = {"add": "created", "change": "updated", "replace": "replaced", "remove": "deleted"}
    return f"{word} in {took:.1f}s: {counted(words[change.action] for change in changes)}."


def _name(label: str) -> str:
    """``api-start`` of Function 'api-start', and of its deployed code."""
    found = _NAMED.fullmatch(label)
    return found[1] if found else label
