"""A Lambda function that continues itself: each of its invocations, a hop, runs a part of the run.

The event is ``{"devbridge": 1, "run": ID, "payload": TEXT or "payloadKey": KEY, "hop": NUMBER}``.
A hop claims the run by a conditional write of what is told of it, so a repeated one is found to be
that. Before its time is over it has the handler stop at its next checkpoint, tells that the next
hop may come, and calls its own function. What does not stop is ended while there is time to tell.
"""

from __future__ import annotations

import math
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from runner import aws, process
from runner.attempt import Inbox, Output
from runner.host.base import Pause, WatchedHost, Window
from runner.host.lines import Lines
from runner.host.run import Run
from runner.host.settings import Settings
from runner.host.store import Store
from runner.host.told import Told
from runner.outcome import FAILED, STARTING, End, Failure
from runner.runtime_api import RuntimeApi

POLL = 5.0
"""Seconds between two looks at whether somebody has cancelled the run."""
MARGIN = 60.0
"""Seconds before the function's end at which the next checkpoint is the last."""
MAX_HOPS = 500
HARD = 10.0
"""Seconds before the function's end at which the handler is ended, unless the margin is small."""
_WORTH = 60.0
"""Seconds before the margin that an attempt which may go on later should have, to begin here."""
_api: list[RuntimeApi] = []


