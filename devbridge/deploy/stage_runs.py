"""All runs of a stage, wherever they are: the stores, opened.

What knows the deployed runs, and the app's constructs, is imported when one is asked for: most
commands look at the ledger, and are done by then.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from devbridge.config import Config
from devbridge.errors import NotDeployed
from devbridge.runs.find import StageRuns, is_deployed, takes_later
from devbridge.runs.ledger_reader import LedgerReader
from devbridge.runs.ledger_store import LedgerStore
from devbridge.runs.lock import daemon_runs
from devbridge.runs.queued import Queued

if TYPE_CHECKING:
    from devbridge.constructs import App, Job
    from devbridge.deploy.access import Access
    from devbridge.runs.invoker import InvokerStore
    from devbridge.runs.scheduled_store import ScheduledStore
    from devbridge.runs.stage import DeployedStore


@contextlib.contextmanager
def opened(
    config: Config,
    app: Callable[[], App],
    there: Callable[[], Access],
    unheard: Callable[[str], None],
) -> Iterator[StageRuns]:
    """All runs of the stage, for the thread that opens them.

    Args:
        app, there: give the app and the cloud, when a run needs them.
        unheard: is told why runs for a later time are not known.

    Raises (inside the block):
        LedgerError: the ledger cannot be read.
        Whatever `app` and `there` raise.
    """

    def invoker(job: str) -> InvokerStore:
        return _invoker(app(), there, config.stage, job)

    def at(job: Job, stage: str) -> InvokerStore:
        return _invoker(app(), there, stage, job.name)

    @functools.cache
    def deployed() -> DeployedStore:
        from devbridge.runs.stage import DeployedStore

        return DeployedStore(app, there, config.stage, missing, at)

    @functools.cache
    def scheduled() -> ScheduledStore:
        from devbridge.runs.scheduled_store import ScheduledStore

        return ScheduledStore(app, there, config.stage, at, unheard)

    def missing() -> None:
        from devbridge.deploy import check_naming, outputs

        check_naming(there(), app().name, config.stage)
        outputs(there(), app().name, config.stage)  # raises: there is no such stage

    with contextlib.ExitStack() as stack:
        live = None
        if config.ledger.exists():
            book = stack.enter_context(LedgerReader.open(config.ledger))
            queued = Queued(config.stage_dir)
            live = LedgerStore(book, config.logs_dir, invoker, lambda: daemon_runs(config), queued)
        yield StageRuns(
            live=live,
            deployed=deployed,
            invoker=invoker,
            is_deployed=is_deployed(config),
            scheduled=scheduled,
            takes_later=takes_later(config),
        )


def _invoker(app: App, there: Callable[[], Access], stage: str, name: str) -> InvokerStore:
    """
    Raises:
        UnknownJob: the app has no such job.
    """
    from devbridge import names
    from devbridge.job import ask
    from devbridge.runs.invoker import InvokerStore, find_job

    job = find_job(app, name)
    function = names.invoker(job, stage)

    def asked(action: str, payload: str = "null", **fields: str | bool) -> dict[str, Any]:
        client = there().client("lambda")
        try:
            return ask(client, function, job.name, action, payload, **fields)
        except client.exceptions.ResourceNotFoundException as error:
            from devbridge.deploy import check_naming

            check_naming(there(), app.name, stage)
            raise NotDeployed(
                f"the job {job.name!r} is not deployed at stage {stage!r}",
                where=f"function {function}",
                remedy="deploy it: devbridge dev or devbridge deploy, or name the right --stage",
            ) from error

    return InvokerStore(asked, job.name)
