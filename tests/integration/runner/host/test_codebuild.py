"""`python3 runner run` as CodeBuild runs it: real processes, S3 on loopback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import runner
from tests.integration.runner.host.aws import BUCKET, PLACE, PROJECT, RUN, TOKEN, UUID, Aws
from tests.waiting import eventually, gone

BUILD = RUN
DEADLINE = 30.0


@dataclass
class Ended:
    code: int
    output: str
    exports: dict[str, str]

    @property
    def told(self) -> dict[str, Any]:
        """The output's last line."""
        found: dict[str, Any] = json.loads(self.output.splitlines()[-1])["devbridge"]
        return found

    @property
    def error(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.exports["DEVBRIDGE_ERROR"])
        assert self.told["error"] == found
        return {name: found[name] for name in ("type", "message")}


class Source:
    """The folder that a build's source is unpacked in."""

    def __init__(self, root: Path, aws: Aws) -> None:
        self.root = root
        self.aws = aws

    def write(self, path: str, code: str) -> None:
        file = self.root / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(textwrap.dedent(code))

    def start(self, code: str, payload: str | None = None, **more: object) -> subprocess.Popen[str]:
        self.write("jobs/factorial.py", code)
        environment = {
            "PATH": os.environ["PATH"],
            "CODEBUILD_BUILD_ID": BUILD,
            "CODEBUILD_BUILD_ARN": f"arn:aws:codebuild:eu-west-1:111122223333:build/{BUILD}",
            "CODEBUILD_SRC_DIR": str(self.root),
            "CODEBUILD_LOG_PATH": UUID,
            "DEVBRIDGE_APP": "demo",
            "DEVBRIDGE_STAGE": "prod",
            "DEVBRIDGE_JOB_NAME": "factorial",
            "DEVBRIDGE_HANDLER": "jobs/factorial.handler",
            "DEVBRIDGE_TIMEOUT": "60",
            "DEVBRIDGE_MEMORY_MB": "3072",
            "DEVBRIDGE_BUCKET": BUCKET,
            "DEVBRIDGE_INLINE": "1",
            **self.aws.environment(),
            **({} if payload is None else {"DEVBRIDGE_PAYLOAD": payload}),
            **{key: str(value) for key, value in more.items()},
        }
        return subprocess.Popen(
            [sys.executable, "runner", "run"],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="surrogateescape",
        )

    def end(self, process: subprocess.Popen[str], before: str = "") -> Ended:
        try:
            output, _ = process.communicate(timeout=DEADLINE)
        finally:
            process.kill()
        return Ended(process.returncode, before + output, self.exports())

    def run(self, code: str, payload: str | None = None, **more: object) -> Ended:
        return self.end(self.start(code, payload, **more))

    def exports(self) -> dict[str, str]:
        """What the shell of the build's last phase has."""
        names = ("STATE", "RESULT", "ERROR", "ATTEMPT", "STARTED")
        show = "".join(f'printf "%s\\0" "${{DEVBRIDGE_{name}-}}";' for name in names)
        script = f"if [ -f .devbridge-exports ]; then . ./.devbridge-exports; fi; {show}"
        values = subprocess.check_output(["sh", "-c", script], cwd=self.root, env={}, text=True)
        found = zip(names, values.split("\0"), strict=False)
        return {f"DEVBRIDGE_{name}": value for name, value in found if value}


