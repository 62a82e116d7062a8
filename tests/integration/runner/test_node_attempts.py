"""Attempts of a training in JavaScript, interrupted and gone on with: the runner that builds have,
its Runtime API and real workers."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from runner import attempt, process
from runner.invocation import Invocation
from runner.outcome import FAILED, INTERRUPTED, SUCCEEDED, End
from runner.runtime_api import RuntimeApi
from tests.node import NODE

TRAINING = """
import { setTimeout as sleep } from "node:timers/promises"
export const handler = KIND (epochs, context) {
    let {epoch, weights} = context.checkpoint ?? {epoch: 0, weights: [0.1, 0.2, 0.3]}
    while (epoch < epochs) {
        weights = weights.map((each, at) => each + Math.sin(each * 7 + at + epoch) / 10)
        console.log("epoch", epoch)
        epoch += 1
        STEP
        yield {epoch, weights}
    }
    return weights
}
"""
SYNC = TRAINING.replace("KIND", "function*")
ASYNC = TRAINING.replace("KIND", "async function*")
EPOCHS = 12


class Inbox(attempt.Inbox):
    def stop(self) -> None:
        self.terminated = True
        self.put(None, 0)


class Runs:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.api = RuntimeApi()
        self.kept: list[bytes] = []
        self.output = root / "output"
        self.output.touch()

    def attempt(
        self,
        code: str,
        *,
        checkpoint: bytes | None = None,
        stop_after: int = 0,
        stop_at: float | None = None,
    ) -> End:
        """One attempt; SIGTERM comes when so many of its checkpoints are kept."""
        (self.root / "train.mjs").write_text(code)
        inbox, before = Inbox(), len(self.kept)

        def keep(body: bytes) -> None:
            self.kept.append(body)
            time.sleep(0.005)  # a store is not that quick; meanwhile the next epoch has begun
            if stop_after and len(self.kept) - before >= stop_after:
                inbox.stop()

        output = os.open(self.output, os.O_WRONLY | os.O_APPEND)
        try:
            return attempt.run(
                self.api,
                Invocation("demo-prod-train:1", b"%d" % EPOCHS, 0.0, context={"job": "train"}),
                {
                    "PATH": f"{Path(NODE).parent}{os.pathsep}{os.environ['PATH']}",
                    "LAMBDA_TASK_ROOT": str(self.root),
                    "_HANDLER": "train.handler",
                    "DEVBRIDGE_RUNTIME": "nodejs24.x",
                    "DEVBRIDGE_CHECKPOINT_SECONDS": "0",
                },
                root=str(self.root),
                inbox=inbox,
                output=attempt.Output(output),
                timeout=60,
                grace=30,
                checkpoint=checkpoint,
                keep=keep,
                stop_at=stop_at,
                interruptible=True,
            )
        finally:
            os.close(output)

    def epochs(self) -> list[int]:
        """Those that were computed, in order."""
        lines = self.output.read_text().splitlines()
        return [int(line.split()[1]) for line in lines if line.startswith("epoch")]


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="linux only")
@pytest.mark.parametrize("code", [SYNC, ASYNC], ids=["sync", "async"])
@pytest.mark.parametrize(
    "step", ["", "context.interrupted"], ids=["ends by SIGTERM", "asks whether it is interrupted"]
)
def test_a_training_that_is_interrupted_three_times_has_the_weights_of_one_that_is_not(
    runs: Runs, code: str, step: str
) -> None:
    whole = runs.attempt(code.replace("STEP", step))
    assert whole.state == SUCCEEDED
    assert runs.epochs() == [*range(EPOCHS)]
    runs.output.write_text("")
    # Long enough that it hears of its end before the last epoch is through, on a busy machine too.
    busy = "for (const since = Date.now(); Date.now() < since + 150;);"
    pause = "await sleep(150)" if code is ASYNC else busy
    code = code.replace("STEP", f"{step}; {pause}")
    checkpoint = None
    for after in (2, 1, 3):
        end = runs.attempt(code, checkpoint=checkpoint, stop_after=after)
        assert (end.state, end.failure) == (INTERRUPTED, None)
        checkpoint = runs.kept[-1]
    end = runs.attempt(code, checkpoint=checkpoint)
    assert (end.state, end.result) == (SUCCEEDED, whole.result)
    assert sorted(set(runs.epochs())) == [*range(EPOCHS)]
    assert len(runs.epochs()) <= EPOCHS + 3  # one for each interruption at most


def test_a_signal_that_is_lost_is_told_with_the_next_checkpoint(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = process.signal_group
    lost: list[int] = []

    def lose(pid: int, number: int) -> None:
        (lost.append if number == signal.SIGTERM else partial(send, pid))(number)

    monkeypatch.setattr(process, "signal_group", lose)
    code = SYNC.replace("STEP", "for (const since = Date.now(); Date.now() < since + 100;);")
    assert runs.attempt(code, stop_after=1).state == INTERRUPTED
    assert lost == [signal.SIGTERM]


def test_the_first_checkpoint_after_the_time_to_stop_interrupts_it(runs: Runs) -> None:
    assert runs.attempt(SYNC.replace("STEP", ""), stop_at=1.5).state == INTERRUPTED
    assert [json.loads(each)["epoch"] for each in runs.kept] == [1]
    assert runs.epochs() == [0]


def test_a_bad_checkpoint_fails_the_attempt_and_the_last_good_one_is_kept(runs: Runs) -> None:
    end = runs.attempt("export const handler = function* () { yield 1; yield [1n] }")
    assert end.state == FAILED
    assert end.failure is not None
    assert (end.failure.type, end.failure.message) == (
        "CheckpointNotJson",
        "checkpoint[0] is a bigint, which JSON does not have: yield it as text",
    )
    assert runs.kept == [b"1"]
