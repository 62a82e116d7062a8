"""The training of examples/train, interrupted at three random points: live and in each place, its
weights equal those of one that was not, bit for bit, and no interruption costs more than an epoch.

What interrupts it is what a place has: the end of a machine with a notice or without one, the death
of the handler's process, of the daemon, of a build or of a function. Builds and functions have no
machine that AWS takes back: of one that dies, the run has crashed, and `devbridge rerun` goes on.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from devbridge.emulator import machines, state
from devbridge.job import BoundJob
from tests.e2e.dev_and_deployed import DEV, Stage, deploy, entered, ok
from tests.e2e.dev_process import DEADLINE, DevProcess, run
from tests.waiting import eventually

EXAMPLE = Path(__file__).parents[2] / "examples" / "train"
EPOCHS = 10
PAUSE = 0.3
SEED = 12
"""Of when the runs are interrupted; which is never the same moment, for the machine may be busy."""
BEGINS = "        network.train("
TRACE = """\
        with open({trace!r}, "a") as trace:
            trace.write(f"{{os.getpid()}} {{epoch}}\\n")
"""
COMPUTE = '    compute=Batch(cpu=2, memory="7.5 GB", spot=True),\n'
PLACES = """\
    compute={
        "codebuild": CodeBuild(),
        "fargate": Fargate(spot=True),
        "lambda": Lambda(memory_size="512 MB"),
    }.get(app.stage, Batch(cpu=2, memory="7.5 GB", spot=True)),
    retries=3,
    retry_delay="0 seconds",
    environment={"DEVBRIDGE_CHECKPOINT_SECONDS": "0"},
    transform=hurry,
"""
HURRY = """\
def hurry(resource):
    # A function that goes on in another invocation after two seconds, not after 14 minutes.
    if app.stage == "lambda":
        resource.Timeout = 8
        resource.Environment.Variables["DEVBRIDGE_MARGIN"] = "6"


models ="""

pytestmark = [pytest.mark.timeout(240), pytest.mark.matrix]


@dataclass
class Training:
    """The training at one stage."""

    stage: Stage
    trace: Path
    """Which process has begun which epoch, in order."""
    dev: DevProcess | None = None
    stack: ExitStack = field(default_factory=ExitStack)
    run_id: str = ""
    over: set[int] = field(default_factory=set)
    """The processes that were there when it was interrupted."""

    @property
    def job(self) -> BoundJob:
        return self.stage.job("train")

    def begun(self) -> list[tuple[int, int]]:
        """The process and the number of each epoch that was begun."""
        lines = self.trace.read_text().splitlines() if self.trace.exists() else []
        return [(int(pid), int(epoch)) for pid, epoch in map(str.split, lines)]

    def start(self, pause: float) -> None:
        payload = {"epochs": EPOCHS, "pause": pause}
        self.run_id = self.job.run(payload).job_id

    def reach(self, epoch: int) -> None:
        """Wait until it has begun the epoch, in another process than before: the last one may have
        come further until it was interrupted."""
        eventually(lambda: any(n >= epoch and pid not in self.over for pid, n in self.begun()), 60)

    def ended(self) -> Any:
        status = self.job.wait(self.run_id, timeout=120, poll=0.2)
        assert status.state == "SUCCEEDED", (status, self.stage.cli("logs", self.run_id).stdout)
        return self.job.result(self.run_id)

    def printed(self, run_id: str) -> list[int]:
        """The epochs whose end the run has printed, in order."""
        log = ok(self.stage.cli("logs", run_id, "--raw")).stdout
        lines = [line.split() for line in log.splitlines()]
        return [int(words[1].rstrip(":")) for words in lines if words[:1] == ["epoch"]]

    # --- what interrupts it -----------------------------------------------------------------------

    def take_away(self, *, kill: bool = False) -> None:
        """End its machine, as `devbridge cloud interrupt` does."""
        cloud = self.stage.app / ".devbridge" / "cloud"
        running = state.read(cloud)
        assert running is not None
        assert machines.interrupt(running, cloud, self.run_id, kill=kill).machines

    def kill_machine(self) -> None:
        self.take_away(kill=True)

    def kill_process(self) -> None:
        os.kill(self.begun()[-1][0], signal.SIGKILL)

    def kill_for_good(self) -> None:
        """End a build or a function: the run has crashed, and another one goes on."""
        self.kill_machine()
        ended = self.job.wait(self.run_id, timeout=DEADLINE, poll=0.2)
        assert ended.state == "CRASHED", ended
        again = ok(self.stage.cli("rerun", self.run_id, "--json"))
        self.run_id = json.loads(again.stdout)["id"]

    def kill_daemon(self) -> None:
        assert self.dev is not None
        self.dev.send(signal.SIGKILL)
        self.dev.wait()
        self.dev = self.stack.enter_context(live(self.stage.app))


Interruption = Callable[[Training], None]
INTERRUPTIONS: dict[str, tuple[Interruption, ...]] = {
    DEV: (Training.kill_process, Training.kill_daemon, Training.kill_process),
    "codebuild": (Training.kill_process, Training.kill_for_good, Training.kill_process),
    "batch": (Training.take_away, Training.kill_machine, Training.take_away),
    "fargate": (Training.take_away, Training.kill_machine, Training.take_away),
    "lambda": (Training.kill_process, Training.kill_for_good, Training.kill_process),
}


def live(app: Path) -> DevProcess:
    """`devbridge dev`, when it is ready."""
    dev = DevProcess(app, "--local", "--stage", DEV)
    dev.wait_for(r"^Ready", deadline=120)
    return dev


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The example, but for the place of its job, on an embedded cloud: it tells when it begins an
    epoch, and has each checkpoint stored at once."""
    root = tmp_path_factory.mktemp("train") / "app"
    ignored = shutil.ignore_patterns(".*", "typings", "__pycache__", "tests")
    shutil.copytree(EXAMPLE, root, ignore=ignored)
    changes = {
        "app.py": {
            COMPUTE: PLACES,
            "models =": HURRY,
            "import Api": "import CodeBuild, Fargate, Lambda, Api",
        },
        "jobs/train.py": {
            "import hashlib\n": "import hashlib\nimport os\n",
            BEGINS: TRACE.format(trace=str(root.parent / "trace")) + BEGINS,
        },
    }
    for name, replaced in changes.items():
        text = (root / name).read_text()
        for old, new in replaced.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (root / name).write_text(text)
    try:
        ok(run(root, "cloud", "start"))
        yield root
    finally:
        run(root, "cloud", "stop")