def handle(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """One hop. What it answers says how the run is then: its state, INTERRUPTED when another hop
    was called, DUPLICATE when this one has been before.

    Raises:
        AwsError: it cannot be known, or told, how far the run is.
    """
    deadline = time.time() + context.get_remaining_time_in_millis() / 1000
    environment = {**os.environ, **_started_with(event)}
    settings, inbox = Settings.read(environment), Inbox()
    lines = Lines(Output(), settings.run_id)
    answer = {"devbridge": 1, "run": settings.run_id, "hop": event["hop"]}
    host = FunctionHost(settings, environment, event, context, deadline)
    if not host.claim():
        lines.say("Again", f"nothing is left to do: hop {event['hop']} has been before")
        return {**answer, "state": "DUPLICATE"}
    end, _ = run_here(settings, host, inbox, lines, environment)
    return {**answer, "state": end.state}


def run_here(
    settings: Settings,
    host: WatchedHost,
    inbox: Inbox,
    lines: Lines,
    environment: Mapping[str, str],
) -> tuple[End, Run]:
    """Run what a host has claimed; how it has ended, which is told."""
    process.adopt_orphans()
    _api[:] = _api or [RuntimeApi()]  # one for all runs of this process
    run = Run(settings, host, inbox, lines, api=_api[0])
    with host.watched(inbox):
        try:
            end = run.go(environment)
        finally:
            if sys.platform == "linux":
                process.kill_children()
    run.close(end)
    return end, run


def _started_with(event: Mapping[str, Any]) -> dict[str, str]:
    names = {
        "run": "DEVBRIDGE_RUN_ID",
        "payload": "DEVBRIDGE_PAYLOAD",
        "payloadKey": "DEVBRIDGE_PAYLOAD_KEY",
    }
    return {name: event[key] for key, name in names.items() if event.get(key) is not None}


@contextmanager
def beside(watch: Callable[[Inbox, threading.Event], None], inbox: Inbox) -> Iterator[None]:
    """While this lasts, a thread watches the run; its event is set at the end, and it is waited
    for."""
    over = threading.Event()
    watcher = threading.Thread(target=watch, args=(inbox, over), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


class FunctionHost:
    """One invocation of the function."""

    interruptible = False
    first = Told(STARTING)
    """What is told of a run before anything else."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        event: Mapping[str, Any],
        context: Any,
        deadline: float,
    ) -> None:
        """`deadline`: when AWS ends the invocation, in seconds since the epoch."""
        self._store = Store(settings)
        self._event = event
        self._environment = environment
        self._function = context.function_name
        self._deadline = deadline
        self._max_hops = int(environment.get("DEVBRIDGE_MAX_HOPS") or MAX_HOPS)
        margin = float(environment.get("DEVBRIDGE_MARGIN") or MARGIN)
        hard = min(HARD, margin / 2)
        self._stop_at, self._hard_at, self._last_at = (
            deadline - margin,
            deadline - hard,
            deadline - hard / 4,
        )
        self._whole = self._hard_at - time.time()
        self._limit = math.ceil(deadline - time.time()) + 1
        """Seconds of timeout that the function was made for: with more it goes on in other hops."""
        self._told = Told()
        self._etag = ""
        self.root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        self.packages = ""
        self.arn = context.invoked_function_arn
        self.grace = min(settings.grace, hard / 2)
        self.cancelled = False

    def claim(self) -> bool:
        """Make the hop this invocation's; False if it is another one's.

        Raises:
            AwsError: that cannot be known.
        """
        hop, owner = int(self._event["hop"]), secrets.token_hex(8)
        found = self._store.told()
        if found is None:
            if hop:
                raise aws.AwsError(f"nothing was told of the run before hop {hop}")
            told, condition = self.first, {"if-none-match": "*"}
        else:
            told, condition = found[0], {"if-match": found[1]}
            if told.ended or told.hop != hop or not told.handed:
                return False
        self._told = replace(told, handed=False, owner=owner)
        try:
            self._etag = self._store.tell(self._told, condition)
        except aws.Conflict:
            return False
        self._look()
        return True

    def _look(self) -> bool:
        """Whether somebody has ended the run."""
        self.cancelled = self.cancelled or self._store.ended()
        return self.cancelled

    @contextmanager
    def watched(self, inbox: Inbox) -> Iterator[None]:
        """While this lasts, the run is stopped when it is cancelled, and everything is killed when
        there is only time to tell."""
        if self.cancelled:
            inbox.terminated = True
        with beside(self._watch, inbox):
            yield

    def _watch(self, inbox: Inbox, over: threading.Event) -> None:
        while not over.wait(max(0.05, min(POLL, self._last_at - time.time()))):
            if time.time() >= self._last_at:
                _kill_all()
                continue
            with suppress(aws.AwsError, OSError):
                if not inbox.terminated and self._look():
                    inbox.terminated = True
                    inbox.put(None, 0)  # so it is seen at once

    # --- what a run asks --------------------------------------------------------------------

    def variables(self) -> Mapping[str, str]:
        """See `Host`."""
        given = self._environment
        memory = given.get("DEVBRIDGE_MEMORY_MB") or given.get(
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", ""
        )
        return {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory}

    def logs(self) -> tuple[str, str] | None:
        """See `Host`."""
        names = ("AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME")
        group, stream = (self._environment.get(name, "") for name in names)
        return (group, stream) if group and stream else None

    def earlier(self) -> Told | None:
        """See `Host`."""
        return self._told

    def window(self, timeout: float, spent: float) -> Window:
        """See `Host`. The time of all hops together is the job's. What has all of it here need not
        stop at a checkpoint."""
        left, here = timeout - spent, self._hard_at - time.time()
        stop_at = None if left <= here else self._stop_at
        return Window(min(left, here), stop_at, cut=here < left)

    def pause(self, timeout: float, delay: float) -> Pause:
        """See `Host`. What cannot be interrupted begins where it has all its time."""
        now = time.time()
        needed = min(timeout, self._whole)
        if timeout > self._limit:
            needed = min(needed, self._hard_at - self._stop_at + _WORTH)
        if now + delay + needed <= self._hard_at:
            return Pause(delay)
        return Pause(min(delay, max(0.0, self._stop_at - now)), here=False)

    def tell(self, told: Told) -> None:
        """See `Host`."""
        self._etag = self._store.tell(told, {"if-match": self._etag})

    def hand_over(self, told: Told, *, progress: bool | None) -> End | None:
        """See `Host`. The function calls itself."""
        hop = told.hop + 1
        if progress is False:
            what = f"hop {told.hop} has ended at the checkpoint that it had begun at"
            return _failed("NoProgress", what)
        if hop >= self._max_hops:
            what = f"the function has been called {hop} times for this run, which is the most"
            return _failed("TooManyContinuations", what)
        self.tell(replace(told, hop=hop))
        try:
            aws.invoke(self._function, {**self._event, "hop": hop})
        except aws.AwsError as error:
            # Should it have been called all the same, the next hop tells, and this one cannot.
            return _failed("NotContinued", f"the function could not call itself: {error}")
        return None


def _failed(kind: str, what: str) -> End:
    return End(FAILED, failure=Failure(kind, what), final=True)


def _kill_all() -> None:
    """Kill the children of this process's main thread. Linux only."""
    with suppress(OSError), open(f"/proc/self/task/{os.getpid()}/children") as children:
        for child in children.read().split():
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
