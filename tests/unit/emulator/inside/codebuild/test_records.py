from __future__ import annotations

from typing import Any

import pytest

from devbridge.emulator.inside.codebuild import records

PROJECT: dict[str, Any] = {
    "name": "p",
    "source": {"type": "S3", "location": "bucket/key", "buildspec": "x"},
    "environment": {
        "type": "LINUX_CONTAINER",
        "image": "i",
        "computeType": "C",
        "environmentVariables": [
            {"name": "A", "value": "project"},
            {"name": "B", "value": "b", "type": "PARAMETER_STORE"},
        ],
    },
    "artifacts": {"type": "NO_ARTIFACTS"},
    "serviceRole": "r",
    "timeoutInMinutes": 5,
}


def build(**request: Any) -> records.Json:
    return records.new_build(
        PROJECT,
        request,
        build_id="p:1-2",
        arn="arn:aws:codebuild:eu-west-1:123456789012:build/p:1-2",
        number=3,
        initiator="ann",
        now=1000.0,
    )


def test_a_new_build_was_submitted_and_is_in_the_queue() -> None:
    made = build()
    assert [each["phaseType"] for each in made["phases"]] == ["SUBMITTED", "QUEUED"]
    assert made["phases"][0]["phaseStatus"] == "SUCCEEDED"
    assert "endTime" not in made["phases"][1]
    assert made["currentPhase"] == "QUEUED"
    assert (made["buildStatus"], made["buildComplete"]) == ("IN_PROGRESS", False)
    assert (made["buildNumber"], made["startTime"], made["initiator"]) == (3, 1000.0, "ann")


def test_what_neither_request_nor_project_says_has_codebuilds_default() -> None:
    assert build()["timeoutInMinutes"] == 5
    assert build()["queuedTimeoutInMinutes"] == 480
    assert "cache" not in build()
    assert build(timeoutInMinutesOverride=7)["timeoutInMinutes"] == 7


def test_the_requests_variables_replace_the_projects_of_the_same_name() -> None:
    made = build(
        environmentVariablesOverride=[{"name": "A", "value": "a"}, {"name": "C", "value": ""}]
    )
    assert made["environment"]["environmentVariables"] == [
        {"type": "PLAINTEXT", "name": "A", "value": "a"},
        {"type": "PARAMETER_STORE", "name": "B", "value": "b"},
        {"type": "PLAINTEXT", "name": "C", "value": ""},
    ]


def test_a_part_of_the_source_can_be_overridden() -> None:
    made = build(sourceLocationOverride="other/key", computeTypeOverride="D")
    assert made["source"] == {**PROJECT["source"], "location": "other/key"}
    assert (made["environment"]["image"], made["environment"]["computeType"]) == ("i", "D")


def test_a_build_shares_nothing_with_its_project() -> None:
    build()["environment"]["environmentVariables"].clear()
    build()["source"]["location"] = "x"
    assert len(PROJECT["environment"]["environmentVariables"]) == 2
    assert PROJECT["source"]["location"] == "bucket/key"


def test_a_place_in_s3_is_told_by_its_arn() -> None:
    artifact = {"type": "S3", "location": "bucket", "path": "/a/", "name": "b.zip"}
    made = build(artifactsOverride=artifact, secondaryArtifactsOverride=[artifact])
    assert made["artifacts"]["location"] == "arn:aws:s3:::bucket/a/b.zip"
    assert made["secondaryArtifacts"] == [made["artifacts"]]
    assert build()["artifacts"] == {"location": ""}


def test_a_phase_lasts_whole_seconds_and_has_a_context_when_it_says_something() -> None:
    made = build()
    records.leave(made, records.SUCCEEDED, 1002.9)
    assert made["phases"][-1]["durationInSeconds"] == 2
    assert "contexts" not in made["phases"][-1]
    records.enter(made, "BUILD", 1003.0)
    records.leave(made, records.FAILED, 1004.0, "CODE", "words")
    assert made["phases"][-1]["contexts"] == [{"statusCode": "CODE", "message": "words"}]
    records.enter(made, "POST_BUILD", 1004.0)
    records.leave(made, records.SUCCEEDED, 1004.0)
    assert made["phases"][-1]["contexts"] == [{"statusCode": "", "message": ""}]


def test_a_build_that_has_ended_is_complete_and_says_when() -> None:
    made = build()
    records.complete(made, records.STOPPED, 1010.0)
    assert (made["buildStatus"], made["buildComplete"], made["endTime"]) == (
        "STOPPED",
        True,
        1010.0,
    )
    assert made["currentPhase"] == "COMPLETED"


def test_a_builds_project_is_in_its_arn() -> None:
    arn = "arn:aws:codebuild:eu-west-1:123456789012:project/p"
    assert records.project_arn(build()) == arn


@pytest.mark.parametrize(
    ("logs", "stream"),
    [
        ({}, ("/aws/codebuild/p", "1-2")),
        ({"status": "ENABLED", "groupName": "/g"}, ("/g", "1-2")),
        ({"status": "ENABLED", "groupName": "/g", "streamName": "s"}, ("/g", "s/1-2")),
        ({"status": "DISABLED", "groupName": "/g"}, None),
    ],
)
def test_the_output_goes_where_the_logs_are_configured(
    logs: dict[str, str], stream: tuple[str, str] | None
) -> None:
    made = build(logsConfigOverride={"cloudWatchLogs": logs})
    assert records.stream_of(made) == stream


def test_a_log_that_is_there_has_its_arn_and_a_link_to_the_console() -> None:
    made = build()
    records.name_stream(made, "/g/h", "1-2")
    logs = made["logs"]
    assert (logs["groupName"], logs["streamName"]) == ("/g/h", "1-2")
    assert logs["cloudWatchLogsArn"] == (
        "arn:aws:logs:eu-west-1:123456789012:log-group:/g/h:log-stream:1-2"
    )
    assert logs["deepLink"].endswith("log-group/$252Fg$252Fh/log-events/1-2")