@pytest.fixture
def training(
    request: pytest.FixtureRequest, app: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Training]:
    """The training at the stage that is the parameter."""
    place = request.param
    with ExitStack() as stack:
        dev = None
        if place == DEV:
            dev = stack.enter_context(live(app))
        else:
            ok(deploy(app, place))
        stage = Stage(place, app, {}, ("train",), of="train-demo")
        trace = app.parent / "trace"
        trace.unlink(missing_ok=True)
        yield Training(entered(stage, monkeypatch), trace, dev, stack)


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    """What an uninterrupted training has come to, wherever it has run."""
    return {}


@pytest.mark.parametrize("training", INTERRUPTIONS, indirect=True)
def test_an_interrupted_training_has_the_weights_of_one_that_was_not(
    training: Training, known: dict[str, Any]
) -> None:
    place = training.stage.name
    training.start(pause=0)
    whole = training.ended()
    assert whole["sha256"] == known.setdefault("sha256", whole["sha256"])
    assert [epoch for _, epoch in training.begun()] == list(range(EPOCHS))
    training.trace.unlink()

    chance = random.Random(f"{SEED} {place}")  # noqa: S311 - no secret
    points = sorted(chance.sample(range(EPOCHS - 3), 3))
    training.start(PAUSE)
    runs = [training.run_id]
    for point, interrupt in zip(points, INTERRUPTIONS[place], strict=True):
        training.reach(point)
        time.sleep(chance.uniform(0, 1.3 * PAUSE))  # in the middle of it, or at its end
        training.over |= {pid for pid, _ in training.begun()}
        interrupt(training)
        runs = list(dict.fromkeys((*runs, training.run_id)))
    interrupted = training.ended()

    begun = [epoch for _, epoch in training.begun()]
    told = (place, points, begun)
    assert (interrupted["sha256"], interrupted["accuracy"]) == (whole["sha256"], whole["accuracy"])
    # Each epoch follows the one before, or is that one once more: once for each interruption.
    steps = Counter(after - before for before, after in pairwise(begun))
    assert (begun[0], begun[-1], steps.keys() <= {0, 1}) == (0, EPOCHS - 1, True), told
    assert steps[0] <= len(points), told
    printed = [epoch for run_id in runs for epoch in training.printed(run_id)]
    assert sorted(set(printed)) == list(range(1, EPOCHS + 1)), (told, printed)
    assert len(printed) <= EPOCHS + len(points), (told, printed)
    assert len({pid for pid, _ in training.begun()}) >= 1 + len(points), told
