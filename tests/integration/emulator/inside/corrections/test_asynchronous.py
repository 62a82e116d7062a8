"""What becomes of an event for a function: it waits, comes again, and its destinations are told."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from devbridge.emulator.state import Running
from tests.clients import reset
from tests.integration.emulator.inside.stacks import (
    NOTES,
    Stack,
    allow,
    arn,
    function,
    role,
    wait_for,
)

WORKER: Final = f"""\
{NOTES}
import functools, time
@functools.cache
def client():
    import boto3  # slow
    return boto3.client("lambda")
def invoke(name, event):
    payload = json.dumps(event)
    client().invoke(FunctionName=name, InvocationType="Event", Payload=payload)
def handler(event, context):
    what, folder = event["do"], f"{{os.environ['NOTES']}}-calls"
    os.makedirs(f"{{folder}}/{{event['run']}}", exist_ok=True)
    note(f"{{folder}}/{{event['run']}}", context.aws_request_id)
    if what == "raise":
        raise ValueError("boom")
    if what == "sleep":
        time.sleep(60)
    if what == "die":
        os.kill(os.getpid(), 9)
    if what == "wait":
        while not os.path.exists(f"{{folder}}/go"):
            time.sleep(0.02)
    if event.get("hop") == 16:
        invoke(event["then"], {{"do": "return", "run": "after"}})
    if what == "again":
        invoke(context.function_name, {{**event, "hop": event.get("hop", 0) + 1}})
    return {{"done": what}}
"""


def told(*conditions: str, of: str = "Worker", **properties: Any) -> dict[str, Any]:
    """An EventInvokeConfig by which `Notes` is told."""
    to = {condition: {"Destination": arn("Notes")} for condition in conditions}
    properties = {"DestinationConfig": to, "MaximumRetryAttempts": 0, **properties}
    given = {"FunctionName": {"Ref": of}, "Qualifier": "$LATEST", **properties}
    return {"Type": "AWS::Lambda::EventInvokeConfig", "Properties": given}


class Workers(Stack):
    """Functions that do what they are told, one for each kind of limit."""

    def send(self, title: str, do: str, run: str, **event: Any) -> str:
        """The request's id."""
        payload = json.dumps({"do": do, "run": run, **event})
        name = self.resource(title)
        answer = self.client("lambda").invoke(
            FunctionName=name, InvocationType="Event", Payload=payload
        )
        assert answer["StatusCode"] == 202
        return str(answer["ResponseMetadata"]["RequestId"])

    def of(self, run: str) -> dict[str, Any]:
        """What `Notes` is told of a run."""
        (found,) = self.told(lambda event: event["requestPayload"]["run"] == run)
        assert isinstance(found, dict)
        return found

    def calls(self, run: str) -> list[str]:
        """The request ids of the invocations."""
        folder = self.made / run
        files = folder.iterdir() if folder.exists() else ()
        return [path.read_text() for path in files if path.suffix != ".new"]

    @property
    def made(self) -> Path:
        """Where the workers note that they were called."""
        return self.notes.with_name(f"{self.notes.name}-calls")


@pytest.fixture(scope="module")
def workers(shared_cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Workers:
    reset(shared_cloud.endpoint_url)
    made = Workers(shared_cloud.endpoint_url, "workers", tmp_path_factory.mktemp("notes"))
    worker = partial(made.noting, WORKER)
    resources = {
        "Role": role(allow("lambda:InvokeFunction")),
        "NoSelf": role(allow("lambda:InvokeFunction", on=arn("Notes"))),
        "Notes": made.noting(NOTES),
        "Worker": worker(Timeout=2),
        "Told": told("OnSuccess", "OnFailure"),
        "Retried": worker(),
        "ToldOfRetried": told("OnFailure", of="Retried", MaximumRetryAttempts=1),
        "One": worker(ReservedConcurrentExecutions=1),
        "ToldOfOne": told("OnSuccess", "OnFailure", of="One", MaximumEventAgeInSeconds=60),
        "Off": worker(ReservedConcurrentExecutions=0),
        "ToldOfOff": told("OnFailure", of="Off"),
        "Looping": worker(RecursiveLoop="Allow"),
        "Stopped": worker(),
        "Alone": worker(role="NoSelf"),
        "ToldOfAlone": told("OnFailure", of="Alone"),
    }
    assert made.deploy(resources) == ("CREATE_COMPLETE", "")
    return made


def test_a_success_is_told_with_the_request_and_the_answer(workers: Workers) -> None:
    request = workers.send("Worker", "return", "success")
    record = workers.of("success")
    assert record.keys() == {
        *("version", "timestamp", "requestContext"),
        *("requestPayload", "responseContext", "responsePayload"),
    }
    assert record["version"] == "1.0"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["timestamp"])
    name = workers.resource("Worker")
    assert record["requestContext"] == {
        "requestId": request,
        "functionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{name}:$LATEST",
        "condition": "Success",
        "approximateInvokeCount": 1,
    }
    assert record["requestPayload"] == {"do": "return", "run": "success"}
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert record["responsePayload"] == {"done": "return"}
    assert workers.calls("success") == [request]


