"""What is known of a job's deployed runs: S3's records of them, and what their provider says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from devbridge.protocol.ids import is_id
from devbridge.runs.deciding import Known
from devbridge.runs.kept import Kept
from devbridge.runs.providers import known as providers
from devbridge.runs.providers.base import Look, Provider
from devbridge.runs.records import Log
from runner.claims import Place

_AT_ONCE: Final = 8
"""Runs whose records are read at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployed job of one stage."""

    app: str
    stage: str
    job: str
    project: str
    """What the ids of its runs begin with."""
    compute: str = ""
    """What runs it, by name; only who starts runs must know."""
    attempts: int = 1
    container: bool = False
    """It is a container's command: there is no runner that could read a payload from S3."""
    inline: bool = False
    """A small payload may be in the provider's records, for all who may read those."""
    waits: bool = False
    """Only so many of its runs may run at the same time."""
    log_group: str = ""
    """Where its output is, if its provider does not say it."""

    def run_id(self, uuid: str) -> str:
        """The whole id of a run."""
        return f"{self.project}:{uuid}"


class Reader:
    """Reads what is known of the runs of a job."""

    def __init__(
        self, kept: Kept, provider: Callable[[str], Provider], deployment: Deployment
    ) -> None:
        """`provider` gives that of a name; it raises KeyError if there is none."""
        self.kept = kept
        self.provider = provider
        self.deployment = deployment

    def known(self, uuid: str) -> Known | None:
        """All that is known of a run; None: nothing, there is none."""
        found = self.placed(uuid) if is_id(uuid) else None
        return None if found is None else self._asked([found])[0]

    def all(self, uuids: Sequence[str]) -> list[Known]:
        """All that is known of these runs, in their order, without those that there are not."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = list(pool.map(self.placed, uuids))
        return self._asked([each for each in found if each is not None])

    def placed(self, uuid: str) -> Known | None:
        """What S3 alone knows of a run; None: nothing, there is none."""
        kept, deployment = self.kept, self.deployment
        claim = kept.claim(uuid)
        if claim is None:
            return None
        known = Known(
            deployment.run_id(uuid),
            deployment.job,
            claim,
            kept.place(uuid),
            container=deployment.container,
        )
        return self._words(known)

    def look(self, place: Place) -> Look | None:
        """What a run's provider says now of what runs it; None: it has forgotten it."""
        return self.provider(place.compute).look([place.id]).get(place.id)

    def older(self, run_id: str) -> Known | None:
        """A run that an earlier version of devbridge has started."""
        found = providers.older(run_id, self.provider)
        if found is None:
            return None
        claim, place, look = found
        return Known(run_id, self.deployment.job, claim, place, look=look, asked=True)

    def again(self, known: Known) -> Known | None:
        """What is known now of a run; None: it has been forgotten."""
        return self.older(known.run_id) if known.is_older else self.known(known.uuid)

    def _words(self, known: Known) -> Known:
        """With what was told of its end."""
        uuid, place = known.uuid, known.place
        tells = place is not None and not providers.keeps_words(place.compute)
        told = self.kept.told(uuid) if tells else None
        end = self.kept.end(uuid)
        if end is not None:
            end = replace(end, logs=self._grouped(end.logs))
        return replace(known, end=end, told=told)

    def _asked(self, found: Sequence[Known]) -> list[Known]:
        """With what their providers say, of those whose end is not known without them."""
        wanted: dict[str, list[str]] = {}
        for known in found:
            if known.place is not None and self._is_open(known):
                wanted.setdefault(known.place.compute, []).append(known.place.id)
        looks: dict[str, dict[str, Look]] = {}
        for compute, ids in wanted.items():
            with self.if_allowed(compute):
                looks[compute] = dict(self.provider(compute).look(ids))
        return [self._with_look(known, looks) for known in found]

    @contextlib.contextmanager
    def if_allowed(self, compute: str) -> Iterator[None]:
        """Who may ask what runs the job now need not be allowed to ask what has run it before."""
        from botocore.exceptions import ClientError

        try:
            yield
        except ClientError as error:
            now = self.deployment.compute in ("", compute)
            if now or "AccessDenied" not in error.response["Error"]["Code"]:
                raise

    def _is_open(self, known: Known) -> bool:
        place = known.place
        return not known.over or (place is not None and providers.keeps_words(place.compute))

    def _with_look(self, known: Known, looks: dict[str, dict[str, Look]]) -> Known:
        place = known.place
        if place is None or place.compute not in looks or not self._is_open(known):
            return known
        return self.with_look(known, place, looks[place.compute].get(place.id))

    def with_look(self, known: Known, place: Place, look: Look | None) -> Known:
        """With what a provider says."""
        seen = look and replace(look, logs=self._grouped(look.logs))
        asked = replace(known, place=place, look=seen, asked=True)
        # It may have told its end, and have gone, between the two questions.
        gone = look is None or (look.state.final and not look.told)
        return self._words(asked) if gone else asked

    def _grouped(self, logs: Sequence[Log]) -> tuple[Log, ...]:
        """With the job's own log group where the provider names none: an invoker, which writes of
        ends, does not know it."""
        return tuple((group or self.deployment.log_group, stream) for group, stream in logs)
