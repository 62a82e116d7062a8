"""What state a deployed run is in, from all that is known of it. Pure.

Four may have a word: who has cancelled it (`End`), its runner (`Told`), its provider (`Look`), and
the time. No run is left RUNNING that is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from devbridge.runs.base import RunRecord
from devbridge.runs.model import Exit, State
from devbridge.runs.providers.base import INTERRUPTED, Look
from devbridge.runs.records import MAX_RESTARTS, End, Log, Told
from runner.claims import Claim, Place
from runner.outcome import Failure

FORGOTTEN: Final = 60.0
"""Seconds within which a provider need not know yet what it has started."""
_FORGOTTEN: Final = Failure(
    "Forgotten", "the provider has forgotten it, and the run has not told how it ended"
)
_SILENT: Final = Failure("Silent", "nothing was heard of it for longer than it can take")
_UNTOLD: Final = Failure("Exited", "the runner has ended without telling how the run did")
_GONE: Final = Failure("HostTerminated", "the machine was taken away")
_ORDER: Final[Mapping[State, int]] = {State.QUEUED: 0, State.STARTING: 1, State.RUNNING: 2}


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of a run."""

    run_id: str
    job: str
    claim: Claim
    place: Place | None = None
    end: End | None = None
    told: Told | None = None
    look: Look | None = None
    """What its provider says; None: it has forgotten it, or was not asked."""
    asked: bool = False
    """The provider was asked."""
    container: bool = False
    """It has no runner that could tell anything."""

    @property
    def uuid(self) -> str:
        """What it is called among the runs of its job."""
        return self.run_id.rpartition(":")[2]

    @property
    def is_older(self) -> bool:
        """An earlier version of devbridge has started it in CodeBuild, and S3 has nothing of it."""
        return self.place is not None and self.place.id == self.run_id

    def goes_on(self, hop: int | None) -> bool:
        """Whether a later hop than this one runs it now, or is to begin."""
        told = self.told
        return hop is not None and told is not None and not told.state.final and hop < told.hop

    @property
    def over(self) -> bool:
        """Nobody need ask the provider how it has ended."""
        return self.end is not None or (self.told is not None and self.told.state.final)


@dataclass(frozen=True, slots=True)
class Decided:
    """What has become of a run."""

    record: RunRecord
    result_at: str = ""
    """The key of the result in the asset bucket, if it is not here."""
    error_at: str = ""
    """The key of the error in the asset bucket, if its message is not here."""
    logs: tuple[Log, ...] = ()
    restart: bool = False
    """Its machine has gone: somebody is to start it again."""


@dataclass(frozen=True, slots=True)
class _End:
    """How it has ended, or that it has not."""

    state: State
    failure: Failure | None = None
    ended_at: float | None = None
    result: bytes | None = None
    result_at: str = ""
    error_at: str = ""
    restart: bool = False


def decide(known: Known, now: float) -> Decided:
    """What has become of a run. `now`: seconds since the epoch."""
    end = _end(known, now)
    told, look, final = known.told, known.look, end.state.final
    logs = _logs(known)
    started = _first(
        told.started_at if told else None,
        known.end.started_at if known.end else None,
        look.started_at if look and end.state not in (State.QUEUED, State.STARTING) else None,
    )
    code = look.exit_code if look and final and known.container else None
    record = RunRecord(
        job_id=known.run_id,
        job=known.job,
        state=end.state,
        created_at=known.claim.created_at,
        started_at=started,
        ended_at=_first(end.ended_at, now) if final else None,
        attempt=_attempt(known, final),
        max_attempts=known.claim.attempts,
        exit=None if code is None else Exit(code=code),
        result=end.result,
        failure=end.failure,
        log="/".join(logs[-1]) if logs else "",
        closed=final,
        given=(known.claim.payload or "").encode("utf-8", "surrogatepass"),
        cancelled=end.state is State.CANCELLED,
        interruptions=told.interruptions if told else 0,
    )
    return Decided(record, end.result_at, end.error_at, logs, end.restart)


