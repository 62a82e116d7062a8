"""Starts the runs of a deployed job, ends them, and goes on with them when AWS tells of an end.

In this order, so that whoever dies in between leaves something that the next one can go on with:
the payload, the claim, the list; a turn, where there are turns; the provider; the place. A run is
cancelled by its end in S3 first: who starts it looks for one afterwards.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace
from typing import Final

from devbridge.errors import CloudError, PayloadTooLarge
from devbridge.protocol.codec import job_id as key_id
from devbridge.runs.deciding import FORGOTTEN, Decided, Known, decide
from devbridge.runs.giving_up import GiveUp, keep
from devbridge.runs.model import State
from devbridge.runs.providers.base import Asked, Ended, Look, NoRoom, Provider
from devbridge.runs.providers.known import holds
from devbridge.runs.reading import Reader
from devbridge.runs.records import End, told
from devbridge.runs.refusals import Steps, refused, spared
from devbridge.runs.turns import Turns
from runner.claims import Claim, Place
from runner.outcome import MAX_INLINE, Failure

DEAD: Final = 15.0
"""Seconds after which an invoker that has not placed its run never will: it may take 10."""
_LOOKED_AT: Final = 50
"""So many of those who hold a turn are looked at by one call, whose caller waits."""


class Starter:
    """Starts and ends the runs of one job."""

    def __init__(
        self,
        reader: Reader,
        provider: Provider,
        turns: Turns | None = None,
        *,
        give_up: GiveUp = keep,
        now: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            provider: what runs them now.
            turns: whose turn it is, if only so many may run at the same time.
            give_up: is told of a run that has ended, before that is written.
            now: seconds since the epoch.
        """
        self.reader = reader
        self._kept = reader.kept
        self._deployment = reader.deployment
        self._provider = provider
        self._turns = turns
        self._give_up = give_up
        self._now = now

    # --- a run begins -----------------------------------------------------------------------------

    def start(self, payload: bytes, *, key: str, checkpoint: bytes | None) -> tuple[str, bool]:
        """Start the run that a key names, unless it was.

        Returns:
            Its uuid, and whether it was started now.

        Raises:
            PayloadTooLarge: a container job takes 8 KiB.
            CloudError: what was asked for cannot be read.
            NoRoom, ClientError, BotoCoreError: it could not be started.
        """
        of = self._deployment
        uuid = key_id(of.app, of.stage, of.job, key)
        claim, new = self._kept.claim(uuid), False
        for _ in range(2):  # it may have been forgotten between two steps
            if claim is not None:
                break
            mine = self._claim(uuid, payload)
            if checkpoint is not None:
                self._kept.put_checkpoint(uuid, checkpoint)
            new = self._kept.make_claim(uuid, mine)
            claim = mine if new else self._kept.claim(uuid)
        if claim is None:
            at = f"s3://{self._kept.bucket}/{self._kept.places.claim(uuid)}"
            raise CloudError("what was asked for is there, and cannot be read", where=at)
        if new:
            self._begin(uuid, claim, self._first)
        elif self._kept.place(uuid) is None and self._kept.end(uuid) is None:
            self._mend_start(uuid, claim, at_once=self._provider.repeatable)
        return uuid, new

    def _claim(self, uuid: str, payload: bytes) -> Claim:
        of, now = self._deployment, self._now()
        # A lone surrogate, which JSON allows, is no text for AWS; escaped, it is the same JSON.
        payload = payload.decode("utf-8", "surrogatepass").encode("utf-8", "backslashreplace")
        small = len(payload) <= MAX_INLINE
        if (of.inline or of.container) and small and holds(of.compute, payload.decode()):
            return Claim(now, of.attempts, of.compute, payload=payload.decode())
        if of.container:
            takes = "less, where it runs" if small else f"{MAX_INLINE:,}"
            raise PayloadTooLarge(
                f"the payload has {len(payload):,} bytes; a container job takes {takes}",
                where=f"job {of.job!r}",
                remedy="put it in S3 and send the key",
            )
        at = self._kept.put_payload(uuid, payload)
        return Claim(now, of.attempts, of.compute, payload_at=at)

    def _begin(self, uuid: str, claim: Claim, start: Callable[[str, Claim], None]) -> None:
        """Put a run that was claimed into the list, and start it or let it wait for its turn."""
        self._kept.list(uuid, claim.created_at)
        if self._turns is None:
            start(uuid, claim)
            return
        got = self._turns.enter(uuid, claim.created_at)
        holder = None if got else self._turns.holds(uuid)
        own = Steps()
        if uuid in got or (holder is not None and self._is_dead(holder.since)):
            with own.one():
                start(uuid, claim)
        # Others have got a turn by that, whatever has become of this one.
        with spared():
            self._go(other for other in got if other != uuid)
        # If nobody has got a turn, it may be because somebody has one who does not need it.
        with spared():
            self._mend_turns(unplaced=bool(got) or holder is not None)
        own.done()

    def _first(self, uuid: str, claim: Claim) -> None:
        """Start a run for who has just claimed it: if it is refused, nothing of it is left. Nobody
        else may do that: somebody was told that the run is there."""
        try:
            self._place(uuid, claim, None)
        except Exception as error:
            if isinstance(error, NoRoom) or refused(error):
                if not self._kept.forget(uuid, claim):
                    self._never(uuid, error)
                with spared():
                    self._next(uuid, claim.created_at)
            raise

    def _place(self, uuid: str, claim: Claim, before: Place | None) -> bool:
        """Have the provider start a run, and note where; again, if it ran `before`. False: somebody
        else does that now."""
        own, given = self._deployment, told(claim, container=self._deployment.container)
        restarts = before.restarts + 1 if before else 0
        asked = Asked(own.run_id(uuid), uuid, given, restarts)
        once = self._kept.alone(uuid, restarts, self._now() - DEAD)
        with nullcontext(True) if self._provider.repeatable else once as alone:
            if not alone:
                return False
            found = self._provider.start(asked)
        earlier = (*before.earlier, before.id) if before else ()
        place = Place(found, self._provider.name, self._now(), restarts, earlier)
        self._kept.put_place(uuid, place)
        if self._turns is not None:
            self._turns.placed(uuid)
        if self._kept.end(uuid) is not None:  # it was cancelled meanwhile
            self._provider.stop(found)
        return True

    def _never(self, uuid: str, error: Exception) -> None:
        """A run was refused."""
        failure = Failure("NotStarted", f"it could not be started: {error}")
        self._kept.make_end(uuid, End(State.CRASHED, self._now(), failure))

    def _go(self, uuids: Iterable[str]) -> None:
        """Start runs that have got their turn, and if one of them is over, the next.

        Raises:
            NoRoom, ClientError, BotoCoreError: one cannot be started now; the others are.
        """
        waiting, steps = list(uuids), Steps()
        while waiting:
            uuid = waiting.pop(0)
            with steps.one():
                known = self.reader.placed(uuid)
                if known is not None and self._goes(known):
                    continue
                if self._turns is not None:
                    self._turns.leave(uuid, known.claim.created_at if known else 0.0)
                    waiting += self._turns.hand_on()
        steps.done()

    def _goes(self, known: Known) -> bool:
        """Start a run that has got its turn; whether it needs it."""
        place = known.place
        if place is not None or known.end is not None:  # somebody else has started it, or ended it
            final = self._decided(known).record.state.final
            return not final or (place is not None and not self._stopped(known, place))
        try:
            self._place(known.uuid, known.claim, None)
        except Exception as error:
            if not refused(error):
                raise
            self._never(known.uuid, error)
            return False
        return True

    # --- a run ends -------------------------------------------------------------------------------

    def cancel(self, known: Known) -> None:
        """Cancel a run that has not ended, or whose cancellation has not reached its provider.

        Raises:
            ClientError, BotoCoreError: the provider could not be told.
        """
        uuid, look = known.uuid, known.look
        if known.end is None and not known.is_older:
            started = known.told.started_at if known.told else look and look.started_at
            logs = look.logs if look else ()
            end = End(State.CANCELLED, self._now(), started_at=started or None, logs=logs)
            self._kept.make_end(uuid, end)
        # Who places it after this looks for an end.
        place = self._kept.place(uuid) or known.place
        over = True
        if place is not None:
            over = self._stopped(known, place)
        elif self._turns is not None and (holder := self._turns.holds(uuid)) is not None:
            # Who starts it stops it, too; if that one has died, nobody knows what runs.
            over = self._is_dead(holder.since) and self._stopped_unplaced(known)
        elif self._turns is None and self._is_dead(known.claim.created_at):
            self._stopped_unplaced(known)
        # Else it has its turn until its process has ended, which AWS tells.
        if over:
            with spared():
                self._next(uuid, known.claim.created_at)

    def _stopped_unplaced(self, known: Known) -> bool:
        """Stop a run that may have been started, and nobody could note where: whoever starts it
        again is told. Whether nothing of it runs."""
        try:
            self._place(known.uuid, known.claim, None)
        except Exception as error:
            if not isinstance(error, NoRoom) and not refused(error):
                raise
            return True
        place = self._kept.place(known.uuid)
        return place is not None and self._is_over(known, place, self.reader.look(place))

    def _stopped(self, known: Known, place: Place) -> bool:
        """Stop what runs a run, unless nothing does any more; whether that is so."""
        with self.reader.if_allowed(place.compute):
            if not self._is_over(known, place, self.reader.look(place)):
                self.reader.provider(place.compute).stop(place.id)
                return False
        return True  # nobody can stop it from here, if it was not over

    def _is_over(self, known: Known, place: Place, look: Look | None) -> bool:
        """Whether nothing of a run that was ended runs any more, as far as can be known."""
        if look is None:  # a provider need not know at once what it has started
            return self._now() - place.at >= FORGOTTEN
        if look.state.final or not look.silence:
            return look.state.final
        by_itself = replace(known, place=place, end=None, look=look)
        return self._decided(by_itself).record.state.final

    def happened(self, ended: Ended) -> str:
        """Something has ended: write how, start it again, hand its turn on; in words, what was
        done. It may come twice, and late.

        Raises:
            NoRoom, ClientError, BotoCoreError: it is to be told again.
        """
        uuid = ended.uuid
        known = self.reader.placed(uuid)
        if known is None:
            return "it is no run of this job"
        place = known.place
        if ended.place and place is not None and place.id != ended.place:
            self._mend_turns(unplaced=True)
            return "it is not what runs it now"
        if place is None:  # who has started it has died before it could note where
            place = Place(ended.place, self._provider.name, self._now())
            self._kept.put_place(uuid, place)
            known = self.reader.placed(uuid) or known
        known = self._seen(known, place, ended.look)
        if known.goes_on(ended.hop):
            self._mend_turns(unplaced=True)
            return "it is not what runs it now"
        decided = self._decided(known)
        if decided.restart:
            if not self._place(uuid, known.claim, place):
                raise NoRoom("somebody else starts it again now")
            return f"restart {place.restarts + 1}"
        record = decided.record
        if not record.state.final:
            return "it goes on"
        self._give_up(known, decided)
        self._keep_end(known, decided)
        self._next(uuid, known.claim.created_at)
        return f"it is {record.state}"

    def _seen(self, known: Known, place: Place, look: Look | None) -> Known:
        """With what its provider says, or has said in an event."""
        if look is None:
            look = self.reader.look(place)
        return self.reader.with_look(known, place, look)

    def _keep_end(self, known: Known, decided: Decided) -> None:
        """Write the end of a run that nothing else will tell."""
        if known.over or (known.look is not None and known.look.told):
            return
        record = decided.record
        ended = record.ended_at or self._now()
        end = End(record.state, ended, record.failure, record.started_at, decided.logs)
        self._kept.make_end(known.uuid, end)

    def _next(self, uuid: str, created_at: float) -> None:
        """A run is over: whose turn is it now?"""
        if self._turns is None:
            return
        self._turns.leave(uuid, created_at)
        self._go(self._turns.hand_on())
        self._mend_turns(unplaced=True)

    # --- what others have left behind -------------------------------------------------------------

    def mend(self, known: Known) -> bool:
        """Go on with a run whose start or restart was left undone; whether anything was."""
        uuid = known.uuid
        decided = self._decided(known)
        if decided.restart and known.place is not None:
            self._place(uuid, known.claim, known.place)
            return True
        done = False
        if known.place is None and known.end is None:
            with spared():
                done = self._mend_start(uuid, known.claim, at_once=False)
        return done

    def _mend_start(self, uuid: str, claim: Claim, *, at_once: bool) -> bool:
        if not at_once and not self._is_dead(claim.created_at):
            return False
        self._begin(uuid, claim, lambda uuid, _: self._go([uuid]))
        return True

    def _mend_turns(self, *, unplaced: bool = False) -> None:
        """Look whether those who hold a turn still need it, or only whether those do that have not
        been started yet.

        Raises:
            NoRoom, ClientError, BotoCoreError: something cannot be done now; all else is.
        """
        if self._turns is None:
            return
        holders = [each for each in self._turns.holders() if self._is_dead(each.since)]
        if unplaced:
            holders = [each for each in holders if not each.placed]
        uuids = [each.uuid for each in holders]
        if len(uuids) > _LOOKED_AT:
            # Not always the same: one that is over is found in the end, wherever it is.
            uuids = random.sample(uuids, _LOOKED_AT)
        found, steps = {known.uuid: known for known in self.reader.all(uuids)}, Steps()
        for uuid in uuids:
            with steps.one():
                if (known := found.get(uuid)) is None:
                    self._turns.leave(uuid, 0.0)
                else:
                    self._mend_turn(known)
        with steps.one():
            self._go(self._turns.hand_on())
        steps.done()

    def _mend_turn(self, known: Known) -> None:
        decided = self._decided(known)
        if known.place is None and known.end is None:
            self._go([known.uuid])
        elif decided.restart:
            self._place(known.uuid, known.claim, known.place)
        else:
            if decided.record.state.final:
                self._leave_if_over(known)
            return
        # What was started again may have been over, and nobody hears of that again.
        again = self.reader.known(known.uuid)
        if again is not None and again.place not in (None, known.place):
            self._mend_turn(again)

    def _leave_if_over(self, known: Known) -> None:
        """Take the turn of a run that has ended, unless its process has not."""
        # Who has cancelled it may have died then, or who has started it.
        place = known.place
        over = self._stopped(known, place) if place else self._stopped_unplaced(known)
        if over and self._turns is not None:
            self._turns.leave(known.uuid, known.claim.created_at)

    def _decided(self, known: Known) -> Decided:
        return decide(known, self._now())

    def _is_dead(self, since: float) -> bool:
        return self._now() - since >= DEAD
