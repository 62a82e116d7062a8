"""Functions that run in workers of `devbridge dev`, called as AWS calls them: nobody at home, death
under a request, large events, saves."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config as BotoConfig

from devbridge.emulator.state import Running
from tests.clients import reset, root_client
from tests.e2e.dev_process import DevProcess
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(180)

APP = """
from devbridge import App, Function

app = App("live")
for name, offline in {"here": "cloud", "only": "error"}.items():
    Function(app, name, handler=f"api.{name}", offline=offline, timeout="20 seconds")
"""
API = """
import os, time

SAYS = "first"
PLACE = "laptop" if "AWS_CONTAINER_CREDENTIALS_FULL_URI" in os.environ else "cloud"

def here(event, context):
    if path := event.get("writes"):
        with open(path, "a") as file:
            file.write(event["id"] + "\\n")
    if event.get("waits"):
        time.sleep(event["waits"])
    while event.get("until") and not os.path.exists(event["until"]):
        time.sleep(0.005)
    if event.get("echo"):
        return event["echo"]
    return {"says": SAYS, "place": PLACE}

only = here
"""
LIVE, CLOUD = "laptop", "cloud"


class Stage:
    """The app's stage, as its callers see it."""

    def __init__(self, root: Path, endpoint: str) -> None:
        self.root, self.endpoint = root, endpoint

    def dev(self) -> DevProcess:
        dev = DevProcess(self.root, "--stage", "live", "--endpoint", self.endpoint)
        try:
            dev.wait_for("^Ready", deadline=120)
        except BaseException:
            dev.__exit__(None, None, None)
            raise
        return dev

    def call(self, function: str = "here", **event: Any) -> Any:
        """The answer, or the error with its type alone."""
        once = BotoConfig(retries={"max_attempts": 0}, read_timeout=60)
        client = root_client(self.endpoint, "lambda", config=once)
        answer = client.invoke(FunctionName=f"live_live_{function}-fn", Payload=json.dumps(event))
        body = json.load(answer["Payload"])
        return body["errorType"] if "FunctionError" in answer else body


@pytest.fixture(scope="module")
def stage(shared_cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    reset(shared_cloud.endpoint_url)
    root = tmp_path_factory.mktemp("live") / "app"
    root.mkdir()
    (root / "app.py").write_text(APP)
    (root / "api.py").write_text(API)
    return Stage(root, str(shared_cloud.endpoint_url))


@pytest.fixture
def dev(stage: Stage) -> Iterator[DevProcess]:
    with stage.dev() as dev:
        yield dev


def test_a_save_is_the_next_requests_code_and_a_broken_one_its_error(
    stage: Stage, dev: DevProcess
) -> None:
    file = stage.root / "api.py"
    assert stage.call()["says"] == "first"
    for say in ("second", "third"):
        file.write_text(API.replace("first", say))
        assert stage.call()["says"] == say
    file.write_text(f"{API}\ndef broken(:\n")
    assert stage.call() == "Runtime.UserCodeSyntaxError"
    file.write_text(API)
    assert stage.call()["says"] == "first"
    dev.wait_for(r"\|  here +.*SyntaxError")


def test_events_and_answers_up_to_lambdas_limit_arrive_whole(stage: Stage, dev: DevProcess) -> None:
    noise = random.Random(1)  # noqa: S311
    for size in (100, 200_000, 2_900_000):
        text = noise.randbytes(size).hex()
        assert stage.call(echo=text) == text
    del dev


def test_many_requests_at_once_are_all_answered(stage: Stage, dev: DevProcess) -> None:
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda n: stage.call(echo=f"{n}"), range(60)))
    assert found == [f"{n}" for n in range(60)]
    del dev


def test_who_waits_for_a_daemon_that_dies_is_told_at_once(stage: Stage, tmp_path: Path) -> None:
    with stage.dev() as dev, ThreadPoolExecutor(1) as pool:
        mark = tmp_path / "mark"
        answer = pool.submit(stage.call, writes=str(mark), id="a", waits=15)
        eventually(mark.exists)
        began = time.monotonic()
        dev.send(signal.SIGKILL)
        assert answer.result(60) == "Devbridge.Gone"
        assert time.monotonic() - began < 10, "and not after the function's 15 seconds"


def test_a_request_that_is_under_way_at_ctrl_c_is_answered(stage: Stage, tmp_path: Path) -> None:
    mark, go = tmp_path / "mark", tmp_path / "go"
    with stage.dev() as dev, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(stage.call, writes=str(mark), id="a", until=str(go))
        eventually(mark.exists)
        dev.send(signal.SIGINT)
        dev.wait_for("^Stopping: 1 request gets up to 3 s; ")
        go.touch()
        assert answer.result(60)["place"] == LIVE
        dev.wait()
    assert mark.read_text() == "a\n"


def test_when_nobody_is_at_home_the_deployed_code_answers_or_the_call_fails(stage: Stage) -> None:
    with stage.dev():
        assert stage.call()["place"] == LIVE
    for _ in range(3):
        assert stage.call()["place"] == CLOUD
        assert stage.call("only") == "Devbridge.Offline"
    with stage.dev():
        assert stage.call()["place"] == LIVE
        assert stage.call("only")["place"] == LIVE


def test_what_a_stopped_daemon_has_not_taken_it_never_runs(stage: Stage, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with stage.dev() as dev:
        stage.call(writes=str(mark), id="before")
        dev.send(signal.SIGSTOP)
        try:
            assert stage.call("only", writes=str(mark), id="while stopped") == "Devbridge.Offline"
        finally:
            dev.send(signal.SIGCONT)
        dev.wait_for("come too late")
        eventually(lambda: stage.call("only", writes=str(mark), id="after") != "Devbridge.Offline")
        assert "while stopped" not in mark.read_text().splitlines()
        assert mark.read_text().splitlines()[-1] == "after"
