"""A Lambda function that continues itself: each invocation is a process, as in a new sandbox; what
it calls is its own next event."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import runner
from tests.integration.runner.host.aws import BUCKET, PLACES, RUN, UUID, Aws
from tests.waiting import eventually, gone

DEADLINE = 30.0
SHORT, MARGIN = 15.0, 14.3
"""Seconds of an invocation whose handler is to stop at its first checkpoint after 0.7 s."""
DRIVER = """\
import json, os, sys, time
sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
from runner.host.function import handler
from runner.host import hops
hops.POLL = 0.1

class Context:
    function_name, invoked_function_arn = "demo_prod_factorial", "arn:function"
    def get_remaining_time_in_millis(self):
        return int(float(sys.argv[2]) * 1000)

for event in json.loads(sys.argv[1]):
    answer = handler(event, Context())
with open(sys.argv[3], "w") as file:
    json.dump(answer, file)
"""
COUNTS = """\
    import os, time
    def handler(payload, context):
        print("begins at", context.checkpoint, flush=True)
        for number in range(context.checkpoint or 0, payload):
            time.sleep(0.05)
            yield number + 1
        return [context.attempt, payload]
    """


class Function:
    """What was deployed. `hops` has what was printed in each invocation."""

    def __init__(self, folder: Path, aws: Aws) -> None:
        self.root = folder / "task"
        self.aws = aws
        self.variables: dict[str, str] = {}
        self.seconds = 20.0
        self.hops: list[str] = []
        self.answer_file = folder / "answer"
        shutil.copytree(
            Path(runner.__file__).parent,
            self.root / "runner",
            ignore=shutil.ignore_patterns("__pycache__"),
        )

    def deploy(self, code: str, **variables: object) -> None:
        (self.root / "jobs").mkdir(exist_ok=True)
        (self.root / "jobs/factorial.py").write_text(textwrap.dedent(code))
        self.variables = {name: str(value) for name, value in variables.items()}

    def event(self, payload: object, hop: int = 0) -> dict[str, Any]:
        return {"devbridge": 1, "run": RUN, "payload": json.dumps(payload), "hop": hop}

    def start(self, *events: dict[str, Any]) -> subprocess.Popen[str]:
        self.answer_file.unlink(missing_ok=True)
        credentials = {"AWS_ACCESS_KEY_ID": "AKIAROLE", "AWS_SECRET_ACCESS_KEY": "s"}
        own = {k: v for k, v in self.aws.environment().items() if "CONTAINER" not in k}
        environment = {
            "PATH": os.environ["PATH"],
            "LAMBDA_TASK_ROOT": str(self.root),
            "AWS_LAMBDA_FUNCTION_NAME": "demo_prod_factorial",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/demo_prod_factorial",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
            "DEVBRIDGE_COMPUTE": "lambda",
            "DEVBRIDGE_APP": "demo",
            "DEVBRIDGE_STAGE": "prod",
            "DEVBRIDGE_JOB_NAME": "factorial",
            "DEVBRIDGE_HANDLER": "jobs/factorial.handler",
            "DEVBRIDGE_TIMEOUT": "3600",
            "DEVBRIDGE_BUCKET": BUCKET,
            "DEVBRIDGE_INLINE": "1",
            "DEVBRIDGE_CHECKPOINT_SECONDS": "0",
            **own,
            **credentials,
            **self.variables,
        }
        return subprocess.Popen(
            [sys.executable, "-c", DRIVER, json.dumps(events), str(self.seconds), self.answer_file],
            env=environment,
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self, process: subprocess.Popen[str]) -> str:
        """How the invocation has ended: the state that it answers."""
        try:
            output, _ = process.communicate(timeout=DEADLINE)
        finally:
            process.kill()
        self.hops.append(output)
        assert process.returncode == 0, output
        state: str = json.loads(self.answer_file.read_text())["state"]
        return state

    def call(self, event: dict[str, Any]) -> str:
        return self.end(self.start(event))

    def run(self, payload: object, most: int = 20) -> str:
        """Run it to its end, over as many hops as it takes."""
        event = self.event(payload)
        for _ in range(most):
            if (state := self.call(event)) != "INTERRUPTED":
                return state
            name, event = self.aws.invoked.get(timeout=5)
            assert name == "demo_prod_factorial"
        raise AssertionError(self.hops)


@pytest.fixture
def function(tmp_path: Path, aws: Aws) -> Function:
    return Function(tmp_path, aws)


def test_what_fits_into_one_invocation_needs_no_other(function: Function) -> None:
    code = """\
        import os
        def handler(payload, context):
            print("printed")
            names = ("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
            where = [context.log_group_name, context.invoked_function_arn, context.aws_request_id]
            return [payload, [os.environ[name] for name in names], where, os.getcwd()]
        """
    function.deploy(code)
    for name in ("secrets", "queue", "http"):
        (function.root / f"{name}.py").write_text("raise SystemExit('not this one')")
    assert function.run({"n": 1}) == "SUCCEEDED", function.hops
    first, printed, done, last = function.hops[0].splitlines()
    assert first == f"|  Invoke factorial {RUN}"
    assert printed == "printed"
    assert done.startswith(f"|  Done    {RUN} took ")
    told = function.aws.told()
    where = ["/aws/lambda/demo_prod_factorial", "arn:function", RUN]
    result = [{"n": 1}, ["factorial", "1024"], where, str(function.root)]
    assert json.loads(told["result"]) == json.loads(last)["devbridge"]["result"] == result
    assert (told["state"], told["hop"]) == ("SUCCEEDED", 0)
    assert told["logs"] == [["/aws/lambda/demo_prod_factorial", "stream"]]
    assert function.aws.invoked.empty()


def test_a_run_goes_on_in_the_next_hop_at_its_checkpoint(function: Function) -> None:
    function.seconds = SHORT
    function.deploy(COUNTS, DEVBRIDGE_MARGIN=MARGIN)
    assert function.run(30) == "SUCCEEDED", function.hops
    assert len(function.hops) >= 3
    begun = [int(hop.split("begins at ")[1].split()[0]) for hop in function.hops[1:]]
    assert begun == sorted(set(begun))
    for hop in function.hops[1:]:
        assert f"|  Goes on {RUN} at its checkpoint" in hop
    for hop in function.hops[:-1]:
        assert f"|  Again   {RUN} INTERRUPTED after " in hop
    told = function.aws.told()
    assert (told["state"], told["attempt"], told["result"]) == ("SUCCEEDED", 1, "[1,30]")
    assert told["hop"] == len(function.hops) - 1
    assert told["interruptions"] == 0, "nobody has taken it away"


def test_a_hop_that_is_repeated_does_nothing(function: Function) -> None:
    function.seconds = SHORT
    function.deploy(COUNTS, DEVBRIDGE_MARGIN=MARGIN)
    first = function.event(60)
    assert function.call(first) == "INTERRUPTED"
    _, second = function.aws.invoked.get(timeout=5)
    assert function.call(first) == "DUPLICATE"
    assert function.call(second) == "INTERRUPTED"
    assert function.call(second) == "DUPLICATE"
    assert "begins" not in function.hops[-1]
    assert function.aws.invoked.qsize() == 1


def test_a_run_that_has_ended_is_not_begun_again(function: Function) -> None:
    function.deploy("def handler(payload):\n    return payload")
    assert function.run(1) == "SUCCEEDED"
    assert function.call(function.event(1)) == "DUPLICATE"


def test_a_run_may_not_continue_for_ever(function: Function) -> None:
    function.seconds = SHORT
    function.deploy(COUNTS, DEVBRIDGE_MARGIN=MARGIN, DEVBRIDGE_MAX_HOPS=2)
    assert function.run(1000) == "FAILED"
    assert len(function.hops) == 2
    assert function.aws.told()["error"]["type"] == "TooManyContinuations"


def test_a_hop_that_comes_no_further_is_the_last(function: Function) -> None:
    code = """\
        import time
        def handler(payload, context):
            while True:
                time.sleep(0.05)
                yield "here"
        """
    function.seconds = SHORT
    function.deploy(code, DEVBRIDGE_MARGIN=MARGIN)
    assert function.run(1) == "FAILED"
    assert len(function.hops) == 2
    assert function.aws.told()["error"] == {
        "type": "NoProgress",
        "message": "hop 1 has ended at the checkpoint that it had begun at",
    }


def test_what_does_not_stop_is_ended_while_there_is_time_to_tell(function: Function) -> None:
    code = """\
        import os, signal, time
        def handler(payload):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            print("pid", os.getpid(), flush=True)
            time.sleep(600)
        """
    function.seconds = 3.0
    function.deploy(code, DEVBRIDGE_MARGIN=1)
    assert function.run(1) == "TIMED_OUT"
    told = function.aws.told()
    assert (told["state"], told["error"]["type"]) == ("TIMED_OUT", "OutOfTime")
    assert eventually(lambda: gone(int(function.hops[0].split("pid ")[1].split()[0])))


def test_the_time_of_all_hops_is_the_jobs(function: Function) -> None:
    function.seconds = 2.5
    function.deploy(COUNTS, DEVBRIDGE_MARGIN=1.8, DEVBRIDGE_TIMEOUT=2.8)
    assert function.run(1000) == "TIMED_OUT"
    assert len(function.hops) > 1
    assert "error" not in function.aws.told(), "it was the job's own time"


def test_an_attempt_that_fails_is_followed_by_one_in_the_same_invocation(
    function: Function,
) -> None:
    code = """\
        def handler(payload, context):
            if context.attempt < 3:
                raise ValueError("not yet")
            return context.attempt
        """
    more = {"DEVBRIDGE_ATTEMPTS": 3, "DEVBRIDGE_RETRY_DELAY": 0.01, "DEVBRIDGE_TIMEOUT": 2}
    function.deploy(code, DEVBRIDGE_MARGIN=2, **more)
    assert function.run(1) == "SUCCEEDED", function.hops
    assert len(function.hops) == 1
    assert function.aws.told()["attempt"] == 3


def test_an_attempt_that_would_not_have_its_time_is_in_the_next_hop(function: Function) -> None:
    code = """\
        def handler(payload, context):
            if context.attempt == 1:
                raise ValueError("not yet")
            return context.attempt
        """
    more = {"DEVBRIDGE_ATTEMPTS": 2, "DEVBRIDGE_RETRY_DELAY": 0.01, "DEVBRIDGE_TIMEOUT": 19}
    function.deploy(code, DEVBRIDGE_MARGIN=2, **more)
    assert function.run(1) == "SUCCEEDED", function.hops
    assert len(function.hops) == 2
    assert f"|  Invoke factorial {RUN} (attempt 2 of 2)" in function.hops[1]


def test_a_delay_that_is_longer_than_an_invocation_is_waited_for_in_several(
    function: Function,
) -> None:
    code = """\
        import time
        def handler(payload, context):
            if context.attempt == 1:
                raise ValueError("not yet")
            return time.time()
        """
    function.seconds = 1.5
    more = {"DEVBRIDGE_ATTEMPTS": 2, "DEVBRIDGE_RETRY_DELAY": 2.5}
    function.deploy(code, DEVBRIDGE_MARGIN=0.5, **more)
    assert function.run(1) == "SUCCEEDED", function.hops
    assert len(function.hops) >= 3
    told = function.aws.told()
    assert float(told["result"]) - told["startedAt"] >= 2.5


def test_a_run_is_cancelled_while_it_runs(function: Function) -> None:
    code = """\
        import time
        def handler(payload):
            print("runs", flush=True)
            time.sleep(600)
        """
    function.deploy(code, DEVBRIDGE_ATTEMPTS=3)
    process = function.start(function.event(1))
    assert process.stdout is not None
    while "runs" not in process.stdout.readline():
        pass
    function.aws.put(PLACES.end(UUID), b'{"state": "CANCELLED", "at": 1}')
    assert function.end(process) == "CANCELLED"
    told = function.aws.told()
    assert (told["state"], told["error"]["type"]) == ("CANCELLED", "Cancelled")


def test_a_run_is_cancelled_between_two_hops(function: Function) -> None:
    function.seconds = SHORT
    function.deploy(COUNTS, DEVBRIDGE_MARGIN=MARGIN)
    assert function.call(function.event(1000)) == "INTERRUPTED"
    _, second = function.aws.invoked.get(timeout=5)
    function.aws.put(PLACES.end(UUID), b'{"state": "CANCELLED", "at": 1}')
    assert function.call(second) == "CANCELLED"
    assert "begins" not in function.hops[-1]
    assert function.aws.invoked.empty()


def test_a_function_that_may_not_call_itself_fails_the_run(function: Function) -> None:
    function.seconds = SHORT
    function.aws.refuses_invoke = True
    function.deploy(COUNTS, DEVBRIDGE_MARGIN=MARGIN)
    assert function.run(1000) == "FAILED"
    assert function.aws.told()["error"]["type"] == "NotContinued"


def test_a_sandbox_is_used_for_one_run_after_the_other(function: Function) -> None:
    function.deploy("def handler(payload):\n    print('runs', payload)\n    return payload")
    first, second = function.event(1), function.event(2)
    second["run"] = first["run"].replace(UUID, UUID[::-1])
    assert function.end(function.start(first, second)) == "SUCCEEDED"
    assert [line for line in function.hops[0].splitlines() if "runs" in line] == [
        "runs 1",
        "runs 2",
    ]
    assert function.aws.told()["result"] == "1"
    assert json.loads(function.aws.get(PLACES.told(UUID[::-1])))["result"] == "2"