@pytest.fixture
def source(tmp_path: Path, aws: Aws) -> Source:
    root = tmp_path / "src"
    shutil.copytree(
        Path(runner.__file__).parent,
        root / "runner",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    return Source(root, aws)


ECHO = "def handler(payload):\n    return payload\n"


@pytest.mark.parametrize(
    "payload",
    [0, False, "", None, [], {}, "\u2028 ü \U0001f600", 'it\'s "quoted" $HOME `x` \\ \n', 1.5],
)
def test_a_payload_arrives_as_it_is_and_so_does_the_result(source: Source, payload: object) -> None:
    ended = source.run(ECHO, json.dumps(payload, ensure_ascii=False))
    assert ended.code == 0, ended.output
    assert ended.exports["DEVBRIDGE_STATE"] == "SUCCEEDED"
    assert ended.exports["DEVBRIDGE_ATTEMPT"] == "1"
    assert json.loads(ended.exports["DEVBRIDGE_RESULT"]) == payload
    assert ended.told == {"state": "SUCCEEDED", "attempt": 1, "result": payload}


def test_a_build_that_somebody_starts_by_hand_has_a_payload_of_null(source: Source) -> None:
    assert source.run(ECHO).told["result"] is None


def test_banner_lines_stand_around_what_the_handler_printed(source: Source) -> None:
    ended = source.run("def handler(payload):\n    print('hi'); print('no end', end='')", "1")
    first, *printed, done, told = ended.output.splitlines()
    assert first == f"|  Invoke factorial {BUILD}"
    assert printed == ["hi", "no end"]
    assert done.startswith(f"|  Done    {BUILD} took ")
    assert json.loads(told)["devbridge"]["state"] == "SUCCEEDED"


def test_the_handler_sees_what_it_sees_on_the_laptop(source: Source) -> None:
    code = """\
        import os, sys
        def handler(payload, context):
            return {
                "id": context.aws_request_id,
                "arn": context.invoked_function_arn,
                "name": [context.function_name, context.job_name],
                "memory": context.memory_limit_in_mb,
                "attempts": [context.attempt, context.max_attempts],
                "remaining": 50_000 < context.get_remaining_time_in_millis() <= 60_000,
                "log": [context.log_group_name, context.log_stream_name],
                "folder": [os.getcwd(), sys.path[0]],
                "payload": [k for k in os.environ if "PAYLOAD" in k],
                "credentials": "AWS_CONTAINER_CREDENTIALS_FULL_URI" in os.environ,
            }
        """
    root = str(source.root)
    assert source.run(code, "1", DEVBRIDGE_ATTEMPTS=3).told["result"] == {
        "id": BUILD,
        "arn": f"arn:aws:codebuild:eu-west-1:111122223333:project/{PROJECT}",
        "name": ["factorial", "factorial"],
        "memory": 3072,
        "attempts": [1, 3],
        "remaining": True,
        "log": [f"/aws/codebuild/{PROJECT}", UUID],
        "folder": [root, root],
        "payload": [],
        "credentials": True,
    }


@pytest.mark.parametrize(
    ("code", "state", "error"),
    [
        (
            "def handler(p):\n    raise ValueError('no: ü')",
            "FAILED",
            {"type": "ValueError", "message": "no: ü"},
        ),
        (
            "import sys\ndef handler(p):\n    sys.exit(3)",
            "FAILED",
            {"type": "SystemExit", "message": "sys.exit(3)"},
        ),
        (
            "import os\ndef handler(p):\n    os._exit(0)",
            "CRASHED",
            {"type": "Exited", "message": "the worker exited with code 0 without an answer"},
        ),
        (
            "import os\ndef handler(p):\n    os.kill(os.getpid(), 11)",
            "CRASHED",
            {"type": "Killed", "message": "the worker was ended by SIGSEGV"},
        ),
        (
            "import os\ndef handler(p):\n    os.kill(os.getpid(), 9)",
            "CRASHED",
            {
                "type": "Killed",
                "message": "the worker was ended by SIGKILL"
                " (the kernel does that when memory runs out)",
            },
        ),
        (
            "def handler(p):\n    return {'a': [{1}]}",
            "FAILED",
            {
                "type": "ResultNotJson",
                "message": "result['a'][0] is of type set, which JSON does not have",
            },
        ),
        (
            "def handler(p):\n    return 'x' * 7_000_000",
            "FAILED",
            {"type": "ResultTooLarge", "message": "the result is over 6356992 bytes"},
        ),
        (
            "def handler(p):\n    raise ValueError('x' * 7_000_000)",
            "FAILED",
            {"type": "ValueError", "message": "x" * 1021 + "…"},
        ),
        (
            "1 / 0",
            "FAILED",
            {"type": "ZeroDivisionError", "message": "division by zero"},
        ),
        (
            "import os\nos._exit(4)",
            "FAILED",
            {
                "type": "Exited",
                "message": "the worker exited with code 4 without an answer"
                " while the handler was imported",
            },
        ),
        (
            "import os\nos.kill(os.getpid(), 9)",
            "FAILED",
            {
                "type": "Killed",
                "message": "the worker was ended by SIGKILL (the kernel does that when memory runs"
                " out) while the handler was imported",
            },
        ),
    ],
    ids=[
        "exception",
        "sys.exit",
        "os._exit",
        "SIGSEGV",
        "SIGKILL",
        "not JSON",
        "too large",
        "a message that is too large",
        "cannot be imported",
        "exits while imported",
        "killed while imported",
    ],
)
def test_every_kind_of_end_is_told_as_what_it_is(
    source: Source, code: str, state: str, error: dict[str, str]
) -> None:
    ended = source.run(code, "1")
    assert ended.code == 1
    assert ended.exports["DEVBRIDGE_STATE"] == ended.told["state"] == state
    assert ended.error == error
    assert "DEVBRIDGE_RESULT" not in ended.exports
    assert "runner: " not in ended.output
    *_, last, _ = ended.output.splitlines()
    assert last.startswith(f"|  Error   {BUILD} {state} after ")


def test_an_error_shows_the_users_frames_and_none_of_the_runners(source: Source) -> None:
    ended = source.run("def handler(p):\n    inner()\n\ndef inner():\n    1 / 0", "1")
    assert 'factorial.py", line 5, in inner' in ended.output
    assert "runner" not in ended.output


def test_the_library_that_was_packed_with_the_app_is_not_the_users(source: Source) -> None:
    source.write("devbridge/__init__.py", "")
    source.write("devbridge/job.py", "def handler(payload):\n    raise ValueError('not that')")
    ended = source.run("from devbridge.job import handler", "1")
    assert ended.error == {"type": "ValueError", "message": "not that"}
    assert "Traceback" not in ended.output
    assert "ValueError: not that" in ended.output


def test_a_run_leaves_no_warning_of_an_open_socket(source: Source) -> None:
    ended = source.run(ECHO, "1", PYTHONWARNINGS="error")
    assert ended.told["state"] == "SUCCEEDED"
    assert "Warning" not in ended.output


def test_a_build_finds_the_runner_where_python_does_not_look_into_the_current_folder(
    source: Source,
) -> None:
    assert source.run(ECHO, "1", PYTHONSAFEPATH="1").told["state"] == "SUCCEEDED"


def test_a_message_of_any_length_is_cut(source: Source) -> None:
    ended = source.run("def handler(p):\n    raise ValueError('ü' * 100_000)", "1")
    message = ended.error["message"]
    assert message == "ü" * 510 + "…"


def test_a_failed_run_is_tried_again_and_told_so(source: Source) -> None:
    code = """\
        import os
        def handler(payload, context):
            if context.attempt == 1:
                raise RuntimeError("not yet")
            if context.attempt == 2:
                os._exit(9)
            return [context.attempt, context.max_attempts]
        """
    ended = source.run(code, "1", DEVBRIDGE_ATTEMPTS=4, DEVBRIDGE_RETRY_DELAY=0.01)
    assert ended.told == {"state": "SUCCEEDED", "attempt": 3, "result": [3, 4]}
    assert ended.exports["DEVBRIDGE_ATTEMPT"] == "3"
    assert "RuntimeError: not yet, again in 0.01 s" in ended.output
    assert "exited with code 9 without an answer, again in 0.02 s" in ended.output
    assert f"|  Invoke factorial {BUILD} (attempt 3 of 4)" in ended.output


def test_the_last_attempts_error_is_the_runs(source: Source) -> None:
    code = "def handler(payload, context):\n    raise RuntimeError(context.attempt)"
    ended = source.run(code, "1", DEVBRIDGE_ATTEMPTS=2, DEVBRIDGE_RETRY_DELAY=0.01)
    assert (ended.told["attempt"], ended.error["message"]) == (2, "2")


def test_a_handler_that_cannot_be_imported_is_not_tried_again(source: Source) -> None:
    ended = source.run("1 / 0", "1", DEVBRIDGE_ATTEMPTS=3, DEVBRIDGE_RETRY_DELAY=60)
    assert ended.told["attempt"] == 1


@pytest.mark.parametrize("deaf", [False, True], ids=["goes by itself", "ignores SIGTERM"])
def test_an_attempt_that_takes_too_long_is_stopped_with_all_that_it_started(
    source: Source, deaf: bool
) -> None:
    code = f"""\
        import os, signal, subprocess, sys, time
        if {deaf}:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        def handler(payload):
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            print("pids", os.getpid(), child.pid, flush=True)
            time.sleep(600)
        """
    ended = source.run(code, "1", DEVBRIDGE_TIMEOUT=0.5, DEVBRIDGE_GRACE=0.5)
    assert ended.told == {"state": "TIMED_OUT", "attempt": 1}
    assert "DEVBRIDGE_ERROR" not in ended.exports
    assert ended.code == 1
    none_is_left(pids(ended.output))


def test_what_a_handler_leaves_behind_is_ended_with_the_build(source: Source) -> None:
    code = """\
        import subprocess, sys
        def handler(payload):
            for own_session in (False, True):
                child = subprocess.Popen(
                    [sys.executable, "-c", "import time; time.sleep(600)"],
                    start_new_session=own_session,
                )
                print("pids", child.pid)
            return "done"
        """
    ended = source.run(code, "1")
    assert ended.told["result"] == "done"
    none_is_left(pids(ended.output))


def test_a_build_that_is_stopped_stops_its_handler_gracefully(source: Source) -> None:
    code = """\
        import os, signal, time
        def handler(payload):
            signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"cleaning up\\n") and exit(0))
            print("pids", os.getpid(), flush=True)
            time.sleep(600)
        """
    process = source.start(code, "1", DEVBRIDGE_ATTEMPTS=3)
    before = read_until(process, "pids")
    process.send_signal(signal.SIGTERM)
    ended = source.end(process, before)
    assert "cleaning up" in ended.output
    assert ended.told["state"] == "CANCELLED"
    assert ended.code == 1
    none_is_left(pids(ended.output))


def test_a_run_that_is_terminated_in_a_build_that_goes_on_tells_its_state_and_error(
    source: Source,
) -> None:
    code = """\
        import os, signal, time
        def handler(payload):
            os.kill(os.getppid(), signal.SIGTERM)
            time.sleep(600)
        """
    ended = source.run(code, "1")
    assert ended.exports["DEVBRIDGE_STATE"] == "CANCELLED"
    assert ended.error == {"type": "Terminated", "message": "the run was told to stop by SIGTERM"}


def test_a_runner_that_is_killed_takes_its_worker_along(source: Source) -> None:
    code = """\
        import os, time
        def handler(payload):
            print("pids", os.getpid(), flush=True)
            time.sleep(600)
        """
    process = source.start(code, "1")
    before = read_until(process, "pids")
    process.kill()
    none_is_left(pids(before))
    source.end(process)


def test_a_large_payload_comes_from_s3_and_is_deleted_there(source: Source) -> None:
    payload, key = {"text": "ü" * 100_000}, f"payloads/{PLACE}/a b+c.json"
    body = json.dumps(payload).encode()
    source.aws.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    code = "def handler(payload):\n    return [len(payload['text']), payload['text'][0]]"
    ended = source.run(code, DEVBRIDGE_PAYLOAD_KEY=key)
    assert ended.told["result"] == [100_000, "ü"]
    assert source.aws.stored() == []


def test_a_payload_that_s3_does_not_have_fails_the_run(source: Source) -> None:
    ended = source.run(ECHO, DEVBRIDGE_PAYLOAD_KEY=f"payloads/{PLACE}/gone.json")
    assert ended.told["state"] == "FAILED"
    assert "NoSuchKey" in ended.error["message"]


def test_a_large_result_is_put_into_s3(source: Source) -> None:
    ended = source.run("def handler(payload):\n    return 'ü' * 3000", "1")
    key = f"results/{PLACE}/{UUID}.json"
    assert ended.exports["DEVBRIDGE_RESULT"] == ended.told["result"] == f"@{key}"
    body = source.aws.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert json.loads(body) == "ü" * 3000


def test_a_result_that_cannot_be_stored_fails_the_run(source: Source) -> None:
    code = "def handler(payload):\n    return 'x' * 5000"
    ended = source.run(code, "1", DEVBRIDGE_BUCKET="no-such-bucket-anywhere")
    assert ended.told["state"] == "FAILED"
    assert "NoSuchBucket" in ended.error["message"]


@pytest.mark.parametrize("value", ["4111", ["a" * 5000], "", False])
def test_unless_results_are_inline_the_builds_variables_only_say_where_they_are(
    source: Source, value: object
) -> None:
    ended = source.run(ECHO, json.dumps(value), DEVBRIDGE_INLINE="")
    key = f"results/{PLACE}/{UUID}.json"
    assert ended.exports["DEVBRIDGE_RESULT"] == ended.told["result"] == f"@{key}"
    body = source.aws.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert json.loads(body) == value


def test_unless_messages_are_inline_the_builds_variables_only_say_where_they_are(
    source: Source,
) -> None:
    code = "def handler(payload):\n    raise ValueError(payload)"
    ended = source.run(code, '"4111"', DEVBRIDGE_INLINE="")
    key = f"results/{PLACE}/{UUID}.error.json"
    assert json.loads(ended.exports["DEVBRIDGE_ERROR"]) == {"type": "ValueError", "at": key}
    assert "4111" not in json.dumps(ended.exports)
    body = source.aws.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    frame = 'File "jobs/factorial.py", line 2, in handler\n    raise ValueError(payload)'
    assert json.loads(body) == {"type": "ValueError", "message": "4111", "frames": [frame]}


def test_a_message_that_s3_does_not_take_is_in_the_log(source: Source) -> None:
    code = "def handler(payload):\n    raise ValueError(payload)"
    more = {"DEVBRIDGE_INLINE": "", "DEVBRIDGE_BUCKET": "no-such-bucket-anywhere"}
    ended = source.run(code, '"4111"', **more)
    assert json.loads(ended.exports["DEVBRIDGE_ERROR"]) == {
        "type": "ValueError",
        "message": "its message is only in the build's log: S3 did not accept it",
    }
    assert "ValueError: 4111" in ended.output


def test_a_payload_that_cannot_be_read_is_told_at_once(source: Source) -> None:
    more = {"DEVBRIDGE_INLINE": "", "DEVBRIDGE_PAYLOAD_KEY": f"payloads/{PLACE}/gone.json"}
    ended = source.run(ECHO, **more)
    assert "NoSuchKey" in ended.error["message"]


def test_files_of_the_app_with_names_of_the_standard_library_do_not_disturb(
    source: Source,
) -> None:
    for name in ("secrets", "http", "queue", "shlex", "urllib", "dataclasses"):
        source.write(f"{name}.py", "raise SystemExit('not this one')")
    ended = source.run("def handler(payload):\n    return 'fine'", "1")
    assert ended.told["state"] == "SUCCEEDED", ended.output


def test_nothing_of_the_environment_is_printed(source: Source) -> None:
    ended = source.run(
        "def handler(p):\n    raise ValueError", '"the-payload"', PASSWORD="hunter2hunter2"
    )
    for secret in ("hunter2", TOKEN, "the-payload", "AKIAROLE"):
        assert secret not in ended.output


# --- helpers ------------------------------------------------------------------------------------


def read_until(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdout is not None
    text = ""
    while word not in text:
        line = process.stdout.readline()
        assert line, text
        text += line
    return text


def pids(output: str) -> list[int]:
    found = [line for line in output.splitlines() if line.startswith("pids ")]
    return [int(word) for line in found for word in line.split()[1:]]


def none_is_left(numbers: list[int]) -> None:
    assert numbers
    eventually(lambda: gone(*numbers))
