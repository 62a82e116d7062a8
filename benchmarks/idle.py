"""What `devbridge dev --local` costs while nothing happens."""

from __future__ import annotations

import asyncio
import json
import time

from benchmarks import harness
from benchmarks.harness import Bench
from benchmarks.report import Figures, Goal, Row

FUNCTION = "def handler(event, context): ...\n"
HANDLER = "import boto3\ndef handler(payload):\n    return payload\n"


async def idle(bench: Bench) -> list[Row]:
    """20 jobs are defined, each has its standby, and a function, whose log is followed; the
    embedded cloud itself does not count, and there is no console. The daemon was started before,
    so that its zygote imports what the jobs do."""
    count, seconds = bench.times(20, 2), bench.times(30, 1)
    app = bench.scratch / "app"
    jobs = [f"job{number}" for number in range(count)]
    source = "from devbridge import App, Function, Job\napp = App('bench')\n" + "".join(
        f"Job(app, '{job}', handler='jobs/{job}.handler', timeout='1 hour', memory_size='3 GB')\n"
        for job in jobs
    )
    source += "Function(app, 'f', handler='f.handler')\n"
    harness.write(
        app, {"app.py": source, "f.py": FUNCTION, **{f"jobs/{job}.py": HANDLER for job in jobs}}
    )
    async with harness.dev(app, "--no-console"):
        await asyncio.sleep(bench.times(5, 1))  # so that the daemon knows what to preload
    async with harness.dev(app, "--no-console") as dev:
        await asyncio.sleep(bench.times(10, 1))
        state = json.loads((app / ".devbridge" / "cloud" / "state.json").read_text())
        cloud = {state["pid"], *harness.descendants(state["pid"])}
        workers = [pid for pid in harness.descendants(dev.pid) if pid not in cloud]
        began, used = time.monotonic(), harness.cpu_seconds(dev.pid)
        await asyncio.sleep(seconds)
        cpu = (harness.cpu_seconds(dev.pid) - used) / (time.monotonic() - began) * 100
        alone = harness.rss(dev.pid)
        with_standbys = harness.pss([dev.pid, *workers])
    return [
        Row(
            measure=f"idle, {count} jobs: daemon's CPU",
            unit="% of a core",
            ours=Figures(cpu),
            goals=(Goal("ours", "<", 0.5),),
        ),
        Row(
            measure=f"idle, {count} jobs: daemon alone",
            unit="MB RSS",
            ours=Figures(alone),
            goals=(Goal("ours", "<=", 50),),
        ),
        Row(
            measure=f"idle, {count} jobs: with zygote and standbys (boto3)",
            unit="MB PSS",
            ours=Figures(with_standbys),
        ),
    ]
