"""One chaos run: jobs are sent while faults happen; then everything is healed, and proven."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.chaos import proof
from tests.chaos.faults import Faults, schedule
from tests.chaos.plan import Order, dealt, orders, posts
from tests.chaos.stage import Files, Sample, Stage
from tests.e2e.dev_process import processes_of

NO_PROGRESS: Final = 60.0
"""Seconds without any change after everything was healed: then something hangs."""
FAULT_EVERY: Final = 4.0
"""Seconds, about, from one fault's end to the next."""
MORE_DESCRIPTORS: Final = 4
MORE_MB: Final = 12.0
STEADY_JOBS: Final = 300
SHOWN: Final = 10
"""Histories printed for each promise."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What shall happen."""

    seed: int
    seconds: float
    jobs: int
    callers: int
    concurrency: int
    messages: int
    """Of each kind."""
    calm: bool = False
    only: Sequence[str] | None = None


async def chaos(plan: Plan, folder: Path, endpoint: str) -> int:
    """Run it, print the table, and return how many promises were broken.

    Args:
        endpoint: an embedded cloud's, without anything of the app in it.
    """
    rng = random.Random(f"faults {plan.seed}")  # noqa: S311 - to be repeated
    files = Files(folder)
    stage = Stage(files, rng, plan.concurrency, endpoint)
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:7.1f}s  {text}", flush=True)

    say(f"seed {plan.seed}: {plan.jobs} jobs, {3 * plan.messages} messages, in {folder}")
    main, steady = plan.jobs - STEADY_JOBS, STEADY_JOBS
    if plan.jobs < 2 * STEADY_JOBS:
        main, steady = plan.jobs, 0
    wanted = orders(plan.seed, main, plan.seconds)
    hung: list[str] = []
    await stage.open()
    try:
        stage.start_daemon()
        await _until(lambda: "Ready" in files.terminal.read_text(), "the daemon is not ready")
        say("the daemon is ready")
        until = time.time() + plan.seconds + NO_PROGRESS
        stage.start_callers(dealt(wanted, plan.callers), until)
        stage.start_mappings()
        posting = asyncio.create_task(_post(plan, stage))
        watching = asyncio.create_task(_progress(stage, say))
        faults = Faults(stage, rng)
        if not plan.calm:
            await _break_things(plan, stage, faults, rng, say)
        faults.heal()
        say("all is healed")
        await posting
        hung += await _settle(stage, say)
        leaks, more = await _steady(plan, stage, steady, say)
        wanted += more
        hung += await _settle(stage, say)
        watching.cancel()
        await stage.stop_daemon()
        if stage.failed_callers():
            hung.append(f"{len(stage.failed_callers())} callers failed: see *.err")
        letters = await asyncio.to_thread(stage.post.dead)
    finally:
        await stage.close()
    left = await asyncio.to_thread(_left_behind, folder)
    evidence = proof.gather(files, wanted, stage.faults, stage.post.sent, letters)
    broken = [proof.Broken("nothing hangs", what) for what in hung]
    broken += [
        proof.Broken("the daemon lives until it is told to end", w) for w in stage.unexpected
    ]
    broken += [proof.Broken("nothing leaks", what) for what in leaks]
    broken += [proof.Broken("no process is left behind", what) for what in left]
    broken += proof.prove(evidence)
    _table(proof.summary(evidence), stage)
    _explain(broken, folder)
    asked = f"{len(wanted)} jobs, {len(stage.post.sent)} messages"
    print(f"chaos seed {plan.seed}: {asked}, {len(broken)} promises broken", flush=True)
    return len(broken)


async def _break_things(
    plan: Plan, stage: Stage, faults: Faults, rng: random.Random, say: Callable[[str], None]
) -> None:
    until = time.monotonic() + plan.seconds
    kinds = iter(schedule(rng, int(plan.seconds * 4)))
    if plan.only is not None:
        kinds = iter(rng.choices(plan.only, k=int(plan.seconds * 4)))
    while time.monotonic() < until:
        await asyncio.sleep(min(rng.uniform(0.2, FAULT_EVERY), max(0, until - time.monotonic())))
        kind = next(kinds)
        await faults.do(kind)
        say(kind)


async def _post(plan: Plan, stage: Stage) -> None:
    """Send the messages, each at its time."""
    began = time.monotonic()
    for at, kind, number, fate in posts(plan.seed, plan.messages, plan.seconds):
        await asyncio.sleep(max(0.0, began + at - time.monotonic()))
        await asyncio.to_thread(stage.post.send, kind, number, fate)


async def _progress(stage: Stage, say: Callable[[str], None]) -> None:
    while True:
        stage.sample()
        await asyncio.sleep(5)
        counts = await asyncio.to_thread(stage.counts)
        say(" ".join(f"{state} {number}" for state, number in sorted(counts.items())))


