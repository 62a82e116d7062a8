"""The example that computes, in either language, followed by its README: live, and deployed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.dev_process import client
from tests.e2e.examples import DEPLOYED, DEV, END, LIVE, SET_UP, live, resources
from tests.e2e.readme import Terminal, outputs


@pytest.mark.parametrize(
    "terminal",
    ["factorial", pytest.param("factorial-ts", marks=pytest.mark.matrix)],
    indirect=True,
)
def test_factorial_computes_live_and_deployed(terminal: Terminal) -> None:
    typescript = terminal.folder.name.endswith("-ts")
    if typescript:
        outputs(terminal.follow(SET_UP))
    outputs(terminal.follow(LIVE, until=DEV))
    with live(terminal) as dev:
        curl = dev.wait_for(r"^\s+(curl .+)$")[1]
        started = terminal.run(f"{curl} -s")
        run_id = json.loads(started.output)["jobId"]
        assert terminal.run(f"devbridge wait {run_id}").code == 0
        dev.wait_for(r"^\|  api-start +POST /factorial 202 ")
        invoked, listed, logged, asked, *result = outputs(terminal.follow(LIVE, since=DEV))
        assert run_id[:8] in listed
        assert logged.startswith("computing 5!")
        assert "POST /factorial 202 " in asked
        assert result == (['"120"\n'] if typescript else [])

        *_, invoked, listed = outputs(terminal.follow(DEPLOYED))
        assert ('result "120"' if typescript else "result 120") in invoked
        assert "SUCCEEDED" in listed
        for stage, values in (("", {"100!", "5!"}), ("prod", {"5!"})):
            table = resources(terminal, *(("--stage", stage) if stage else ()))["NotesTable"]
            rows = client(terminal.folder, "dynamodb").scan(TableName=table)["Items"]
            assert {row["id"]["S"] for row in rows} == values
        assert dev.interrupt() == 0
    outputs(terminal.follow(END))


@pytest.mark.parametrize("terminal", ["factorial-ts"], indirect=True)
def test_the_api_of_the_example_in_typescript_tells_and_cancels_runs(terminal: Terminal) -> None:
    outputs(terminal.follow(SET_UP))
    with live(terminal) as dev:
        curl = dev.wait_for(r"^\s+curl -X POST '(.+)'$")[1]

        def api(what: str) -> Any:
            return json.loads(terminal.run(f"curl -s {what}").output)

        for body in ('{"num": 6.5}', '{"num": "six"}', "six"):
            assert "num must be a whole number" in api(f"{curl} -d '{body}'")["error"]
        # As a form's, whose body comes in base64, and as JSON, whose body does not.
        for header in ("", "-H 'content-type: application/json'"):
            job_id = api(f"""{curl} {header} -d '{{"num": 6}}'""")["jobId"]
            assert terminal.run(f"devbridge wait {job_id}").code == 0
            assert api(f"{curl}/{job_id}") == {"state": "SUCCEEDED", "result": "720"}
        failed = api(f"-X POST '{curl}?num=1001'")["jobId"]
        assert terminal.run(f"devbridge wait {failed}").code == 20
        told = {"state": "FAILED", "error": "num must be a whole number from 0 to 1000, not 1001"}
        assert api(f"{curl}/{failed}") == told
        assert api(f"-X DELETE {curl}/{failed}") == {"was": "FAILED"}
        assert dev.interrupt() == 0
