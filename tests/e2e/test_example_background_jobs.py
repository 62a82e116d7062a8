"""The example of background jobs, followed by its README: live, and deployed beside it."""

from __future__ import annotations

import re

import pytest

from tests.e2e.examples import DEPLOYED, DEV, END, LIVE, live
from tests.e2e.readme import Terminal, outputs

LOOKS = ("dlq list greeting", "logs tell", "jobs")
REDRIVE = "devbridge dlq redrive greeting ID --local"


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded cloud looks at alarms each second."""
    monkeypatch.setenv("DEVBRIDGE_METRICS_SECONDS", "1")


@pytest.mark.timeout(240)
@pytest.mark.matrix
@pytest.mark.parametrize("terminal", ["background-jobs"], indirect=True)
def test_what_fails_in_the_background_is_told_and_sent_back_live_and_deployed(
    terminal: Terminal,
) -> None:
    listed, told, jobs = (f"devbridge {each} --local" for each in LOOKS)
    mend = "sed -i.bak 's/^MENDED = False/MENDED = True/' jobs/greeting.py"
    failed = r"^\w{8} .* 3 .* topic jobs +RuntimeError: the greeting should fail, and does$"
    alarm = r"ALARM \S+BackgroundCompositeAlarm"
    ended = r"(greeting +SUCCEEDED [^\0]*){2}"

    outputs(terminal.follow(LIVE, until=DEV))
    with live(terminal) as dev:
        outputs(terminal.follow(LIVE, since=DEV, until=listed))
        dev.wait_for(r"Invoke report .*by topic jobs .*\"May\"")
        dev.wait_for(r'Done .*result "Welcome, Hank!"')
        dev.wait_for(r"its queue gives it up then: devbridge dlq list greeting")
        dev.wait_for(rf"\| +tell +\+\S+ +{alarm}")
        assert re.search(failed, terminal.run(listed).output, re.M)
        (shown, _) = outputs(terminal.follow(LIVE, since=listed, until=REDRIVE))
        assert '"Value": "greeting"' in shown
        dev.wait_for(r"^Reloaded greeting")
        redriven, left = outputs(terminal.follow(LIVE, since=mend, until=jobs))
        assert redriven == "1 of 1 message redriven to the own queue of greeting\n"
        assert re.search(r"^greeting +0 ", left, re.M)
        dev.wait_for(r'Done .*result "Welcome, whoever you are!"')
        assert re.search(ended, terminal.run(jobs).output)

        prod = " --stage prod"
        outputs(terminal.follow(DEPLOYED, until=listed + prod))
        assert re.search(failed, terminal.until(listed + prod, failed), re.M)
        assert re.search(alarm, terminal.until(told + prod, alarm))
        *_, redriven, _ = outputs(terminal.follow(DEPLOYED, since=told + prod))
        assert redriven == "1 of 1 message redriven to the own queue of greeting\n"
        assert re.search(ended, terminal.until(jobs + prod, ended))
        assert dev.interrupt() == 0
    outputs(terminal.follow(END))
