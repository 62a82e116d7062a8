from __future__ import annotations

import http.client
import os
import signal
import threading

import pytest

from devbridge.console.alone import serve, there_is
from devbridge.console.door import FILE
from devbridge.console.keys import Keys
from devbridge.runs.lock import only_one

from .stages import Stage


def test_the_console_of_a_dev_that_runs_is_opened_by_a_link_of_its_own(stage: Stage) -> None:
    file, lock = stage.config.stage_dir / FILE, stage.config.lock
    assert there_is(stage.config) is None
    keys = Keys().opened(4711)
    keys.write(file)
    assert there_is(stage.config) is None, "nobody runs it any more"
    with only_one(lock, "ann"):
        link = there_is(stage.config)
        assert link is not None
        assert link.startswith("http://127.0.0.1:4711/?token=")
        assert keys.made(link.partition("?token=")[2])
        keys.closed().write(file)
        assert there_is(stage.config) is None, "it has none"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_goes_on_until_a_signal_and_gives_its_link_when_it_listens(
    stage: Stage, number: signal.Signals
) -> None:
    assert threading.current_thread() is threading.main_thread()
    answers = []

    def opened(link: str) -> None:
        address = link.removeprefix("http://").partition("/")[0]
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.request("GET", "/" + link.partition(f"{address}/")[2])
        answers.append(connection.getresponse().status)
        connection.close()
        os.kill(os.getpid(), number)

    serve(stage.subject, opened)
    assert answers == [303]
    assert Keys.read(stage.config.stage_dir / FILE).launch == ""
