"""Node functions of the embedded cloud run in a real node, and what they leave in their logs and
tell their callers is what those on AWS do; and that is what devbridge reads."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from devbridge.runs.lambda_log import Shown, shown
from runner.outcome import Failure
from tests.integration.emulator.inside.world import ROLE, World

RUNTIMES: Final = ("nodejs22.x", "nodejs24.x")
BOTH: Final = pytest.mark.parametrize("runtime", RUNTIMES)
MANY: Final = 3000
HANDLER: Final = """\
import { spawnSync } from "node:child_process";
console.log("loaded");
let calls = 0;
export async function handler(event, context) {
  console.log("one\\ntwo", { a: 1 });
  console.warn("careful");
  console.error("oh");
  process.stdout.write("three\\n");
  process.stdout.write(Buffer.from([0xff, 0x20, 0xe2, 0x80, 0xa8, 0x0d, 0x0a]));
  console.log('{"status": "ok", "result": "printed"}');
  spawnSync("sh", ["-c", "echo of a child; echo and its errors >&2; exec 4>&1; echo four >&4"],
    { stdio: "inherit" });
  return await does[event](context);
}
const MANY = 3000;
const does = {
  fine: () => ({ answer: 1, calls: ++calls }),
  nothing: () => undefined,
  text: () => "\\u00e4\\u2028\\ud83d\\ude00",
  large: () => "\\u00e4".repeat(1e6),
  prints: () => { for (let i = 0; i < MANY; i++) console.log(i); },
  prints_at_once: () => { process.stdout.write("x\\n".repeat(50000)); },
  raises: () => { throw new TypeError("boom\\nand on"); },
  rejects: () => Promise.reject(Object.assign(new Error("no"), { code: "E_NO", more: [1] })),
  throws_text: () => { throw "text"; },
  throws_null: () => { throw null; },
  exits: () => process.exit(3),
  exits_well: () => process.exit(0),
  is_killed: () => process.kill(process.pid, "SIGKILL"),
  sleeps: () => new Promise((resolve) => setTimeout(resolve, 60000)),
  spins: () => { for (;;); },
  never_settles: () => new Promise(() => {}),
  returns_a_big_integer: () => 1n,
  throws_later: () => new Promise(() => setTimeout(() => { throw new RangeError("later"); })),
  forgets: () => {
    Promise.reject(new Error("nobody"));
    return new Promise((resolve) => setTimeout(resolve, 60000));
  },
  context: (context) => ({
    ...context,
    remaining: context.getRemainingTimeInMillis(),
    environment: Object.fromEntries(Object.entries(process.env).filter(([key]) =>
      /^(AWS_(EXECUTION_ENV|LAMBDA_.*)|_HANDLER|LAMBDA_TASK_ROOT|NODE_(OPTIONS|PATH)|HOME|TZ|DEVBRIDGE.*)$/.test(key))),
    arguments: process.argv.slice(1),
    node: process.versions.node,
  }),
  prints_no_end: () => { process.stdout.write("no end"); },
};
"""
PRINTED: Final = [
    "one\ntwo { a: 1 }",
    "[WARN] careful",
    "[ERROR] oh",
    "three",
    "\ufffd \u2028",
    '{"status": "ok", "result": "printed"}',
    "of a child",
    "and its errors",
    "four",
]


class Functions:
    """Functions of one file, which is `api/start.SUFFIX`."""

    def __init__(self, world: World) -> None:
        self._client, self._logs = world.client("lambda"), world.client("logs")
        self._made: set[str] = set()
        self.last = ""

    def invoke(
        self,
        event: object,
        code: str = HANDLER,
        *,
        runtime: str = "nodejs24.x",
        name: str = "talks",
        suffix: str = "mjs",
        files: Mapping[str, str] = {},
        handler: str = "api/start.handler",
        **options: Any,
    ) -> dict[str, Any]:
        self.last = f"{name}-{runtime.removesuffix('.x')}"
        if self.last not in self._made:
            self._made.add(self.last)
            archive = io.BytesIO()
            with zipfile.ZipFile(archive, "w") as file:
                for path, text in {f"api/start.{suffix}": code, **files}.items():
                    file.writestr(path, text)
            self._client.create_function(
                FunctionName=self.last,
                Runtime=runtime,
                Handler=handler,
                Role=ROLE,
                Code={"ZipFile": archive.getvalue()},
                **{"Timeout": 2, **options},
            )
        answer = self._client.invoke(FunctionName=self.last, Payload=json.dumps(event))
        return {"error": "FunctionError" in answer, "says": json.load(answer["Payload"])}

    def events(self) -> list[str]:
        """The last invocation's, of the function that was invoked last."""
        found = self._logs.get_paginator("filter_log_events")
        pages = found.paginate(logGroupName=f"/aws/lambda/{self.last}")
        events = [event["message"] for page in pages for event in page["events"]]
        begin = max(i for i, text in enumerate(events) if text.startswith("START RequestId: "))
        assert events[-1].startswith("REPORT RequestId: ")
        return events[begin:]

    def said(self) -> list[Shown]:
        """What is shown of the last invocation, without the start's."""
        found = (shown(text, lambda path: path.startswith("api/start.")) for text in self.events())
        texts = [each for each in found if each is not None]
        return [
            each
            for each in texts
            if isinstance(each, Failure) or not each.startswith("[devbridge]")
        ]


