"""How long who calls a live function waits for a sign of life. Pure.

On AWS a daemon that does not answer sleeps: its laptop is shut. On the embedded cloud both are on
one machine and sleep together: there it is busy, and its answer late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from devbridge.transport.base import Endpoint


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds."""

    taken: float
    """For the daemon to take a call."""
    stale: float
    """That a call may have waited on its way to the daemon, which must not begin what its caller
    is about to give up."""
    dead: float
    """Without a sign of life, after which a connection that was kept is taken for dead. The daemon
    says at once that it has taken a call."""
    remembered: float
    """For which nobody is asked again, once nobody has taken a call, unless somebody speaks."""


FAR: Final = Patience(taken=2.0, stale=1.5, dead=0.6, remembered=30.0)
NEAR: Final = Patience(taken=10.0, stale=8.0, dead=4.0, remembered=0.0)


def patience_for(endpoint: Endpoint) -> Patience:
    """With AWS's broker, or with the embedded cloud's."""
    return FAR if endpoint.dial is None else NEAR
