"""What the jobs' payloads must look like: asked of the handlers, and written down."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from devbridge import progress, types
from devbridge.config import Config
from devbridge.constructs import App, Job
from devbridge.folders import write_private
from devbridge.languages import probing
from devbridge.languages.base import Asking
from devbridge.live.unloaded import Unloaded
from devbridge.types import JobTypes

Schemas = Mapping[str, Any]
"""JSON Schemas of the jobs' payloads, by the job's name."""

Warn = Callable[[str], None]
"""Takes a warning. `dev` asks after each save: what was said of a job is told again."""
Say = Callable[[str], None]
"""Takes a line that says what is waited for."""


def _never() -> bool:
    return False


def job_types(
    app: App,
    config: Config,
    warn: Warn,
    say: Say,
    stopped: Callable[[], bool] = _never,
    *,
    unloaded: Unloaded | None = None,
) -> Mapping[str, JobTypes]:
    """What each job takes and returns, by the job's name.

    A handler that cannot be imported here is a warning: it may need what is only in the cloud.

    Args:
        stopped: whether the command has been ended, and the imports with it.
        unloaded: takes the warnings of handlers that cannot be imported.
    """

    def slow(each: types.Slow) -> None:
        at = f", at {each.at}" if each.at else ""
        say(f"  types    {each.how} to learn its types: {each.seconds:.0f} s so far{at}")

    with progress.task("types", "what the jobs take: their handlers are imported"):
        asking = Asking(python=config.python, given=config.env, slow=slow, stopped=stopped)
        found = probing.probe(app, asking)
    for name, each in found.items():
        if not each.warning or stopped():
            continue
        say_so = partial(warn, f"job {name!r}: {each.warning}")
        if unloaded is not None and not each.loaded:
            unloaded(name, say_so)
        else:
            say_so()
    return found


def known_schemas(
    app: App,
    config: Config,
    warn: Warn,
    say: Say,
    stopped: Callable[[], bool] = _never,
    *,
    kept: bool = True,
    unloaded: Unloaded | None = None,
) -> Schemas:
    """What is checked before a payload is sent. The stubs for type checkers are written, too.

    Args:
        kept: at once; see `keep`.
        unloaded: see `job_types`.
    """
    if config.state is None:  # tests leave the app's folder as it is
        for line in probing.set_up(app):
            say(f"  types    {line}")
    found = job_types(app, config, warn, say, stopped, unloaded=unloaded)
    schemas = types.schemas(found)
    if not stopped():
        if config.state is None:
            types.write(app, found, probing.declarations(app, found))
        config.make_dirs()
        write_private(config.job_names, json.dumps(sorted(found)))
        later = sorted(job.name for job in app.of_type(Job) if job.later)
        write_private(config.later_jobs, json.dumps(later))
        if kept:
            keep(config, schemas)
    return schemas


def keep(config: Config, schemas: Schemas) -> None:
    """Write down what payloads of the stage's jobs are checked with where no zip has it."""
    config.make_dirs()
    write_private(config.schemas, json.dumps(schemas))


@contextlib.contextmanager
def payload_schemas(
    app: App,
    config: Config,
    warn: Warn,
    say: Say,
    *,
    kept: bool = True,
    unloaded: Unloaded | None = None,
) -> Iterator[Future[Schemas]]:
    """`known_schemas`, asked for while the block prepares what does not depend on it. What ends
    the block ends it, too."""
    stopped = threading.Event()
    with ThreadPoolExecutor(1, "types") as pool:
        try:
            yield pool.submit(
                known_schemas, app, config, warn, say, stopped.is_set, kept=kept, unloaded=unloaded
            )
        except BaseException:
            stopped.set()
            raise


def retyped(before: Schemas, after: Schemas) -> Sequence[str]:
    """The jobs whose payloads are not what they were, by name."""
    jobs = before.keys() | after.keys()
    return sorted(job for job in jobs if before.get(job) != after.get(job))