@pytest.fixture(scope="module")
def functions(world: World) -> Functions:
    return Functions(world)


def without_start(said: list[Shown]) -> list[Shown]:
    return said[1:] if said[:1] == ["loaded"] else said


@BOTH
def test_what_is_printed_is_in_the_log_and_no_answer(functions: Functions, runtime: str) -> None:
    first = functions.invoke("fine", runtime=runtime)
    assert first == {"error": False, "says": {"answer": 1, "calls": first["says"]["calls"]}}
    said = functions.said()
    assert without_start(said) == PRINTED
    again = functions.invoke("fine", runtime=runtime)
    assert again["says"]["calls"] == first["says"]["calls"] + 1
    assert functions.said() == PRINTED


def test_each_event_has_its_time_its_invocation_and_its_level(functions: Functions) -> None:
    functions.invoke("fine")
    begin, *events, _, _ = functions.events()
    request = begin.split()[2]
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert any(
        re.fullmatch(rf"{time}\t{request}\tINFO\tone\ntwo {{ a: 1 }}", each) for each in events
    )


@pytest.mark.parametrize(
    ("event", "answer"),
    [
        ("nothing", None),
        ("text", "\u00e4\u2028\U0001f600"),
        ("large", "\u00e4" * 1_000_000),
    ],
)
def test_any_answer_arrives_as_it_is(functions: Functions, event: str, answer: object) -> None:
    assert functions.invoke(event) == {"error": False, "says": answer}


@BOTH
def test_all_that_an_invocation_prints_is_in_its_own_log(
    functions: Functions, runtime: str
) -> None:
    functions.invoke("prints", runtime=runtime, name="prints")
    assert without_start(functions.said())[len(PRINTED) :] == [str(i) for i in range(MANY)]
    functions.invoke("prints_at_once", runtime=runtime, name="prints")
    assert functions.said()[len(PRINTED) :] == ["x"] * 50_000
    functions.invoke("prints_no_end", runtime=runtime, name="prints")
    assert functions.said() == [*PRINTED, "no end"]
    functions.invoke("fine", runtime=runtime, name="prints")
    assert functions.said() == PRINTED


SETTLED = "The Lambda runtime client detected an unexpected Node.js exit code. This is most"


@BOTH
@pytest.mark.parametrize(
    ("event", "kind", "message", "frames"),
    [
        ("raises", "TypeError", "boom\nand on", ["api/start.mjs:13:16", "api/start.mjs:23:27"]),
        ("rejects", "Error", "no", ["api/start.mjs:13:28", "api/start.mjs:24:47"]),
    ],
)
def test_an_error_is_in_the_log_and_told_its_caller_and_the_process_goes_on(
    functions: Functions, runtime: str, event: str, kind: str, message: str, frames: list[str]
) -> None:
    calls = functions.invoke("fine", runtime=runtime)["says"]["calls"]
    answer = functions.invoke(event, runtime=runtime)
    assert answer["error"]
    assert (answer["says"]["errorType"], answer["says"]["errorMessage"]) == (kind, message)
    assert answer["says"].keys() == {"errorType", "errorMessage", "trace"}
    assert answer["says"]["trace"][0] == f"{kind}: {message}".splitlines()[0]
    assert any("(file:///var/task/api/start.mjs:" in line for line in answer["says"]["trace"])
    *printed, failure = functions.said()
    assert printed == PRINTED
    assert isinstance(failure, Failure)
    assert (failure.type, failure.message) == (kind, message)
    assert [frame.rpartition("(")[2].rstrip(")") for frame in failure.frames][-1].startswith("api/")
    assert functions.invoke("fine", runtime=runtime)["says"]["calls"] == calls + 1