@pytest.mark.parametrize(
    ("do", "kind", "message"),
    [
        ("raise", "ValueError", "boom"),
        ("sleep", "Sandbox.Timedout", "Task timed out after 2.00 seconds"),
        ("die", "Runtime.ExitError", "Runtime exited with error: signal: killed"),
    ],
)
def test_a_failure_is_told_however_it_came(
    workers: Workers, do: str, kind: str, message: str
) -> None:
    workers.send("Worker", do, do)
    record = workers.of(do)
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert record["responsePayload"]["errorType"] == kind
    assert record["responsePayload"]["errorMessage"].endswith(message)
    assert len(workers.calls(do)) == 1


def test_a_retry_has_the_same_request_id(workers: Workers) -> None:
    request = workers.send("Retried", "raise", "retried")
    assert workers.of("retried")["requestContext"]["approximateInvokeCount"] == 2
    assert workers.calls("retried") == [request, request]


def test_a_throttled_event_waits_where_a_call_is_refused(workers: Workers) -> None:
    workers.send("One", "wait", "first")
    wait_for(lambda: workers.calls("first") or None)
    functions, name = workers.client("lambda"), workers.resource("One")
    with pytest.raises(functions.exceptions.TooManyRequestsException) as refused:
        functions.invoke(FunctionName=name, Payload="{}")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert refused.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    for run in ("second", "third"):
        workers.send("One", "return", run)
    assert workers.calls("second") == workers.calls("third") == []
    (workers.made / "go").touch()
    for run in ("first", "second", "third"):
        assert workers.of(run)["requestContext"]["condition"] == "Success"


def test_events_of_a_function_that_is_switched_off_fail_at_once(workers: Workers) -> None:
    workers.send("Off", "return", "off")
    record = workers.of("off")
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert "responseContext" not in record
    assert workers.calls("off") == []


def test_a_function_that_invokes_itself_is_stopped_unless_it_is_allowed(workers: Workers) -> None:
    for title in ("Looping", "Stopped"):
        workers.send(title, "again", title, then=workers.resource("Worker"))
    assert workers.of("after")["requestContext"]["condition"] == "Success"
    wait_for(lambda: len(set(workers.calls("Stopped"))) > 15 or None)
    beyond = max(17, len(workers.calls("Looping")) + 2)  # as long as it would have taken again
    wait_for(lambda: len(workers.calls("Looping")) > beyond or None)
    assert len(set(workers.calls("Stopped"))) == 16  # the last one has failed, and comes again
    functions, name = workers.client("lambda"), workers.resource("Looping")
    assert functions.get_function_recursion_config(FunctionName=name)["RecursiveLoop"] == "Allow"
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)


def test_a_function_invokes_itself_only_if_its_role_may(workers: Workers) -> None:
    workers.send("Alone", "again", "alone")
    said = workers.of("alone")["responsePayload"]["errorMessage"]
    assert "AccessDeniedException" in said
    assert "lambda:InvokeFunction" in said


def test_what_a_template_says_can_be_read_and_changed(workers: Workers) -> None:
    functions = workers.client("lambda")
    name = workers.resource("One")
    found = functions.get_function_concurrency(FunctionName=name)
    assert found["ReservedConcurrentExecutions"] == 1
    config = functions.get_function_event_invoke_config(FunctionName=name, Qualifier="$LATEST")
    assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (0, 60)


def test_a_destination_that_the_role_may_not_tell_is_refused(shared_cloud: Running) -> None:
    stack = Stack(shared_cloud.endpoint_url, "forbidden")
    status, reason = stack.deploy(
        {
            "Role": role(),
            "Notes": function(NOTES),
            "Worker": function(WORKER),
            "Told": told("OnFailure"),
        }
    )
    assert status == "ROLLBACK_COMPLETE"
    assert "does not have permissions to call InvokeFunction" in reason


def test_many_events_at_once_are_each_told_once(workers: Workers) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: workers.send("Worker", "return", f"many-{i}"), range(8)))
    found = workers.told(lambda e: e["requestPayload"]["run"].startswith("many-"), 8)
    assert {each["requestPayload"]["run"] for each in found} == {f"many-{i}" for i in range(8)}


def test_an_event_of_more_than_a_megabyte_is_refused(workers: Workers) -> None:
    with pytest.raises(ClientError, match="RequestEntityTooLargeException"):
        workers.send("Worker", "return", "x" * (1 << 20))


def test_an_event_for_no_function_is_refused(workers: Workers) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        workers.client("lambda").invoke(FunctionName="none", InvocationType="Event", Payload="{}")
