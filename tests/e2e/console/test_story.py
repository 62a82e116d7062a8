"""What the console is for: a call fails, and a breakpoint in its replay shows why.

It is told in `docs/a-failed-call.md`, which has the code, and the pictures that are taken here.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dap import debugging
from tests.e2e.console.conftest import Console
from tests.e2e.console.test_functions import editor, run_of
from tests.e2e.console.test_runs import expect_text
from tests.e2e.dev_process import DevProcess, run, run_line

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

PAGE = (Path(__file__).parents[3] / "docs" / "a-failed-call.md").read_text("utf-8")
FILES = dict(re.findall(r'^```python title="(\S+)"\n(.*?)^```', PAGE, re.DOTALL | re.MULTILINE))
LINE = FILES["jobs/split.py"].splitlines().index("    each = payload.total // payload.guests") + 1


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("story") / "app"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    yield root
    run(root, "cloud", "stop")


def test_a_call_that_fails_is_understood_at_a_breakpoint_of_its_replay(
    console: Console, dev: DevProcess, app: Path, pictures: Path
) -> None:
    page = console.open("/runs", color_scheme="light", viewport={"width": 1120, "height": 620})
    url = dev.wait_for(r"^ApiUrl\s+(http\S+)")[1]
    called = urllib.request.Request(  # noqa: S310 - the embedded cloud's own
        f"{url}/split",
        json.dumps({"total": 90, "guests": 0}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(called) as answer:  # noqa: S310
        failed = answer.read().decode()

    # It appears, fails, and its page begins with the error, at the developer's own line.
    page.locator(f'[data-id="{failed}"]', has_text="failed").click()
    error = page.get_by_label("Error", exact=True)
    error.get_by_text("ZeroDivisionError").first.wait_for()
    error.get_by_text("each = payload.total // payload.guests").first.wait_for()
    page.screenshot(path=pictures / "story-error.png")

    # Its payload is edited; what runs is opened to debuggers, and one attaches.
    page.keyboard.press("e")
    editor(page, '{"total": 90, "guests": 3}')
    page.get_by_role("button", name="Debug", exact=True).click()
    port = int(dev.wait_for(r"^Debugger 127\.0\.0\.1:(\d+)")[1])
    with debugging({"connect": {"host": "127.0.0.1", "port": port}}) as debugger:
        page.keyboard.press("Control+Enter")
        replay = run_of(page)
        process = debugger.next_process()
        process.attach({app / "jobs/split.py": [LINE]})

        # It stops there, both say so, and its two seconds do not pass.
        stop = process.stopped()
        assert stop.place == (app / "jobs/split.py", LINE)
        assert f"paused at jobs/split.py:{LINE}\n" in PAGE
        dev.wait_for(run_line(replay, f"paused at jobs/split.py:{LINE}$"))
        expect_text(page, ".run-bar .state", "paused")
        expect_text(page, ".run-bar .paused", f"jobs/split.py:{LINE}")
        page.screenshot(path=pictures / "story-paused.png")
        after = stop.step()
        assert (after.place[1], after.locals["each"]) == (LINE + 1, "30")
        after.go_on()

        # It succeeds.
        expect_text(page, ".run-bar .state", "succeeded")
        page.get_by_label("Result", exact=True).get_by_text("30").wait_for()
        dev.wait_for(run_line(replay, "Done"))
    page.screenshot(path=pictures / "story-succeeded.png")
