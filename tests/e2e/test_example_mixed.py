"""The example in both languages, followed by its README: live, and deployed."""

from __future__ import annotations

import json

import pytest

from tests.e2e.examples import DEPLOYED, DEV, END, LIVE, SET_UP, live
from tests.e2e.readme import Terminal, outputs

SERVER = "PORT=3000 devbridge bind --local -- node server.mjs"


@pytest.mark.matrix
@pytest.mark.parametrize("terminal", ["mixed"], indirect=True)
def test_mixed_starts_each_language_s_job_from_the_other_live_and_deployed(
    terminal: Terminal,
) -> None:
    outputs(terminal.follow(SET_UP))
    with live(terminal) as dev:
        _, _, words, _, shout = outputs(terminal.follow(LIVE, since=DEV, until=SERVER))
        assert words.endswith('result ["to","be"]\n')
        assert shout.endswith('result {"text":"HELLO","times":2}\n')
        dev.wait_for(r"6 words, 4 different ones$")
        dev.wait_for(r"2: HELLO!$")

        with terminal.started(SERVER, says="/start"):
            started, status, cancelled, ended = terminal.follow(LIVE, since=SERVER)
            run_id = json.loads(started.output)["jobId"]
            assert json.loads(status.output)["job"] == "shout"
            assert json.loads(cancelled.output)["jobId"] == run_id
            assert ended.output.startswith("Cancelled")

        _, words, shout = outputs(terminal.follow(DEPLOYED))
        assert 'result ["to","be","or"]' in words
        assert 'result {"text":"HELLO","times":2}' in shout
        assert dev.interrupt() == 0
    outputs(terminal.follow(END))
