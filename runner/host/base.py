"""The door to the place that a run is in: what it knows, what it may do, whom it tells."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from runner.attempt import Inbox
from runner.host.told import Told
from runner.outcome import End


@dataclass(frozen=True)
class Window:
    """The time that an attempt has here."""

    timeout: float
    """Seconds that the handler may take."""
    stop_at: float | None = None
    """Seconds since the epoch after which its next checkpoint is the last here."""
    cut: bool = False
    """The timeout is not the job's own: the place has no more."""


@dataclass(frozen=True)
class Pause:
    """What is between two attempts."""

    seconds: float
    here: bool = True
    """The next attempt is here, too; if not, the run is handed over then."""


class Host(Protocol):
    """A place that runs one run, or a part of it."""

    root: str
    """The app's folder."""
    packages: str
    """The folder with what the job has of others, if that is not in the app's; else ""."""
    arn: str
    """What the handler's context calls the function's."""
    grace: float
    """Seconds between SIGTERM and SIGKILL."""
    interruptible: bool
    """Whether an attempt that SIGTERM ends goes on elsewhere. It is a cancellation if not."""
    cancelled: bool
    """Whether somebody has cancelled the run, where that is no signal."""

    def variables(self) -> Mapping[str, str]:
        """The worker's own variables: where its log is."""
        ...

    def logs(self) -> tuple[str, str] | None:
        """The group and the stream of what is printed here, as far as it is known."""
        ...

    def earlier(self) -> Told | None:
        """What was told of the run by an earlier machine.

        Raises:
            AwsError: it cannot be read.
        """
        ...

    def window(self, timeout: float, spent: float) -> Window:
        """The time that an attempt has which begins now.

        Args:
            timeout: the job's own, in seconds.
            spent: seconds of it that the attempt has had on other machines.
        """
        ...

    def pause(self, timeout: float, delay: float) -> Pause:
        """How another attempt comes about that is to begin after `delay` seconds."""
        ...

    def tell(self, told: Told) -> None:
        """Tell whoever asks for the run.

        Raises:
            AwsError: it cannot be told.
        """
        ...

    def hand_over(self, told: Told, *, progress: bool | None) -> End | None:
        """Have the run go on elsewhere; or say how it ends, because it must not.

        Args:
            progress: whether it has come further here; None where that cannot be asked.

        Raises:
            AwsError: it cannot be told.
        """
        ...


class WatchedHost(Host, Protocol):
    """A place of many runs, one after the other, in one process."""

    def watched(self, inbox: Inbox) -> AbstractContextManager[None]:
        """While this lasts, the run is stopped when it is to stop."""
        ...
