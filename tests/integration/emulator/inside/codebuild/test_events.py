"""What CodeBuild says of its builds on the event bus, and builds whose machine is taken away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devbridge.cloud.session import Cloud
from tests.integration.codebuild import CodeBuild, buildspec
from tests.integration.machines import Stack, bus
from tests.waiting import eventually, gone, text_of

OUTPUTS = {"Events": {"Ref": "Queue"}}


@pytest.fixture
def codebuild(local_cloud: Cloud) -> CodeBuild:
    return CodeBuild(local_cloud)


def test_the_begin_and_the_end_of_a_build_are_events(codebuild: CodeBuild) -> None:
    stack = Stack(str(codebuild.cloud.endpoint_url), "events")
    stack.deploy(bus("aws.codebuild"), OUTPUTS)
    codebuild.make_project(buildspec("true"))
    variable = {"name": "DEVBRIDGE_RUN_ID", "value": "p:1", "type": "PLAINTEXT"}
    build = codebuild.run(environmentVariablesOverride=[variable])

    def last(event: Any) -> bool:
        return bool(event["detail"]["build-status"] == "SUCCEEDED")

    events = stack.events(last)
    assert {(e["source"], e["detail-type"], *e["resources"]) for e in events} == {
        ("aws.codebuild", "CodeBuild Build State Change", build["arn"])
    }
    details = {each["detail"]["build-status"]: each["detail"] for each in events}
    assert details.keys() == {"IN_PROGRESS", "SUCCEEDED"}
    end = details["SUCCEEDED"]
    assert (end["build-id"], end["project-name"]) == (build["arn"], build["projectName"])
    more = end["additional-information"]
    assert more["environment"]["environment-variables"] == [variable]
    assert more["build-complete"] is True
    assert more["logs"]["stream-name"] == build["logs"]["streamName"]
    assert more["phases"][-1]["phase-type"] == "COMPLETED"


def test_a_build_whose_machine_is_taken_away_gets_no_notice_and_fails(
    codebuild: CodeBuild, tmp_path: Path
) -> None:
    mark = tmp_path / "pid"
    codebuild.make_project(buildspec(f"trap '' TERM; echo $$ > {mark}; sleep 1000"))
    stack = Stack(str(codebuild.cloud.endpoint_url), "events")
    build_id = codebuild.start()
    pid = int(text_of(mark))
    (machine,) = stack.running()
    assert (machine["compute"], machine["id"]) == ("codebuild", build_id)
    assert machine["pids"]
    assert stack.interrupt(build_id) == 1
    build = codebuild.ended(build_id)
    assert build["buildStatus"] == "FAILED"
    eventually(lambda: gone(pid))
