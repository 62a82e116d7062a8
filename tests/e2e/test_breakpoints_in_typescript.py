"""`devbridge dev --debug`: a debugger stops a live job where its TypeScript says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cdp import debugging
from tests.e2e.breakpoints import start, status
from tests.e2e.dev_process import DevProcess, run, run_line
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(240)

APP = """\
from devbridge import App, Job

app = App("stops")
for name in ("count", "endless"):
    Job(app, name, handler=f"jobs/{name}.handler", runtime="nodejs24.x", timeout="2 seconds")
"""
COUNT = """\
import type { JobContext } from "devbridge/job";

type Counted = { total: number; version: string };

export const handler = async (payload: { to: number }, context: JobContext): Promise<Counted> => {
  let total: number = 0;
  for (const each of numbers(payload.to)) total += each;
  const counted: Counted = { total, version: "VERSION" };
  if (context.getRemainingTimeInMillis() === 0) throw new Error("no time is left");
  console.error(`counted ${total}`);
  return counted;
};

function* numbers(to: number): Generator<number> {
  for (let number = 1; number <= to; number++) yield number;
}
"""
ENDLESS = "export const handler = () => new Promise((resolve) => setTimeout(resolve, 600_000));\n"
STOP = "const counted: Counted"
CHATTER = ("Debugger listening", "For help", "Debugger attached", "Debugger ending", "Waiting for")


def write(app: Path, version: str, *, above: int = 0) -> None:
    """Save the handler, with so many lines more above it."""
    lines = "// a line above\n" * above
    (app / "jobs/count.ts").write_text(lines + COUNT.replace("VERSION", version))


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "app"
    (root / "jobs").mkdir(parents=True)
    (root / "app.py").write_text(APP)
    (root / "jobs/endless.ts").write_text(ENDLESS)
    write(root, "first")
    yield root
    run(root, "cloud", "stop")


def test_after_two_saves_a_breakpoint_stops_a_live_job_at_the_sources_line(app: Path) -> None:
    with DevProcess(app, "--local", "--stage", "dev", "--debug", "60") as dev:
        dev.wait_for(r"^Ready", deadline=180)
        for above, version in ((3, "second"), (7, "third")):
            mark = dev.mark
            write(app, version, above=above)
            dev.wait_for("Reloaded count", after=mark)
        job_id = start(app, "count", {"to": 4})
        found = dev.wait_for(run_line(job_id, r"Debugger (ws://127\.0\.0\.1:\d+/[\w-]+)$"))
        source = app / "jobs/count.ts"
        text = source.read_text().splitlines()
        (line,) = [number for number, each in enumerate(text) if STOP in each]
        with debugging(found[1]) as debugger:
            debugger("Runtime.enable")
            debugger("Debugger.enable")
            script = debugger.script("/jobs/count.mjs")
            at = script.made(source, line)
            breakpoint_ = debugger(
                "Debugger.setBreakpointByUrl",
                url=script.url,
                lineNumber=at.line,
                columnNumber=at.column,
            )
            debugger("Runtime.runIfWaitingForDebugger")

            paused = debugger.event("Debugger.paused")
            assert paused["hitBreakpoints"] == [breakpoint_["breakpointId"]]
            frame = paused["callFrames"][0]
            stopped = frame["location"]
            place = script.source(stopped["lineNumber"], stopped["columnNumber"])
            assert (place.file, place.line) == (source, line)
            local = debugger(
                "Debugger.evaluateOnCallFrame",
                callFrameId=frame["callFrameId"],
                expression="total",
            )
            assert local["result"]["value"] == 10

            # A run with the same timeout, which begins now, runs out of it.
            endless = start(app, "endless")
            url = dev.wait_for(run_line(endless, r"Debugger (\S+)$"))[1]
            with debugging(url) as other:
                other("Runtime.runIfWaitingForDebugger")
                eventually(lambda: status(app, endless)["state"] == "TIMED_OUT")
            assert status(app, job_id)["state"] == "RUNNING"
            debugger("Debugger.resume")
            dev.wait_for(run_line(job_id, "Done"))
        told = status(app, job_id)
        assert (told["state"], told["result"]) == ("SUCCEEDED", {"total": 10, "version": "third"})
        log = run(app, "logs", job_id, "--stage", "dev", "--local").stdout
        assert log.splitlines() == ["counted 10"]
        assert not [line for line in dev.lines for words in CHATTER if words in line]
