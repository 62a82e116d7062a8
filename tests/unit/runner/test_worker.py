"""One invocation in this process, over a Runtime API that writes down what it is told."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runner import aws, command, lookups, memory, preloaded, worker
from runner.client import RuntimeApiGone
from runner.signed import AwsError

HEADERS = {
    "lambda-runtime-aws-request-id": "run-1",
    "lambda-runtime-deadline-ms": "0",
    "lambda-runtime-client-context": '{"custom": {"attempt": "2"}}',
}


class Client:
    """Stands for the Runtime API's client; `told` is what it was told, in order."""

    def __init__(self, address: str = "") -> None:
        self.address = address
        self.payload = b"null"
        self.told: list[tuple[Any, ...]] = []
        self.gone = False
        self.closed = False

    def next(self) -> tuple[Mapping[str, str], bytes]:
        if self.gone:
            raise RuntimeApiGone("hung up")
        self.told.append(("next",))
        return HEADERS, self.payload

    def respond(self, request_id: str, body: bytes) -> int:
        self.told.append(("respond", request_id, body))
        return 202

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

    def close(self) -> None:
        self.closed = True

    @property
    def words(self) -> list[str]:
        return [each[0] for each in self.told]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    one = Client()

    def connect(address: str) -> Client:
        one.address = address
        return one

    monkeypatch.setattr(worker, "RuntimeClient", connect)
    monkeypatch.setattr(worker, "_prepare_streams", lambda: None)
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1/token")
    return one


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("worked_"):
            del sys.modules[name]


COUNT = iter(range(1000))