def _end(known: Known, now: float) -> _End:
    end, told, look = known.end, known.told, known.look
    if end is not None and not _ended_before(known, end):
        result = b"null" if end.state is State.SUCCEEDED else None
        return _End(end.state, end.failure, end.at, result)
    if told is not None and told.state.final:
        return _of_told(told)
    if known.place is None:
        return _End(State.QUEUED)
    if look is None:
        gone = known.asked and now - known.place.at > FORGOTTEN
        lives = told.state if told else State.QUEUED
        return _End(State.CRASHED, _FORGOTTEN) if gone else _End(lives)
    return _of_look(known, look) if look.state.final else _going_on(known, look, now)


def _ended_before(known: Known, end: End) -> bool:
    """Whether a run had ended by itself before somebody wrote an end for it."""
    told, look = known.told, known.look
    if told is not None and told.state.final:
        return told.written_at < end.written_at
    return look is not None and look.told and (look.ended_at or end.at) < end.at


def _of_told(told: Told) -> _End:
    result = told.result
    if told.state is State.SUCCEEDED and result is None and not told.result_at:
        result = b"null"
    return _End(told.state, told.failure, told.ended_at, result, told.result_at)


def _going_on(known: Known, look: Look, now: float) -> _End:
    """The state of a run whose provider does not say that it has ended."""
    told, place = known.told, known.place
    heard = max(told.written_at if told else 0.0, place.at if place else 0.0)
    runs = told is not None and told.state is not State.QUEUED and not told.handed
    silence = look.at_most if runs and look.at_most else look.silence
    if silence and now - heard > silence:
        return _End(State.CRASHED, _SILENT)
    states = [look.state, *([told.state] if told else [])]
    return _End(max(states, key=_ORDER.__getitem__))


def _of_look(known: Known, look: Look) -> _End:
    """The state of a run whose provider says that it has ended, and which has not told it."""
    place = known.place
    if look.told or (known.container and look.state is not State.SUCCEEDED):
        ends = _End(
            look.state, look.failure, look.ended_at, look.result, look.result_at, look.error_at
        )
    elif known.container:
        return _End(State.SUCCEEDED, None, look.ended_at, b"null")
    elif look.exit_code == INTERRUPTED and look.state is State.FAILED:
        ends = _End(State.CRASHED, _GONE, look.ended_at)
    elif look.state in (State.SUCCEEDED, State.FAILED):
        code = look.exit_code
        text = f"{_UNTOLD.message} (exit code {code})" if code else _UNTOLD.message
        ends = _End(State.CRASHED, replace(_UNTOLD, message=text), look.ended_at)
    else:
        ends = _End(look.state, look.failure, look.ended_at)
    # What a command means by an exit code is its own affair; the runner's is known.
    handed_back = look.exit_code == INTERRUPTED and not known.container
    gone = look.infrastructure or (handed_back and ends.state is State.CRASHED)
    if not gone or place is None:
        return ends
    if place.restarts < MAX_RESTARTS:
        return _End(known.told.state if known.told else State.QUEUED, restart=True)
    why = ends.failure.message if ends.failure else "the machine has gone"
    text = f"{why}, and {MAX_RESTARTS} before it"
    return replace(ends, state=State.CRASHED, failure=Failure("HostTerminated", text))


def _attempt(known: Known, final: bool) -> int:
    """The number of the last attempt, 0 if nobody knows it."""
    if known.look is not None and known.look.attempt is not None:
        return known.look.attempt
    if known.told is not None:
        return known.told.attempt
    return 0 if final and known.claim.attempts > 1 else 1


def _logs(known: Known) -> tuple[Log, ...]:
    """Where its output is, the first machine's first."""
    found: list[Log] = []
    for words in (known.told, known.end):
        found += [log for log in words.logs if log not in found] if words else []
    streams = {stream for _, stream in found}
    if known.look is not None:
        found += [log for log in known.look.logs if log[1] not in streams]
    return tuple(found)


def _first(*times: float | None) -> float | None:
    return next((each for each in times if each is not None), None)
