"""What AWS documents of a function's answers, a row for each; and one suite that compares all rows
with what a caller sees of an app's functions.

The files that run these tests say in which language the functions are (`Language`), and in which
places (`PLACES`): a place is what makes the app's stage there.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError

from devbridge import names
from devbridge.cloud.session import connect
from devbridge.config import Config
from devbridge.constructs.load import load_app
from devbridge.deploy import Request, deploy
from devbridge.emulator.state import Running
from tests.clients import reset, root_client
from tests.e2e.dev_process import DevProcess
from tests.integration.test_any_app_deploys import fast
from tests.waiting import eventually

APP: Final = Path(__file__).parent / "answers_app"
"""The app, and a folder for each language with the files that are written in it."""

LAMBDA: Final = "https://docs.aws.amazon.com/lambda/latest/dg"
INVOKE: Final = "https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"
ERRORS: Final = f"{LAMBDA}/python-exceptions.html, {LAMBDA}/nodejs-exceptions.html"
ENDS: Final = f"{LAMBDA}/lambda-runtime-environment.html"
TIMEOUTS: Final = f"{LAMBDA}/troubleshooting-invocation.html"
QUOTAS: Final = f"{LAMBDA}/gettingstarted-limits.html"
RETRIES: Final = f"{LAMBDA}/invocation-async-error-handling.html"
RECORDS: Final = f"{LAMBDA}/invocation-async-retain-records.html"
BATCHES: Final = f"{LAMBDA}/services-sqs-errorhandling.html"
RUNTIMES: Final = (
    "https://github.com/aws/aws-lambda-python-runtime-interface-client, awslambdaric/bootstrap.py;"
    " https://github.com/aws/aws-lambda-nodejs-runtime-interface-client, src"
)
"""What a runtime says of what it cannot load or send; the guide names the error types only."""
GATEWAY: Final = "https://docs.aws.amazon.com/apigateway/latest/developerguide"
RESPONSES: Final = f"{GATEWAY}/http-api-develop-integrations-lambda.html"
FAILURES: Final = f"{GATEWAY}/http-api-troubleshooting-lambda.html"
API_QUOTAS: Final = f"{GATEWAY}/http-api-quotas.html"
AUTHORIZERS: Final = f"{GATEWAY}/http-api-lambda-authorizer.html"
COMPARED: Final = (
    "https://github.com/aws/aws-lambda-dotnet/tree/master/Tools/LambdaTestTool-v2/tests"
)
"""Where AWS's own test tool is compared with a real API: what the guide does not say."""
BODY_TYPE: Final = "https://github.com/aws/aws-lambda-go/pull/373"
UNAVAILABLE: Final = "https://github.com/cortexlabs/cortex/issues/1225"
TOO_LARGE: Final = "https://github.com/awslabs/aws-athena-query-federation/issues/793"

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
FAILED: Final = {"message": "Internal Server Error"}
MUCH: Final = 6 << 20

pytestmark = [pytest.mark.timeout(240)]


@dataclass(frozen=True, kw_only=True)
class Language:
    """How a language says what all of them can say: error types and messages."""

    folder: str
    """Of the app's handlers, below `APP`."""
    trace: str
    """The key of an error's frames."""
    errors: Mapping[str, tuple[str, str]]
    """What is thrown, and what is said of what is wrong with a function, by `Failure.says`."""


_ENDED: Final = "RequestId: REQUEST Error: Runtime exited"
OF_LAMBDA: Final[Mapping[str, tuple[str, str]]] = {
    "an exit": ("Runtime.ExitError", f"{_ENDED} with error: exit status 3"),
    "an exit with 0": ("Runtime.ExitError", f"{_ENDED} without providing a reason"),
    "a kill": ("Runtime.ExitError", f"{_ENDED} with error: signal: killed"),
    "a timeout": (
        "Sandbox.Timedout",
        r"RequestId: REQUEST Error: Task timed out after 1\.00 seconds",
    ),
    "too much": (
        "Function.ResponseSizeTooLarge",
        r"Response payload size exceeded maximum allowed payload size \(6291556 bytes\)\.",
    ),
}
"""What Lambda itself says, whatever a function is written in: see `Language.errors`."""