@pytest.mark.parametrize(
    ("runtime", "event", "kind", "message"),
    [
        *((each, "throws_text", "string", "text") for each in RUNTIMES),
        ("nodejs22.x", "throws_null", "string", "handled"),
        ("nodejs24.x", "throws_null", "object", "null"),
        ("nodejs22.x", "returns_a_big_integer", "Error", "Unable to stringify response body"),
        (
            "nodejs24.x",
            "returns_a_big_integer",
            "Runtime.JSONStringifyError",
            "Unable to stringify response body",
        ),
        ("nodejs22.x", "never_settles", "Runtime.NodeJsExit", SETTLED),
        ("nodejs22.x", "throws_later", "RangeError", "later"),
        ("nodejs22.x", "forgets", "Runtime.UnhandledPromiseRejection", "Error: nobody"),
    ],
)
def test_what_else_is_wrong_is_called_as_its_runtime_calls_it(
    functions: Functions, runtime: str, event: str, kind: str, message: str
) -> None:
    answer = functions.invoke(event, runtime=runtime)
    assert answer["error"]
    assert answer["says"]["errorType"] == kind
    assert answer["says"]["errorMessage"].startswith(message)
    *printed, failure = functions.said()
    assert without_start(printed) == PRINTED
    assert isinstance(failure, Failure)
    assert failure.message.startswith(message if kind != "object" else "null")
    assert functions.invoke("fine", runtime=runtime)["error"] is False


EXITED = "Runtime exited"


@pytest.mark.parametrize(
    ("runtime", "event", "kind", "message"),
    [
        *((each, "exits", "ExitError", f"{EXITED} with error: exit status 3") for each in RUNTIMES),
        *(
            (each, "exits_well", "ExitError", f"{EXITED} without providing a reason")
            for each in RUNTIMES
        ),
        *(
            (each, "is_killed", "ExitError", f"{EXITED} with error: signal: killed")
            for each in RUNTIMES
        ),
        ("nodejs24.x", "never_settles", "ExitError", f"{EXITED} without providing a reason"),
        ("nodejs24.x", "throws_later", "ExitError", f"{EXITED} with error: exit status 1"),
        ("nodejs24.x", "forgets", "ExitError", f"{EXITED} with error: exit status 1"),
    ],
)
def test_how_a_process_has_ended_is_in_the_log_and_told_its_caller(
    functions: Functions, runtime: str, event: str, kind: str, message: str
) -> None:
    answer = functions.invoke(event, runtime=runtime)
    assert answer["error"]
    assert answer["says"]["errorType"] == f"Runtime.{kind}"
    assert answer["says"]["errorMessage"].endswith(f" Error: {message}")
    *printed, failure = functions.said()
    assert without_start(printed)[: len(PRINTED)] == PRINTED
    assert failure == Failure(f"Runtime.{kind}", message)
    assert functions.invoke("fine", runtime=runtime)["error"] is False


@pytest.mark.parametrize("event", ["sleeps", "spins"])
def test_a_function_that_takes_too_long_is_ended(functions: Functions, event: str) -> None:
    answer = functions.invoke(event)
    assert answer["says"]["errorType"] == "Sandbox.Timedout"
    assert answer["says"]["errorMessage"].endswith("Task timed out after 2.00 seconds")
    *printed, failure = functions.said()
    assert without_start(printed) == PRINTED
    assert failure == Failure("Sandbox.Timedout", "Task timed out after 2.00 seconds")


@BOTH
def test_a_handler_gets_the_context_and_the_environment_that_aws_has(
    functions: Functions, runtime: str
) -> None:
    found = functions.invoke(
        "context",
        runtime=runtime,
        name="context",
        Environment={"Variables": {"NODE_OPTIONS": "--enable-source-maps"}},
        MemorySize=256,
    )["says"]
    begin = functions.events()[0]
    name = functions.last
    assert found["awsRequestId"] == begin.split()[2]
    assert (found["functionName"], found["functionVersion"]) == (name, "$LATEST")
    assert found["memoryLimitInMB"] == "256"
    assert found["invokedFunctionArn"].endswith(f":function:{name}")
    assert found["logGroupName"] == f"/aws/lambda/{name}"
    assert 0 < found["remaining"] <= 2000
    assert found.get("callbackWaitsForEmptyEventLoop") is (
        True if runtime == "nodejs22.x" else None
    )
    assert found["arguments"] == ["/var/runtime/index.mjs"]
    environment = found["environment"]
    assert environment.pop("LAMBDA_TASK_ROOT").endswith("/code")
    del environment["AWS_LAMBDA_LOG_STREAM_NAME"]
    assert environment == {
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "NODE_OPTIONS": "--enable-source-maps",
        "TZ": ":UTC",
        "_HANDLER": "api/start.handler",
    }


