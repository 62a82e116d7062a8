"""`--rerun-on-save`, with real saves and workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.live import App, job, live

J = job("j", "jobs/j.handler")
WAITS = """
from pathlib import Path
def handler(payload):
    mark = Path({folder!r})
    (mark / "began").touch()
    while not (mark / "go").exists():
        pass
    return {version}
"""
AT_ONCE = "def handler(payload):\n    return [{version}, payload]\n"


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(tmp_path)


async def test_a_run_that_goes_on_ends_by_itself_and_many_saves_are_one_more_run(app: App) -> None:
    app.write("jobs/j.py", WAITS.format(folder=str(app.outside), version=1))
    async with live(app, "fresh", J, rerun_on_save="wait") as desk:
        first = desk.start("j", b"[7]")
        await desk.exists(app.outside / "began")
        for version in (2, 3):
            mark = desk.mark
            app.write("jobs/j.py", AT_ONCE.format(version=version))
            await desk.line("^Reloaded j", after=mark)
        (app.outside / "go").touch()
        assert (await desk.end(first)).result == b"1"
        await desk.line(r"result \[3,\[7\]\]")
        assert await desk.result("j") == "[3,1]"
        assert desk.said().count("Invoke j") == 3, "nothing was run twice"
        assert desk.said().count(f"j is run again when {first[:8]} has ended") == 1


async def test_where_that_is_wanted_a_save_cancels_it_and_the_next_begins_after_its_end(
    app: App,
) -> None:
    app.write("jobs/j.py", WAITS.format(folder=str(app.outside), version=1))
    async with live(app, "fresh", J, rerun_on_save="cancel") as desk:
        first = desk.start("j", b"[7]")
        await desk.exists(app.outside / "began")
        app.write("jobs/j.py", AT_ONCE.format(version=2))
        await desk.line(r"result \[2,\[7\]\]")
        assert desk.said().index(f"{first[:8]}  Cancelled") < desk.said().rindex("Invoke j")


async def test_a_run_that_has_waited_for_the_mended_code_is_not_run_again(app: App) -> None:
    app.write("jobs/j.py", "def handler(payload:\n")
    async with live(app, "fresh", J, rerun_on_save="wait", fail_when_broken=False) as desk:
        waiting = desk.start("j", b"[7]")
        app.write("jobs/j.py", AT_ONCE.format(version=1))
        assert (await desk.end(waiting)).result == b"[1,[7]]"
        await desk.line("^Reloaded j")
        assert await desk.result("j") == "[1,1]"
        assert desk.said().count("Invoke j") == 2