@dataclass(frozen=True)
class Answer:
    """What a client of an API gets."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Stage:
    """The app where its functions are called."""

    name: str
    endpoint: str
    url: str
    """Of its API."""

    @property
    def api(self) -> str:
        """The API's id."""
        return urlsplit(self.url).path.strip("/")

    def client(self, service: str) -> Any:
        return root_client(self.endpoint, service)

    def invoke(self, function: str, event: object, **options: Any) -> dict[str, Any]:
        name = f"answers_{self.name}_{function}-fn"
        payload = json.dumps(event)
        once = BotoConfig(retries={"max_attempts": 0})
        client = root_client(self.endpoint, "lambda", config=once)
        return dict(client.invoke(FunctionName=name, Payload=payload, **options))

    def ask(self, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}) -> Answer:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        try:
            method = "GET" if body is None else "POST"
            connection.request(method, parts.path + path, body, dict(headers))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def queue(self, name: str) -> str:
        """A queue's URL."""
        found = self.client("cloudformation").describe_stack_resource(
            StackName=names.stack("answers", self.name),
            LogicalResourceId=f"{name.capitalize()}Queue",
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def received(self, name: str) -> Any:
        """A message of a queue, deleted."""
        sqs, url = self.client("sqs"), self.queue(name)

        def receive() -> Any:
            return sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages")

        (message,) = eventually(receive)
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return message["Body"]


Place = Callable[[Path, Running], AbstractContextManager[Stage]]
"""What makes a stage of the app in this folder; there is an empty embedded cloud for it."""


@contextmanager
def deployed(root: Path, cloud: Running) -> Iterator[Stage]:
    """The functions are deployed, and nothing else runs."""
    config = Config(root=root, stage="deployed", python=Path(sys.executable), local=True)
    session = connect(config, cloud.endpoint_url)
    asked = Request(load_app(root), session, stage="deployed", mode="deployed", pace=fast)
    yield Stage("deployed", str(cloud.endpoint_url), deploy(asked).outputs["ApiUrl"])


@contextmanager
def live(root: Path, cloud: Running) -> Iterator[Stage]:
    """The functions run in workers of `devbridge dev`."""
    endpoint = str(cloud.endpoint_url)
    with DevProcess(root, "--stage", "live", "--endpoint", endpoint) as dev:
        url = dev.wait_for(r"^ApiUrl +(\S+)", deadline=120)[1]
        dev.wait_for("^Ready")
        yield Stage("live", endpoint, url)


PLACE: Final = r"( \(functions/\w+\.\w+(, line \d+|:\d+:\d+)\))?"
"""A developer is told where the file is broken that was saved: nothing else differs."""
PLACES: Final[Mapping[str, Place]] = {"deployed": deployed, "live": live}


@pytest.fixture(scope="module", params=PLACES)
def stage(
    request: pytest.FixtureRequest,
    shared_cloud: Running,
    language: Language,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    """Each place in turn."""
    reset(shared_cloud.endpoint_url)
    root = tmp_path_factory.mktemp("answers") / "app"
    root.mkdir()
    shutil.copy(APP / "app.py", root)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(APP / language.folder, root, dirs_exist_ok=True, ignore=ignored)
    with PLACES[request.param](root, shared_cloud) as made:
        yield made


# --- functions that fail ------------------------------------------------------------------------


@dataclass(frozen=True)
class Failure:
    """A way for a function to fail."""

    does: str
    says: str
    """Its key in `Language.errors`."""
    source: str
    function: str = "ends"
    has_frames: bool = False


FAILURES_OF_FUNCTIONS: Final = (
    Failure("raises", "an error", ERRORS, has_frames=True),
    Failure("raises_for_a_reason", "an error with a cause", ERRORS, has_frames=True),
    Failure("returns_no_json", "no JSON", RUNTIMES),
    Failure("exits", "an exit", ENDS),
    Failure("exits_at_once", "an exit with 0", ENDS),
    Failure("is_killed", "a kill", ENDS),
    Failure("sleeps", "a timeout", TIMEOUTS, "sleeps"),
    Failure("imports", "an import error", RUNTIMES, "imports"),
    Failure("syntax", "a syntax error", RUNTIMES, "syntax"),
    Failure("nameless", "no handler", RUNTIMES, "nameless"),
    Failure("loads", "an error", RUNTIMES, "loads"),
    Failure("answers_too_much", "too much", QUOTAS),
)


def named(rows: tuple[Any, ...]) -> pytest.MarkDecorator:
    """Rows as parameters of a test, named after what is done."""
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.does)


@named(FAILURES_OF_FUNCTIONS)
def test_who_calls_a_function_that_fails_is_told_its_error(
    stage: Stage, language: Language, row: Failure
) -> None:
    answer = stage.invoke(row.function, {"does": row.does})
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    told = json.load(answer["Payload"])
    kind, message = language.errors[row.says]
    assert told["errorType"] == kind
    request = answer["ResponseMetadata"]["RequestId"]
    place = PLACE if stage.name == "live" else ""
    pattern = message.replace("REQUEST", request) + place
    assert re.fullmatch(pattern, told["errorMessage"], re.DOTALL)
    if row.has_frames:
        # A live function's stub is in Python, whatever the function is in.
        frames = told["stackTrace" if stage.name == "live" else language.trace]
        assert all(isinstance(frame, str) for frame in frames)
        assert any("functions/ends" in frame for frame in frames)


@named(FAILURES_OF_FUNCTIONS)
def test_a_client_of_an_api_is_told_nothing_but_what_keeps_a_live_function_from_being_loaded(
    stage: Stage, row: Failure
) -> None:
    answer = stage.ask(f"/{row.function}/{row.does}")
    if stage.name == "live" and row.function in ("imports", "syntax", "nameless", "loads"):
        assert (answer.status, answer.headers["content-type"]) == (500, TEXT)
        assert answer.body.startswith(f"{row.function} cannot be loaded: ".encode())
        return
    assert (answer.status, answer.headers["content-type"]) == (500, JSON)
    assert answer.json == FAILED


def test_a_function_goes_on_after_each_failure(stage: Stage) -> None:
    for does in ("raises", "exits", "is_killed"):
        assert "FunctionError" in stage.invoke("ends", {"does": does})
        answer = stage.invoke("ends", {"does": "answers_empty"})
        assert json.load(answer["Payload"]) == {}


# --- what functions return ----------------------------------------------------------------------


@dataclass(frozen=True)
class Returned:
    """What a function returns, and what becomes of it in an HTTP API."""

    does: str
    source: str
    payload: Any
    """What a direct call gets."""
    body: bytes | None = None
    """None: the payload, as JSON."""
    status: int = 200
    kind: str = JSON
    headers: Mapping[str, list[str] | None] = field(default_factory=dict)


def failing(does: str, source: str, **payload: Any) -> Returned:
    """A response that has not the format of its payload's version."""
    body = json.dumps(FAILED, separators=(",", ":")).encode()
    return Returned(does, source, {"statusCode": 200, **payload}, body, 500)


COOKIES: Final = ["a=1; Secure", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"]
RETURNED: Final = (
    Returned(
        "answers_text", RESPONSES, {"statusCode": 201, "body": "grün"}, "grün".encode(), 201, TEXT
    ),
    Returned(
        "answers_without_status",
        RESPONSES,
        {"message": "grün", "body": "x", "headers": {"a": "b"}},
        headers={"a": None},
    ),
    Returned("answers_a_string", RESPONSES, 'so "to say"', b'so "to say"'),
    Returned("answers_numbers", RESPONSES, [1, 2.5, True]),
    Returned("answers_nothing", RESPONSES, None),
    Returned("answers_empty", RESPONSES, {}),
    Returned("answers_without_body", RESPONSES, {"statusCode": 200}, b"", kind=TEXT),
    Returned(
        "sets_cookies",
        RESPONSES,
        {"statusCode": 204, "cookies": COOKIES},
        b"",
        204,
        TEXT,
        {"set-cookie": COOKIES},
    ),
    Returned(
        "has_headers",
        RESPONSES,
        {
            "statusCode": 200,
            "headers": {"X-Text": "a,b", "X-Number": 7, "X-Flag": True},
            "multiValueHeaders": {"X-Many": ["a", "b"]},
        },
        b"",
        200,
        TEXT,
        {"x-text": ["a,b"], "x-number": ["7"], "x-flag": ["true"], "x-many": None},
    ),
    failing("has_a_status_that_is_no_number", FAILURES, statusCode="many", body="x"),
    failing("has_a_broken_status", COMPARED, statusCode=200.5, body="x"),
    failing("has_a_body_that_is_no_text", BODY_TYPE, body={"a": 1}),
    failing("has_headers_that_are_none", FAILURES, headers={"X-Many": ["a", "b"]}),
    failing("answers_wrong_base64", FAILURES, body="%%%", isBase64Encoded=True),
)


@named(RETURNED)
def test_who_calls_a_function_gets_what_it_returns(stage: Stage, row: Returned) -> None:
    answer = stage.invoke("ends", {"does": row.does})
    assert "FunctionError" not in answer
    assert json.load(answer["Payload"]) == row.payload


@named(RETURNED)
def test_a_client_of_an_api_gets_what_is_made_of_it(stage: Stage, row: Returned) -> None:
    answer = stage.ask(f"/ends/{row.does}")
    assert (answer.status, answer.headers["content-type"]) == (row.status, row.kind)
    if row.body is None:
        assert answer.json == row.payload
    else:
        assert answer.body == row.body
    assert {name: answer.headers.get_all(name) for name in row.headers} == row.headers


def test_a_binary_body_arrives_as_bytes(stage: Stage) -> None:
    """As `RESPONSES` says."""
    answer = stage.ask("/ends/answers_binary")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
    assert answer.body == bytes(range(256))


def test_a_function_gets_a_binary_body_as_base64_and_all_cookies(stage: Stage) -> None:
    """As `RESPONSES` says."""
    headers = {"Content-Type": "application/octet-stream", "Cookie": "a=1; b=2"}
    told = stage.ask("/ends/tells", b"\x00" * 3, headers).json
    assert (told["body"], told["base64"], told["cookies"]) == (4, True, ["a=1", "b=2"])
    told = stage.ask("/ends/tells", b"abc", {"Content-Type": "text/plain"}).json
    assert (told["body"], told["base64"], told["cookies"]) == (3, False, None)


# --- how large, and how long --------------------------------------------------------------------


def test_a_call_and_its_answer_may_have_six_megabytes(stage: Stage) -> None:
    """As `QUOTAS` and `INVOKE` say; the error is that of `TOO_LARGE`."""
    much = {"does": "answers_much", "more": ""}
    much["more"] = "x" * (MUCH - len(json.dumps(much)))
    answer = stage.invoke("ends", much)
    assert len(answer["Payload"].read()) == MUCH + 100
    much["more"] += "x"
    with pytest.raises(ClientError) as caught:
        stage.invoke("ends", much)
    error = caught.value.response
    assert error["Error"]["Code"] == "RequestEntityTooLargeException"
    assert error["Error"]["Message"] == (
        "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
    )
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_an_event_that_nobody_waits_for_may_have_a_megabyte(stage: Stage) -> None:
    """As `QUOTAS` and `INVOKE` say."""
    event = {"does": "answers_empty", "more": "x" * (1 << 20)}
    with pytest.raises(ClientError) as caught:
        stage.invoke("ends", event, InvocationType="Event")
    assert caught.value.response["Error"]["Code"] == "RequestEntityTooLargeException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    event["more"] = "x" * (1 << 19)
    assert stage.invoke("ends", event, InvocationType="Event")["StatusCode"] == 202


@pytest.mark.parametrize("size", [MUCH, (10 << 20) + 1], ids=["Lambda's", "an API's"])
def test_a_request_of_an_api_may_be_as_large_as_it_and_lambda_take(stage: Stage, size: int) -> None:
    """As `API_QUOTAS` and `QUOTAS` say; the answer is that of `COMPARED`."""
    answer = stage.ask("/ends/tells", b"x" * size, {"Content-Type": "text/plain"})
    assert (answer.status, answer.json) == (413, {"message": "Request Entity Too Large"})


def test_an_api_does_not_wait_longer_than_its_integration_may_take(stage: Stage) -> None:
    """As `API_QUOTAS` says, 30 seconds at most; the answer is that of `UNAVAILABLE`."""
    apis, api = stage.client("apigatewayv2"), stage.api
    (integration,) = [
        each
        for each in apis.get_integrations(ApiId=api)["Items"]
        if "waits-fn" in each["IntegrationUri"]
    ]
    assert integration["TimeoutInMillis"] == 30_000
    asked = {"ApiId": api, "IntegrationId": integration["IntegrationId"]}
    apis.update_integration(**asked, TimeoutInMillis=200)
    answer = stage.ask("/waits/waits")
    assert (answer.status, answer.headers["content-type"]) == (503, JSON)
    assert answer.json == {"message": "Service Unavailable"}
    apis.update_integration(**asked, TimeoutInMillis=30_000)
    assert stage.ask("/waits/waits").body == b"waited"


# --- who may call -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asking:
    """Whom an authorizer is asked for, and what the client is answered."""

    does: str
    """The authorizer, and the value of the header; None: there is no such header."""
    status: int
    message: str = ""
    context: Any = None
    source: str = AUTHORIZERS


UNAUTHORIZED: Final = "Unauthorized"
FORBIDDEN: Final = "Forbidden"
ASKING: Final = (
    Asking("simple jane", 200, context={"name": "jane", "age": 7}),
    Asking("simple joe", 403, FORBIDDEN),
    Asking("simple", 401, UNAUTHORIZED),
    Asking("simple text", 500, FAILED["message"]),
    Asking("simple nothing", 500, FAILED["message"]),
    Asking("simple nobody", 500, FAILED["message"]),
    Asking("policy jane", 200, context={"name": "jane"}),
    Asking("policy joe", 403, FORBIDDEN),
    Asking("policy", 401, UNAUTHORIZED),
    Asking("policy nobody", 500, FAILED["message"]),
)


@pytest.fixture(scope="module")
def with_policies(stage: Stage) -> Stage:
    """One of the API's authorizers answers with IAM policies, which no construct asks for."""
    apis, api = stage.client("apigatewayv2"), stage.api
    (found,) = [
        each
        for each in apis.get_authorizers(ApiId=api)["Items"]
        if "policy-fn" in each["AuthorizerUri"]
    ]
    asked = {"ApiId": api, "AuthorizerId": found["AuthorizerId"]}
    apis.update_authorizer(**asked, EnableSimpleResponses=False)
    return stage


@named(ASKING)
def test_an_authorizer_decides_who_may_call(with_policies: Stage, row: Asking) -> None:
    authorizer, _, who = row.does.partition(" ")
    headers = {"x-who": who} if who else {}
    answer = with_policies.ask(f"/{authorizer}/tells", headers=headers)
    assert answer.status == row.status, answer.body
    if row.message:
        assert answer.json == {"message": row.message}
    else:
        found = answer.json["authorizer"]["lambda"]
        assert found.items() >= row.context.items()


def test_a_function_without_concurrency_is_not_called(stage: Stage) -> None:
    """As `INVOKE` says."""
    with pytest.raises(ClientError) as caught:
        stage.invoke("stopped", {"does": "answers_empty"})
    error: Any = caught.value.response
    assert error["Error"]["Code"] == "TooManyRequestsException"
    assert error["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 429


# --- events that nobody waits for ---------------------------------------------------------------


def test_an_event_that_fails_is_tried_again_and_then_told_of(
    stage: Stage, language: Language
) -> None:
    """As `RETRIES` and `RECORDS` say, with one retry."""
    event = {"does": "raises"}
    answer = stage.invoke("later", event, InvocationType="Event")
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    record = json.loads(stage.received("lost"))
    assert record["requestPayload"] == event
    context = record["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("RetriesExhausted", 2)
    assert context["requestId"] == answer["ResponseMetadata"]["RequestId"]
    assert record["responseContext"]["functionError"] == "Unhandled"
    kind, message = language.errors["an error"]
    assert record["responsePayload"]["errorType"] == kind
    assert record["responsePayload"]["errorMessage"] == message


def test_of_a_batch_only_what_has_failed_comes_again(stage: Stage) -> None:
    """As `BATCHES` says; what was received once, its `max_receives`, is a dead letter."""
    sqs, url = stage.client("sqs"), stage.queue("orders")
    stage.invoke("batch", {"Records": []})  # it has started, however long that takes
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "5"})
    entries = [{"Id": each, "MessageBody": each} for each in ("good", "bad", "fine")]
    sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert stage.received("dead") == "bad"
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def left(name: str) -> list[str]:
        asked = sqs.get_queue_attributes(QueueUrl=stage.queue(name), AttributeNames=counts)
        return [asked["Attributes"][each] for each in counts]

    eventually(lambda: left("orders") == ["0", "0"])
    assert left("dead") == ["0", "0"]