def test_a_function_runs_in_the_node_of_its_runtime(functions: Functions) -> None:
    found = functions.invoke("context", name="context")["says"]
    assert found["node"].startswith("24.")


def test_where_another_node_runs_the_log_says_so_once(functions: Functions) -> None:
    for line_count in (1, 0):
        assert functions.invoke("fine", runtime="nodejs99.x", name="newer")["error"] is False
        noted = [
            text for text in functions.events() if text.startswith("[devbridge] nodejs99.x is ")
        ]
        assert len(noted) == line_count


@pytest.mark.parametrize(
    ("name", "code", "runtime", "kind", "message"),
    [
        *(
            (
                "requires",
                "require('nothing-of-that-name'); exports.handler = () => 1",
                each,
                "Runtime.ImportModuleError",
                "Error: Cannot find module 'nothing-of-that-name'",
            )
            for each in RUNTIMES
        ),
        *(
            (
                "malformed",
                "exports.handler = (;",
                each,
                "Runtime.UserCodeSyntaxError",
                "SyntaxError: Unexpected token ';'",
            )
            for each in RUNTIMES
        ),
        *(
            (
                "nameless",
                "exports.other = 1",
                each,
                "Runtime.HandlerNotFound",
                "api/start.handler is undefined or not exported",
            )
            for each in RUNTIMES
        ),
        *(
            (
                "constant",
                "exports.handler = 1",
                each,
                "Runtime.HandlerNotFound",
                "api/start.handler is not a function",
            )
            for each in RUNTIMES
        ),
        *(
            ("throws", "throw new TypeError('at once')", each, "TypeError", "at once")
            for each in RUNTIMES
        ),
        (
            "callback",
            "exports.handler = (event, context, callback) => callback()",
            "nodejs24.x",
            "Runtime.CallbackHandlerDeprecated",
            "ERROR: AWS Lambda has removed support for callback-based function handlers",
        ),
        (
            "streams",
            "exports.handler = awslambda.streamifyResponse(async () => {})",
            "nodejs24.x",
            "Runtime.MalformedStreamingHandler",
            "the embedded cloud runs no handlers that stream",
        ),
    ],
)
def test_that_a_function_cannot_be_loaded_is_in_the_log_and_told_its_caller(
    functions: Functions, name: str, code: str, runtime: str, kind: str, message: str
) -> None:
    code = f"console.log('begins');\n{code}" if name != "malformed" else code
    answer = functions.invoke("x", code, runtime=runtime, name=name, suffix="cjs")
    assert answer["error"]
    assert answer["says"]["errorType"] == kind
    assert answer["says"]["errorMessage"].startswith(message)
    *printed, failure = functions.said()
    assert printed == (["begins"] if name != "malformed" else [])
    assert isinstance(failure, Failure)
    assert failure.type == kind
    assert failure.message.startswith(message)
    if name == "throws":
        assert failure.frames[-1].endswith("api/start.cjs:2:7)")


@BOTH
@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("leaves", "process.exit(4)", f"{EXITED} with error: exit status 4"),
        ("hangs", "await new Promise(() => {})", f"{EXITED} without providing a reason"),
    ],
)
def test_a_process_that_ends_while_it_starts_is_told(
    functions: Functions, name: str, code: str, message: str, runtime: str
) -> None:
    code = f"console.log('begins');\n{code};\nexport const handler = async () => 1"
    answer = functions.invoke("x", code, runtime=runtime, name=name)
    assert answer["says"]["errorType"] == "Runtime.ExitError"
    assert answer["says"]["errorMessage"].endswith(message)
    assert functions.said() == ["begins", Failure("Runtime.ExitError", message)]


