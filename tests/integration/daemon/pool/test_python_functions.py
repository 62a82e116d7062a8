"""What is only so of live functions in Python, in real processes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from devbridge.daemon.told import Printed, Remarked
from devbridge.languages.debuggers import Debuggers
from devbridge.languages.python.language import Python
from tests.dap import Debugger
from tests.integration.functions import bench, function
from tests.integration.workers import workplace

CODE = """\
def handler(event, context):
    before = context.get_remaining_time_in_millis()
    text = event["text"]
    after = context.get_remaining_time_in_millis()
    if text == "fails":
        raise ValueError(text)
    return [text, 0 < after <= before <= 60_000]
"""


async def test_a_debugger_stops_requests_whose_time_does_not_pass(tmp_path: Path) -> None:
    root = tmp_path / "app"
    root.mkdir()
    place = workplace(root, debug=True)
    debuggers = Debuggers(place, 0)
    await debuggers.start(["python3.11"])
    (configuration,) = debuggers.configurations
    session = await asyncio.to_thread(Debugger, configuration)
    await asyncio.to_thread(session.attach)
    made = bench(
        root,
        function(timeout=60),
        launcher=lambda: Python().launcher(place),
        files={"api/start.py": CODE},
        debuggers=debuggers,
        standbys=False,
    )
    async with made as live:
        file = root / "api/start.py"
        first = asyncio.create_task(live.result({"text": "a"}))

        def debug() -> None:
            process = session.next_process()
            process.attach({file: [3]}, exceptions=["uncaught"])
            stop = process.stopped()
            assert stop.place == (file, 3)
            left = {int(stop.evaluate("context.get_remaining_time_in_millis()")) for _ in range(9)}
            assert max(left) - min(left) < 5
            stop.go_on()
            process.set_breakpoints(file)
            stops.append(process)

        stops: list[Debugger] = []
        await asyncio.to_thread(debug)
        assert await first == ["a", True]
        # The same process handles the next one, and what nobody catches stops it.
        failing = live.ask({"text": "fails"})
        stop = await asyncio.to_thread(stops[0].stopped)
        assert (stop.reason, stop.place) == ("exception", (file, 6))
        await asyncio.to_thread(stop.go_on)
        await live.until(lambda: live.answers.get(failing))
        told = [each.text for each in live.kept.told if isinstance(each, Remarked)]
        assert told[:2] == ["paused at api/start.py:3", "goes on"]
        assert not [each for each in live.kept.told if isinstance(each, Printed)]
    session.close()
