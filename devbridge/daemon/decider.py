"""Events and requests go in; effects and answers come out once all of it is in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from devbridge.daemon.dispatch import Dispatcher
from devbridge.daemon.events import Effect, Event, Record, Requested, Unentered
from devbridge.daemon.keeper import Keeper
from devbridge.daemon.supervisor import Supervisor
from devbridge.daemon.weather import Answered, Weather, without
from devbridge.protocol import codec
from devbridge.protocol.messages import Run
from devbridge.protocol.session import Deliver
from runner.triggered import let_go


@dataclass(frozen=True, slots=True)
class Entered:
    """A run that was asked for from here. `asked` is None if the ledger could not take it."""

    job_id: str
    asked: Requested | None


class Decider:
    """Asks the supervisor, and commits what it has decided.

    Args:
        look: finds out, before jobs are run, what their workers have read and is another now.
    """

    def __init__(
        self,
        ledger: Keeper,
        dispatcher: Dispatcher,
        supervisor: Supervisor,
        weather: Weather,
        look: Callable[[Collection[str]], list[Event]],
    ) -> None:
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._supervisor = supervisor
        self._weather = weather
        self._look = look

    def decide(
        self, events: Sequence[Event], requests: Sequence[Deliver], now: float
    ) -> tuple[Sequence[Effect], Answered]:
        """What to do, and what to answer, in order. Runs that could not be entered are refused or
        held: neither their effects nor their answers are among these.

        Args:
            now: seconds since the epoch.

        Raises:
            LedgerError: what was asked for could not even be looked up; nothing was decided.
        """
        if not requests:
            effects = self._supervisor.handle([*self._freshened(events), *events], now)
            self._commit(effects)
            return effects, []
        with self._ledger.transaction() as written:
            taken = [self._dispatcher.take(deliver.message, now) for deliver in requests]
            asked = [event for one in taken for event in one.events]
            fresh = self._freshened([*events, *asked])
            effects = self._supervisor.handle([*fresh, *events, *asked], now)
            self._record(effects)
            replies = list(zip(requests, [one.reply() for one in taken], strict=True))
        if not written.refused:
            return effects, replies
        instead = self._supervisor.handle([Unentered(written.refused)], now)
        self._commit(instead)
        left = [*without(written.refused, effects), *instead]
        return left, self._weather.refuse(written.refused, replies, now)

    def enter(self, job: str, payload: bytes, now: float) -> Entered:
        """Enter a run of a job with a payload, which is JSON."""
        run = Run(
            request_id=codec.new_id(),
            stub_id="",
            sent_at=now,
            job=job,
            job_id=codec.new_id(),
            payload=let_go(payload),
        )
        with self._ledger.transaction() as written:
            self._dispatcher.enter(run, now)
        return Entered(run.job_id, None if written.refused else Requested(run.job_id, job))

    def _commit(self, effects: Iterable[Effect]) -> None:
        if any(isinstance(effect, Record) for effect in effects):
            with self._ledger.transaction():
                self._record(effects)

    def _record(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Record):
                self._ledger.record(effect.change)

    def _freshened(self, events: Iterable[Event]) -> list[Event]:
        jobs = {event.job for event in events if isinstance(event, Requested)}
        return self._look(jobs) if jobs else []
