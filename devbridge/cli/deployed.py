"""The runs of deployed jobs: CodeBuild's builds, in the words that the ledger has for a run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from devbridge.cli.common import cloud
from devbridge.errors import UnknownRun
from devbridge.protocol.codec import is_id
from devbridge.runs.base import RunRecord
from devbridge.runs.model import State
from runner.outcome import Failure

if TYPE_CHECKING:
    from devbridge.cloud.session import Cloud
    from devbridge.config import Config
    from devbridge.constructs import App, Job
    from devbridge.runs.codebuild import Build, Builds

POLL: Final = 2.0
"""Seconds between two questions to CodeBuild about one run."""
POLL_LOCAL: Final = 0.2
"""The same on the embedded cloud, which has no limit of requests."""
_AT_ONCE: Final = 8
"""Projects that are asked at the same time."""


class DeployedRun:
    """One build. `entry` is what was last known of it."""

    def __init__(self, there: Cloud, job: Job, builds: Builds, build: Build) -> None:
        self.there = there
        self.job = job
        self.build = build
        self._builds = builds
        self.poll = POLL_LOCAL if there.endpoint_url else POLL

    @property
    def entry(self) -> RunRecord:
        """The run without its result."""
        return entry_of(self.build)

    def refresh(self) -> RunRecord:
        """Ask CodeBuild again; the run without its result.

        Raises:
            UnknownRun: CodeBuild has forgotten it, which it does after a year.
        """
        self.build = self._builds.get(self.build.job_id)
        return self.entry

    def whole(self) -> RunRecord:
        """The run with its result, which is fetched if it is a large one."""
        build = self.build
        return entry_of(build, None if build.result is None else self._builds.result(build))

    def cancel(self) -> tuple[State, State]:
        """Stop the build; the state that it was in and the one that it is in now."""
        was, state = self._builds.cancel(self.build.job_id)
        return State(was), State(state)


def entry_of(build: Build, result: str | None = None) -> RunRecord:
    """A build as the ledger has runs; `result` is a JSON text. What runs in CodeBuild has neither
    an exit code that is known nor frames of its error."""
    state = State(build.state)
    failure = Failure(build.error_type, build.error_message or "") if build.error_type else None
    return RunRecord(
        job_id=build.job_id,
        job=build.job,
        state=state,
        created_at=build.created_at or 0.0,
        started_at=build.started_at,
        ended_at=build.ended_at,
        closed=state.final,
        attempt=build.attempt,
        max_attempts=build.max_attempts,
        exit=None,
        result=None if result is None else result.encode(),
        failure=failure,
        log=f"{build.log_group}/{build.log_stream}" if build.log_stream else "",
    )


class DeployedStage:
    """The deployed jobs of one stage, and those that the id of a build names elsewhere."""

    def __init__(self, there: Cloud, app: App, stage: str) -> None:
        from devbridge.constructs import Job

        self._there = there
        self._app = app
        self._stage = stage
        self._jobs = app.of_type(Job)

    def recent(self, *, limit: int, job: str | None, state: State | None) -> list[DeployedRun]:
        """The newest runs, the newest first."""
        wanted = None if state is None else state.value
        found = self._all(job, lambda builds: builds.list(limit, wanted))
        return sorted(found, key=lambda run: run.entry.created_at, reverse=True)[:limit]

    def beginning(self, prefix: str, job: str | None = None) -> list[DeployedRun]:
        """The runs whose id, or the part of it behind the project's name, begins so."""
        if is_id(prefix):
            return self._with_uuid(prefix, job)
        return self._all(job, lambda builds: builds.find(prefix))

    def named(self, job_id: str) -> DeployedRun:
        """The run of that whole id, of whatever stage of the app its project is.

        Raises:
            UnknownRun: no job of the app has that project, or it has no such build.
        """
        project = job_id.partition(":")[0]
        job, stage = self._owner(project)
        builds = self._builds(job, stage)
        return DeployedRun(self._there, job, builds, builds.get(job_id))

    def run_of(self, job: Job, job_id: str) -> DeployedRun:
        """A run of that job of this stage.

        Raises:
            UnknownRun: there is none.
        """
        builds = self._builds(job, self._stage)
        return DeployedRun(self._there, job, builds, builds.get(job_id))

    def _with_uuid(self, uuid: str, name: str | None) -> list[DeployedRun]:
        """The run of that whole uuid: asked for by name, which is quick however many there are."""
        from devbridge import names

        found = []
        for job in self._jobs:
            if name in (None, job.name):
                with contextlib.suppress(UnknownRun):
                    found.append(self.run_of(job, f"{names.project(job, self._stage)}:{uuid}"))
        return found

    def _builds(self, job: Job, stage: str) -> Builds:
        from devbridge import names
        from devbridge.runs.codebuild import Builds

        return Builds(
            self._there.client("codebuild"),
            lambda: self._there.client("s3"),
            app=self._app.name,
            stage=stage,
            job=job.name,
            project=names.project(job, stage),
            bucket=names.asset_bucket(self._there.account, self._there.region),
        )

    def _all(self, name: str | None, ask: Callable[[Builds], Sequence[Build]]) -> list[DeployedRun]:
        """Ask about each job, or the one of that name; one that is not deployed has no runs."""
        not_there = self._there.client("codebuild").exceptions.ResourceNotFoundException

        def of(job: Job) -> list[DeployedRun] | None:
            builds = self._builds(job, self._stage)
            try:
                found = ask(builds)
            except not_there:
                return None
            return [DeployedRun(self._there, job, builds, build) for build in found]

        jobs = [job for job in self._jobs if name in (None, job.name)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = list(pool.map(of, jobs))
        if all(runs is None for runs in found):
            from devbridge.deploy import check_naming

            check_naming(self._there, self._app.name, self._stage)
        return [run for runs in found for run in runs or ()]

    def _owner(self, project: str) -> tuple[Job, str]:
        """The job and the stage of a project."""
        from devbridge import names

        for job in self._jobs:
            if names.project(job, self._stage) == project:
                return job, self._stage
        _, _, rest = project.partition("_")
        stage, _, _ = rest.partition("_")
        for job in self._jobs:
            if names.project(job, stage) == project:
                return job, stage
        raise UnknownRun(
            f"the project {project!r} is not that of one job of app {self._app.name!r}",
            where=f"stage {self._stage!r}",
            remedy="go to the folder of the run's app, or name its stage with --stage",
        )


@contextlib.contextmanager
def deployed_stage(config: Config) -> Iterator[DeployedStage]:
    """The stage's deployed jobs, by app.py.

    Raises:
        AppError: app.py cannot be loaded.
        CloudNotRunning, CredentialsError, CloudError: as `devbridge.cli.common.cloud`.
    """
    from devbridge.constructs.load import load_app

    app = load_app(config.root, config.stage)
    with cloud(config) as there:
        yield DeployedStage(there, app, config.stage)
