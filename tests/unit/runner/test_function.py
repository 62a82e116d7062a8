"""A function's loop, in this process, over a Runtime API that writes down what it is told."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runner import function, worker
from runner.client import RuntimeApiGone

ric = pytest.importorskip("awslambdaric.bootstrap")


class Client:
    """Stands for the Runtime API's client: hands out requests, and hangs up when there are none."""

    def __init__(self, address: str = "") -> None:
        self.address = address
        self.requests: list[tuple[Mapping[str, str], bytes]] = []
        self.told: list[tuple[Any, ...]] = []

    def ask(self, event: object, **headers: str) -> None:
        given = {
            "lambda-runtime-aws-request-id": f"id-{len(self.requests) + 1}",
            "lambda-runtime-deadline-ms": "0",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        self.requests.append((given, json.dumps(event).encode()))

    def next(self) -> tuple[Mapping[str, str], bytes]:
        if not self.requests:
            raise RuntimeApiGone("hung up")
        return self.requests.pop(0)

    def respond(self, request_id: str, body: bytes) -> int:
        self.told.append(("respond", request_id, json.loads(body)))
        return 202

    def respond_and_next(self, request_id: str, body: bytes) -> tuple[Mapping[str, str], bytes]:
        self.respond(request_id, body)
        return self.next()

    def fail(self, request_id: str, failure: Mapping[str, Any]) -> int:
        self.told.append(("fail", request_id, failure))
        return 202

    def fail_init(self, failure: Mapping[str, Any]) -> int:
        self.told.append(("fail_init", failure))
        return 202

    def report_modules(self, modules: Mapping[str, Any]) -> int:
        self.told.append(("modules", modules))
        return 202

    def report_modules_and_next(
        self, modules: Mapping[str, Any]
    ) -> tuple[Mapping[str, str], bytes]:
        self.report_modules(modules)
        return self.next()

    def close(self) -> None: ...

    def answers(self) -> list[tuple[Any, ...]]:
        return [each for each in self.told if each[0] != "modules"]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Client]]:
    (tmp_path / "api").mkdir()
    path, modules, handlers = list(sys.path), set(sys.modules), list(logging.getLogger().handlers)
    monkeypatch.chdir(tmp_path)

    def started(code: str, *events: object, handler: str = "api/start.handler") -> Client:
        (tmp_path / "api" / "start.py").write_text(textwrap.dedent(code))
        client = Client()
        for event in events:
            client.ask(event)
        monkeypatch.setenv("_HANDLER", handler)
        with contextlib.suppress(RuntimeApiGone):
            end = function.serve(client, str(tmp_path))  # type: ignore[arg-type]
            client.told.append(("ended", end))
        return client

    yield started
    sys.path[:] = path
    logging.getLogger().handlers[:] = handlers
    for name in sys.modules.keys() - modules:
        if name.partition(".")[0] in ("api", "later"):
            del sys.modules[name]


def theirs(error: Exception) -> dict[str, Any]:
    """What AWS's runtime makes of an error of a handler."""
    told: dict[str, Any] = {}

    class Api:
        class marshaller:  # noqa: N801
            unmarshal_request = staticmethod(lambda body, _: json.loads(body))
            marshal_response = staticmethod(lambda _: ("", ""))

        def post_invocation_error(self, _id: str, document: str, *_: object) -> None:
            told.update(json.loads(document))

    def handler(_event: object, _context: object) -> None:
        raise error

    class Sink:
        def log_error(self, _lines: list[str]) -> None: ...

    ric.handle_event_request(
        Api(), handler, "id-1", b"1", "application/json", None, None, "arn", 0, None, Sink()
    )
    return told


