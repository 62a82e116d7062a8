"""Hot reload: what a save does to the workers, and to the stage.

A save of what a job has read makes its standbys out of date; a save of what app.py has read deploys
the difference. What cannot be loaded or deployed is said once, and then waits for whatever may mend
it. Which files concern whom is decided in `devbridge.daemon.reload`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from devbridge.daemon import secrets
from devbridge.daemon.events import Event, JobsChanged, SourcesChanged
from devbridge.daemon.jobs import Deployment, Redeploys
from devbridge.daemon.narrator import Narrator
from devbridge.daemon.reload import Saved, Sources
from devbridge.daemon.rerun import Rerun
from devbridge.daemon.told import AppBroken, Deployed, Mood, Reloaded, Restless
from devbridge.daemon.watcher import Watcher
from devbridge.errors import DevbridgeError
from devbridge.folders import in_words
from devbridge.runs.model import FunctionSpec
from devbridge.workers.base import handler_file
from devbridge.workers.modules import Modules

SETTLED: Final = 1.0
"""Seconds after a reload before it is asked whether the stage must be deployed again: the run that
follows a save comes first."""

INSTALLED: Final = 0.5
"""Seconds without further changes of installed packages after which workers import them anew: while
pip is at work they are in pieces. A run that is asked for does not wait for that."""


class Functions(Protocol):
    """Who has the workers of live functions."""

    def adopt(self, functions: Mapping[str, FunctionSpec]) -> None:
        """These are the live functions now, by name."""

    def saved(self, keys: frozenset[str]) -> None:
        """What workers of these functions, by their keys, have read is another now."""


@dataclass(slots=True)
class _Reload:
    """One job, from a save until it has been loaded again. Times are monotonic."""

    saved_at: float | None = None
    tried_at: float | None = None
    """When it was tried again after it had been shown as broken."""
    shown_broken: bool = False


class Reloading:
    """Three tasks (`watch`, `redeploy_on_save`, `redeploy_on_reload`), and what the daemon tells.

    Args:
        root: the app's folder.
        deployment: the app as it is deployed at the start.
        post: takes events, in order.
        may_deploy: whether the stage is still this daemon's.
        rerun: runs jobs again after a save, where that is wanted.
        secrets_mark: a file that is touched when a secret has got another value.
    """

    def __init__(
        self,
        root: Path,
        deployment: Deployment,
        redeploys: Redeploys,
        narrator: Narrator,
        *,
        post: Callable[[Sequence[Event]], None],
        may_deploy: Callable[[], bool],
        rerun: Rerun | None = None,
        secrets_mark: Path | None = None,
    ) -> None:
        self._root = root
        self._deployment = deployment
        self._redeploys = redeploys
        self._narrator = narrator
        self._post = post
        self._may_deploy = may_deploy
        self.functions: Functions
        """Is told of live functions; to be set before anything is saved."""
        self._rerun = rerun
        self._secrets_mark = secrets_mark
        self._sources = Sources(root, deployment.files, deployment.loaded)
        self._watcher = Watcher()
        self._reloads: dict[str, _Reload] = {}
        self._settling: set[str] = set()
        """Jobs whose installed packages are changing."""
        self._settled: asyncio.TimerHandle | None = None
        self._app_saved = asyncio.Event()
        self._app_error = ""
        """What was said of the app that cannot be loaded or deployed."""
        self._code_saved = asyncio.Event()
        self._saved_at: dict[str, float] = {}
        """Whose code was saved since it was deployed, and when, in seconds since the epoch."""
        self._adopt(deployment)

    # --- tasks ------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Take saves, until cancelled."""
        self._watch_directories()
        try:
            async for paths in self._watcher.bursts():
                if events := self._news(self._sources.saved(paths)):
                    self._post(events)
        except OSError as error:  # e.g. no more inotify watches
            self._narrator.say(f"hot reload is off: {error}", Mood.BAD)

    async def redeploy_on_save(self) -> None:
        """Deploy the app's changes whenever its files were saved, until cancelled."""
        while True:
            await self._app_saved.wait()
            self._app_saved.clear()
            if not self._may_deploy():
                continue
            began = time.time()
            try:
                deployment = await self._redeploys.redeploy(self._app_saved.set)
            except (DevbridgeError, OSError) as error:
                self._app_broke(in_words(error), began)
            else:
                self._deployed(deployment)

    async def redeploy_on_reload(self) -> None:
        """Ask after reloads whether the code still goes with what is deployed, until cancelled."""
        while True:
            await self._code_saved.wait()
            await asyncio.sleep(SETTLED)
            self._code_saved.clear()
            try:
                if await self._redeploys.outdated():
                    self._app_saved.set()
            except (DevbridgeError, OSError) as error:
                self._say_error(in_words(error))

    # --- what the daemon tells --------------------------------------------------------------

    def look(self, jobs: Iterable[str]) -> list[Event]:
        """What has to be known first when these jobs are about to run: what their workers have
        read, and nobody has told of a change yet, may be another now."""
        return self._news(self._sources.look(jobs))

    def look_at(self, key: str) -> None:
        """The same for a live function that is about to be called."""
        if events := self.look([key]):
            self._post(events)

    def launched(self, job: str) -> bool:
        """A worker begins to import the job's handler; whether it is to record what it reads."""
        self._sources.launched(job, time.time())
        reload = self._reloads.get(job)
        if reload is not None and reload.shown_broken:
            reload.tried_at = time.monotonic()
        return self._sources.wants_record(job)

    def imported(self, job: str, modules: Modules, launched_at: float) -> bool:
        """A worker that was launched then (seconds since the epoch) has imported these; whether it
        is out of date already."""
        stale = self._sources.imported(
            job,
            modules.watched,
            launched_at,
            installed=modules.installed,
            recorded=modules.recorded,
        )
        self._watch_directories()
        return stale

    def renew(self, job: str) -> None:
        """The job's workers hold what no run may get: replace them."""
        self._renew(frozenset({job}))

    def renew_all(self) -> None:
        """Replace all workers that wait for work: others are started otherwise."""
        self._renew(frozenset(self._deployment.codes))

    def _renew(self, keys: frozenset[str]) -> None:
        self._sources.renewed(keys)
        if events := self._outdated(keys):
            self._post(events)

    def ready(self, job: str) -> None:
        """The job has a standby again. Say how long that took, if it was a reload."""
        reload = self._reloads.pop(job, _Reload())
        since = reload.saved_at or reload.tried_at
        if since is None:
            return
        more = any(each.saved_at is not None for each in self._reloads.values())
        seconds, name = time.monotonic() - since, self._name(job)
        self._narrator.tell(Reloaded(name, seconds, more, function=name != job))
        self._code_saved.set()
        if self._rerun is not None and (events := self._rerun.reloaded(job)):
            asyncio.get_running_loop().call_soon(self._post, events)

    def broke(self, job: str) -> None:
        """The job's handler cannot be loaded. What mends it is another save, or another try."""
        reload = self._reloads.setdefault(job, _Reload())
        reload.saved_at, reload.shown_broken = None, True
        self._sources.broke(job, handler_file(self._root, self._deployment.codes[job]))
        self._watch_directories()

    def ended(self, job: str, job_id: str) -> None:
        """A run of the job is over."""
        if self._rerun is not None and self._may_deploy():
            self._rerun.ended(job, job_id)

    @property
    def undeployed(self) -> Sequence[str]:
        """Whose code in the cloud, which stands in for this one, is older than this."""
        codes = self._deployment.codes
        here = [codes[key] for key in self._saved_at if key in codes]
        return [spec.name for spec in here if spec.stands_in] if self._may_deploy() else []

    def leave(self) -> None:
        """What ends from now on is not run again."""
        self._rerun = None

    def _name(self, key: str) -> str:
        """What a job or a function is called where people read it."""
        spec = self._deployment.codes.get(key)
        return key if spec is None else spec.name

    def close(self) -> None:
        """Put nothing off any more."""
        if self._settled is not None:
            self._settled.cancel()

    # --- saves ------------------------------------------------------------------------------

    def _watch_directories(self) -> None:
        self._watcher.watch(self._sources.directories())

    def _news(self, saved: Saved) -> list[Event]:
        """What a look at the sources has found, as events."""
        if saved.app:
            self._app_saved.set()
        for job, path in saved.restless:
            self._narrator.tell(Restless(self._name(job), path))
        self._settling |= saved.settling
        if saved.settling:
            self.close()
            self._settled = asyncio.get_running_loop().call_later(INSTALLED, self._has_settled)
        return self._saved(saved.jobs) if saved.jobs else []

    def _has_settled(self) -> None:
        if self._settling and (events := self._saved(frozenset(self._settling))):
            self._post(events)

    def _saved(self, jobs: frozenset[str]) -> list[Event]:
        now = time.monotonic()
        self._saved_at.update(dict.fromkeys(jobs, time.time()))
        for job in jobs:
            reload = self._reloads.setdefault(job, _Reload())
            if reload.saved_at is None:
                reload.saved_at = now
        self._settling -= jobs
        self._sources.renewed(jobs)
        if self._rerun is not None:
            self._rerun.saved(jobs & self._deployment.jobs.keys())
        return self._outdated(jobs)

    def _outdated(self, keys: frozenset[str]) -> list[Event]:
        """What is told of functions now, and of jobs as events."""
        jobs = frozenset(keys & self._deployment.jobs.keys())
        if functions := keys - jobs:
            self.functions.saved(functions)
        return [SourcesChanged(jobs)] if jobs else []

    # --- the app ----------------------------------------------------------------------------

    def _deployed(self, deployment: Deployment) -> None:
        self._app_error = ""
        self._sources.app_loaded(deployment.files, deployment.loaded)
        gone = self._deployment.codes.keys() - deployment.codes.keys()
        self._sources.forget(gone)
        self._settling -= gone
        for job in gone:
            self._reloads.pop(job, None)
        if self._rerun is not None:
            self._rerun.forget(gone)
        self._adopt(deployment)
        self._watch_directories()
        self._post([JobsChanged(deployment.jobs)])
        self.functions.adopt(deployment.functions)
        deployment.say()

    def _adopt(self, deployment: Deployment) -> None:
        self._deployment = deployment
        since = deployment.loaded
        self._saved_at = {key: at for key, at in self._saved_at.items() if at >= since}
        self._narrator.tell(Deployed(tuple(deployment.jobs), tuple(deployment.functions)))
        for name, spec in deployment.codes.items():
            mark = self._secrets_mark if secrets.binds(spec) else None
            self._sources.also(name, [] if mark is None else [mark])
        if not deployment.whole and self._sources.app_broke(deployment.loaded):
            self._app_saved.set()

    def _app_broke(self, error: str, began: float) -> None:
        """Say so once, and wait for whatever may mend it."""
        if error != self._app_error:
            self._app_error = error
            self._say_error(error)
        if self._sources.app_broke(began):
            self._app_saved.set()
        self._watch_directories()

    def _say_error(self, error: str) -> None:
        self._narrator.tell(AppBroken(error))
