"""The runs of a stage's deployed jobs, whatever runs each, and those that an id names elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from devbridge import names
from devbridge.constructs import App, Job
from devbridge.errors import UnknownRun
from devbridge.protocol.ids import is_id
from devbridge.runs import cloudwatch, deployed, listed
from devbridge.runs.base import Account, Found, Run, Started, Wanted
from devbridge.runs.builds import is_build_id
from devbridge.runs.deployed_ids import names_deployed
from devbridge.runs.invoker import InvokerStore, find_job
from devbridge.runs.kept import Kept
from devbridge.runs.listed import ListedRuns
from devbridge.runs.model import State
from devbridge.runs.providers.known import provider
from devbridge.runs.reading import Deployment, Reader

POLL_LOCAL: Final = 0.2
"""Seconds between two questions about one run on the embedded cloud, which has no limit of them."""
SETTLE_LOCAL: Final = 1.0
"""Seconds of silence that end the output of a run there: it has the lines before the end."""
_AT_ONCE: Final = 8
"""Jobs that are asked about at the same time."""


class DeployedStore:
    """The deployed jobs of one stage."""

    def __init__(
        self,
        app: Callable[[], App],
        there: Callable[[], Account],
        stage: str,
        missing: Callable[[], None],
        invoker: Callable[[Job, str], InvokerStore],
    ) -> None:
        """
        Args:
            app, there: give the app and the cloud, when they are needed.
            missing: is called when no job has any runs; may say why.
            invoker: gives what reaches the invoker of a job at a stage, which starts and ends runs.
        """
        self._app, self._there = app, there
        self._stage = stage
        self._missing = missing
        self._invoker = invoker

    def owns(self, run_id: str) -> bool:
        """Whether this begins as the id of a deployed run does: with its project's name."""
        return names_deployed(run_id)

    def start(
        self,
        job: str,
        payload: bytes,
        *,
        key: str,
        remember: bool,
        checkpoint: bytes | None = None,
    ) -> Started:
        """Start a run through the job's invoker.

        Raises:
            UnknownJob: the app has no such job.
            NotDeployed, PayloadTooLarge, InvokeError: as `InvokerStore.start`.
        """
        found = self._store(find_job(self._app(), job), self._stage)
        return found.start(job, payload, key=key, remember=remember, checkpoint=checkpoint)

    def must_have(self, job: str) -> None:
        """
        Raises:
            UnknownJob: the app has no such job.
        """
        find_job(self._app(), job)

    def get(self, run_id: str) -> Run:
        """The run with this whole id, of whatever stage of the app its project is.

        Raises:
            UnknownRun: no job of the app has that project, or it has no such run.
        """
        job, stage = self._owner(run_id.partition(":")[0])
        return self._store(job, stage).get(run_id)

    def find(self, prefix: str, job: str | None = None) -> Sequence[Run]:
        """The runs whose id, or the part of it behind the project's name, begins so.

        Raises:
            UnknownRun: it is a whole id, and there is no such run.
        """
        if is_build_id(prefix):
            return [self.get(prefix)]
        # A project's name has upper case where its job's has.
        prefix = prefix if self.owns(prefix) else prefix.lower()
        if is_id(prefix):
            return self._with_uuid(prefix, job)
        return self._all(job, lambda store: store.find(prefix)) if prefix else []

    def named(self, job: str, uuids: Sequence[str]) -> Sequence[Run]:
        """Those of a job's runs that have one of these names within it, as far as they are known.

        Raises:
            UnknownJob: the app has no such job.
        """
        return self._store(find_job(self._app(), job), self._stage).named(uuids)

    def recent(
        self, limit: int, job: str | None = None, state: State | None = None
    ) -> Sequence[Run]:
        """The newest runs, the newest first."""
        found = self._all(job, lambda store: store.recent(limit, state=state))
        newest = sorted(found, key=lambda run: run.record.created_at or 0.0, reverse=True)
        return newest[:limit]

    def search(self, wanted: Wanted, *, limit: int, after: str | None = None) -> Found:
        """The newest runs that are wanted, of all jobs: as far back as each of them was looked
        at."""
        stores = [self._store(job, self._stage) for job in self._jobs(wanted.job)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            pages = list(pool.map(lambda s: s.search(wanted, limit=limit, after=after), stores))
        found = sorted((run for page in pages for run in page.runs), key=_position)
        if not found and after is None:
            self._missing()
        ends = [page.after for page in pages if page.after is not None]
        seen = [run for run in found if not ends or _position(run) <= min(ends)]
        if len(seen) > limit:
            return Found(seen[:limit], _position(seen[limit - 1]))
        return Found(seen, min(ends, default=None))

    def _with_uuid(self, uuid: str, name: str | None) -> Sequence[Run]:
        """The run of that whole uuid: asked for by name, which is quick however many there are."""
        found = []
        for job in self._jobs(name):
            with contextlib.suppress(UnknownRun):
                store = self._store(job, self._stage)
                found.append(store.get(f"{names.project(job, self._stage)}:{uuid}"))
        return found

    def _jobs(self, name: str | None) -> Sequence[Job]:
        return [job for job in self._app().of_type(Job) if name in (None, job.name)]

    def _store(self, job: Job, stage: str) -> ListedRuns:
        """Where the runs of a job are."""
        there = self._there()
        local = there.endpoint_url is not None
        app, project = self._app().name, names.project(job, stage)
        kept = Kept(
            lambda: there.client("s3"),
            names.asset_bucket(there.account, there.region),
            f"{app}/{stage}/{job.name}",
        )
        deployment = Deployment(
            app=app,
            stage=stage,
            job=job.name,
            project=project,
            container=job.container is not None,
            waits=job.concurrency is not None,
            log_group=names.job_log_group(job, stage),
        )
        return ListedRuns(
            Reader(kept, lambda name: provider(name, there.client), deployment),
            through=self._invoker(job, stage),
            output=cloudwatch.reader(
                lambda: there.client("logs"),
                runner=job.container is None,
                settle=SETTLE_LOCAL if local else cloudwatch.SETTLE,
            ),
            poll=POLL_LOCAL if local else deployed.POLL,
        )

    def _all(self, name: str | None, ask: Callable[[ListedRuns], Sequence[Run]]) -> Sequence[Run]:
        """Ask about each job, or the one of that name; one that is not deployed has no runs."""
        stores = [self._store(job, self._stage) for job in self._jobs(name)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = [run for runs in pool.map(ask, stores) for run in runs]
        if not found:
            self._missing()
        return found

    def _owner(self, project: str) -> tuple[Job, str]:
        """The job and the stage of a project."""
        for stage in (self._stage, names.stage_of(project)):
            for job in self._jobs(None):
                if names.project(job, stage) == project:
                    return job, stage
        raise UnknownRun(
            f"the project {project!r} is not that of one job of app {self._app().name!r}",
            where=f"stage {self._stage!r}",
            remedy="go to the folder of the run's app, or name its stage with --stage",
        )


def _position(run: Run) -> str:
    return listed.position(run.record)