def test_requests_are_handled_one_after_the_other_and_state_is_kept(
    serve: Callable[..., Client],
) -> None:
    client = serve(
        """
        seen = []
        def handler(event, context):
            seen.append(event)
            return [seen, context.aws_request_id]
        """,
        1,
        2,
    )
    assert client.answers() == [
        ("respond", "id-1", [[1], "id-1"]),
        ("respond", "id-2", [[1, 2], "id-2"]),
    ]


def test_an_exception_is_the_requests_and_the_next_one_is_handled(
    serve: Callable[..., Client],
) -> None:
    client = serve(
        """
        def handler(event, context):
            if event == "boom":
                raise ValueError("boom")
            return event
        """,
        "boom",
        "fine",
    )
    (_, _, document), fine = client.answers()
    expected = theirs(ValueError("boom"))
    own = document.pop(function.OWN)
    file = Path.cwd() / "api" / "start.py"
    trace = [f'  File "{file}", line 4, in handler\n    raise ValueError("boom")\n']
    assert document == {**expected, "stackTrace": trace}
    assert expected["stackTrace"][-1].endswith("in handler\n    raise error\n")
    assert own["stackTrace"][0].startswith('File "api/start.py", line 4, in handler')
    assert fine == ("respond", "id-2", "fine")


def test_an_answer_that_is_no_json_is_lambdas_error(serve: Callable[..., Client]) -> None:
    client = serve("def handler(event, context): return {1, 2}", 1)
    ((_, _, document),) = client.answers()
    what = "Unable to marshal response: Object of type set is not JSON serializable"
    assert (document["errorType"], document["errorMessage"]) == ("Runtime.MarshalError", what)
    assert document["stackTrace"] == []
    assert document[function.OWN]["errorType"] == "Runtime.MarshalError"


@pytest.mark.parametrize(
    ("code", "handler", "kind", "message"),
    [
        (
            "import nothing_like_it",
            "api/start.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'api/start': No module named 'nothing_like_it'"
            " (api/start.py, line 1)",
        ),
        (
            "x = 1",
            "api/other.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'api/other': No module named 'api.other'",
        ),
        (
            "x = 1",
            "api/start.handler",
            "Runtime.HandlerNotFound",
            "Handler 'handler' missing on module 'api/start'",
        ),
        (
            "def handler(event, context) 1",
            "api/start.handler",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'api/start': expected ':' (start.py, line 1)",
        ),
        (
            "1 / 0",
            "api/start.handler",
            "ZeroDivisionError",
            "division by zero (api/start.py, line 1)",
        ),
        (
            "",
            "handler",
            "Runtime.MalformedHandlerName",
            "Bad handler 'handler': not enough values to unpack (expected 2, got 1)",
        ),
        (
            "",
            "sys.handler",
            "Runtime.BuiltInModuleConflict",
            "Cannot use built-in module sys as a handler module",
        ),
    ],
)
def test_a_handler_that_cannot_be_loaded_is_what_lambda_says_and_where(
    serve: Callable[..., Client], code: str, handler: str, kind: str, message: str
) -> None:
    client = serve(code, 1, handler=handler)
    (_, document), ended = client.answers()
    assert (document["errorType"], document["errorMessage"]) == (kind, message)
    assert ended == ("ended", 1)
    assert client.told[0][0] == "modules"


def test_code_that_does_not_parse_is_shown_as_awslambdaric_does(
    serve: Callable[..., Client],
) -> None:
    (_, document), _ = serve("def handler(event, context) 1", 1).answers()
    file = Path.cwd() / "api" / "start.py"
    trace = [f'  File "{file}" Line 1\n    def handler(event, context) 1']
    assert [line.rstrip() for line in document["stackTrace"]] == trace
    assert document[function.OWN]["errorType"] == "SyntaxError"


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("import sys; sys.exit(3)", 3),
        ("exit()", 0),
        ("exit('no')", 1),
        ("raise KeyboardInterrupt", 1),
    ],
)
def test_a_module_or_a_handler_that_exits_ends_the_process(
    serve: Callable[..., Client], code: str, end: int
) -> None:
    assert serve(code).answers() == [("ended", end)]
    assert serve(f"def handler(event, context):\n    {code}", 1).answers() == [("ended", end)]


