"""The example whose training is interrupted, followed by its README: live, and deployed."""

from __future__ import annotations

import json
import re

import pytest

from tests.e2e.examples import DEPLOYED, DEV, END, LIVE, live, only
from tests.e2e.readme import Step, Terminal, outputs


@pytest.mark.timeout(240)
@pytest.mark.matrix
@pytest.mark.parametrize("terminal", ["train"], indirect=True)
def test_a_training_goes_on_where_it_was_interrupted_live_and_deployed(terminal: Terminal) -> None:
    def printed(step: Step) -> list[int]:
        return [int(number) for number in re.findall(r"^epoch (\d+): ", step.output, re.M)]

    outputs(terminal.follow(LIVE, until=DEV))
    with live(terminal) as dev:
        steps = list(terminal.follow(LIVE, since=DEV))
        assert [step.code for step in steps] == [0] * len(steps), steps
        whole = json.loads(only(steps, "/trainings/").output)
        assert (whole["state"], whole["attempt"]) == ("SUCCEEDED", 1)
        assert whole["result"]["accuracy"] > 0.8
        sha256 = whole["result"]["sha256"]
        assert sha256[:12] in only(steps, "devbridge rerun").output  # which is shortened
        dev.wait_for(r"goes on at its checkpoint \{\"epoch\":")

        steps = list(terminal.follow(DEPLOYED))
        assert [step.code for step in steps] == [0] * len(steps), steps
        log = only(steps, "--all")
        assert "at its checkpoint" in log.output
        assert sorted(set(printed(log))) == list(range(1, 31))
        assert len(printed(log)) <= 31
        interrupted = json.loads(only(steps, "/trainings/").output)
        assert (interrupted["state"], interrupted["attempt"]) == ("SUCCEEDED", 1)
        assert interrupted["result"]["sha256"] == sha256
        assert dev.interrupt() == 0
    outputs(terminal.follow(END))