CALLBACKS: Final = """\
exports.handler = (event, context, callback) => {
  if (event === "waits") { setTimeout(() => console.log("later")); callback(null, event); }
  if (event === "waits not") {
    context.callbackWaitsForEmptyEventLoop = false;
    setTimeout(() => console.log("much later"), 60000);
    callback(null, event);
  }
  if (event === "fails") callback(new Error("called"));
  if (event === "succeeds") context.succeed(event);
  if (event === "is done") context.done(null, event);
  if (event === "twice") { callback(null, 1); callback(null, 2); }
};
"""


@pytest.mark.parametrize(
    ("event", "answer", "printed"),
    [
        ("waits", "waits", ["later"]),
        ("waits not", "waits not", []),
        ("succeeds", "succeeds", []),
        ("is done", "is done", []),
        ("twice", 1, []),
        ("does nothing", None, []),
    ],
)
def test_node_22_has_callbacks(
    functions: Functions, event: str, answer: object, printed: list[str]
) -> None:
    # What it leaves to be done is done in the next invocation of the same process.
    name = "leaves-work" if event == "waits not" else "calls"
    found = functions.invoke(event, CALLBACKS, runtime="nodejs22.x", name=name, suffix="js")
    assert found == {"error": False, "says": answer}
    said = functions.said()
    warned = (
        said[:1] if said and str(said[0]).startswith("[WARN] AWS Lambda plans to remove") else []
    )
    assert said[len(warned) :] == printed


def test_a_callback_with_an_error_fails_the_invocation(functions: Functions) -> None:
    found = functions.invoke("fails", CALLBACKS, runtime="nodejs22.x", name="calls", suffix="js")
    assert (found["error"], found["says"]["errorMessage"]) == (True, "called")


@BOTH
@pytest.mark.parametrize(
    ("kind", "suffix", "code", "files"),
    [
        ("module", "mjs", "export const handler = async () => import.meta.url.slice(-13)", {}),
        (
            "typed",
            "js",
            "export const handler = async () => import.meta.url.slice(-12)",
            {"package.json": '{"type": "module"}'},
        ),
        ("common", "js", "exports.handler = async () => __filename.slice(-12)", {}),
        ("explicit", "cjs", "exports.handler = async () => __filename.slice(-13)", {}),
        (
            "waiting",
            "mjs",
            "const found = await 'api/start.mjs'; export const handler = async () => found",
            {},
        ),
    ],
)
def test_a_handler_may_be_a_module_of_either_kind(
    functions: Functions, runtime: str, kind: str, suffix: str, code: str, files: dict[str, str]
) -> None:
    found = functions.invoke(1, code, runtime=runtime, name=kind, suffix=suffix, files=files)
    assert found == {"error": False, "says": f"api/start.{suffix}"}


FINDS: Final = """\
import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
export const handler = async ([name]) => [
  await import(name).then((found) => found.default, (error) => error.code),
  (() => { try { return require(name); } catch (error) { return error.code; } })(),
  import.meta.url,
];
"""


@BOTH
def test_what_the_app_has_installed_is_not_found_and_there_are_no_stubs_of_the_sdk(
    functions: Functions, runtime: str
) -> None:
    files = {"node_modules/packed/index.js": "module.exports = 'packed'"}
    options: dict[str, Any] = {"runtime": runtime, "name": "finds", "files": files}
    *found, url = functions.invoke(["packed"], FINDS, **options)["says"]
    assert found == ["packed", "packed"]
    app = Path(url.removeprefix("file://").partition("/.devbridge/")[0])
    installed = app / "node_modules" / "apps" / "index.js"
    installed.parent.mkdir(parents=True, exist_ok=True)
    installed.write_text("module.exports = 'apps'")
    for name in ("apps", "@aws-sdk/client-s3"):
        *found, _ = functions.invoke([name], FINDS, **options)["says"]
        assert found == ["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"]


def test_node_22_has_no_features_that_lambda_has_switched_off_unless_they_are_switched_on(
    functions: Functions,
) -> None:
    code = "exports.handler = async () => process.execArgv"
    found = functions.invoke(1, code, runtime="nodejs22.x", name="off", suffix="js")
    assert found["says"] in (
        [],  # an older node runs it
        ["--no-experimental-require-module", "--no-experimental-detect-module"],
    )
    on = {"Variables": {"NODE_OPTIONS": "--experimental-require-module"}}
    options: dict[str, Any] = {"runtime": "nodejs22.x", "suffix": "js", "Environment": on}
    found = functions.invoke(1, code, name="on", **options)
    assert "--no-experimental-require-module" not in found["says"]