async def _settle(stage: Stage, say: Callable[[str], None]) -> list[str]:
    """Wait until all callers are done and nothing is live any more."""
    last, since = "", time.monotonic()
    while True:
        counts = await asyncio.to_thread(stage.counts)
        missing = await asyncio.to_thread(stage.missing)
        live = sum(counts.get(state, 0) for state in ("QUEUED", "STARTING", "RUNNING"))
        callers = len(stage.callers())
        messages = await asyncio.to_thread(stage.post.open, stage.files.ledger)
        if not live and not callers and not missing and not messages:
            # What callers were told to have failed may still be in the broker: let it come.
            await asyncio.sleep(2)
            if stage.counts() == counts:
                say("nothing is live any more")
                return []
            continue
        now = f"{counts} {messages} {stage.files.answers.stat().st_size if callers else 0}"
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > NO_PROGRESS:
            return [
                f"{live} live runs, {missing} that never came, {messages} messages,"
                f" {callers} callers,"
                f" and nothing has changed for {NO_PROGRESS:g} s"
            ]
        await asyncio.sleep(0.5)


async def _steady(
    plan: Plan, stage: Stage, jobs: int, say: Callable[[str], None]
) -> tuple[list[str], list[Order]]:
    """Without faults: what the daemon holds before and after many jobs must be the same."""
    if not jobs:
        return [], []
    all_orders = orders(plan.seed + 1_000_000, jobs, 1.0)
    calm = [each for each in all_orders if each.cancel_after is None]
    first, second = calm[: len(calm) // 3], calm[len(calm) // 3 :]
    samples: list[Sample] = []
    for part in (first, second):
        stage.start_callers(dealt(part, 2), time.time() + NO_PROGRESS)
        hung = await _settle(stage, say)
        if hung:
            return hung, calm
        sample = await _quiet(stage)
        if sample is None:
            return ["the daemon is gone"], calm
        samples.append(sample)
    before, after = samples
    say(f"before {len(second)} more jobs: {before}")
    say(f"after them: {after}")
    leaks = []
    if after.descriptors > before.descriptors + MORE_DESCRIPTORS:
        leaks.append(f"descriptors: {before.descriptors}, then {after.descriptors}")
    if after.rss_mb > before.rss_mb + MORE_MB:
        leaks.append(f"memory: {before.rss_mb} MB, then {after.rss_mb} MB")
    if after.processes > before.processes:
        leaks.append(f"processes: {before.processes}, then {after.processes}")
    if after.threads > before.threads + 1:
        leaks.append(f"threads: {before.threads}, then {after.threads}")
    if after.zombies:
        leaks.append(f"{after.zombies} zombies")
    return leaks, calm


async def _quiet(stage: Stage) -> Sample | None:
    """The daemon when it has nothing to do any more: its lowest point within some seconds."""
    best: Sample | None = None
    for _ in range(30):
        await asyncio.sleep(0.5)
        sample = stage.sample()
        if sample is not None and (
            best is None
            or (sample.processes, sample.descriptors, sample.zombies)
            <= (best.processes, best.descriptors, best.zombies)
        ):
            best = sample
    return best


def _left_behind(folder: Path) -> list[str]:
    """Processes of the run that are still there; some get a moment to be gone."""
    for _ in range(100):
        left = list(processes_of(folder))
        if not left:
            return []
        time.sleep(0.2)
    return left


async def _until(true: Callable[[], bool], otherwise: str, deadline: float = 60.0) -> None:
    until = time.monotonic() + deadline
    while not true():
        if time.monotonic() > until:
            raise AssertionError(otherwise)
        await asyncio.sleep(0.05)


def _table(groups: Mapping[str, Mapping[str, int]], stage: Stage) -> None:
    for name, counts in groups.items():
        print(f"\n{name}")
        order = counts.items() if name == "jobs" else sorted(counts.items())
        for what, number in order:
            print(f"  {number:>7}  {what}")
    print("\ndaemon")
    print(f"  {stage.lives:>7}  lives")
    if stage.samples:
        for what in ("descriptors", "threads", "rss_mb", "processes", "zombies"):
            values = [getattr(sample, what) for sample in stage.samples]
            print(f"  {max(values):>7}  {what} at most (at least {min(values)})")
    print()


def _explain(broken: Sequence[proof.Broken], folder: Path) -> None:
    shown: Counter[str] = Counter()
    for each in broken:
        shown[each.promise] += 1
        if shown[each.promise] > SHOWN:
            continue
        print(f"BROKEN: {each.promise}: {each.what}")
        if each.run is not None:
            print("\n".join(f"    {line}" for line in each.run.story()))
    for promise, times in shown.items():
        print(f"BROKEN {times} times: {promise}")
    if broken:
        print(f"everything is kept in {folder}")
