"""The runs of a deployed job, looked for and listed: what no invoker does."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

from devbridge.protocol.ids import is_id
from devbridge.runs.base import Found, RunRecord, Wanted
from devbridge.runs.deployed import DeployedRun, DeployedRuns
from devbridge.runs.model import State
from devbridge.runs.searching import fits
from runner.places import Places

_PAGE: Final = 50
"""Runs of the list whose records are read at once, when only some of them are wanted."""
_LOOKED: Final = 200
"""Runs that are looked at for one page of a search."""


class ListedRuns(DeployedRuns):
    """The runs of one deployed job of one stage: a `RunStore`."""

    def find(self, prefix: str, job: str | None = None) -> Sequence[DeployedRun]:
        """The runs whose id, or the part of it behind the project's name, begins so."""
        if job not in (None, self.job) or not prefix:
            return []
        if self.owns(prefix) or is_id(prefix):
            prefix = prefix.removeprefix(f"{self.project}:")
            if is_id(prefix):
                known = self.known(f"{self.project}:{prefix}")
                return [] if known is None else [self.run(self.mended(known), message=True)]
        elif f"{self.project}:".startswith(prefix):
            prefix = ""
        return self.named(list(self.kept.newest(prefix)))

    def named(self, uuids: Sequence[str]) -> Sequence[DeployedRun]:
        """The runs that have one of these names within the job; they need not exist."""
        return [self.run(known, message=True) for known in self.reader.all(uuids)]

    def recent(
        self, limit: int, job: str | None = None, state: State | None = None
    ) -> Sequence[DeployedRun]:
        """The newest runs, the newest first. Messages of errors that are in S3 are left there."""
        found: list[DeployedRun] = []
        uuids = self.kept.newest() if job in (None, self.job) else iter(())
        while len(found) < limit:
            some = list(islice(uuids, limit if state is None else _PAGE))
            if not some:
                break
            runs = (self.run(known) for known in self.reader.all(some))
            found += [run for run in runs if state in (None, run.record.state)]
        return found[:limit]

    def search(self, wanted: Wanted, *, limit: int, after: str | None = None) -> Found:
        """The newest runs that are wanted, among the `_LOOKED` that come next. Their places in the
        list (`position`) say where it goes on."""
        places = self.kept.places
        if after is None and wanted.until is not None:
            after = places.in_list("", wanted.until).rpartition("/")[2].removesuffix("-")
        start = f"{places.listed}{after}" if after else ""
        uuids = self.kept.newest(after=start) if wanted.job in (None, self.job) else iter(())
        found: list[DeployedRun] = []
        for _ in range(_LOOKED // _PAGE):
            some = list(islice(uuids, _PAGE))
            runs = [self.run(known, message=True) for known in self.reader.all(some)]
            found += [run for run in runs if fits(run, wanted)]
            if len(some) < _PAGE or (runs and _before(runs[-1], wanted)):
                return _page(found, limit, None)
            if len(found) >= limit:
                break
        return _page(found, limit, position(runs[-1].record) if runs else None)


def position(record: RunRecord) -> str:
    """Where a run is in the list of its job; in order, the newest first."""
    uuid = record.job_id.rpartition(":")[2]
    return Places("").in_list(uuid, record.created_at or 0.0).rpartition("/")[2]


def _before(run: DeployedRun, wanted: Wanted) -> bool:
    """Whether it, and all that follow, are too old."""
    return wanted.since is not None and (run.record.created_at or 0.0) < wanted.since


def _page(found: Sequence[DeployedRun], limit: int, after: str | None) -> Found:
    """What is left out for the limit comes again behind the last one that is not."""
    cut = found[:limit]
    return Found(cut, position(cut[-1].record) if len(found) > limit else after)