@pytest.mark.parametrize(
    ("code", "last"),
    [
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        # What cannot be told ends the process, as it ends AWS's own runtime.
        ("raise type('E', (Exception,), {'__str__': lambda self: 1 / 0})", "ZeroDivisionError: "),
    ],
)
def test_an_end_that_is_no_error_of_the_request_shows_the_users_frames_alone(
    serve: Callable[..., Client], code: str, last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client = serve(f"def handler(event, context):\n    {code}", 1)
    assert client.answers() == [("ended", 1)]
    *lines, end = capsys.readouterr().err.splitlines()
    assert end.startswith(last)
    last_frames = lines[len(lines) - lines[::-1].index("Traceback (most recent call last):") - 1 :]
    files = [line for line in last_frames if line.startswith("  File ")]
    assert [file.split('"')[1] for file in files] == [str(Path.cwd() / "api" / "start.py")]


def test_the_root_logger_writes_lambdas_lines(
    serve: Callable[..., Client], capsys: pytest.CaptureFixture[str]
) -> None:
    serve(
        """
        import logging
        def handler(event, context):
            logging.getLogger("x").info("not shown")
            logging.getLogger("x").warning("careful: %s", event)
        """,
        1,
    )
    level, at, request, text = capsys.readouterr().out.split("\t")
    assert (level, request, text) == ("[WARNING]", "id-1", "careful: 1\n")
    assert len(at) == len("2024-01-01T00:00:00.000Z")
    sample = logging.LogRecord("x", logging.WARNING, "", 1, "careful: %s", (1,), None)
    sample.aws_request_id = "id-1"
    handler = logging.getLogger().handlers[-1]
    expected = logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
        "%Y-%m-%dT%H:%M:%S",
    )
    expected.converter = handler.formatter.converter  # type: ignore[union-attr]
    assert handler.formatter is not None
    assert handler.formatter.format(sample) == expected.format(sample)


def test_the_trace_of_each_request_is_in_the_environment(
    tmp_path: Path, serve: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "old")
    code = """
        import os
        def handler(event, context): return os.environ.get("_X_AMZN_TRACE_ID")
    """
    monkeypatch.setattr(
        Client,
        "ask",
        lambda self, event: self.requests.append(
            (
                {
                    "lambda-runtime-aws-request-id": "id",
                    **({"lambda-runtime-trace-id": event} if event else {}),
                },
                b"1",
            )
        ),
    )
    assert [each[2] for each in serve(code, "Root=1", None).answers()] == ["Root=1", None]


def test_what_is_imported_within_a_request_is_reported_too(
    serve: Callable[..., Client], tmp_path: Path
) -> None:
    (tmp_path / "later.py").write_text("")
    client = serve(
        """
        def handler(event, context):
            import later
        """,
        1,
        2,
    )
    words = [each[0] for each in client.told]
    assert words == ["modules", "respond", "modules", "respond"]
    assert str(tmp_path / "later.py") in client.told[2][1]["userFiles"]


def test_a_child_that_returns_from_the_handler_answers_nothing(
    serve: Callable[..., Client],
) -> None:
    client = serve(
        """
        import os
        def handler(event, context):
            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)
            return pid > 0
        """,
        1,
    )
    assert client.answers() == [("respond", "id-1", True)]


def test_the_worker_of_a_function_is_told_by_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "DEVBRIDGE_FUNCTION": "1",
        "LAMBDA_TASK_ROOT": str(tmp_path),
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(worker, "_prepare_streams", lambda: None)
    monkeypatch.setattr(function, "serve", lambda client, root: 7 if root == str(tmp_path) else 0)
    assert worker.main() == 7
    assert "DEVBRIDGE_FUNCTION" not in os.environ
