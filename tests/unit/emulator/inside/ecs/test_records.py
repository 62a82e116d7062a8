from __future__ import annotations

from typing import Any

from devbridge.emulator.inside.ecs import records

ARN = "arn:aws:ecs:eu-west-1:1:task/c/0a"
DEFINITION = {
    "family": "f",
    "revision": 3,
    "taskDefinitionArn": "arn:aws:ecs:eu-west-1:1:task-definition/f:3",
    "cpu": "512",
    "memory": "1024",
    "containerDefinitions": [{"name": "job", "image": "i", "cpu": 0}, {"name": "x", "image": "j"}],
}


def task(**request: Any) -> dict[str, Any]:
    return records.new_task(
        request, DEFINITION, arn=ARN, cluster_arn="cluster", strategy=[], now=100.0
    )


def test_a_task_goes_on_and_ends_and_counts_its_changes() -> None:
    made = task(startedBy="me")
    assert (made["lastStatus"], made["version"], made["group"]) == ("PROVISIONING", 1, "family:f")
    assert "capacityProviderName" not in made
    records.move(made, "PENDING", 101.0)
    records.move(made, "RUNNING", 102.0)
    assert {each["lastStatus"] for each in made["containers"]} == {"RUNNING"}
    records.exited(made, "job", 7)
    records.stopping(made, records.EXITED, "r", 103.0)
    records.stopping(made, records.USER, "later", 104.0)
    records.stopped(made, 105.0)
    assert (made["stopCode"], made["stoppedReason"], made["version"]) == (records.EXITED, "r", 5)
    assert [each.get("exitCode") for each in made["containers"]] == [7, None]
    times = ("createdAt", "pullStartedAt", "startedAt", "stoppingAt", "stoppedAt")
    assert [made[key] for key in times] == [100.0, 101.0, 102.0, 103.0, 105.0]
    made["_token"] = "t"
    shown = records.event(made, 106.0)
    assert not {"_token", "tags"} & shown.keys()
    assert (shown["stoppedAt"], shown["updatedAt"]) == (
        "1970-01-01T00:01:45.000Z",
        "1970-01-01T00:01:46.000Z",
    )


def test_what_a_request_overrides_is_in_the_record() -> None:
    override = {"name": "job", "cpu": 5, "memory": 6}
    made = task(overrides={"cpu": "1024", "memory": "2048", "containerOverrides": [override]})
    assert (made["cpu"], made["memory"]) == ("1024", "2048")
    assert (made["containers"][0]["cpu"], made["containers"][0]["memory"]) == ("5", "6")
    assert records.override_of(made["overrides"], "job") == override
    assert records.override_of(made["overrides"], "x") == {}


def test_a_task_is_placed_with_the_provider_that_counts_most() -> None:
    weights = [("FARGATE", 1), ("FARGATE_SPOT", 3)]
    strategy = [{"capacityProvider": name, "weight": weight} for name, weight in weights]
    assert records.provider_of(strategy) == "FARGATE_SPOT"


def test_a_log_stream_has_the_prefix_the_container_and_the_task() -> None:
    options = {"awslogs-group": "g", "awslogs-stream-prefix": "p"}
    own = {"name": "job", "logConfiguration": {"logDriver": "awslogs", "options": options}}
    assert records.stream_of(own, "0a") == ("g", "p/job/0a")
    del options["awslogs-stream-prefix"]
    assert records.stream_of(own, "0a") == ("g", "0a")
    assert records.stream_of({"name": "job"}, "0a") is None


def test_the_documents_tell_of_the_task_and_its_log() -> None:
    made = task()
    own = records.container_document(made, DEFINITION, "job", ("g", "s"))
    assert own["LogOptions"] == {
        "awslogs-group": "g",
        "awslogs-region": "eu-west-1",
        "awslogs-stream": "s",
    }
    assert "LogOptions" not in records.container_document(made, DEFINITION, "job", None)
    whole = records.document(made, DEFINITION)
    assert (whole["Revision"], whole["Limits"]) == ("3", {"CPU": 0.5, "Memory": 1024})
