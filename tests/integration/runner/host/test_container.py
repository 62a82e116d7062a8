"""A container of AWS Batch or Fargate, from the text that it is given to its end: real processes,
and what they tell one another by way of S3."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

import runner
from runner.host import fetch
from tests.integration.runner.host.aws import (
    BUCKET,
    GROUP,
    PLACES,
    RUN,
    STREAM,
    TASK,
    UUID,
    Aws,
)
from tests.waiting import eventually, gone

DEADLINE = 30.0
RUNNER = Path(runner.__file__).parent
COUNTS = """\
    import os, time
    def handler(payload, context):
        print("pid", os.getpid(), "begins at", context.checkpoint, flush=True)
        for number in range(context.checkpoint or 0, payload):
            print("waits", number, flush=True)
            while not os.path.exists(f"{os.environ['GATES']}/{number}"):
                time.sleep(0.02)
            print("counts", number, flush=True)
            yield number + 1
        return [context.attempt, payload]
    """


class Job:
    """What was deployed, and the containers that run it one after the other."""

    def __init__(self, folder: Path, aws: Aws) -> None:
        self.folder = folder
        self.aws = aws
        self.variables: dict[str, str] = {}
        self.gates = folder / "gates"
        self.gates.mkdir()
        (folder / "tmp").mkdir()

    def deploy(self, code: str, packages: dict[str, str] | None = None) -> None:
        files = {
            f"runner/{path.relative_to(RUNNER)}": path.read_text() for path in RUNNER.rglob("*.py")
        }
        self.aws.put("code.zip", zipped({**files, "jobs/factorial.py": textwrap.dedent(code)}))
        if packages:
            self.aws.put("packages.zip", zipped(packages))
            self.variables["DEVBRIDGE_PACKAGES"] = "packages.zip"

    def start(self, payload: object = None, **more: object) -> subprocess.Popen[str]:
        key = PLACES.payload(UUID)
        self.aws.put(key, json.dumps(payload).encode())
        return self.container(DEVBRIDGE_PAYLOAD_KEY=key, **more)

    def container(self, **more: object) -> subprocess.Popen[str]:
        """Start the same run, on a machine of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", fetch.script()],
            cwd="/",
            env={
                "PATH": os.environ["PATH"],
                "TMPDIR": str(self.folder / "tmp"),
                "GATES": str(self.gates),
                "DEVBRIDGE_COMPUTE": "batch",
                "DEVBRIDGE_CODE": "code.zip",
                "DEVBRIDGE_APP": "demo",
                "DEVBRIDGE_STAGE": "prod",
                "DEVBRIDGE_JOB_NAME": "factorial",
                "DEVBRIDGE_HANDLER": "jobs/factorial.handler",
                "DEVBRIDGE_TIMEOUT": "60",
                "DEVBRIDGE_BUCKET": BUCKET,
                "DEVBRIDGE_INLINE": "1",
                "DEVBRIDGE_GRACE": "20",
                "DEVBRIDGE_RUN_ID": RUN,
                "DEVBRIDGE_PAYLOAD_KEY": PLACES.payload(UUID),
                "DEVBRIDGE_CHECKPOINT_SECONDS": "0",
                "ECS_CONTAINER_METADATA_URI_V4": f"{self.aws.url}/metadata",
                **self.aws.environment(),
                **self.variables,
                **{name: str(value) for name, value in more.items()},
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def open(self, *numbers: int) -> None:
        for number in numbers:
            (self.gates / str(number)).touch()

    def run(self, payload: object = None, **more: object) -> tuple[int, str]:
        return end(self.start(payload, **more))


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        output, _ = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
    return process.returncode, output


def zipped(files: dict[str, str]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o100755 if text.startswith("#!") else 0o100644) << 16
            archive.writestr(info, text)
    return body.getvalue()


def read_until(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdout is not None
    text = ""
    while word not in text:
        line = process.stdout.readline()
        assert line, text
        text += line
    return text


@pytest.fixture
def job(tmp_path: Path, aws: Aws) -> Job:
    return Job(tmp_path, aws)


def test_a_run_gets_its_code_packages_and_payload_and_tells_its_end(job: Job) -> None:
    code = """\
        import os, sys, tool
        def handler(payload, context):
            print("printed")
            here = [context.log_group_name, context.log_stream_name, context.invoked_function_arn]
            mode = os.stat("bin/run").st_mode & 0o777 if os.path.exists("bin/run") else None
            return [payload, tool.NAME, context.aws_request_id, here, context.function_name]
        """
    job.deploy(code, {"tool.py": "NAME = 'tool'"})
    before = time.time()
    code_of_exit, output = job.run({"n": 1})
    assert code_of_exit == 0, output
    first, printed, done, last = output.splitlines()
    assert first == f"|  Invoke factorial {RUN}"
    assert printed == "printed"
    assert done.startswith(f"|  Done    {RUN} took ")
    result = [{"n": 1}, "tool", RUN, [GROUP, STREAM, TASK], "factorial"]
    assert json.loads(last) == {"devbridge": {"state": "SUCCEEDED", "attempt": 1, "result": result}}
    told = job.aws.told()
    assert json.loads(told.pop("result")) == result
    assert told.pop("spent") >= 0
    assert before < told.pop("startedAt") < told.pop("endedAt") < time.time()
    assert told == {
        "state": "SUCCEEDED",
        "attempt": 1,
        "logs": [[GROUP, STREAM]],
        "interruptions": 0,
        "hop": 0,
    }
    assert PLACES.payload(UUID) not in job.aws.stored(), "nobody needs it any more"


def test_failed_attempts_are_followed_by_others_and_the_error_is_told(job: Job) -> None:
    job.deploy("def handler(payload, context):\n    raise ValueError(context.attempt)")
    code, output = job.run(DEVBRIDGE_ATTEMPTS=2, DEVBRIDGE_RETRY_DELAY=0.01)
    assert code == 1
    assert f"|  Invoke factorial {RUN} (attempt 2 of 2)" in output
    told = job.aws.told()
    assert (told["state"], told["attempt"]) == ("FAILED", 2)
    assert (told["error"]["type"], told["error"]["message"]) == ("ValueError", "2")


def test_while_it_runs_it_is_told_to_run_and_its_payload_stays(job: Job) -> None:
    job.deploy(COUNTS)
    process = job.start(1)
    read_until(process, "begins at")
    told = job.aws.told()
    assert (told["state"], told["attempt"], told["logs"]) == ("RUNNING", 1, [[GROUP, STREAM]])
    assert PLACES.payload(UUID) in job.aws.stored()
    job.open(0)
    assert end(process)[0] == 0


def test_an_interrupted_run_goes_on_elsewhere_at_its_checkpoint_as_the_same_attempt(
    job: Job,
) -> None:
    job.deploy(COUNTS)
    job.open(0, 1)
    process = job.start(4, DEVBRIDGE_ATTEMPTS=2, DEVBRIDGE_CHECKPOINT_SECONDS=600)
    read_until(process, "waits 2")
    process.send_signal(signal.SIGTERM)
    code, output = end(process)
    assert code == 75, output
    assert job.aws.checkpoint() == 2, "the notice is long enough to store it"
    assert f"|  Again   {RUN} INTERRUPTED after " in output
    assert '{"devbridge"' not in output
    told = job.aws.told()
    assert (told["state"], told["attempt"], told["interruptions"]) == ("RUNNING", 1, 1)
    job.open(2, 3)
    code, output = end(job.container(DEVBRIDGE_ATTEMPTS=2))
    assert code == 0, output
    invoked, goes_on, begins, *_ = output.splitlines()
    assert invoked == f"|  Invoke factorial {RUN} (attempt 1 of 2)"
    assert goes_on == f"|  Goes on {RUN} at its checkpoint"
    assert begins.endswith("begins at 2")
    assert "counts 1" not in output
    told = job.aws.told()
    assert (told["state"], told["attempt"], told["result"]) == ("SUCCEEDED", 1, "[1,4]")
    assert told["interruptions"] == 1


def test_a_machine_that_dies_without_a_word_has_interrupted_the_run(job: Job) -> None:
    job.deploy(COUNTS)
    job.open(0)
    process = job.start(2)
    text = read_until(process, "counts 0")
    eventually(lambda: job.aws.checkpoint() == 1)
    process.kill()
    end(process)
    (worker,) = [int(line.split()[1]) for line in text.splitlines() if line.startswith("pid ")]
    eventually(lambda: gone(worker))
    assert job.aws.told()["state"] == "RUNNING"
    job.open(1)
    code, output = end(job.container())
    assert code == 0, output
    assert "begins at 1" in output
    assert job.aws.told()["interruptions"] == 1


def test_what_is_interrupted_three_times_at_one_checkpoint_is_given_up(job: Job) -> None:
    job.deploy(COUNTS)
    job.open(0)
    process = job.start(2)
    for code_of_exit in (75, 75, 1):
        read_until(process, "begins at")
        eventually(lambda: job.aws.checkpoint() == 1)
        process.send_signal(signal.SIGTERM)
        code, output = end(process)
        assert code == code_of_exit, output
        if code == 75:
            process = job.container()
    told = job.aws.told()
    assert told["state"] == "CRASHED"
    assert told["error"] == {
        "type": "Interrupted",
        "message": "interrupted 3 times without progress, at the same checkpoint",
    }


def test_a_run_that_has_ended_is_not_run_again(job: Job) -> None:
    job.deploy("def handler(payload):\n    print('runs')\n    return 1")
    assert job.run()[0] == 0
    code, output = end(job.container())
    assert code == 0
    assert "runs" not in output
    assert "nothing is left to do: it was SUCCEEDED before" in output


def test_secrets_are_fetched_before_it_begins(job: Job) -> None:
    code = """\
        import os
        def handler(payload):
            return [os.environ["KEY"], "DEVBRIDGE_SECRETS" in os.environ]
        """
    job.deploy(code)
    job.aws.parameters["/demo/prod/key"] = "hunter2"
    code_of_exit, output = job.run(DEVBRIDGE_SECRETS='{"KEY": "/demo/prod/key"}')
    assert (code_of_exit, json.loads(job.aws.told()["result"])) == (0, ["hunter2", False]), output


def test_a_secret_that_nobody_has_set_fails_the_run(job: Job) -> None:
    job.deploy("def handler(payload):\n    return 1")
    code, _ = job.run(DEVBRIDGE_SECRETS='{"KEY": "/demo/prod/key"}')
    assert code == 1
    error: Any = job.aws.told()["error"]
    assert error["type"] == "SecretMissing"
    assert "KEY: there is no parameter /demo/prod/key" in error["message"]


def test_what_looks_like_an_interruption_may_be_a_cancellation(job: Job) -> None:
    job.deploy(COUNTS)
    process = job.start(1)
    before = read_until(process, "begins at")
    job.aws.put(PLACES.end(UUID), b'{"state": "CANCELLED", "at": 1}')
    process.send_signal(signal.SIGTERM)
    code, output = end(process)
    assert code == 1
    *_, error, last = (before + output).splitlines()
    assert error.startswith(f"|  Error   {RUN} CANCELLED after ")
    told = {"type": "Cancelled", "message": "the run was cancelled"}
    assert json.loads(last)["devbridge"] == {"state": "CANCELLED", "attempt": 1, "error": told}
    assert job.aws.told()["state"] == "CANCELLED"
    code, output = end(job.container())
    assert code == 1
    assert "begins at" not in output


def test_a_run_that_was_cancelled_before_its_machine_came_is_not_begun(job: Job) -> None:
    job.deploy(COUNTS)
    job.aws.put(PLACES.end(UUID), b'{"state": "CANCELLED", "at": 1}')
    code, output = job.run(1)
    assert code == 1
    assert "begins at" not in output
    assert "nothing is left to do: it was CANCELLED before" in output