@pytest.fixture
def handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have a handler with this source; its function is called `handler`."""

    def write(source: str) -> None:
        name = f"worked_{next(COUNT)}"
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.setenv("_HANDLER", f"{name}.handler")
        monkeypatch.setenv("LAMBDA_TASK_ROOT", str(tmp_path))

    return write


Handler = Callable[[str], None]


# --- answers ------------------------------------------------------------------------------------


def test_what_the_handler_returns_is_the_answer(client: Client, handler: Handler) -> None:
    handler("def handler(payload): return payload['num'] + 1")
    client.payload = b'{"num": 4}'
    assert worker.main() == 0
    assert client.words == ["modules", "next", "respond"]
    assert client.told[-1] == ("respond", "run-1", b"5")
    assert client.address == "127.0.0.1:1/token"
    assert client.closed


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("def handler(payload, context): return [payload, context.attempt]", b"[null,2]"),
        ("async def handler(payload): return payload", b"null"),
        ("handler = lambda payload: 0", b"0"),
    ],
)
def test_handlers_of_each_kind_are_called_as_they_want_to_be(
    client: Client, handler: Handler, source: str, result: bytes
) -> None:
    handler(source)
    client.payload = b""
    assert worker.main() == 0
    assert client.told[-1] == ("respond", "run-1", result)


def test_an_error_of_the_handler_is_reported_and_the_worker_has_done_its_work(
    client: Client, handler: Handler
) -> None:
    handler("def handler(payload): raise KeyError('x')")
    assert worker.main() == 0
    what, request_id, failure = client.told[-1]
    assert (what, request_id) == ("fail", "run-1")
    assert (failure["errorType"], failure["errorMessage"]) == ("KeyError", "'x'")
    assert "in handler" in failure["stackTrace"][0]


@pytest.mark.parametrize(
    "source",
    ["def handler(payload): return object()", "async def handler(payload): return object()"],
)
def test_a_result_that_is_not_json_is_an_error(
    client: Client, handler: Handler, source: str
) -> None:
    handler(source)
    assert worker.main() == 0
    assert client.told[-1][0] == "fail"
    assert client.told[-1][2]["errorType"] == "ResultNotJson"


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        ("SystemExit(3)", 3),
        ("SystemExit(0)", 0),
        ("SystemExit()", 0),
        ("SystemExit('why')", 1),
        ("KeyboardInterrupt()", 130),
        ("MemoryError()", 0),
    ],
)
def test_an_exit_is_reported_and_its_code_kept(
    client: Client, handler: Handler, raised: str, code: int
) -> None:
    handler(f"def handler(payload): raise {raised}")
    assert worker.main() == code
    assert client.words[-1] == "fail"
    assert client.told[-1][2]["errorType"] == raised.partition("(")[0]


def test_what_was_printed_is_on_its_way_before_the_answer(
    client: Client, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[list[str]] = []

    class Stream:
        def write(self, text: str) -> int:
            return len(text)

        def flush(self) -> None:
            flushed.append(client.words)

    for ending in ("return 1", "raise ValueError"):
        flushed.clear()
        handler(f"def handler(payload): {ending}")
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", Stream())
            worker.main()
        assert flushed, "nothing was flushed"
        assert "respond" not in flushed[0][-1:]
        assert "fail" not in flushed[0][-1:]
        client.told.clear()


def test_a_closed_stream_does_not_hide_the_answer(
    client: Client, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed:
        def flush(self) -> None:
            raise ValueError

    handler("def handler(payload): return 1")
    monkeypatch.setattr(sys, "stdout", Closed())
    assert worker.main() == 0
    assert client.words[-1] == "respond"
    assert sys.stdout is None
    monkeypatch.undo()


# --- a handler that cannot be loaded ------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "error", "code"),
    [
        ("import not_there_at_all", "ModuleNotFoundError", 1),
        ("def other(): ...", "HandlerNotFound", 1),
        ("raise SystemExit(7)", "SystemExit", 7),
        ("raise SystemExit(0)", "SystemExit", 1),
        ("def handler(:", "SyntaxError", 1),
    ],
)
def test_a_handler_that_cannot_be_loaded_is_reported_with_what_it_had_imported(
    client: Client, handler: Handler, source: str, error: str, code: int
) -> None:
    handler(source)
    assert worker.main() == code
    assert client.words == ["modules", "fail_init"]
    assert client.told[-1][1]["errorType"] == error


def test_secrets_of_the_environment_are_there_when_the_handler_is_imported(
    client: Client, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws, "call", lambda *_, **given: {"Parameter": {"Value": given["Name"]}})
    monkeypatch.setenv("DEVBRIDGE_SECRETS", '{"MY_KEY": "/the/key"}')
    monkeypatch.setenv("MY_KEY", "")
    handler("import os\nKEY = os.environ['MY_KEY']\ndef handler(): return KEY")
    assert worker.main() == 0
    assert client.told[-1] == ("respond", "run-1", b'"/the/key"')
    assert "DEVBRIDGE_SECRETS" not in os.environ


def test_a_secret_that_cannot_be_fetched_is_a_failure_of_its_own(
    client: Client, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(*_: object, **_given: object) -> object:
        error = AwsError("no")
        error.code = "ParameterNotFound"
        raise error

    monkeypatch.setattr(aws, "call", call)
    monkeypatch.setenv("DEVBRIDGE_SECRETS", '{"MY_KEY": "/the/key"}')
    handler("def handler(): return 1")
    assert worker.main() == 1
    assert client.told[-1][1]["errorType"] == "SecretMissing"
    assert "there is no parameter /the/key" in client.told[-1][1]["errorMessage"]


def test_a_missing_module_may_be_in_the_shells_own_path(
    client: Client, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    missed: list[BaseException] = []
    monkeypatch.setattr(lookups, "missed_import", missed.append)
    handler("import not_there_at_all")
    worker.main()
    assert [type(error) for error in missed] == [ModuleNotFoundError]


def test_an_api_that_went_away_is_told_to_the_terminal(
    client: Client, handler: Handler, capsys: pytest.CaptureFixture[str]
) -> None:
    handler("def handler(payload): ...")
    client.gone = True
    assert worker.main() == worker.EXIT_FAILED == 1
    assert capsys.readouterr().err == "runner: hung up\n"
    assert client.closed


# --- what else is told --------------------------------------------------------------------------


def test_the_daemons_first_worker_records_what_is_read(
    client: Client, handler: Handler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bool] = []

    class Reads:
        def __init__(self, *, record: bool) -> None:
            made.append(record)

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

        def report(self) -> dict[str, object]:
            return {"own": ["data.json"]}

    monkeypatch.setattr(worker, "Reads", Reads)
    for value in ("1", "", None):
        handler("def handler(payload): ...")
        if value is not None:
            monkeypatch.setenv("DEVBRIDGE_RECORD", value)
        worker.main()
        assert "DEVBRIDGE_RECORD" not in os.environ
    assert made == [True, False, False]
    assert client.told[0][1]["own"] == ["data.json"]
    assert str(min(tmp_path.glob("worked_*.py"))) in client.told[0][1]["userFiles"]


def test_what_a_run_imports_besides_pythons_own_modules_is_told_before_the_answer(
    client: Client, handler: Handler, tmp_path: Path
) -> None:
    (tmp_path / "worked_lazily.py").write_text("")
    for ending in ("return 1", "raise ValueError"):
        handler(f"def handler(payload):\n    import worked_lazily\n    {ending}")
        worker.main()
        assert client.words[:3] == ["modules", "next", "modules"]
        assert str(tmp_path / "worked_lazily.py") in client.told[2][1]["userFiles"]
        client.told.clear()
        del sys.modules["worked_lazily"]


def test_what_a_run_imports_of_the_standard_library_is_nobodys_business(
    client: Client, handler: Handler
) -> None:
    sys.modules.pop("chunk", None)
    sys.modules.pop("this", None)
    handler("def handler(payload):\n    import sched, colorsys")
    for name in ("sched", "colorsys"):
        sys.modules.pop(name, None)
    worker.main()
    assert client.words == ["modules", "next", "respond"]


def test_that_what_was_preloaded_is_of_no_use_any_more_is_told(
    client: Client, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles = iter([None, "socket.socket was replaced"])
    monkeypatch.setattr(preloaded, "trouble", lambda: next(troubles))
    handler("def handler(payload): ...")
    worker.main()
    assert client.words == ["modules", "next", "modules", "respond"]


def test_the_streams_are_ready_before_the_handler_is_imported(
    client: Client, handler: Handler, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    monkeypatch.setattr(worker, "_prepare_streams", ready.touch)
    handler(
        f"import os\nREADY = os.path.exists({str(ready)!r})\ndef handler(payload): return READY"
    )
    assert worker.main() == 0
    assert client.told[-1] == ("respond", "run-1", b"true")


def test_a_handler_that_forked_and_came_back_in_the_child_does_not_answer_twice(
    client: Client, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Left(BaseException):
        pass

    def leave(code: int) -> None:
        raise Left(code)

    pids = iter(range(1, 100))
    monkeypatch.setattr(worker.os, "_exit", leave)  # type: ignore[attr-defined]
    monkeypatch.setattr(worker.os, "getpid", lambda: next(pids))  # type: ignore[attr-defined]
    flushed: list[str] = []
    monkeypatch.setattr(worker, "_flush", lambda: flushed.append("what the child has printed"))
    for ending in ("return 1", "raise ValueError"):
        handler(f"def handler(payload): {ending}")
        with pytest.raises(Left, match="0"):
            worker.main()
        assert not {"respond", "fail"} & set(client.words)
    assert len(flushed) == 2


# --- limits, commands and streams ---------------------------------------------------------------


def test_the_memory_limit_holds_for_the_handler_only(
    client: Client, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[str, int]] = []
    for name in ("set_memory", "lift_memory"):
        monkeypatch.setattr(memory, name, lambda name=name: said.append((name, len(client.told))))
    for source in ("def handler(payload): ...", "def handler(payload): raise ValueError", "1 / 0"):
        handler(source)
        said.clear()
        client.told.clear()
        worker.main()
        assert [name for name, _ in said] == ["set_memory", "lift_memory"]
        assert said[1][1] < len(client.told), "lifted before the answer"


def test_a_memory_error_says_which_limit_was_reached(
    client: Client, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "set_memory", lambda: None)
    monkeypatch.setattr(memory, "lift_memory", lambda: None)
    monkeypatch.setattr(memory, "_limit", 64 << 20)
    for source in ("def handler(payload): raise MemoryError", "raise MemoryError"):
        handler(source)
        worker.main()
        assert "memory_limit of 64 MiB" in client.told[-1][-1]["errorMessage"]


def test_a_container_jobs_handler_is_its_command(
    client: Client, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler("raise AssertionError")
    monkeypatch.setenv("DEVBRIDGE_COMMAND", "[]")
    monkeypatch.setattr(command, "handler", lambda payload: payload)
    client.payload = b"5"
    assert worker.main() == 0
    assert client.told[-1] == ("respond", "run-1", b"5")


def test_streams_are_utf_8_by_the_line_whatever_the_locale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, object]] = []

    class Stream:
        def reconfigure(self, **options: object) -> None:
            asked.append(options)

        def fileno(self) -> int:
            raise ValueError

    class Users:
        """Put there by an app: it has no such method."""

    monkeypatch.setattr(sys, "stdout", Stream())
    monkeypatch.setattr(sys, "stderr", Users())
    worker._prepare_streams()
    monkeypatch.undo()
    assert asked == [{"encoding": "utf-8", "errors": "backslashreplace", "line_buffering": True}]
